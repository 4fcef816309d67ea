"""Counts how many values of each number column fall into each of some bins of equal width. Pure, and merges exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Counts = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Histograms:
    """Ranges by column, (least, greatest) finite value, and the number of bins. The last bin includes its upper end."""

    ranges: Mapping[str, tuple[float, float]]
    bins: int

    def __call__(self, batch: pa.RecordBatch) -> Counts:
        """Counts by column."""
        counts = {}
        for name, (least, greatest) in self.ranges.items():
            column = batch.column(batch.schema.get_field_index(name)).drop_null()
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
            values = values[np.isfinite(values)]
            # Halves, so that the distance between two finite numbers is finite.
            width = greatest / 2 - least / 2
            share = (values / 2 - least / 2) / width if width > 0 else np.zeros(len(values))
            places = np.minimum((share * self.bins).astype(np.int64), self.bins - 1)
            counts[name] = np.bincount(places, minlength=self.bins)
        return counts

    def edges(self, name: str) -> list[float]:
        """Ends of the bins: one more than there are bins."""
        least, greatest = self.ranges[name]
        inner = [least + (greatest / self.bins - least / self.bins) * at for at in range(1, self.bins)]
        return [least, *inner, greatest]


def merge(left: Counts, right: Counts) -> Counts:
    """The counts of both."""
    return {name: left[name] + right[name] if name in left else right[name] for name in {**left, **right}}


def ranges(statistics: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The ranges of all number columns that have a finite value, from a Dataset's statistics."""
    return {name: (data["min"], data["max"]) for name, data in statistics.items() if "min" in data}
