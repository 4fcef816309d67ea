"""How numbers are distributed, as counts in buckets that merge exactly and fit themselves to the data.

A bucket holds the float32 numbers that agree in all but their last `shift` bits: its width grows with the numbers, as
that of a float does. `shift` is the least at which no more than MAX_BUCKETS have anything in them. A part of the
numbers never needs a greater one than all of them do, so it makes no difference how they were divided, nor in which
order the parts were merged. (Sketches that draw random bits, as KLL does, or whose form follows from the order of
merging, as that of a t-digest, would give other bytes for the same numbers: decision 13.)
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BUCKETS = 256
_SIGN = 0x7FFFFFFF


@dataclass
class Distribution:
    """Counts by bucket. A bucket's number is the bits of its float32 numbers in their order, shifted to the right."""

    shift: int = 0
    counts: Dict[int, int] = field(default_factory=dict)

    def merge(self, other: Distribution) -> None:
        """Take in the counts of other numbers."""
        shift = max(self.shift, other.shift)
        merged = at_shift(self.counts, shift - self.shift)
        for key, count in at_shift(other.counts, shift - other.shift).items():
            merged[key] = merged.get(key, 0) + count
        while len(merged) > MAX_BUCKETS:
            merged, shift = at_shift(merged, 1), shift + 1
        self.shift, self.counts = shift, merged

    def to_data(self) -> Dict[str, Any]:
        """Plain JSON: `shift`, and of each bucket its number (`keys`, in order) and its count (`counts`)."""
        keys = sorted(self.counts)
        return {"shift": self.shift, "keys": keys, "counts": [self.counts[key] for key in keys]}


def from_data(data: Mapping[str, Any]) -> Distribution:
    """The distribution that `to_data` was called on."""
    return Distribution(int(data["shift"]), {int(k): int(c) for k, c in zip(data["keys"], data["counts"])})  # noqa: B905


def of_numbers(values: NDArray[Any]) -> Distribution:
    """The distribution of finite numbers, each rounded to a float32."""
    import numpy as np

    if not len(values):
        return Distribution()
    # + 0.0 turns -0.0 into 0.0. Numbers beyond a float32 count with the greatest.
    rounded = np.clip(values, -3.4028234e38, 3.4028234e38).astype(np.float32) + np.float32(0)
    bits = rounded.view(np.int32)
    keys = np.sort(bits ^ ((bits >> 31) & _SIGN))
    low, high = 0, 32
    while low < high:
        middle = (low + high) // 2
        if 1 + int(np.count_nonzero(np.diff(keys >> middle))) <= MAX_BUCKETS:
            high = middle
        else:
            low = middle + 1
    buckets = keys >> low
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    counts = np.diff(np.append(starts, len(buckets)))
    return Distribution(low, dict(zip(buckets[starts].tolist(), counts.tolist())))  # noqa: B905 - Python 3.9


def at_shift(counts: Mapping[int, int], by: int) -> Dict[int, int]:
    """The counts in buckets that leave out `by` bits more."""
    if not by:
        return dict(counts)
    found: Dict[int, int] = {}
    for key, count in counts.items():
        found[key >> by] = found.get(key >> by, 0) + count
    return found


def greatest_gap(one: Distribution, other: Distribution) -> float:
    """The greatest distance of the two distribution functions, from 0 to 1: the statistic of Kolmogorov and Smirnov.

    It is looked at between buckets only, so that it is never too large.
    """
    shift = max(one.shift, other.shift)
    left, right = at_shift(one.counts, shift - one.shift), at_shift(other.counts, shift - other.shift)
    totals = sum(left.values()), sum(right.values())
    if not all(totals):
        return 0.0
    gaps: List[float] = []
    below = [0, 0]
    for key in sorted({*left, *right}):
        below[0] += left.get(key, 0)
        below[1] += right.get(key, 0)
        gaps.append(abs(below[0] / totals[0] - below[1] / totals[1]))
    return max(gaps)
