"""Streams a part of a CSV file as Arrow batches of strings, if it is still what was cut; says what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from zenctl.digests import CHUNK
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.cutting import Span
from zenctl.steps.csv.header import HeaderProblem, read_header
from zenctl.steps.csv.locating import find_problem
from zenctl.steps.data.bad_rows import MAX_ROW
from zenctl.steps.data.reading import changed, gone, open_file

WHOLE_BYTES = 16 << 20
"""Parts up to this are read as one block."""
BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Dialect:
    """How the files are written: the block's attributes of the same names."""

    delimiter: str
    header: bool
    null_values: tuple[str, ...]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Dialect:
        return cls(params["delimiter"], params["header"], tuple(params["null_values"]))


class _TooLarge(Exception):
    """A record does not fit into a block."""


class _Nul(Exception):
    """A span holds NUL bytes."""


class Unparsed(Exception):
    """A span cannot be read as CSV, for the reason that is its text, from the record after the first `done` on."""

    def __init__(self, reason: str, done: int) -> None:
        super().__init__(reason)
        self.done = done


class RowTooLarge(Unparsed):
    """A record is larger than a row may be."""


def column_names(path: Path, dialect: Dialect) -> tuple[str, ...]:
    """Names of a file's columns; raises StepError."""
    try:
        return read_header(path, dialect.delimiter, dialect.header)
    except HeaderProblem as problem:
        raise StepError(f"{path.name}: {problem.message}", problem.hint, file=str(path), line=problem.line) from problem
    except OSError as problem:
        raise gone(path, problem) from problem


def read_span(
    path: Path, names: tuple[str, ...], dialect: Dialect, span: Span, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield batches of string columns in the order of `names`, null where a null value stands.

    The span begins with a record, the header included if it begins the file. Raises StepError for a record with
    another number of values, bytes that are no UTF-8, NUL bytes and a quote that is never closed; and source_changed,
    before any of these, if the bytes are not those of the span.
    """
    try:
        yield from parse_span(path, names, dialect, span, block_bytes=block_bytes)
    except RowTooLarge as problem:
        raise StepError(str(problem), 'Is a quote (") opened and never closed?', file=str(path)) from problem
    except Unparsed as problem:
        raise _located(path, dialect, len(names), span, str(problem)) from problem


def parse_span(
    path: Path, names: tuple[str, ...], dialect: Dialect, span: Span, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[pa.RecordBatch]:
    """As `read_span`, but raises Unparsed for what is wrong with records, which may be the sign of a change."""
    # Small parts are read as one block; of a large one a record that exceeds the block is met again in a larger one.
    block = span.length + 1 if span.length <= WHOLE_BYTES else block_bytes
    done = 0
    while True:
        try:
            for batch in _read(path, names, dialect, span, block, done):
                done += batch.num_rows
                yield batch
            return
        except pa.ArrowInvalid as problem:
            raise Unparsed(str(problem), done) from problem
        except _Nul as problem:
            raise Unparsed("it holds NUL bytes", done) from problem
        except _TooLarge as problem:
            if block >= MAX_ROW:
                raise RowTooLarge(f"a row of {path.name} is larger than {MAX_ROW:,} bytes", done) from problem
            block = min(block * 8, MAX_ROW)


def _read(
    path: Path, names: tuple[str, ...], dialect: Dialect, span: Span, block: int, done: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a span but for the first `done`."""
    try:
        raw = NormalisedFile(path, span)
    except OSError as problem:
        raise gone(path, problem) from problem
    with raw:
        try:
            stream = pa.PythonFile(raw, mode="r")
            for batch in open_batches(stream, names, dialect, block, header=dialect.header and span.offset == 0):
                if raw.nul:
                    raise _Nul
                passed = min(done, batch.num_rows)
                done -= passed
                if batch.num_rows > passed:
                    yield batch.slice(passed)
        except pa.ArrowInvalid as problem:
            if "straddl" in str(problem):
                raise _TooLarge(str(problem)) from problem
            if raw.nul:
                raise _Nul from problem
            raise
        if raw.nul:
            raise _Nul
        if raw.sha256 != span.sha256:
            raise changed(path)
        if raw.quotes % 2:
            # Only a sign: a quote inside an unquoted value is odd, but stands for itself.
            found = find_problem(path, dialect.delimiter, len(names), unclosed=True)
            if found is not None:
                raise found


def open_batches(stream: Any, names: tuple[str, ...], dialect: Dialect, block_bytes: int, *, header: bool) -> Any:
    """Arrow's reader of CSV text: batches of strings. Raises ArrowInvalid, also while it is read."""
    return pyarrow.csv.open_csv(
        stream,
        pyarrow.csv.ReadOptions(block_size=block_bytes, column_names=list(names), skip_rows_after_names=int(header)),
        pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(dialect.null_values),
            strings_can_be_null=True,
        ),
    )


def _located(path: Path, dialect: Dialect, columns: int, span: Span, reason: str) -> StepError:
    """What is wrong with the file; bad data may be the sign of one that is being written right now."""
    if _digest(path, span) != span.sha256:
        return changed(path)
    found = find_problem(path, dialect.delimiter, columns)
    if found is not None:
        return found
    return StepError(f"{path.name} cannot be read as CSV: {reason}", "Export the file anew.", file=str(path))


def _digest(path: Path, span: Span) -> str:
    try:
        with NormalisedFile(path, span) as raw:
            while raw.read(CHUNK):
                pass
            return raw.sha256
    except OSError as problem:
        raise gone(path, problem) from problem


class NormalisedFile(io.RawIOBase):
    """A span's bytes without a byte order mark and empty lines at the start, and with a line end after the last line.

    (Arrow would take an empty first line for the header, and wants the header's end.) Digests what the span holds.

    Arrow reads ahead in a thread of its own, also when nobody takes its batches any more: closing waits for a read
    that is under way. Otherwise the next file could be opened under the same descriptor, and lose bytes to that read.
    """

    def __init__(self, path: Path, span: Span) -> None:
        super().__init__()
        self._stream = open_file(path)
        self._stream.seek(span.offset)
        self._left = span.length
        self._at_start = span.offset == 0
        self._hasher = hashlib.sha256()
        self._reading = threading.Lock()
        self._begun = False
        self._last = b""
        self.quotes = 0
        self.nul = False

    @property
    def sha256(self) -> str:
        return self._hasher.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._next(size)
        while chunk and not self._begun:
            text = chunk.lstrip(b"\r\n")
            self._begun = bool(text)
            chunk = text or self._next(size)
        self._last = chunk[-1:] or self._last
        if not chunk and self._last not in (b"", b"\n", b"\r"):
            self._last = b"\n"
            return b"\n"
        return chunk

    def close(self) -> None:
        with self._reading:
            self._stream.close()
        super().close()

    def _next(self, size: int) -> bytes:
        with self._reading:
            wanted = max(size, len(BYTE_ORDER_MARK)) if size >= 0 else self._left
            chunk = self._stream.read(min(wanted, self._left)) or b""
            first, self._at_start = self._at_start, False
            self._left -= len(chunk)
        self._hasher.update(chunk)
        self.nul = self.nul or b"\0" in chunk
        self.quotes += chunk.count(b'"')
        return chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk
