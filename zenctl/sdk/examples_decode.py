"""Turns framed tf.train.Example records into an Arrow record batch, all records of a block in lock-step.

Reads what `examples_encode` writes (and any writer of one value per feature with sorted keys): the decoder holds one
cursor per record and moves all of them over one feature at a time. A record in another layout raises ForeignLayout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Collection, List, Mapping, Optional, Tuple

import numpy as np
import pyarrow as pa

from zenctl.sdk.records import PADDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_TAGS = {"int": 0x1A, "float": 0x12, "string": 0x0A, "bytes": 0x0A}
_ARROW = {"int": pa.int64(), "float": pa.float32(), "string": pa.string(), "bytes": pa.binary()}
_LARGE = {"string": pa.large_string(), "bytes": pa.large_binary()}
_MAX_OFFSET = (1 << 31) - 1


class ForeignLayout(Exception):
    """A record is not an Example with sorted keys and one value per feature of the schema. `row` counts from 0."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(f"{message} (row {row} of the block)")
        self.row = row


def arrow_type(type: str) -> Any:
    """The Arrow type in which a feature of type int, float, string or bytes is read."""
    return _ARROW[type]


def decode(
    data: bytes, starts: Ints, ends: Ints, features: Mapping[str, str], columns: Optional[Collection[str]] = None
) -> pa.RecordBatch:
    """Decode the records `data[starts[i]:ends[i]]`; `data` must go on for PADDING bytes after the last of them.

    `features` maps every feature's name to its type (int, float, string, bytes); columns come in its order. Only
    `columns` are decoded if given. Raises ForeignLayout.
    """
    if len(data) < (int(ends[-1]) if len(ends) else 0) + PADDING:
        raise ValueError("the block lacks its padding")
    reader = _Reader(data, starts, ends)
    wanted = set(features if columns is None else columns)
    decoded = {}
    for name in sorted(features, key=lambda name: name.encode("utf-8")):
        array = reader.feature(name, features[name], name in wanted)
        if array is not None:
            decoded[name] = array
    reader.finish()
    names = [name for name in features if name in wanted]
    schema = pa.schema([pa.field(name, decoded[name].type) for name in names])
    return pa.RecordBatch.from_arrays([decoded[name] for name in names], schema=schema)


