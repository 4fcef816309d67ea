"""What a user is told when something is wrong: severity, place, cause and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from enum import Enum

from zenctl.lazy_dataclasses import dataclass


class Severity(str, Enum):
    """How bad it is: an error stops the command, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a source text. `line` and `column` count from 1, in code points; `byte` counts from 0."""

    line: int
    column: int
    byte: int


@dataclass(frozen=True, slots=True, order=True)
class SourceRange:
    """A stretch of one source file, `end` exclusive. `filename` is as the user would type it."""

    filename: str
    start: Position
    end: Position

    def __str__(self) -> str:
        return f"{self.filename}:{self.start.line}:{self.start.column}"


Values = tuple[tuple[str, str], ...]
"""References as the user wrote them, each with a statement about its value that is safe to show."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `code` is a stable snake_case name that tools may rely on; `summary` is one short line.

    `detail` says why, and what to do next; `address` names the object concerned; `range` the source text at fault.
    `values` say what the references involved stand for: ("var.epochs", "is -1"). They make no other problem of it.
    """

    severity: Severity
    code: str
    summary: str
    detail: str = ""
    range: SourceRange | None = None
    address: str | None = None
    values: Values = field(default=(), compare=False)

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def filename(self) -> str | None:
        """The file of `range`, and so for the four below; None without a range."""
        return self.range.filename if self.range else None

    @property
    def line(self) -> int | None:
        """Where it begins, counted from 1."""
        return self.range.start.line if self.range else None

    @property
    def column(self) -> int | None:
        """Where it begins in its line, in code points from 1."""
        return self.range.start.column if self.range else None

    @property
    def end_line(self) -> int | None:
        """The line of the end, exclusive."""
        return self.range.end.line if self.range else None

    @property
    def end_column(self) -> int | None:
        """The column of the end, exclusive."""
        return self.range.end.column if self.range else None

    def at(self, range: SourceRange | None = None, address: str | None = None) -> Diagnostic:
        """The same problem, placed; a place that is already known is kept."""
        return replace(self, range=self.range or range, address=self.address or address)

    def __str__(self) -> str:
        where = f"{self.range}: " if self.range else f"{self.address}: " if self.address else ""
        detail = f" - {self.detail}" if self.detail else ""
        return f"{where}{self.severity.value}: {self.summary}{detail}"


def error(
    code: str,
    summary: str,
    detail: str = "",
    *,
    range: SourceRange | None = None,
    address: str | None = None,
    values: Values = (),
) -> Diagnostic:
    """An error diagnostic."""
    return Diagnostic(Severity.ERROR, code, summary, detail, range, address, values)


def warning(
    code: str,
    summary: str,
    detail: str = "",
    *,
    range: SourceRange | None = None,
    address: str | None = None,
    values: Values = (),
) -> Diagnostic:
    """A warning diagnostic."""
    return Diagnostic(Severity.WARNING, code, summary, detail, range, address, values)


class DiagnosticError(Exception):
    """Raised where no result is possible; carries every diagnostic found so far, at least one of them an error."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(str(d) for d in diagnostics))
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them is an error."""
    return any(d.is_error for d in diagnostics)


def raise_errors(diagnostics: Sequence[Diagnostic]) -> None:
    """Raise DiagnosticError with all of them if any is an error."""
    if has_errors(diagnostics):
        raise DiagnosticError(*diagnostics)


_MANY_NAMES = 500


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`' Did you mean "x"?'` for the known name nearest to `name`, or the empty string.

    Of very many or very long names only some are compared, as that would cost more than the hint is worth.
    """
    names = sorted(candidate for candidate in set(known) if 3 * len(candidate) <= 7 * len(name))
    if len(name) > _MANY_NAMES:
        return ""
    if len(names) > _MANY_NAMES:
        names = [candidate for candidate in names if candidate[:1] == name[:1]][:_MANY_NAMES]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
