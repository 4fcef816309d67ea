"""Learns a TransformState from record batches, in one pass and in memory that depends on the columns, not the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow.compute as pc

from zenctl.sdk import StepError
from zenctl.steps.transform.columns import column, kind, missing_column, numbers, tokens
from zenctl.steps.transform.log import log
from zenctl.steps.transform.schema import FeatureRule
from zenctl.steps.transform.state import INDEX_METHODS, MISSING, Feature, Token, TransformState

ONE_HOT_LIMIT = 64
"""Texts with more different values than this become a vocabulary with an embedding, unless a rule says otherwise."""

_SMALLEST = float(np.finfo(np.float32).tiny)
"""A smaller spread float32 cannot tell from none: it keeps a few bits of it, and TensorFlow takes it for zero."""

NUMBER_FILLS = ("mean", "min", "max", "zero")


def fit(
    batches: Iterable[Any],
    rules: Mapping[str, FeatureRule],
    *,
    label: str | None = None,
    exclude: Sequence[str] = (),
    where: str = "the data",
) -> TransformState:
    """Learn from all rows. `where` names the dataset in messages. Raises StepError for what cannot be transformed."""
    columns: list[_Column] | None = None
    left_out: tuple[str, ...] = ()
    example: dict[str, Any] = {}
    rows = 0
    for batch in batches:
        if columns is None:
            columns, left_out = _columns(batch.schema, rules, label, exclude, where)
        for fitted in columns:
            fitted.add(column(batch, fitted.name, fitted.raw_type, where))
        if len(example) < len(columns):
            example = _example(batch, [c.name for c in columns]) or example
        rows += batch.num_rows
    if columns is None or rows == 0:
        raise StepError(f"{where} has no rows to learn from", "Check the data source, and the step that split it.")
    if not columns:
        raise StepError(f"no column of {where} is left to transform", "Exclude fewer columns.")
    return TransformState(tuple(c.feature(example.get(c.name)) for c in columns), label, left_out)


class _Column(Protocol):
    """What is known of one column so far."""

    name: str
    raw_type: str

    def add(self, values: Any) -> None:
        """Take the column's values in one more batch (an Arrow array)."""
        ...

    def feature(self, example: Any) -> Feature:
        """What was learned; `example` is a raw value from a complete row, or None if there was no such row."""
        ...


class _Numbers:
    """Mean, variance and extremes of finite values, merged batch by batch (Chan, Golub and LeVeque 1979)."""

    def __init__(self, name: str, raw_type: str, rule: FeatureRule) -> None:
        self.name = name
        self.raw_type = raw_type
        self.rule = rule
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0
        self.least = math.inf
        self.greatest = -math.inf
        self.first: float | None = None
        if isinstance(rule.fill, str) and rule.fill not in NUMBER_FILLS:
            raise StepError(
                f'feature "{name}": a number cannot be filled with "{rule.fill}"',
                f"Use {', '.join(NUMBER_FILLS)} or a number.",
            )

    def add(self, values: Any) -> None:
        found = numbers(values)
        finite = found[np.isfinite(found)].astype(np.float64)
        if not len(finite):
            return
        count = self.count + len(finite)
        mean = float(finite.mean())
        shift = mean - self.mean
        self.squares += float(((finite - mean) ** 2).sum()) + shift**2 * self.count * len(finite) / count
        self.mean += shift * len(finite) / count
        self.count = count
        self.least = min(self.least, float(finite.min()))
        self.greatest = max(self.greatest, float(finite.max()))
        self.first = float(finite[0]) if self.first is None else self.first

    def feature(self, example: Any) -> Feature:
        method = self.rule.method or "z_score"
        if not self.count:
            log(f'feature "{self.name}": no row has a value; it becomes 0 everywhere')
            self.mean = self.least = self.greatest = 0.0
        shift, scale = 0.0, 1.0
        if method == "z_score":
            shift, scale = self.mean, math.sqrt(self.squares / max(self.count, 1))
        elif method == "min_max":
            shift, scale = self.least, self.greatest - self.least
        # Rounding hides the last bits, which depend on how the rows were cut into batches. It leaves more than float32
        # has: of rows that lie close together, far from zero, the shift must not miss the middle.
        shift, scale = _rounded(shift), _rounded(scale)
        if scale <= max(abs(shift) * 1e-7, _SMALLEST):
            if self.count:
                log(f'feature "{self.name}": every row has the same value; it says nothing about the label')
            shift, scale = float(np.float32(shift)), 1.0  # exactly the value of the rows, so that they become 0
        value = self.first if example is None else float(example)
        return Feature(self.name, "float32", method, shift, scale, fill=self._fill(), example=_float32(value or 0.0))

    def _fill(self) -> float:
        fill = self.rule.fill
        named = {None: self.mean, "mean": self.mean, "min": self.least, "max": self.greatest, "zero": 0.0}
        return _float32(named[fill] if fill is None or isinstance(fill, str) else fill)


