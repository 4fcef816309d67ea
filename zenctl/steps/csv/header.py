"""Reads the names of a CSV file's columns from its first record. Standard library only."""

from __future__ import annotations

import csv
from pathlib import Path

from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.data.magic import foreign_kind
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import clear_head

MAX_HEADER = 4 << 20
"""A first record longer than this is no header."""


class HeaderProblem(Exception):
    """The first record is not a header; the message says why, `hint` what to do, `line` where (0: the whole file)."""

    def __init__(self, message: str, hint: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line


def read_header(path: Path, delimiter: str, named: bool) -> tuple[str, ...]:
    """Names of the columns; those without one, and all if not `named`, are column_1 and so on.

    Raises OSError, or HeaderProblem for an empty file, another encoding or format, a name given twice, and damage.
    """
    try:
        head = clear_head(path, MAX_HEADER)
    except FileProblem as problem:
        raise HeaderProblem(problem.message, problem.hint) from problem
    return header_of(head, delimiter, named)


def header_of(head: bytes, delimiter: str, named: bool) -> tuple[str, ...]:
    """The same from how a file begins: its first record, or all of it. Raises HeaderProblem."""
    raw, line = _first_record(head)
    if not raw.strip():
        raise HeaderProblem("the file is empty", "Check what should have written it.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte 0x{raw[error.start]:02x} in {shortened(raw)}"
        hint = "Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8."
        raise HeaderProblem(message, hint, line) from None
    if "\0" in text:
        raise HeaderProblem("the first line holds NUL bytes", "The file is damaged or no text: export it anew.", line)
    values = _values(text, delimiter, line)
    names = [value if named and value else f"column_{at}" for at, value in enumerate(values, 1)]
    for at, name in enumerate(names):
        if name in names[:at]:
            first = names.index(name) + 1
            message = f'two columns are named "{name}": number {first} and number {at + 1}'
            raise HeaderProblem(message, "Give every column a name of its own in the first line.", line)
    return tuple(names)


def shortened(raw: bytes, limit: int = 60) -> str:
    """A line of a file as it can be shown: bytes that are no text as \\xff, cut after some characters."""
    text = raw[: 4 * limit].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[:limit])
    return f"'{shown}{'...' if len(text) > limit else ''}'"


def _first_record(head: bytes) -> tuple[bytes, int]:
    """The first record that is not empty, without byte order mark, and the number of its first line."""
    foreign = foreign_kind(head)
    if foreign is not None:
        kind, remedy = foreign
        raise HeaderProblem(f"not a CSV file in UTF-8 but {kind}", f"Convert it first: {remedy or 'export as CSV'}.")
    text = head.removeprefix(BYTE_ORDER_MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    body = text.lstrip(b"\n")
    line = len(text) - len(body) + 1
    end = -1
    while True:
        end = body.find(b"\n", end + 1)
        if end < 0:
            break
        if body.count(b'"', 0, end) % 2 == 0:
            return body[:end], line
    if len(head) == MAX_HEADER:
        hint = 'Is a quote (") opened and never closed, or is this no CSV file?'
        raise HeaderProblem(f"the first record has no end within {MAX_HEADER:,} bytes", hint, line)
    return body, line


def _values(text: str, delimiter: str, line: int) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        raise HeaderProblem(f"the first line cannot be read: {error}", "Check its quotes.", line) from None
