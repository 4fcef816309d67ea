"""Exact quantiles of single-precision columns in two passes, whatever the order and division of the rows.

A float32 is a 32-bit number in disguise: with the sign folded in, numbers and patterns sort alike. The first pass
counts by the upper 16 bits, the second by the lower 16, but only in those of the 65,536 stretches that hold a wanted
rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

HALF = 1 << 16


def upper_counts(values: NDArray[np.float32]) -> Counts:
    """How many finite values lie in each of the 65,536 stretches."""
    return np.bincount(_keys(values) >> np.uint32(16), minlength=HALF)


def lower_counts(values: NDArray[np.float32], stretches: Sequence[int]) -> dict[int, Counts]:
    """By stretch: how many values have each of its 65,536 patterns."""
    keys = _keys(values)
    upper = keys >> np.uint32(16)
    return {at: np.bincount(keys[upper == at] & np.uint32(HALF - 1), minlength=HALF) for at in stretches}


Lower = dict[str, dict[int, "NDArray[np.int64]"]]
"""Lower counts by column and stretch."""


def merge_lower(left: Lower, right: Lower) -> Lower:
    """The counts of both."""
    for name, stretches in right.items():
        known = left.setdefault(name, {})
        for at, counts in stretches.items():
            known[at] = known[at] + counts if at in known else counts
    return left


@dataclass(frozen=True)
class Quantiles:
    """The wanted `shares` (0 to 1) of a column whose upper counts are known."""

    upper: Counts
    shares: tuple[float, ...]

    @property
    def stretches(self) -> tuple[int, ...]:
        """The stretches that the second pass must look into."""
        ends = np.cumsum(self.upper)
        ranks = sorted({rank for share in self.shares for rank in self._ranks(share)[:2]})
        return tuple(sorted({int(at) for at in np.searchsorted(ends, ranks, side="right")}))

    def values(self, lower: Mapping[int, Counts]) -> list[float]:
        """The quantiles, between two neighbouring values by linear interpolation."""
        found = []
        for share in self.shares:
            below, above, part = self._ranks(share)
            least = self._at(below, lower)
            found.append(least + (self._at(above, lower) - least) * part if part else least)
        return found

    def _ranks(self, share: float) -> tuple[int, int, float]:
        place = share * (int(self.upper.sum()) - 1)
        below = math.floor(place)
        return below, math.ceil(place), place - below

    def _at(self, rank: int, lower: Mapping[int, Counts]) -> float:
        ends = np.cumsum(self.upper)
        at = int(np.searchsorted(ends, rank, side="right"))
        inside = rank - (int(ends[at - 1]) if at else 0)
        key = np.uint32(at << 16 | int(np.searchsorted(np.cumsum(lower[at]), inside, side="right")))
        bits = key ^ np.uint32(0x80000000) if key & np.uint32(0x80000000) else ~key
        return float(np.array([bits], dtype=np.uint32).view(np.float32)[0])


def _keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers that sort as the finite values do."""
    # + 0 makes one zero of the two.
    bits = (values[np.isfinite(values)] + np.float32(0)).view(np.uint32)
    negative = (bits >> np.uint32(31)).astype(bool)
    return np.asarray(np.where(negative, ~bits, bits ^ np.uint32(0x80000000)), dtype=np.uint32)
