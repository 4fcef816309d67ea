"""What `zenctl fmt` was given."""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

STDIN = "-"
"""The path that means standard input."""


@dataclass(frozen=True, slots=True)
class FmtArguments:
    """Of `zenctl fmt`. `write` is off where `check` is on or standard input is read."""

    paths: tuple[str, ...] = ()
    check: bool = False
    diff: bool = False
    recursive: bool = False
    write: bool = True
    listed: bool = True
    json: bool = False

    @property
    def stdin(self) -> bool:
        """Whether a text from standard input is formatted instead of files."""
        return STDIN in self.paths


def fmt_arguments(
    paths: Sequence[str],
    *,
    check: bool,
    diff: bool,
    recursive: bool,
    write: bool,
    listed: bool,
    json: bool,
    found: list[Diagnostic],
) -> FmtArguments:
    """Check the flags of `fmt`."""
    stdin = STDIN in paths
    if stdin and len(paths) > 1:
        found.append(
            error("bad_argument", "- and other paths together", "What - reads goes to standard output, alone.")
        )
    if stdin and json and not check:
        found.append(
            error("bad_argument", "- and -json together", "Each decides what is printed. Add -check for both.")
        )
    if json and diff:
        found.append(error("bad_argument", "-json and -diff together", "Each decides the form of what is printed."))
    return FmtArguments(tuple(paths), check, diff, recursive, write and not check and not stdin, listed, json)
