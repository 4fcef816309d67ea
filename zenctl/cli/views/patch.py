"""Shows what a file would become as a unified diff, for texts whose lines stay in their order."""

from __future__ import annotations

from collections.abc import Iterator

from zenctl.cli.views.style import Style, printable

CONTEXT = 3
"""Unchanged lines that are shown around changed ones."""


def patch(name: str, before: str, after: str) -> list[str]:
    """The diff line by line, each with its newline, as `patch -p1` takes it; empty if the texts are equal.

    Line i of the one text is compared with line i of the other, and only at the end may one have more lines. So there
    is nothing to search for, which makes this linear and exact where a general diff is neither.
    """
    old, new = _lines(before), _lines(after)
    most = max(len(old), len(new))
    changed = [at for at in range(most) if old[at : at + 1] != new[at : at + 1]]
    shown = [f"--- old/{name}\n", f"+++ new/{name}\n"] if changed else []
    for first, last in _hunks(changed):
        start, end = max(0, first - CONTEXT), min(most, last + 1 + CONTEXT)
        shown.append(f"@@ -{_span(old, start, end)} +{_span(new, start, end)} @@\n")
        shown += _hunk(old, new, start, end)
    return shown


def drawn(lines: list[str], style: Style) -> str:
    """A diff for people: in colour, control characters left out, a carriage return as git shows it."""
    head = [f"{style.bold(printable(line.rstrip()))}\n" for line in lines[:2]]
    return "".join([*head, *(_drawn(line, style) for line in lines[2:])])


def _lines(text: str) -> list[str]:
    """The lines with their newline; the last one may have none."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()
    return lines if last == "\n" else [*lines, last[:-1]]


def _hunks(changed: list[int]) -> Iterator[tuple[int, int]]:
    """The first and the last changed line of each run of lines that are shown together."""
    first = last = -1
    for at in changed:
        if last >= 0 and at - last > 2 * CONTEXT + 1:
            yield first, last
            first = at
        elif last < 0:
            first = at
        last = at
    if last >= 0:
        yield first, last


def _span(lines: list[str], start: int, end: int) -> str:
    count = len(lines[start:end])
    return f"{start + 1 if count else start},{count}"


def _hunk(old: list[str], new: list[str], start: int, end: int) -> Iterator[str]:
    added: list[str] = []
    for at in range(start, end):
        left, right = old[at : at + 1], new[at : at + 1]
        if left == right:
            yield from added
            added = []
            yield from _marked(" ", left)
        else:
            yield from _marked("-", left)
            added += _marked("+", right)
    yield from added


def _marked(sign: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.endswith("\n"):
            yield f"{sign}{line}"
        else:
            yield from (f"{sign}{line}\n", "\\ No newline at end of file\n")


def _drawn(line: str, style: Style) -> str:
    colour = {"-": style.red, "+": style.green, "@": style.cyan}.get(line[0], style.dim if line[0] == "\\" else str)
    return colour(printable(line.rstrip("\n").replace("\r", "^M"))) + "\n"
