"""Adds up float64 numbers exactly, so that any order and division of the rows gives the same sum to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from zenctl.lazy_dataclasses import dataclass

UNIT = 1126
"""Sums are whole numbers in units of 2**-1126: the mantissa of the smallest float64, written with 53 bits."""

_HALF = 27
"""Bits of the lower half of a mantissa: sums of halves stay exact in float64 for 2**26 rows."""


@dataclass
class ExactSum:
    """A sum of numbers. `odd` counts NaN and infinite ones, which make the whole not a number."""

    total: int = 0
    odd: int = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take more numbers, float64 [rows]."""
        usual = np.isfinite(values)
        if not usual.all():
            self.odd += len(values) - int(np.count_nonzero(usual))
            values = values[usual]
        if not len(values):
            return
        fraction, exponent = np.frexp(values)
        mantissa = np.ldexp(fraction, 53).astype(np.int64)
        place = exponent.astype(np.int64) - 53 + UNIT
        base = int(place.min())
        place -= base
        for half, shift in ((mantissa >> _HALF, base + _HALF), (mantissa & ((1 << _HALF) - 1), base)):
            sums = np.bincount(place, weights=half).tolist()
            self.total += sum(int(part) << (shift + index) for index, part in enumerate(sums) if part)

    def add_squares(self, values: npt.NDArray[Any]) -> None:
        """Take the squares of more numbers: each is cut in two, whose products a float64 holds exactly."""
        with np.errstate(over="ignore", invalid="ignore"):
            large = values * 134217729.0
            high = large - (large - values)
            low = values - high
            for products in (high * high, 2 * high * low, low * low):
                self.add(products)

    def merge(self, other: ExactSum) -> None:
        """Take all that the other has taken."""
        self.total += other.total
        self.odd += other.odd

    def over(self, count: int) -> float:
        """The sum divided by a count, rounded once; NaN if one of the numbers was odd."""
        return float("nan") if self.odd else self.total / (count << UNIT)