class _Tokens:
    """How often each value occurs."""

    def __init__(self, name: str, raw_type: str, rule: FeatureRule) -> None:
        self.name = name
        self.raw_type = raw_type
        self.rule = rule
        self.fill = _token_fill(name, raw_type, rule.fill)
        self.counts: Counter[Token] = Counter()
        self.first: Token | None = None

    def add(self, values: Any) -> None:
        missing = MISSING[self.raw_type] if self.fill is None else self.fill
        found = pc.value_counts(tokens(values, self.raw_type, missing))
        for entry in found:
            self.counts[entry["values"].as_py()] += entry["counts"].as_py()
        if self.first is None:
            present = values.drop_null()
            self.first = present[0].as_py() if len(present) else None

    def feature(self, example: Any) -> Feature:
        method = self.rule.method or ("one_hot" if len(self.counts) <= ONE_HOT_LIMIT else "vocabulary")
        # Ties are broken by value, so that the order of rows does not matter.
        kept = sorted(
            (token for token, count in self.counts.items() if count >= self.rule.min_count),
            key=lambda token: (-self.counts[token], token),
        )[: self.rule.max_size]
        if not kept and method in INDEX_METHODS:
            raise StepError(
                f'feature "{self.name}": no value occurs {self.rule.min_count} times', "Lower min_count, or drop it."
            )
        if len(kept) < len(self.counts) and method in INDEX_METHODS:
            log(f'feature "{self.name}": kept {len(kept)} of {len(self.counts)} different values')
        value = self.first if example is None else example
        return Feature(
            self.name,
            self.raw_type,
            method,
            fill=self.fill,
            vocabulary=tuple(kept) if method in INDEX_METHODS else (),
            example=MISSING[self.raw_type] if value is None else value,
        )


def _columns(
    schema: Any, rules: Mapping[str, FeatureRule], label: str | None, exclude: Sequence[str], where: str
) -> tuple[list[_Column], tuple[str, ...]]:
    """An accumulator for each column that is kept, in the dataset's order, and the names of the others."""
    for name in (*rules, *exclude):
        if name not in schema.names:
            raise missing_column(name, schema.names, where)
    if label is not None and label not in schema.names:
        raise missing_column(label, schema.names, where, "label")
    kept: list[_Column] = []
    left_out = []
    for field in schema:
        rule = rules.get(field.name, FeatureRule())
        if field.name == label:
            continue
        if field.name in exclude or rule.method == "drop":
            left_out.append(field.name)
            continue
        kept.append(_column(field, rule))
    return kept, tuple(left_out)


def _column(field: Any, rule: FeatureRule) -> _Column:
    found = kind(field.type)
    if found is None:
        raise StepError(
            f'column "{field.name}" holds {field.type}, which transform cannot turn into numbers',
            f'Leave it out: exclude = ["{field.name}"].',
        )
    method = rule.method or ("one_hot" if found == "string" else "z_score")
    if method in INDEX_METHODS:
        if found == "float32":
            raise StepError(
                f'feature "{field.name}": {method} is for texts and integers, but the column holds fractions',
                "Use z_score, min_max or identity.",
            )
        return _Tokens(field.name, found, rule)
    if found == "string":
        if method != "identity":
            raise StepError(
                f'feature "{field.name}": {method} is for numbers, but the column holds texts',
                "Use one_hot or vocabulary, or read the column as a number in the data source.",
            )
        return _Tokens(field.name, found, rule)
    return _Numbers(field.name, found, rule)


def _rounded(value: float) -> float:
    """The first ten digits of a number."""
    return float(f"{value:.10g}")


def _float32(value: float) -> float:
    """The nearest float32, as the shortest decimal that names it: 39.1 instead of 39.099998474."""
    return float(str(np.float32(value)))


def _token_fill(name: str, raw_type: str, fill: float | str | None) -> Token | None:
    if fill is None:
        return None
    if raw_type == "int64":
        if isinstance(fill, str) or not float(fill).is_integer():
            raise StepError(f'feature "{name}" holds integers: fill must be one, not {fill!r}')
        return int(fill)
    if not isinstance(fill, str):
        raise StepError(f'feature "{name}" holds texts: fill must be one, not {fill!r}')
    return fill


def _example(batch: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """The first row of the batch that misses nothing in these columns, as plain values; None if there is none."""
    if not names or not batch.num_rows:
        return None
    complete = np.ones(batch.num_rows, dtype=bool)
    for name in names:
        complete &= ~np.asarray(pc.is_null(batch.column(name), nan_is_null=True).to_numpy(zero_copy_only=False))
    if not complete.any():
        return None
    row = int(np.argmax(complete))
    return {name: batch.column(name)[row].as_py() for name in names}
