"""Finds the line at fault in a bad CSV file, by reading it slowly. Standard library only."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zenctl.sdk.errors import StepError
from zenctl.steps.csv.header import shortened

NUL = "\udc00"
"""Stands for a NUL byte while rows are read; no decoded byte gives this code point."""


def find_problem(path: Path, delimiter: str, columns: int, *, unclosed: bool = False) -> StepError | None:
    """The first thing wrong with the file, or None. `unclosed`: look only for a quote that is never closed."""
    with _rows(path, delimiter, strict=unclosed) as reader:
        end = 0
        try:
            for row in reader:
                start, end = end + 1, reader.line_num
                problem = None if unclosed else wrong(row, columns)
                if problem is not None:
                    return _error(path, start, problem, delimiter.join(row).replace(NUL, "\0"))
        except csv.Error as error:
            if "end of data" in str(error):
                return _error(path, end + 1, ('opens a quote (") that is never closed', "Close it, or double it."), "")
            return None if unclosed else _error(path, end + 1, (f"cannot be read: {error}", "Check its quotes."), "")
    return None


def line_of(path: Path, delimiter: str, record: int) -> int:
    """The line on which a record starts: `record` counts from 0, empty lines left out, a header included."""
    with _rows(path, delimiter, strict=False) as reader:
        end = 0
        for row in reader:
            start, end = end + 1, reader.line_num
            if row:
                if record == 0:
                    return start
                record -= 1
    return 0


@contextmanager
def _rows(path: Path, delimiter: str, *, strict: bool) -> Iterator[Any]:
    """A reader of the file's rows; bytes that are no UTF-8 become lone surrogates."""
    with unlimited_fields(), open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        # Python 3.10's reader refuses NUL bytes before a row can be looked at.
        lines = (line.replace("\0", NUL) for line in stream)
        yield csv.reader(lines, delimiter=delimiter, strict=strict)


@contextmanager
def unlimited_fields() -> Iterator[None]:
    """Values may have any length."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def wrong(row: list[str], columns: int) -> tuple[str, str] | None:
    """What is wrong with a row, and what to do about it."""
    if not row:
        return None
    for value in row:
        if NUL in value:
            return "holds a NUL byte", "The file is damaged or no text: export it anew."
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            byte = value[error.start].encode("utf-8", "surrogateescape")
            hint = "Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8."
            return f"is not UTF-8: byte 0x{byte[0]:02x}", hint
    if len(row) == columns:
        return None
    hint = "Quote values that hold the delimiter, and write every value of every row."
    if any("\n" in value for value in row):
        hint = 'Is a quote (") opened and not closed in this row?'
    return f"has {len(row)} value{'s' * (len(row) != 1)} instead of {columns}", hint


def _error(path: Path, line: int, problem: tuple[str, str], text: str) -> StepError:
    what, hint = problem
    shown = f": {shortened(text.encode('utf-8', 'surrogateescape'))}" if text else ""
    return StepError(f"{path.name}:{line} {what}{shown}", hint, file=str(path), line=line)
