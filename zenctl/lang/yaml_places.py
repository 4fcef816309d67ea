"""Finds where each character of a YAML scalar stands in its file: through folding, escapes and indentation."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from zenctl.lang.yaml_nodes import Scalar

_BREAK = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|$)")
_DOUBLE = re.compile(
    r"(?P<space>[ \t]+)|(?P<break>\r\n|\r|\n)|(?P<joined>\\(?:\r\n|\r|\n))"
    r"|(?P<escape>\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.))|(?P<text>[^ \t\r\n\\]+)"
)
_SINGLE = re.compile(r"(?P<space>[ \t]+)|(?P<break>\r\n|\r|\n)|(?P<escape>'')|(?P<text>[^ \t\r\n']+)")
_PLAIN = re.compile(r"(?P<space>[ \t]+)|(?P<break>\r\n|\r|\n)|(?P<text>[^ \t\r\n]+)")
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


class _Runs:
    """A text as it is put together, with where each run of it comes from."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.own: list[int] = []
        self.file: list[int] = []

    def add(self, text: str, at: int) -> None:
        """A piece that begins in the file at an offset."""
        self.own.append(self.length)
        self.file.append(at)
        self.pieces.append(text)
        self.length += len(text)


def locator(file: str, scalar: Scalar) -> Callable[[int], int]:
    """The way from an offset in the scalar's text, its end included, to an offset in the file.

    A scalar written in a way not foreseen here is not guessed at: every offset then leads to its start.
    """
    begin = scalar.start + len(scalar.style)
    if scalar.style not in ("|", ">") and "\n" not in scalar.text and file.startswith(scalar.text, begin):
        return lambda offset: begin + offset
    runs = _Runs()
    if scalar.style in ("|", ">"):
        _block(file, scalar, runs)
    elif scalar.style:
        pattern = _DOUBLE if scalar.style == '"' else _SINGLE
        _flow(file, scalar.start + 1, scalar.end - 1, pattern, runs)
    else:
        _flow(file, scalar.start, scalar.end, _PLAIN, runs)
    if "".join(runs.pieces) != scalar.text:
        return lambda _: scalar.start

    def locate(offset: int) -> int:
        at = bisect_right(runs.own, offset) - 1
        found = runs.file[at] + offset - runs.own[at]
        return min(found, runs.file[at + 1]) if at + 1 < len(runs.file) else found

    return locate


def _flow(file: str, start: int, end: int, pattern: re.Pattern[str], runs: _Runs) -> None:
    """A plain or quoted scalar: blanks around line breaks do not count, one break is a space, n are n - 1 breaks."""
    at = start
    while at < end:
        found = pattern.match(file, at, end)
        if found is None:
            return
        kind = found.lastgroup
        if kind == "text":
            runs.add(found.group(), at)
        elif kind == "escape":
            runs.add(_unescaped(found.group()), at)
        elif kind == "joined" or kind == "break" or _BREAK.match(file, found.end(), end):
            at = _fold(file, at, end, kind == "joined", runs)
            continue
        else:
            runs.add(found.group(), at)
        at = found.end()
    runs.add("", end)


def _fold(file: str, start: int, end: int, joined: bool, runs: _Runs) -> int:
    """Add what a stretch of blanks and line breaks stands for; returns where it ends."""
    at = start + 1 if joined else start
    breaks = 0
    while at < end and file[at] in " \t\r\n":
        if file[at] in "\r\n":
            breaks += 1
            at += 2 if file.startswith("\r\n", at) else 1
        else:
            at += 1
    if breaks > 1:
        runs.add("\n" * (breaks - 1), start)
    elif not joined:
        runs.add(" ", start)
    return at


def _unescaped(escape: str) -> str:
    if escape == "''":
        return "'"
    if escape[1] in "xuU":
        return chr(int(escape[2:], 16)) if len(escape) > 2 and int(escape[2:], 16) <= 0x10FFFF else escape
    return _ESCAPES.get(escape[1], escape[1])


def _block(file: str, scalar: Scalar, runs: _Runs) -> None:
    """A `|` or `>` scalar: lines without their indentation; `>` folds neighbouring lines that are not indented more."""
    text = scalar.text
    at = _next_line(file, scalar.start)
    first = text.lstrip("\n")
    deeper = len(first) - len(first.lstrip(" "))
    indent: int | None = None
    breaks: list[int] = []
    after_text = False
    while at < scalar.end:
        line = _LINE.match(file, at)
        assert line is not None
        stop = line.start(1)
        row = file[at:stop]
        blanks = len(row) - len(row.lstrip(" "))
        if indent is None and blanks < len(row):
            indent = max(0, blanks - deeper)
        if len(row) <= (indent if indent is not None else blanks):
            breaks.append(stop)
        else:
            assert indent is not None
            flat = row[indent] not in " \t"
            _join(breaks, runs, folded=scalar.style == ">" and after_text and flat)
            after_text = scalar.style == ">" and flat
            runs.add(row[indent:], at + indent)
            breaks = [stop]
        at = line.end()
    kept = text[runs.length :]
    if breaks and kept == "\n" * len(kept):
        runs.add(kept, breaks[0])
    runs.add("", at)


def _join(breaks: list[int], runs: _Runs, *, folded: bool) -> None:
    """Add the line breaks before a line of text: between two flat lines of `>` one is a space, n are n - 1."""
    if folded and len(breaks) == 1:
        runs.add(" ", breaks[0])
        return
    for place in breaks[1:] if folded else breaks:
        runs.add("\n", place)


def _next_line(file: str, at: int) -> int:
    line = _LINE.match(file, at)
    assert line is not None
    return line.end()
