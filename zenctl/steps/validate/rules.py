"""Conditions on the values of one column, row by row. Pure column functions, for one batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.hashing import row_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

KEPT = 1000
"""Different values counted of each rule: the first in their order, so that merging gives the same in any order."""


@dataclass(frozen=True)
class Rule:
    """A condition on a column: `code` is the anomaly's, and says which of the others counts."""

    column: str
    code: str
    least: float | None = None
    greatest: float | None = None
    domain: tuple[str | int, ...] = ()
    pattern: str = ""

    def broken(self, batch: pa.RecordBatch) -> Mask:
        """Which rows do not pass. A missing value breaks no other rule than missing_values."""
        column = batch.column(batch.schema.get_field_index(self.column))
        missing = _flags(pc.is_null(column, nan_is_null=True))
        if self.code == "missing_values":
            return missing
        if self.code == "out_of_range":
            outside = self._outside(column)
        elif self.code == "out_of_domain":
            plain = _dense(column)
            outside = ~_flags(pc.is_in(plain, value_set=pa.array(self.domain, plain.type)))
        else:
            outside = ~_flags(pc.fill_null(pc.match_substring_regex(column, rf"\A(?:{self.pattern})\z"), True))
        return np.asarray(outside & ~missing, dtype=np.bool_)

    def _outside(self, column: Any) -> Mask:
        values = column.fill_null(0).to_numpy(zero_copy_only=False)
        found = np.zeros(len(values), dtype=np.bool_)
        if self.least is not None:
            found |= values < _bound(self.least, values.dtype)
        if self.greatest is not None:
            found |= values > _bound(self.greatest, values.dtype)
        return found

    def order(self, value: Any) -> Any:
        """Which examples come first: the furthest out of range, else in the order of the values."""
        if self.code != "out_of_range":
            return value
        beyond = [bound - value for bound in (self.least,) if bound is not None]
        beyond += [value - bound for bound in (self.greatest,) if bound is not None]
        return (-max(beyond), value)


@dataclass
class Broken:
    """How many rows break a rule, and how often which values do so."""

    rows: int
    values: Mapping[Any, int]

    def merged(self, other: Broken, rule: Rule) -> Broken:
        values = Counter(self.values)
        values.update(other.values)
        return Broken(self.rows + other.rows, _first(values, rule))

    def examples(self, count: int, rule: Rule) -> tuple[tuple[Any, int], ...]:
        """Out of range, the furthest; else the most frequent of those that were counted."""
        if rule.code == "out_of_range":
            ranked = sorted(self.values.items(), key=lambda item: rule.order(item[0]))
        else:
            ranked = sorted(self.values.items(), key=lambda item: (-item[1], item[0]))
        return tuple(ranked[:count])


Findings = dict[Rule, Broken]


@dataclass(frozen=True)
class Count:
    """From a batch to what breaks each rule in it."""

    rules: tuple[Rule, ...]

    def __call__(self, batch: pa.RecordBatch) -> Findings:
        found: Findings = {}
        for rule in self.rules:
            broken = rule.broken(batch)
            rows = int(broken.sum())
            if not rows:
                continue
            values: Counter[Any] = Counter()
            if rule.code != "missing_values":
                column = batch.column(batch.schema.get_field_index(rule.column)).filter(pa.array(broken))
                values.update({entry["values"]: entry["counts"] for entry in pc.value_counts(column).to_pylist()})
            found[rule] = Broken(rows, _first(values, rule))
        return found


def merge(left: Findings, right: Findings) -> Findings:
    """What was found in both."""
    for rule, broken in right.items():
        left[rule] = left[rule].merged(broken, rule) if rule in left else broken
    return left


@dataclass(frozen=True)
class KeyHashes:
    """From a batch to a hash of the key of each row that has all of it."""

    key: tuple[str, ...]

    def __call__(self, batch: pa.RecordBatch) -> list[NDArray[np.uint64]]:
        return [row_hashes(batch, self.key)[_complete(batch, self.key)]]


@dataclass(frozen=True)
class RepeatedKeys:
    """From a batch to the rows by key of those whose key's hash is among `hashes` (sorted)."""

    key: tuple[str, ...]
    hashes: NDArray[np.uint64]

    def rows(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], list[tuple[Any, ...]]]:
        """Numbers of the rows, and the key of each."""
        hashes = row_hashes(batch, self.key)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        rows = np.flatnonzero((self.hashes[at] == hashes) & _complete(batch, self.key))
        hit = batch.select(list(self.key)).take(pa.array(rows))
        return rows, [tuple(row.values()) for row in hit.to_pylist()]

    def __call__(self, batch: pa.RecordBatch) -> Counter[Any]:
        return Counter(self.rows(batch)[1])


@dataclass(frozen=True)
class Sort:
    """From a batch to the rows that pass (`data`) and the others (`quarantine`)."""

    rules: tuple[Rule, ...]
    repeated: RepeatedKeys | None = None
    keys: frozenset[tuple[Any, ...]] = frozenset()

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        bad = np.zeros(batch.num_rows, dtype=np.bool_)
        for rule in self.rules:
            bad |= rule.broken(batch)
        if self.repeated is not None:
            rows, keys = self.repeated.rows(batch)
            bad[rows[[key in self.keys for key in keys]]] = True
        if not bad.any():
            return {"data": batch, "quarantine": batch.slice(0, 0)}
        return {"data": batch.filter(pa.array(~bad)), "quarantine": batch.filter(pa.array(bad))}


def add(left: Any, right: Any) -> Any:
    """Lists or counters of both."""
    left += right
    return left


def _first(values: Counter[Any], rule: Rule) -> Counter[Any]:
    if len(values) <= KEPT:
        return values
    return Counter(dict(sorted(values.items(), key=lambda item: rule.order(item[0]))[:KEPT]))


def _bound(bound: float, dtype: Any) -> Any:
    """The bound as the column holds numbers: 0.1 is another number in single precision."""
    return np.float32(bound) if dtype == np.float32 else bound


def _complete(batch: pa.RecordBatch, key: tuple[str, ...]) -> Mask:
    complete = np.ones(batch.num_rows, dtype=np.bool_)
    for name in key:
        complete &= ~_flags(batch.column(batch.schema.get_field_index(name)).is_null())
    return complete


def _dense(column: Any) -> Any:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _flags(values: Any) -> Mask:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.bool_)
