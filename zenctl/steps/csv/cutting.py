"""Cuts a CSV file at ends of records that its content decides, so that a change moves the cuts around it only.

A part ends after a record if it has at least `minimum` bytes and the record's hash, taken as a number in [0, 1), is
below its length / `mean`; or after the last record that keeps it within `maximum` bytes.

A line feed ends a record where the number of quotes before it is even. This holds as long as every quote stands as
RFC 4180 has it: an opening one after a delimiter or a line end, a closing one before one of these. From the first
quote on that does not, no more cuts are made in a file; nor in one without line feeds, or with a record larger than a
part: the rest of it is one part.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.data.reading import open_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ_BYTES = 4 << 20
_LF, _CR, _QUOTE = 10, 13, 34
_WORD = 8
_WORDS = 64
"""Words of a record that its hash takes in, and the last one besides."""
_WINDOW = 1 << 18
"""Bytes of records that are hashed at a time."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class PartSize:
    """Bounds of a part in bytes; `mean` is how far its end lies beyond the minimum on average."""

    minimum: int = 3 << 20
    mean: int = 1 << 20
    maximum: int = 16 << 20


@dataclass(frozen=True)
class Span:
    """A stretch of a file: where it begins, its bytes and their SHA-256."""

    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class Cut:
    """A file's SHA-256, and its parts in order."""

    sha256: str
    spans: tuple[Span, ...]


def cut_file(path: Path, delimiter: str, size: PartSize) -> Cut:
    """Read the file once and cut it; without a delimiter every line is a record, whatever quotes. Raises OSError."""
    cutter = _Cutter(delimiter, size)
    with open_file(path) as stream:
        while chunk := stream.read(READ_BYTES):
            cutter.update(chunk)
    return cutter.finish()


