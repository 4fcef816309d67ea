"""Lays pieces out in lines as `terraform fmt` does: indentation by brackets, `=` and trailing comments in columns."""

from __future__ import annotations

import importlib
from typing import Any

from zenctl.lang.spacing import BRACKETS, Pieces

_INDENT = "  "

_ASSIGN, _COMMENT = 1, 2
"""The cells of a line that stand in columns, each perhaps empty: an assignment from its `=` on, a comment at the end.
Cell 0 is how the line begins.
"""

MAX_COLUMN = 400
"""Nothing is moved to a column behind this one: a single long line would widen all those around it."""


def laid_out(pieces: Pieces) -> str:
    """The text, line for line. It ends with a newline if the pieces do (but for `eof`)."""
    lines = _lines(pieces)
    _align(lines, _ASSIGN)
    _align(lines, _COMMENT)
    return "\n".join(["".join(line) for line in lines])


def _lines(pieces: Pieces) -> list[list[str]]:
    roles, texts = pieces.roles, pieces.texts
    lines: list[list[str]] = []
    indents = _Indents()
    start = 0
    for at, role in enumerate(roles):
        if role != "newline" and role != "eof":
            continue
        end = at
        comment = ""
        if end - start > 1 and roles[end - 1] == "comment" and not texts[end - 1].startswith("/*"):
            end -= 1
            comment = texts[end]
        opened, assign, opened_before = 0, end, 0
        for place in range(start, end):
            change = BRACKETS.get(roles[place])
            if change is not None:
                opened += change
            elif assign == end and roles[place] == "=" and place > start:
                assign, opened_before = place, opened
        if opened != opened_before:
            assign = end  # the value goes on over the next lines, or brackets around it end here
        lead = indents.next(opened) + pieces.joined(start, assign) if start < end else ""
        lines.append([lead, pieces.joined(assign, end), comment])
        start = at + 1
    return lines


class _Indents:
    """How far lines are indented: one step for each line that opens more brackets than it closes, however many."""

    def __init__(self) -> None:
        self.opened: list[int] = []
        """For each such line, how many of its brackets are still open."""

    def next(self, change: int) -> str:
        """The indentation of the next line, by how many more brackets it opens than it closes."""
        opened = self.opened
        if change > 0:
            opened.append(change)
            return _INDENT * (len(opened) - 1)
        while change < 0 and opened:
            taken = min(-change, opened[-1])
            change += taken
            opened[-1] -= taken
            if not opened[-1]:
                opened.pop()
        return _INDENT * len(opened)


def _align(lines: list[list[str]], cell: int) -> None:
    """Let a cell begin at the same column in all lines of a run that have it; a line too wide ends the run."""
    run: list[tuple[list[str], int]] = []
    for line in [*lines, ["", "", ""]]:
        width = _width("".join(line[:cell])) if line[cell] else 0
        if line[cell] and width < MAX_COLUMN:
            run.append((line, width))
            continue
        widest = max((width for _, width in run), default=0)
        for member, width in run:
            member[cell] = " " * (widest - width + 1) + member[cell]
        run = []
        if line[cell]:
            line[cell] = f" {line[cell]}"


def _width(text: str) -> int:
    """Columns up to the end of a text's last line, counted in what people see as one character, as Terraform does."""
    last = text[text.rfind("\n") + 1 :]
    if last.isascii():
        return len(last)
    # Loaded by those who need it only: it costs more than the rest of formatting.
    regex: Any = importlib.import_module("regex")
    return len(regex.findall(r"\X", last))
