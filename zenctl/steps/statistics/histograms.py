"""Counts the values of number columns: by bins of equal width, and as quantiles need them. Pure, and merges exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.quantiles import Lower, lower_counts, upper_counts

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Counts = dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Histograms:
    """Ranges by column, (least, greatest) finite value, and the number of bins. The last bin includes its upper end."""

    ranges: Mapping[str, tuple[float, float]]
    bins: int

    def __call__(self, batch: pa.RecordBatch) -> Counts:
        """By column: the counts of the bins, and of the stretches of `zenctl.steps.data.quantiles`."""
        counts = {}
        for name, (least, greatest) in self.ranges.items():
            values = _numbers(batch, name).astype(np.float64)
            values = values[np.isfinite(values)]
            # Halves, so that the distance between two finite numbers is finite.
            width = greatest / 2 - least / 2
            share = (values / 2 - least / 2) / width if width > 0 else np.zeros(len(values))
            places = np.minimum((share * self.bins).astype(np.int64), self.bins - 1)
            binned = np.bincount(places, minlength=self.bins)
            counts[name] = (binned, upper_counts(values.astype(np.float32)))
        return counts

    def edges(self, name: str) -> list[float]:
        """Ends of the bins: one more than there are bins."""
        least, greatest = self.ranges[name]
        inner = [least + (greatest / self.bins - least / self.bins) * at for at in range(1, self.bins)]
        return [least, *inner, greatest]


def merge(left: Counts, right: Counts) -> Counts:
    """The counts of both."""
    for name, (bins, upper) in right.items():
        left[name] = (left[name][0] + bins, left[name][1] + upper) if name in left else (bins, upper)
    return left


@dataclass(frozen=True)
class LowerCounts:
    """From a batch to the counts that quantiles need in a second pass, by column and stretch."""

    stretches: Mapping[str, tuple[int, ...]]

    def __call__(self, batch: pa.RecordBatch) -> Lower:
        return {
            name: lower_counts(_numbers(batch, name).astype(np.float32), stretches)
            for name, stretches in self.stretches.items()
        }


def _numbers(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    column = batch.column(batch.schema.get_field_index(name)).drop_null()
    return np.asarray(column.to_numpy(zero_copy_only=False))


def ranges(statistics: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The ranges of all number columns that have a finite value, from a Dataset's statistics."""
    return {name: (data["min"], data["max"]) for name, data in statistics.items() if "min" in data}