class _Cutter:
    """Takes a file's bytes in order."""

    def __init__(self, delimiter: str, size: PartSize) -> None:
        self._size = size
        self._boundary = np.zeros(256, dtype=np.bool_)
        self._plain = not delimiter
        self._boundary[[*map(ord, delimiter), _LF, _CR, _QUOTE]] = True
        self._whole = hashlib.sha256()
        self._hasher = hashlib.sha256()
        self._spans: list[Span] = []
        self._offset = self._length = 0
        """Of the part that is open, as far as it is hashed; it ends at the end of a record."""
        self._rest = b""
        """What follows: a record that is not whole."""
        self._blank = 0
        """Bytes before the first record, which count for no minimum: the header must be in the first part."""
        self._begun = self._open_ended = False

    def update(self, chunk: bytes) -> None:
        self._whole.update(chunk)
        if self._open_ended:
            self._take(chunk)
            return
        data = self._rest + chunk
        if not self._begun:
            body = data.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
            self._blank = len(data) - len(body)
            self._begun = bool(body)
            self._open_ended = not self._begun
        ends = self._ends(data) if self._begun else np.zeros(0, dtype=np.int64)
        at = self._cut(data, ends) if len(ends) else 0
        self._take(data[at : int(ends[-1])] if len(ends) else b"")
        self._rest = data[int(ends[-1]) if len(ends) else 0 :]
        if self._open_ended or len(self._rest) > self._size.maximum:
            self._open_ended = True
            self._take(self._rest)
            self._rest = b""

    def finish(self) -> Cut:
        self._take(self._rest)
        if self._length or not self._spans:
            self._end_part()
        return Cut(self._whole.hexdigest(), tuple(self._spans))

    def _take(self, data: bytes) -> None:
        self._hasher.update(data)
        self._length += len(data)

    def _end_part(self) -> None:
        self._spans.append(Span(self._offset, self._length, self._hasher.hexdigest()))
        self._offset, self._length, self._hasher = self._offset + self._length, 0, hashlib.sha256()

    def _ends(self, data: bytes) -> NDArray[np.int64]:
        """Where whole records end in `data`, which begins with one; without quotes, from where the part may end on."""
        raw = np.frombuffer(data, dtype=np.uint8)
        if self._plain or b'"' not in data:
            begin = max(0, self._size.minimum - self._length - 1)
            ends: NDArray[np.int64] = np.flatnonzero(raw[begin:] == _LF) + (begin + 1)
            last = 0 if len(ends) else data.rfind(b"\n") + 1
            return np.array([last], dtype=np.int64) if last else ends
        ends = np.flatnonzero(raw == _LF) + 1
        quotes = np.flatnonzero(raw == _QUOTE)
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if not len(ends):
            return ends
        quotes = quotes[: int(np.searchsorted(quotes, ends[-1]))]
        opening, closing = quotes[::2], quotes[1::2]
        opens = self._boundary[raw[opening - 1]]
        first = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) and self._offset + self._length == 0 else 0
        opens[:1] |= opening[:1] == first
        closes = self._boundary[raw[closing + 1]]
        if not (opens.all() and closes.all()):
            self._open_ended = True
            odd = min(int(some[~good].min(initial=len(data))) for some, good in ((opening, opens), (closing, closes)))
            ends = ends[: int(np.searchsorted(ends, odd, side="right"))]
        return ends

    def _cut(self, data: bytes, ends: NDArray[np.int64]) -> int:
        """End the parts that end in `data`; gives where the next one begins."""
        quoted = not self._plain and b'"' in data
        starts = np.concatenate([[0 if quoted else data.rfind(b"\n", 0, int(ends[0]) - 1) + 1], ends[:-1]])
        words = _words(data)
        begin = 0
        while True:
            base = begin - self._length + (self._blank if self._offset == 0 else 0)
            following = int(np.searchsorted(ends, begin, side="right"))
            first = max(following, int(np.searchsorted(ends, base + self._size.minimum)))
            fitting = int(np.searchsorted(ends, base + self._size.maximum, side="right"))
            found = self._candidate(words, starts, ends, first, fitting)
            if found >= 0:
                end = int(ends[found])
            elif fitting >= len(ends):
                return begin
            elif fitting > following:
                end = int(ends[fitting - 1])
            else:
                # Not even the next record fits: the part ends before it, or is that record alone.
                end = begin if self._length else int(ends[following])
            self._take(data[begin:end])
            self._end_part()
            begin = end

    def _candidate(self, words: Any, starts: Any, ends: Any, first: int, last: int) -> int:
        """The first record from `first` to before `last` after which its own hash cuts, or -1."""
        while first < last:
            until = int(np.searchsorted(ends, int(starts[first]) + _WINDOW, side="right"))
            until = min(max(until, first + 1), last)
            begin, size = starts[first:until], ends[first:until] - starts[first:until]
            limit = np.minimum(size, self._size.mean) * ((1 << 32) // self._size.mean)
            hits = np.flatnonzero((_hashes(words, begin, size) >> np.uint64(32)).astype(np.int64) < limit)
            if len(hits):
                return first + int(hits[0])
            first = until
        return -1


def _words(data: bytes) -> Any:
    """The eight bytes from every place on, as a number; beyond the end are zeros."""
    padded = data + bytes(_WORD)
    return np.ndarray((len(data) + 1,), dtype="<u8", buffer=padded, strides=(1,))


def _hashes(words: Any, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A hash of each record: multiplied and mixed word by word, all records in step."""
    hashes = sizes.astype(np.uint64) * _MIX
    longest = int(sizes.max())
    for at in range(0, min(longest, _WORDS * _WORD), _WORD):
        left = sizes - at
        word = words[np.where(left > 0, starts + at, len(words) - 1)]
        if int(left.min()) < _WORD:
            shift = (np.clip(_WORD - left, 0, _WORD - 1) * 8).astype(np.uint64)
            word = (word << shift) >> shift
        hashes = (hashes ^ word) * _MIX
        hashes ^= hashes >> np.uint64(29)
    if longest > _WORDS * _WORD:
        hashes = (hashes ^ words[np.maximum(starts + sizes - _WORD, starts)]) * _MIX
    hashes ^= hashes >> np.uint64(32)
    return np.asarray(hashes * _MIX, dtype=np.uint64)
