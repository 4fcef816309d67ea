"""Finds the comments of a file, which its syntax tree leaves out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import field
from typing import Any

import yaml

from zenctl.diagnostics import Position
from zenctl.lang.document import Lines
from zenctl.lang.scanner import scan
from zenctl.lang.source import Source
from zenctl.lazy_dataclasses import dataclass

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment. `alone` says that nothing but blanks stands before it on its line; `lines` are without its signs."""

    start: Position
    end: Position
    lines: tuple[str, ...] = field(hash=False)
    alone: bool


def hcl_comments(source: Source) -> list[Comment]:
    """The comments of an HCL file, in their order."""
    tokens = scan(source.text, comments=True)
    spans = [
        (start, end)
        for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
        if kind == "comment"
    ]
    return [_comment(source, start, end) for start, end in spans]


def yaml_comments(source: Source) -> list[Comment]:
    """The comments of a YAML file that can be read, in their order."""
    return [_comment(source, start, end) for start, end in _yaml_spans(source.text)]


def _yaml_spans(text: str) -> Iterator[tuple[int, int]]:
    """Comments fill the gaps between tokens, and may follow the sign of a block scalar."""
    loader = _LOADER(text)
    at = 0
    try:
        while loader.check_token():
            token = loader.get_token()
            start = token.start_mark.index
            yield from _hashes(text, at, start)
            at = max(at, token.end_mark.index)
            if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
                header = text.find("\n", start)
                yield from _hashes(text, start, at if header < 0 else header)
    finally:
        loader.dispose()
    yield from _hashes(text, at, len(text))


def _hashes(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """From the first `#` between two offsets to the end of its line, and so on."""
    while (at := text.find("#", start, end)) >= 0:
        stop = text.find("\n", at)
        start = len(text) if stop < 0 else stop
        yield at, start


def _comment(source: Source, start: int, end: int) -> Comment:
    text = source.text
    alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
    return Comment(source.position(start), source.position(end), tuple(_lines(text[start:end])), alone)


def _lines(written: str) -> list[str]:
    """A comment's lines without `#`, `//` or `/* */` and the space that follows it."""
    if written.startswith("/*"):
        lines = [line.strip().removeprefix("*").strip() for line in written[2:-2].split("\n")]
        while lines and not lines[-1]:
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        return lines or [""]
    return [written.removeprefix("//" if written.startswith("//") else "#").removeprefix(" ").rstrip()]


class CommentQueue:
    """Gives out the comments of a file, each once, to the items that they belong to."""

    def __init__(self, comments: list[Comment]) -> None:
        self._comments = comments
        self._given: set[int] = set()

    def between(self, start: Position, end: Position) -> list[Comment]:
        """Those not given out yet that begin in this stretch."""
        found = [n for n in self._range(start, end) if n not in self._given]
        self._given.update(found)
        return [self._comments[n] for n in found]

    def beside(self, end: Position, limit: Position) -> str:
        """What stands behind an item on the line where it ends; `limit` is where the next one begins."""
        for number in self._range(end, limit):
            comment = self._comments[number]
            if comment.start.line != end.line or len(comment.lines) > 1:
                break
            if number not in self._given:
                self._given.add(number)
                return comment.lines[0]
        return ""

    def indented(self, start: Position, end: Position, column: int) -> list[Comment]:
        """Those not given out yet in this stretch, up to the first that is indented less or belongs to a key."""
        found: list[Comment] = []
        for number in self._range(start, end):
            comment = self._comments[number]
            if number in self._given:
                continue
            if not comment.alone or comment.start.column < column:
                break
            found.append(comment)
            self._given.add(number)
        return found

    def keep(self, start: Position, end: Position) -> None:
        """Those in this stretch are part of what is written anyway."""
        self._given.update(self._range(start, end))

    def _range(self, start: Position, end: Position) -> range:
        low, high = (bisect_left(self._comments, at.byte, key=lambda c: c.start.byte) for at in (start, end))
        return range(low, max(low, high))


def spaced(comments: list[Comment], before: int, after: int) -> Lines:
    """Comments as lines, with None where empty lines stand: between them, after line `before`, before line `after`.

    `before` or `after` is 0 where nothing stands on that side.
    """
    lines: list[str | None] = []
    last = before
    for comment in comments:
        if last and comment.start.line > last + 1:
            lines.append(None)
        lines += comment.lines
        last = comment.end.line
    if last and after > last + 1:
        lines.append(None)
    return tuple(lines)
