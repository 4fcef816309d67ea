"""What is measured of one batch for fitting, and how it merges. Pure column functions, exact in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.snapshot_statistics import NumberStatistics, summarise
from zenctl.steps.data.quantiles import Lower, lower_counts, upper_counts
from zenctl.steps.transform.columns import column, numbers, tokens
from zenctl.steps.transform.state import IMAGE, MISSING, Token
from zenctl.steps.transform.terms import documents

if TYPE_CHECKING:
    from zenctl.steps.transform.features import Column

MODE_LIMIT = 100_000
"""Different numbers counted to find the most frequent one; with more there is none worth the name."""


@dataclass
class Measured:
    """Of one column: by what it needs, statistics, counts of stretches, of values, or of terms."""

    rows: int = 0
    numbers: NumberStatistics | None = None
    upper: Any = None
    values: Counter[Token] | None = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Measured) -> None:
        self.rows += other.rows
        if other.numbers is not None:
            if self.numbers is None:
                self.numbers = other.numbers
            else:
                self.numbers.merge(other.numbers)
        if other.upper is not None:
            self.upper = other.upper if self.upper is None else self.upper + other.upper
        if self.values is not None and other.values is not None:
            self.values.update(other.values)
        else:
            self.values = None
        self.terms.update(other.terms)


@dataclass(frozen=True)
class Measure:
    """From a batch to what is measured of its columns. Raises StepError for one that is missing or of another type."""

    columns: tuple[Column, ...]
    where: str

    def __call__(self, batch: pa.RecordBatch) -> dict[str, Measured]:
        found = {}
        for wanted in self.columns:
            values = column(batch, wanted.name, wanted.raw_type, self.where)
            if wanted.method == IMAGE:
                found[wanted.name] = Measured(len(values))
            else:
                found[wanted.name] = _number(wanted, values) if wanted.is_number else _token(wanted, values)
        return found


def merge(left: dict[str, Measured], right: dict[str, Measured]) -> dict[str, Measured]:
    """What was measured of the rows of both."""
    for name, measured in right.items():
        if name not in left:
            left[name] = Measured()
        left[name].merge(measured)
        one = left[name]
        if one.numbers is not None and one.values is not None and len(one.values) > MODE_LIMIT:
            one.values = None
    return left


@dataclass(frozen=True)
class Refine:
    """From a batch to the counts that quantiles need in a second pass, by column and stretch."""

    stretches: Mapping[str, tuple[int, ...]]

    def __call__(self, batch: pa.RecordBatch) -> Lower:
        found = {}
        for name, stretches in self.stretches.items():
            values = numbers(batch.column(batch.schema.get_field_index(name)))
            found[name] = lower_counts(values, stretches)
        return found


def _number(wanted: Column, values: Any) -> Measured:
    found = numbers(values)
    kept = found
    if wanted.method == "log":
        exact = found.astype(np.float64)
        kept = (np.sign(exact) * np.log1p(np.abs(exact))).astype(np.float32)
    statistics = summarise(pa.RecordBatch.from_arrays([pa.array(kept, pa.float32())], names=["x"])).columns["x"]
    measured = Measured(len(found), statistics)
    if wanted.shares:
        measured.upper = upper_counts(found)
    if wanted.rule.fill == "mode":
        different, counts = np.unique(found[np.isfinite(found)], return_counts=True)
        measured.values = Counter(dict(zip(different.tolist(), counts.tolist(), strict=True)))
    return measured


def _token(wanted: Column, values: Any) -> Measured:
    measured = Measured(len(values))
    marked = tokens(values, wanted.raw_type, MISSING[wanted.raw_type])
    if wanted.needs_values and measured.values is not None:
        counted = pc.value_counts(marked)
        measured.values.update(dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)))
    if wanted.needs_terms:
        measured.terms = Counter(documents(marked, wanted.rule.ngrams or 1))
    return measured
