"""Statistics of columns that merge exactly: any division of the rows gives the same numbers, to the last bit.

Sums are kept as whole numbers (a float32 is one, times 2**-149), so that neither batch sizes nor the order of merging
nor the machine can show in a mean. Counting distinct values stops beyond MAX_DISTINCT of them, or at one longer than
MAX_VALUE_BYTES; whether that happens depends on the rows only, not on how they were divided.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.digests import canonical_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.distribution import Distribution, of_numbers
from zenctl.sdk.snapshot import FORMAT, Schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DISTINCT = 10_000
"""More different values than this are not counted."""
MAX_VALUE_BYTES = 256
"""A column with a longer value is free text, whose values are not counted."""
TOP = 20
"""The most frequent values that are listed."""

_FLOAT_SCALE = 149
"""Every finite float32 is a whole number times 2**-149."""


@dataclass
class NumberStatistics:
    """Of an int or float column. `total` and `squares` are exact, in units of 2**-scale and 2**-(2 scale)."""

    scale: int
    count: int = 0
    finite: int = 0
    nan: int = 0
    infinite: int = 0
    zeros: int = 0
    total: int = 0
    squares: int = 0
    least: Optional[float] = None
    greatest: Optional[float] = None
    distribution: Distribution = field(default_factory=Distribution)

    def merge(self, other: NumberStatistics) -> None:
        self.distribution.merge(other.distribution)
        for name in ("count", "finite", "nan", "infinite", "zeros", "total", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.least is not None and other.greatest is not None:
            self.least = other.least if self.least is None else min(self.least, other.least)
            self.greatest = other.greatest if self.greatest is None else max(self.greatest, other.greatest)

    def to_data(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"zeros": self.zeros}
        if self.scale:
            data.update(nan=self.nan, infinite=self.infinite)
        if self.finite:
            # Exact fractions, rounded once at the end: variance = (n * sum(x^2) - sum(x)^2) / n^2.
            spread = self.finite * self.squares - self.total * self.total
            unit = 1 << self.scale
            data.update(
                min=self.least,
                max=self.greatest,
                mean=self.total / (self.finite * unit),
                std=_root(spread, (self.finite * unit) ** 2),
                distribution=self.distribution.to_data(),
            )
        return data


@dataclass
class TextStatistics:
    """Of a string or bytes column. `values` maps each value to its count, None once there are too many.

    `skipped` says that they were not counted because other rows have too many already.
    """

    count: int = 0
    bytes: int = 0
    shortest: Optional[int] = None
    longest: Optional[int] = None
    values: Optional[Dict[Any, int]] = field(default_factory=dict)
    skipped: bool = False

    def merge(self, other: TextStatistics) -> None:
        self.skipped = self.skipped or other.skipped
        self.count += other.count
        self.bytes += other.bytes
        if other.shortest is not None and other.longest is not None:
            self.shortest = other.shortest if self.shortest is None else min(self.shortest, other.shortest)
            self.longest = other.longest if self.longest is None else max(self.longest, other.longest)
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0) + count
        if len(self.values) > MAX_DISTINCT:
            self.values = None

    def to_data(self, listed: bool) -> Dict[str, Any]:
        data: Dict[str, Any] = {"unique": None if self.values is None else len(self.values)}
        if self.count:
            data["length"] = {"min": self.shortest, "max": self.longest, "mean": self.bytes / self.count}
        if listed and self.values is not None:
            ranked = sorted(self.values.items(), key=lambda item: (-item[1], item[0]))[:TOP]
            data["top"] = [{"value": value, "count": count} for value, count in ranked]
        return data


@dataclass
class Statistics:
    """Of a stretch of rows. Merging is associative and commutative."""

    rows: int = 0
    columns: Dict[str, Any] = field(default_factory=dict)

    def merge(self, other: Statistics) -> None:
        """Take in the statistics of other rows."""
        self.rows += other.rows
        for name, column in other.columns.items():
            if name in self.columns:
                self.columns[name].merge(column)
            else:
                self.columns[name] = column

    def present(self, name: str) -> int:
        """How many rows have a value in this column."""
        column = self.columns.get(name)
        return column.count if column is not None else 0

    @property
    def uncounted(self) -> Tuple[str, ...]:
        """Text columns whose values need not be counted any more."""
        return tuple(n for n, c in self.columns.items() if isinstance(c, TextStatistics) and c.values is None)

    def to_data(self, schema: Schema) -> Mapping[str, Any]:
        """Plain JSON: for each feature `type`, `count`, `missing`, and by type

        - numbers: `zeros`, and of the finite values `min`, `max`, `mean`, `std` (population) and `distribution` (see
          there); floats: `nan`, `infinite`
        - strings: `unique` (null: more than 10,000, or values longer than 256 bytes), `length` in bytes (`min`, `max`,
          `mean`), `top` (the 20 most frequent, ties in order of value); bytes: the same without `top`
        """
        features = {}
        for feature in schema.features:
            column = self.columns.get(feature.name)
            count = self.present(feature.name)
            data: Dict[str, Any] = {"type": feature.type, "count": count, "missing": self.rows - count}
            if isinstance(column, NumberStatistics):
                data.update(column.to_data())
            elif column is not None:
                data.update(column.to_data(listed=feature.type == "string"))
            features[feature.name] = data
        return {"format": FORMAT, "rows": self.rows, "features": features}

    def to_json(self, schema: Schema) -> bytes:
        return canonical_json(self.to_data(schema)) + b"\n"


def summarise(batch: pa.RecordBatch, uncounted: Tuple[str, ...] = ()) -> Statistics:
    """Statistics of a batch of int64, float32, string and binary columns (or their large forms). Pure.

    `uncounted` names text columns whose values need not be counted any more.
    """
    found = Statistics(batch.num_rows)
    for name, column in zip(batch.schema.names, batch.columns):  # noqa: B905 - Python 3.9
        if column.type == pa.int64():
            found.columns[name] = _ints(column)
        elif column.type == pa.float32():
            found.columns[name] = _floats(column)
        elif not pa.types.is_null(column.type):
            found.columns[name] = _texts(column, name not in uncounted)
    return found


def _ints(column: Any) -> NumberStatistics:
    values = column.drop_null().to_numpy(zero_copy_only=False)
    found = NumberStatistics(0, count=len(values), finite=len(values))
    if len(values):
        found.least, found.greatest = int(values.min()), int(values.max())
        found.zeros = len(values) - int(np.count_nonzero(values))
        low, high = values & 0xFFFFFFFF, values >> 32
        found.total = (int(high.sum()) << 32) + int(low.sum())
        found.squares = _sum_of_squares(values, max(abs(found.least), abs(found.greatest)))
        found.distribution = of_numbers(values)
    return found


def _sum_of_squares(values: NDArray[np.int64], largest: int) -> int:
    if largest * largest * len(values) < 1 << 63:
        return int(np.dot(values, values))
    # |x| = high 2**32 + low, and every product's halves are added up apart, so that nothing overflows.
    size = np.where(values < 0, -values, values).view(np.uint64)
    half, bits = np.uint64(0xFFFFFFFF), np.uint64(32)
    high, low = size >> bits, size & half
    total = 0
    for product, shift in ((high * high, 64), (high * low, 33), (low * low, 0)):
        total += ((int((product >> bits).sum()) << 32) + int((product & half).sum())) << shift
    return total


def _floats(column: Any) -> NumberStatistics:
    values = column.drop_null().to_numpy(zero_copy_only=False)
    found = NumberStatistics(_FLOAT_SCALE, count=len(values))
    usual = np.isfinite(values)
    if not usual.all():
        found.nan = int(np.count_nonzero(np.isnan(values)))
        values = values[usual]
        found.infinite = found.count - found.nan - len(values)
    found.finite = len(values)
    if len(values):
        # + 0.0 turns -0.0 into 0.0: which of the two a minimum returns depends on the order of the rows.
        found.least, found.greatest = float(values.min()) + 0.0, float(values.max()) + 0.0
        found.zeros = len(values) - int(np.count_nonzero(values))
        found.total, found.squares = _float_sums(values)
        found.distribution = of_numbers(values)
    return found


def _float_sums(values: NDArray[np.float32]) -> Tuple[int, int]:
    """Exact sums of the values and of their squares, in units of 2**-149 and 2**-298.

    A float32 is `mantissa * 2**(exponent - 149)`. Mantissas of equal exponent are added up in float64, where sums of
    whole numbers stay exact below 2**53; squares go in halves of 24 bits. 2**20 rows at a time keep to that.
    """
    total = squares = 0
    for at in range(0, len(values), 1 << 20):
        bits = np.ascontiguousarray(values[at : at + (1 << 20)]).view(np.uint32)
        exponent = (bits >> np.uint32(23)) & np.uint32(0xFF)
        mantissa = (bits & np.uint32(0x7FFFFF)).astype(np.int64)
        mantissa += (exponent != 0).astype(np.int64) << 23
        place = np.maximum(exponent, 1).astype(np.int64) - 1
        base = int(place.min())
        place -= base
        square = mantissa * mantissa
        signed = np.where(bits >> np.uint32(31), -mantissa, mantissa)
        total += _weighted(place, signed, base, 1)
        squares += _weighted(place, square & 0xFFFFFF, 2 * base, 2)
        squares += _weighted(place, square >> 24, 2 * base, 2) << 24
    return total, squares


def _weighted(place: NDArray[np.int64], numbers: NDArray[np.int64], base: int, step: int) -> int:
    sums = np.bincount(place, weights=numbers).tolist()
    return sum(int(part) << (base + step * index) for index, part in enumerate(sums) if part)


def _texts(column: Any, counted: bool) -> TextStatistics:
    values = column.drop_null()
    found = TextStatistics(count=len(values))
    if not counted:
        found.values = None
    if len(values):
        lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
        found.bytes = int(lengths.sum(dtype=np.int64))
        found.shortest, found.longest = int(lengths.min()), int(lengths.max())
        if found.longest > MAX_VALUE_BYTES:
            found.values = None
        elif counted:
            counts = pc.value_counts(values)
            if len(counts) > MAX_DISTINCT:
                found.values = None
            else:
                found.values = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    return found


def _root(numerator: int, denominator: int) -> float:
    """Square root of a fraction, correct to about the last bit; the fraction itself may be beyond a float."""
    if numerator <= 0:
        return 0.0
    # Scale to a root of about 64 significant bits in whole numbers.
    shift = 130 - (numerator.bit_length() - denominator.bit_length())
    shift += shift % 2
    scaled = (numerator << shift) // denominator if shift >= 0 else numerator // (denominator << -shift)
    return math.ldexp(float(math.isqrt(scaled)), -shift // 2)
