"""Reads columns and number of rows from the footer of a Parquet file. Standard library only.

A footer is Thrift's compact protocol. Only its first fields are decoded: schema and number of rows; row groups, which
may be many, follow after them.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, Protocol

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.problems import FileProblem

MAGIC = b"PAR1"
ENCRYPTED = b"PARE"
TAIL = 8
"""Bytes after the footer: its length and the magic."""

_SCHEMA, _ROWS = 2, 3
_TYPE, _REPETITION, _NAME, _CHILDREN, _CONVERTED, _LOGICAL = 1, 3, 4, 5, 6, 10
_REPEATED = 2
_MAX_DEPTH = 32

_PHYSICAL = {0: "int", 1: "int", 2: "int", 3: "string", 4: "float", 5: "float", 6: "bytes", 7: "bytes"}
_CONVERTED_TYPES = {0: "string", 5: "string", 6: "string", 7: "string", 8: "string", 9: "string", 10: "string"}
_CONVERTED_TYPES |= {19: "string"}
"""UTF8, DECIMAL, DATE, two of TIME, two of TIMESTAMP, JSON; all others are what they are stored as."""
_LOGICAL_TYPES = {1: "string", 5: "string", 6: "string", 7: "string", 8: "string", 11: "", 12: "string", 15: "float"}
"""STRING, DECIMAL, DATE, TIME, TIMESTAMP, UNKNOWN (all null), JSON, FLOAT16."""


class Stream(Protocol):
    """What is read of a file: of a stream of its bytes."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


@dataclass(frozen=True)
class Footer:
    """Rows, and columns in order: int, float, string or bytes, "" where all values are missing, "nested" otherwise."""

    rows: int
    columns: tuple[tuple[str, str], ...]


def read_footer(path: Path) -> Footer:
    """Raises OSError, and FileProblem for a file that is damaged, encrypted, no Parquet file, or has a column twice."""
    return footer_of(footer_bytes(path))


def footer_of(data: bytes) -> Footer:
    """What a footer says that is given as it is stored. Raises FileProblem."""
    try:
        footer = _decode(data)
    except (IndexError, ValueError, KeyError, struct.error, TypeError) as problem:
        raise FileProblem("its footer is damaged", "Check what should have written it.") from problem
    names = [name for name, _ in footer.columns]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise FileProblem(
            f'two columns are named "{twice}"', "Give every column a name of its own.", code="source_header"
        )
    return footer


def footer_bytes(path: Path) -> bytes:
    """The footer as it is stored. Raises OSError and FileProblem."""
    with open(path, "rb") as stream:
        return footer_in(stream, os.fstat(stream.fileno()).st_size)


def footer_in(stream: Stream, size: int) -> bytes:
    """The same of a stream of this many bytes, of which three stretches are read."""
    if size == 0:
        raise FileProblem("the file is empty", "Check what should have written it.", code="source_empty")
    begin = stream.read(len(MAGIC))
    stream.seek(max(size - TAIL, 0))
    tail = stream.read(TAIL)
    if begin == ENCRYPTED or tail[4:] == ENCRYPTED:
        raise FileProblem("the file is encrypted", "Encrypted Parquet files cannot be read: write it without.")
    if begin != MAGIC:
        raise FileProblem(f"not a Parquet file: it begins with {begin!r}", "Name Parquet files, or another type.")
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length + TAIL + len(MAGIC) > size:
        raise FileProblem("it is cut off: a Parquet file ends with its footer", "Copy or write the file anew.")
    stream.seek(size - TAIL - length)
    return stream.read(length)


def _decode(data: bytes) -> Footer:
    reader = _Compact(data)
    schema: list[dict[int, Any]] | None = None
    rows: int | None = None
    last = 0
    while schema is None or rows is None:
        last, kind = reader.field(last)
        if not kind:
            raise ValueError("the footer lacks its schema or its rows")
        value = reader.value(kind)
        if last == _SCHEMA:
            schema = value
        elif last == _ROWS:
            rows = value
    if not isinstance(rows, int) or rows < 0:
        raise ValueError("the number of rows is none")
    return Footer(rows, _columns(schema))


def _columns(schema: list[dict[int, Any]]) -> tuple[tuple[str, str], ...]:
    """The top level of the tree, which is stored depth first with its root."""
    found, at = [], 1
    for _ in range(schema[0].get(_CHILDREN, 0)):
        element = schema[at]
        found.append((element[_NAME].decode("utf-8"), _type(element)))
        at = _after(schema, at)
    return tuple(found)


def _after(schema: list[dict[int, Any]], at: int) -> int:
    """Where the element after this one and all below it stands."""
    left = 1
    while left:
        left += schema[at].get(_CHILDREN, 0) - 1
        at += 1
    return at


def _type(element: dict[int, Any]) -> str:
    if element.get(_CHILDREN) or element.get(_REPETITION) == _REPEATED:
        return "nested"
    stored = _PHYSICAL[element[_TYPE]]
    logical = next(iter(element.get(_LOGICAL, {})), None)
    if logical in _LOGICAL_TYPES:
        return _LOGICAL_TYPES[logical]
    return _CONVERTED_TYPES.get(element.get(_CONVERTED, -1), stored)


class _Compact:
    """Thrift's compact protocol, read in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def field(self, last: int) -> tuple[int, int]:
        """The next field's number and kind; kind 0 ends a struct."""
        byte = self._byte()
        kind, step = byte & 0x0F, byte >> 4
        if not kind:
            return last, 0
        return (last + step if step else self._signed()), kind

    def value(self, kind: int, depth: int = 0) -> Any:
        """A field's value: numbers, bytes, lists, and structs as dicts by field number."""
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return struct.unpack("<d", self._take(8))[0]
        if kind == 8:
            return self._take(self._unsigned())
        if kind in (9, 10):
            head = self._byte()
            size, of = head >> 4, head & 0x0F
            size = self._unsigned() if size == 15 else size
            if size > len(self._data):
                raise ValueError("a list is longer than the footer")
            # In a list a boolean is a byte of its own.
            return [self._byte() if of in (1, 2) else self.value(of, depth + 1) for _ in range(size)]
        if kind == 12:
            found: dict[int, Any] = {}
            last = 0
            while True:
                last, of = self.field(last)
                if not of:
                    return found
                found[last] = self.value(of, depth + 1)
        raise ValueError(f"field of kind {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise ValueError("the footer ends inside a field")
        self._at += size
        return found

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number has more than ten bytes")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
