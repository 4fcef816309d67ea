"""Decodes blocks of records in types that are found on the way: in lock-step where that can be, else one by one."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.examples_decode import ForeignLayout, arrow_type, decode
from zenctl.steps.data.reading import open_file
from zenctl.steps.tfrecord.messages import NotOneValue, values_of
from zenctl.steps.tfrecord.walking import GZIP

BLOCK_RECORDS = 32_768
_HEAD = 256
"""Records that are read one by one before all of a block are."""
_ORDER = ("", "int", "float", "string", "bytes")


@dataclass(frozen=True)
class Block:
    """Records `data[starts[i]:ends[i]]`, as `sdk.records.read_blocks` gives them."""

    data: bytes
    starts: Any
    ends: Any


class BadRecord(Exception):
    """A record has no row in it. `row` counts from 0 in the block."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


class HashedFile:
    """A file that is read to its end, and its digest."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self._stream.read(size)
        self._hasher.update(chunk)
        return chunk

    def finish(self) -> str:
        """SHA-256 of the whole file."""
        while self.read(1 << 20):
            pass
        return self._hasher.hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, HashedFile, bool]]:
    """The file's records, what digests the file on the way, and whether it is compressed. Raises OSError."""
    with open_file(path) as raw:
        packed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        hashed = HashedFile(raw)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=cast(Any, hashed), mode="rb") if packed else hashed)
        yield stream, hashed, packed


def found_types(block: Block, types: Mapping[str, str]) -> dict[str, str]:
    """The types that hold this block, too: int, float, string or bytes by feature, "" for empty ones.

    Raises BadRecord for a record that is no Example with one value for each feature, or mixes numbers and bytes.
    """
    if _holds(block, types):
        return dict(types)
    # The first records tell most often all that is new.
    found = _learned(Block(block.data, block.starts[:_HEAD], block.ends[:_HEAD]), types)
    return found if len(block.starts) > _HEAD and _holds(block, found) else _learned(block, found)


def _holds(block: Block, types: Mapping[str, str]) -> bool:
    """Whether the block is decoded in these types in lock-step."""
    if not types or "" in types.values():
        return False
    try:
        decode(block.data, block.starts, block.ends, types, [n for n, type in types.items() if type == "string"])
    except ForeignLayout:
        return False
    return True


def _learned(block: Block, types: Mapping[str, str]) -> dict[str, str]:
    found = dict(types)
    for row, values in enumerate(_rows(block)):
        for name, value in values.items():
            before, own = found.get(name, ""), _type(value)
            wide = max(before, own, key=_ORDER.index)
            if (
                before
                and own
                and (wide in ("string", "bytes")) != (min(before, own, key=_ORDER.index) in ("string", "bytes"))
            ):
                raise BadRecord(f'feature "{name}" is {own} here, but {before} in records before', row)
            found[name] = wide
    return found


def decoded(block: Block, types: Mapping[str, str]) -> pa.RecordBatch:
    """The rows of a block, columns in the order of `types`. Raises BadRecord."""
    if "" not in types.values():
        try:
            return decode(block.data, block.starts, block.ends, types)
        except ForeignLayout:
            pass
    columns: dict[str, list[Any]] = {name: [] for name in types}
    for values in _rows(block):
        for name, column in columns.items():
            column.append(values.get(name))
    arrays = [_array(columns[name], type) for name, type in types.items()]
    return pa.RecordBatch.from_arrays(arrays, names=list(types))


def _rows(block: Block) -> Iterator[dict[str, Any]]:
    for row, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        try:
            yield values_of(block.data[start:end])
        except NotOneValue as problem:
            raise BadRecord(str(problem), row) from problem


def _type(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return "bytes"
        return "string"
    return "" if value is None else type(value).__name__


def _array(values: list[Any], type: str) -> Any:
    if not type:
        return pa.nulls(len(values))
    if type == "float":
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if type in ("string", "bytes"):
        array = pa.array(values, pa.large_binary())
        return array.cast(pa.large_string()) if type == "string" else array
    return pa.array(values, arrow_type(type))
