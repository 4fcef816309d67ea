"""Parses Python source without running it, and turns what the parser says into places in the user's file."""

from __future__ import annotations

import ast
import codecs
import re
import warnings
from collections.abc import Sequence
from functools import cached_property

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error
from zenctl.lazy_dataclasses import dataclass

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_LINE_END = re.compile(r"\r\n|\r|\n")
_TOO_NEW = re.compile(r"type parameter|Type parameter|f-string")


@dataclass(frozen=True)
class Source:
    """One file's text and the name a user knows it by."""

    filename: str
    text: str

    @cached_property
    def _starts(self) -> Sequence[int]:
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def position(self, line: int, utf8_offset: int) -> Position:
        """The place that the parser calls `line` (from 1) and `utf8_offset` (bytes from the line's start)."""
        starts = self._starts
        at = starts[min(line, len(starts)) - 1]
        end = starts[line] if line < len(starts) else len(self.text)
        column = len(self.text[at:end].encode("utf-8", "surrogatepass")[:utf8_offset].decode("utf-8", "ignore"))
        return Position(line, column + 1, len(self.text[: at + column].encode("utf-8", "surrogatepass")))

    def range(self, node: ast.stmt | ast.expr | ast.arg | ast.alias) -> SourceRange:
        """Where a node stands."""
        start = self.position(node.lineno, node.col_offset)
        end = start
        if node.end_lineno is not None and node.end_col_offset is not None:
            end = self.position(node.end_lineno, node.end_col_offset)
        return SourceRange(self.filename, start, end)

    def line_range(self, line: int) -> SourceRange:
        """One line, from its first character that is no space."""
        text = _LINE_END.split(self.text)[line - 1] if line <= len(self._starts) else ""
        first = len(text) - len(text.lstrip())
        start = self.position(line, len(text[:first].encode("utf-8", "surrogatepass")))
        end = self.position(line, len(text.rstrip().encode("utf-8", "surrogatepass")))
        return SourceRange(self.filename, start, end)


def decode(data: bytes, filename: str) -> tuple[str | None, Diagnostic | None]:
    """A Python file's text by its byte order mark or coding line (PEP 263), else UTF-8; or what is wrong with it."""
    name = "utf-8"
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    else:
        for line in data.splitlines()[:2]:
            cookie = _COOKIE.match(line)
            if cookie:
                name = cookie.group(1).decode("ascii", "replace")
                break
            if not _BLANK.match(line):
                break
    try:
        text = data.decode(name)
    except LookupError:
        place = _start(filename)
        return None, error(
            "code_encoding", f"{filename} names an unknown encoding, {name!r}", "Save it as UTF-8.", range=place
        )
    except UnicodeDecodeError as problem:
        before = data[: problem.start]
        row = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(name, "replace")) + 1
        here = Position(row, column, problem.start)
        where = SourceRange(filename, here, Position(row, column + 1, problem.start + 1))
        detail = f"The byte 0x{data[problem.start]:02x} has no meaning there. Save the file as UTF-8."
        return None, error("code_encoding", f"{filename} is not {name.upper()} text", detail, range=where)
    return text, None


def parse(source: Source) -> tuple[ast.Module | None, Diagnostic | None]:
    """The syntax tree, or what is wrong with the text."""
    try:
        with warnings.catch_warnings():
            # An invalid escape in the user's string is a warning that belongs to the run of the step.
            warnings.simplefilter("ignore")
            return ast.parse(source.text, source.filename), None
    except SyntaxError as problem:
        return None, _syntax_error(source, problem)
    except (RecursionError, MemoryError):
        return None, too_deep(source)
    except ValueError as problem:
        summary, detail = f"{source.filename} is not Python source", f"{problem}."
    return None, error("code_syntax", summary, detail, range=_start(source.filename))


def too_deep(source: Source) -> Diagnostic:
    """The diagnostic for code whose expressions are nested too deeply to be read."""
    summary = f"{source.filename} is nested too deeply to be parsed"
    return error("code_syntax", summary, "Split its longest expression.", range=_start(source.filename))


def _syntax_error(source: Source, problem: SyntaxError) -> Diagnostic:
    line = max(problem.lineno or 1, 1)
    text = _LINE_END.split(source.text)
    line = min(line, len(text))
    if isinstance(problem, IndentationError):
        # The parser points at the spaces.
        return _unparsed(source, problem, source.line_range(line))
    here = text[line - 1]
    offset = min(max((problem.offset or 1) - 1, 0), len(here))
    start = source.position(line, len(here[:offset].encode("utf-8", "surrogatepass")))
    end = start
    if problem.end_lineno == problem.lineno and problem.end_offset and problem.end_offset - 1 > offset:
        stop = min(problem.end_offset - 1, len(here))
        end = source.position(line, len(here[:stop].encode("utf-8", "surrogatepass")))
    return _unparsed(source, problem, SourceRange(source.filename, start, end))


def _unparsed(source: Source, problem: SyntaxError, place: SourceRange) -> Diagnostic:
    detail = "zenctl reads a step's code to know what it depends on, so it must parse."
    if _TOO_NEW.search(problem.msg or ""):
        detail += " Syntax that is newer than the Python that runs zenctl cannot be read."
    summary = f"{source.filename} does not parse: {problem.msg}"
    return error("code_syntax", summary, detail, range=place)


def _start(filename: str) -> SourceRange:
    return SourceRange(filename, Position(1, 1, 0), Position(1, 1, 0))
