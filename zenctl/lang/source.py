"""Source: a text and the way from offsets in it to lines, columns and bytes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error

BOM = "\ufeff"


class Source:
    """A text to be parsed. Offsets count code points of `text`; the file's byte order mark is not part of it.

    `start` is where the text begins if it is cut from a larger one. `locate` overrides the way from an offset to a
    position, for texts that are not a plain stretch of their file (a YAML block scalar, say).
    """

    def __init__(
        self,
        text: str,
        filename: str,
        start: Position | None = None,
        locate: Callable[[int], Position] | None = None,
    ) -> None:
        self.filename = filename
        self.problem: Diagnostic | None = None
        """Set if the text holds what no UTF-8 file can hold; those characters then read as U+FFFD."""
        skipped = 3 if start is None and text.startswith(BOM) else 0
        text = text[1:] if skipped else text
        self._start = start or Position(1, 1, skipped)
        self._locate = locate
        self._known: dict[int, Position] = {}
        broken = -1
        if not text.isascii():
            broken = next((i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff"), -1)
            if broken >= 0:
                text = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        self.text = text
        self._lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        self._lines.pop()
        self._bytes: list[int] | None = None
        if not text.isascii():
            widths = (1 if c < "\x80" else 2 if c < "\u0800" else 3 if c < "\U00010000" else 4 for c in text)
            self._bytes = [0, *accumulate(widths)]
        if broken >= 0:
            self.problem = error(
                "invalid_character",
                "Invalid character encoding",
                "The text is not valid UTF-8 here. Save the file as UTF-8.",
                range=self.range(broken, broken + 1),
            )

    def position(self, offset: int) -> Position:
        """The line, column and byte of an offset."""
        found = self._known.get(offset)
        if found is None:
            found = self._known[offset] = self._locate(offset) if self._locate else self._find(offset)
        return found

    def _find(self, offset: int) -> Position:
        row = bisect_right(self._lines, offset) - 1
        start = self._start
        column = offset - self._lines[row] + (start.column if row == 0 else 1)
        byte = offset if self._bytes is None else self._bytes[offset]
        return Position(start.line + row, column, start.byte + byte)

    def range(self, start: int, end: int) -> SourceRange:
        """The stretch from one offset to another."""
        return SourceRange(self.filename, self.position(start), self.position(end))

    def column(self, offset: int) -> int:
        """How far an offset is from the start of its line, in code points."""
        return offset - self._lines[bisect_right(self._lines, offset) - 1]

    def row(self, offset: int) -> int:
        """The line of an offset within this text, from 0."""
        return bisect_right(self._lines, offset) - 1
