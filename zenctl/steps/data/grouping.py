"""Groups records, files or whatever has a length into parts that end where the content says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zenctl.steps.csv.cutting import PartSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIX = np.uint64(0x9E3779B97F4A7C15)


class Grouping:
    """Takes lengths and hashes in order, block by block.

    A part ends after an item if it has at least `minimum` bytes and the item's hash, taken as a number in [0, 1), is
    below its length / `mean`; or after the last item that keeps it within `maximum` bytes, or the first one beyond.
    """

    def __init__(self, size: PartSize) -> None:
        self._size = size
        self._length = 0
        """Of the part that is open."""

    def add(self, lengths: NDArray[np.int64], hashes: NDArray[np.uint32]) -> list[int]:
        """Numbers of the items of this block after which a part ends; the end of the last part is not decided here."""
        ends = np.cumsum(lengths)
        mixed = (hashes.astype(np.uint64) * _MIX) >> np.uint64(32)
        hits = mixed.astype(np.int64) < np.minimum(lengths, self._size.mean) * ((1 << 32) // self._size.mean)
        base, at = -self._length, 0
        """Where the open part begins, and its first item that is in the block."""
        found: list[int] = []
        while at < len(ends):
            first = max(at, int(np.searchsorted(ends, base + self._size.minimum)))
            last = int(np.searchsorted(ends, base + self._size.maximum, side="right"))
            inside = np.flatnonzero(hits[first:last])
            if len(inside):
                end = first + int(inside[0])
            elif last >= len(ends):
                break
            else:
                end = max(last - 1, at)
            found.append(end)
            base, at = int(ends[end]), end + 1
        self._length = (int(ends[-1]) if len(ends) else 0) - base
        return found
