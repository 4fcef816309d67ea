"""Streams a CSV file as Arrow batches of strings, taking its digest on the way; says what is wrong with a bad one."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.header import HeaderProblem, read_header
from zenctl.steps.csv.locating import find_problem

BLOCK_BYTES = 4 << 20
MAX_BLOCK_BYTES = 1 << 30
"""A record must fit into a block; blocks are enlarged up to this."""


@dataclass(frozen=True)
class Dialect:
    """How the files are written: the block's attributes of the same names."""

    delimiter: str
    header: bool
    null_values: tuple[str, ...]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Dialect:
        return cls(params["delimiter"], params["header"], tuple(params["null_values"]))


@dataclass
class Passed:
    """What passed while a file was read: complete once all batches were taken."""

    sha256: str = ""


class TooLarge(Exception):
    """A record does not fit into a block."""


def column_names(path: Path, dialect: Dialect) -> tuple[str, ...]:
    """Names of a file's columns; raises StepError."""
    try:
        return read_header(path, dialect.delimiter, dialect.header)
    except HeaderProblem as problem:
        raise StepError(f"{path.name}: {problem.message}", problem.hint, file=str(path), line=problem.line) from problem
    except OSError as problem:
        raise gone(path, problem) from problem


def read_batches(
    path: Path, names: tuple[str, ...], dialect: Dialect, passed: Passed, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yield batches of string columns in the order of `names`, null where a null value stands.

    Raises StepError for a record with another number of values, bytes that are no UTF-8, NUL bytes and a quote that
    is never closed; TooLarge for a record that exceeds `block_bytes`.
    """
    try:
        raw = NormalisedFile(path)
    except OSError as problem:
        raise gone(path, problem) from problem
    with raw:
        try:
            stream = pa.PythonFile(raw, mode="r")
            for batch in _open(stream, names, dialect, block_bytes):
                _check(raw, path, dialect, len(names))
                if batch.num_rows:
                    yield batch
        except pa.ArrowInvalid as problem:
            _check(raw, path, dialect, len(names))
            if "straddl" in str(problem):
                raise TooLarge(str(problem)) from problem
            raise _located(path, dialect, len(names), str(problem)) from problem
        if raw.quotes % 2:
            # Only a sign: a quote inside an unquoted value is odd, but stands for itself.
            found = find_problem(path, dialect.delimiter, len(names), unclosed=True)
            if found is not None:
                raise found
        passed.sha256 = raw.sha256


def gone(path: Path, problem: OSError) -> StepError:
    """What is told when a file that plan saw cannot be read any more."""
    reason = (problem.strerror or type(problem).__name__).lower()
    hint = "It was there when the plan was made: plan again."
    return StepError(f"cannot read {path}: {reason}", hint, file=str(path), kind="source_changed")


def _open(stream: Any, names: tuple[str, ...], dialect: Dialect, block_bytes: int) -> Any:
    return pyarrow.csv.open_csv(
        stream,
        pyarrow.csv.ReadOptions(
            block_size=block_bytes, column_names=list(names), skip_rows_after_names=int(dialect.header)
        ),
        pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(dialect.null_values),
            strings_can_be_null=True,
        ),
    )


def _check(raw: NormalisedFile, path: Path, dialect: Dialect, columns: int) -> None:
    if raw.nul:
        raise _located(path, dialect, columns, "it holds NUL bytes")


def _located(path: Path, dialect: Dialect, columns: int, reason: str) -> StepError:
    found = find_problem(path, dialect.delimiter, columns)
    if found is not None:
        return found
    return StepError(f"{path.name} cannot be read as CSV: {reason}", "Export the file anew.", file=str(path))


class NormalisedFile(io.RawIOBase):
    """A file's bytes without a byte order mark and empty lines at the start, and with a line end after the last line.

    (Arrow would take an empty first line for the header, and wants the header's end.) Digests what the file holds.

    Arrow reads ahead in a thread of its own, also when nobody takes its batches any more: closing waits for a read
    that is under way. Otherwise the next file could be opened under the same descriptor, and lose bytes to that read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._stream = open(path, "rb", buffering=0)  # noqa: SIM115
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
            first = self._stream.tell() == 0
            chunk = self._stream.read(max(size, len(BYTE_ORDER_MARK)) if size >= 0 else -1) or b""
        self._hasher.update(chunk)
        self.nul = self.nul or b"\0" in chunk
        self.quotes += chunk.count(b'"')
        return chunk.removeprefix(BYTE_ORDER_MARK) if first else chunk
