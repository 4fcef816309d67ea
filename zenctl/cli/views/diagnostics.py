"""Shows diagnostics: what is wrong, where (the line itself, its range marked), why, and what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.style import Style, columns, plural, printable
from zenctl.diagnostics import Diagnostic, Severity, SourceRange
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.unpacking import packing

MAX_SOURCE_BYTES = 4_000_000
"""Largest file that is read to show one of its lines."""


class Sources:
    """The texts that diagnostics point into: those given, else the file of that name under `root`."""

    def __init__(self, texts: Mapping[str, str] | None = None, root: Path | None = None) -> None:
        self._texts = dict(texts or {})
        self._root = root

    def text(self, filename: str) -> str | None:
        """The file's text, or None where it is not there or not readable."""
        if filename not in self._texts and self._root is not None:
            try:
                path = self._root / filename
                if path.is_file() and path.stat().st_size <= MAX_SOURCE_BYTES:
                    data = path.read_bytes()
                    # Of a file that is packed, lines are those of what is in it.
                    if not packing(data):
                        self._texts[filename] = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
            except (OSError, ValueError):
                return None
        return self._texts.get(filename)

    def origin(self, filename: str) -> str:
        """Where a file of a module from git comes from; "" for the configuration's own files."""
        if not filename.startswith("."):
            return ""
        from zenctl.config.modules import LOCK_FILE, origin

        return origin(filename, self.text(LOCK_FILE))


@dataclass(frozen=True, slots=True)
class Group:
    """A diagnostic and those like it elsewhere, which are only counted."""

    first: Diagnostic
    others: tuple[Diagnostic, ...] = ()


def grouped(diagnostics: Iterable[Diagnostic]) -> list[Group]:
    """Warnings before errors, each in order of place; doubles dropped, what says the same made one: of warnings
    wherever they are, of errors in the same place of several instances.
    """
    unique = list(dict.fromkeys(diagnostics))
    unique.sort(key=lambda d: (d.is_error, d.range.filename if d.range else "", d.range.start.byte if d.range else -1))
    groups: dict[object, list[Diagnostic]] = {}
    for diagnostic in unique:
        alike: object = (diagnostic.code, diagnostic.summary)
        if diagnostic.is_error:
            alike = diagnostic if diagnostic.range is None else replace(diagnostic, address=None)
        groups.setdefault(alike, []).append(diagnostic)
    return [Group(first, tuple(others)) for first, *others in groups.values()]


def show(
    terminal: Terminal,
    diagnostics: Sequence[Diagnostic],
    sources: Sources | None = None,
    *,
    compact_warnings: bool = False,
) -> None:
    """Print warnings to standard output and errors to standard error. Compact only if there are no errors."""
    sources = sources or Sources()
    groups = grouped(diagnostics)
    compact = compact_warnings and groups and not any(group.first.is_error for group in groups)
    if compact:
        terminal.write("\n".join(["", terminal.style.yellow("Warnings:"), "", *map(_compact, groups)]))
        return
    for group in groups:
        if group.first.is_error:
            terminal.complain(render(group, sources, terminal.err_style, terminal.width))
        else:
            terminal.write(render(group, sources, terminal.style, terminal.width))


def render(group: Group, sources: Sources, style: Style, width: int) -> str:
    """The text of one diagnostic: in a box where there is colour, without one otherwise."""
    diagnostic = group.first
    colour = style.red if diagnostic.severity is Severity.ERROR else style.yellow
    inner = width - 2 if style.colour else width
    title = "Error" if diagnostic.is_error else "Warning"
    lines = [f"{style.bold(colour(title + ':'))} {style.bold(printable(diagnostic.summary))}"]
    place = _place(diagnostic, sources, style, colour)
    lines += ["", *place, *_values(diagnostic, style, inner)] if place or diagnostic.values else []
    lines += ["", *wrapped(diagnostic.detail, inner)] if diagnostic.detail else []
    if group.others and diagnostic.is_error:
        names = [str(other.address) for other in group.others[:3]]
        more = len(group.others) - len(names)
        lines += ["", *wrapped(f"(The same in {', '.join(names)}{f' and {more} more' if more else ''}.)", inner)]
    elif group.others:
        lines += ["", f"(and {plural(len(group.others), 'similar warning')} elsewhere)"]
    if not style.colour:
        return "\n".join(["", *lines])
    return "\n".join(["", colour("╷"), *(f"{colour('│')} {line}".rstrip() for line in lines), colour("╵")])


def wrapped(text: str, width: int) -> list[str]:
    """Paragraphs wrapped to the width. A line that begins with a space is kept as it is: code, a table, a command."""
    lines: list[str] = []
    for line in printable(text).strip("\n").split("\n"):
        if not line or line[0] == " ":
            lines.append(line.rstrip())
        else:
            lines += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
    return lines


def _place(diagnostic: Diagnostic, sources: Sources, style: Style, colour: Callable[[str], str]) -> list[str]:
    where = diagnostic.range
    address = diagnostic.address
    if where is None:
        return [f"  with {address}"] if address else []
    head = [f"  on {where}" + (f", in {address}" if address else "")]
    origin = sources.origin(where.filename)
    head += [f"  of {printable(origin)}"] if origin else []
    text = sources.text(where.filename)
    lines = text.split("\n") if text is not None else []
    if not 0 < where.start.line <= len(lines):
        return head
    return [*head, *_snippet(lines[where.start.line - 1], where, style, colour)]


def _snippet(line: str, where: SourceRange, style: Style, colour: Callable[[str], str]) -> list[str]:
    line = line.rstrip("\r")
    begin = min(max(where.start.column - 1, 0), len(line))
    goes_on = where.end.line > where.start.line
    if goes_on and begin == 0:
        # The whole line: its indentation says nothing.
        begin = len(line) - len(line.lstrip())
    end = len(line.rstrip()) if goes_on else min(where.end.column - 1, len(line))
    before, marked, after = (printable(part) for part in (line[:begin], line[begin:end], line[end:]))
    gutter = f"{where.start.line:>5} │ "
    blank = " " * 6 + "│ "
    carets = " " * columns(before) + colour("^" * max(1, columns(marked)))
    return [
        f"{style.dim(gutter)}{before}{style.bold(marked)}{after}".rstrip(),
        f"{style.dim(blank)}{carets}",
    ]


def _values(diagnostic: Diagnostic, style: Style, width: int) -> list[str]:
    """What the references involved stand for, below the line they stand in."""
    bar = style.dim("      │ ")
    rows = [
        f"{bar}{row}"
        for reference, statement in diagnostic.values
        for row in textwrap.wrap(printable(f"{reference} {statement}"), max(20, width - 8), subsequent_indent="  ")
    ]
    return [style.dim("      ├" + "─" * 16), *rows] if rows else []


def _compact(group: Group) -> str:
    where = group.first.range or group.first.address
    more = f" (and {len(group.others)} more)" if group.others else ""
    return f"- {printable(group.first.summary)}" + (f"\n  on {where}{more}" if where else more)