class _Reader:
    """One cursor per record."""

    def __init__(self, data: bytes, starts: Ints, ends: Ints) -> None:
        self.data = data
        self.raw = np.frombuffer(data, dtype=np.uint8)
        self.rows = len(starts)
        self.ends = ends
        self.limit = len(data) - PADDING
        self.cursor = starts
        if self.rows:
            self._require(self.raw[starts] == 0x0A, "the record is not an Example")
            size, self.cursor = self._varint(starts + 1)
            self._require(self.cursor + size == ends, "the record holds more than its features")

    def feature(self, name: str, type: str, wanted: bool) -> Any:
        """Move past the feature where it is present; its values if they are wanted."""
        key = name.encode("utf-8")
        head = b"\x0a" + _varint_bytes(len(key)) + key + b"\x12"
        if not self.rows:
            return pa.array([], _ARROW[type]) if wanted else None
        size, inside = self._varint(self.cursor + 1)
        present = (self.cursor < self.ends) & self._matches(inside, head)
        every = bool(present.all())
        place = inside if every else inside[present]
        end = (inside + size) if every else (inside + size)[present]
        self._require(end <= (self.ends if every else self.ends[present]), "a feature is longer than its record")
        before = self.cursor
        self.cursor = end if every else before.copy()
        if not every:
            self.cursor[present] = end
        if not wanted:
            return None
        place, size = self._enter(place + len(head), end, _TAGS[type], name, type)
        if type == "int":
            values = self._ints(place, size, name)
        elif type == "float":
            self._require(size == 4, f'feature "{name}" does not hold one value')
            values = self._gather(place, 4).view("<f4").reshape(-1)
        else:
            return self._texts(place, size, None if every else present, type)
        return _numbers(values, None if every else present, _ARROW[type])

    def finish(self) -> None:
        """Every record must be read to its end."""
        if self.rows:
            self._require(self.cursor == self.ends, "a feature is not in the schema or out of order")

    def _enter(self, place: Ints, end: Ints, tag: int, name: str, type: str) -> Tuple[Ints, Ints]:
        """From a feature's length to its one value: place and size in bytes."""
        size, place = self._varint(place)
        self._require(place + size == end, f'feature "{name}" is not the last field of its entry')
        self._require(self.raw[place] == tag, f'feature "{name}" is not of type {type}')
        size, place = self._varint(place + 1)
        self._require(place + size == end, f'feature "{name}" has two lists')
        self._require((self.raw[place] == 0x0A) & (size > 0), f'feature "{name}" does not hold one value')
        size, place = self._varint(place + 1)
        self._require(place + size == end, f'feature "{name}" does not hold one value')
        return place, size

    def _ints(self, place: Ints, size: Ints, name: str) -> Ints:
        values, after = self._varint(place)
        self._require(after == place + size, f'feature "{name}" does not hold one value')
        return values

    def _texts(self, place: Ints, size: Ints, present: Optional[NDArray[np.bool_]], type: str) -> Any:
        # Values and the gaps between them, alternating, are one binary array over the block's bytes; every second
        # element of it is a value. Arrow's take copies them out.
        bounds = np.empty(2 * len(place) + 1, dtype=np.int64)
        bounds[0:-1:2] = place
        bounds[1::2] = place + size
        bounds[-1] = bounds[-2] if len(place) else 0
        buffers = [None, pa.py_buffer(bounds), pa.py_buffer(self.data)]
        both = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 2 * len(place), buffers)
        if present is None:
            index = pa.array(np.arange(0, 2 * len(place), 2))
        else:
            index = pa.array(2 * (np.cumsum(present) - 1), mask=~present)
        values = both.take(index)
        large = int(size.sum()) > _MAX_OFFSET
        try:
            return values.cast(_LARGE[type] if large else _ARROW[type])
        except pa.ArrowInvalid as error:
            raise ForeignLayout(f"a value is not UTF-8: {error}", 0) from error

    def _matches(self, place: Ints, text: bytes) -> NDArray[np.bool_]:
        safe = np.minimum(place, self.limit + PADDING - len(text))
        if len(self.raw) < len(text):
            return np.zeros(len(place), dtype=np.bool_)
        found = self._gather(np.maximum(safe, 0), len(text))
        same = (found == np.frombuffer(text, dtype=np.uint8)).all(axis=1)
        return np.asarray(same & (safe == place), dtype=np.bool_)

    def _gather(self, place: Ints, width: int) -> NDArray[np.uint8]:
        """`width` bytes from each place, as a matrix."""
        windows: NDArray[Any] = np.ndarray(
            (len(self.raw) - width + 1,), dtype=f"V{width}", buffer=self.data, strides=(1,)
        )
        return windows[place].view(np.uint8).reshape(len(place), width)

    def _varint(self, place: Ints) -> Tuple[Ints, Ints]:
        """The varint at each place, and the place after it."""
        place = np.minimum(place, self.limit + PADDING - 1)
        byte = self.raw[place]
        value = (byte & 0x7F).astype(np.uint64)
        after = place + 1
        more = np.flatnonzero(byte >= 0x80)
        shift = 7
        while len(more):
            self._require(np.full(1, shift < 70), "a number has more than ten bytes")
            byte = self.raw[np.minimum(after[more], len(self.raw) - 1)]
            value[more] |= (byte & np.uint8(0x7F)).astype(np.uint64) << np.uint64(shift)
            after[more] += 1
            more = more[byte >= 0x80]
            shift += 7
        return value.view(np.int64), after

    def _require(self, right: NDArray[np.bool_], message: str) -> None:
        if not right.all():
            raise ForeignLayout(message, int(np.argmin(right)))


def _numbers(values: NDArray[Any], present: Optional[NDArray[np.bool_]], type: Any) -> Any:
    if present is None:
        return pa.array(values, type)
    full = np.zeros(len(present), dtype=values.dtype)
    full[present] = values
    return pa.array(full, type, mask=~present)


def _varint_bytes(value: int) -> bytes:
    out: List[int] = []
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
