"""Learns a TransformState from record batches, in memory that depends on the columns and their values, not on the rows.

What is learned of each batch merges exactly, in any order: sums are whole numbers, counts are counts. So it is the same
however rows were divided, in process or by Beam.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Dataset, StepError
from zenctl.steps.data.quantiles import merge_lower
from zenctl.steps.transform.columns import kind, missing_column
from zenctl.steps.transform.features import Column, Learned, token_column
from zenctl.steps.transform.measuring import Measure, Refine, merge
from zenctl.steps.transform.schema import FeatureRule
from zenctl.steps.transform.state import IMAGE, INDEX_METHODS, TERM_METHODS, Feature, TransformState

T = TypeVar("T")

Fold = Callable[[Callable[[Any], T], Callable[[T, T], T], T], T]
"""Merges what a function makes of each batch: (function, merge, empty) -> all merged."""

EXAMPLE_BATCHES = 32
"""Batches looked through for an example: a row that misses nothing."""


@dataclass(frozen=True)
class Batches:
    """The batches of a dataset, as often as they are asked for."""

    dataset: Dataset

    def __iter__(self) -> Iterator[Any]:
        return self.dataset.batches()


def fit(
    batches: Iterable[Any],
    rules: Mapping[str, FeatureRule],
    *,
    label: str | None = None,
    exclude: Sequence[str] = (),
    numbers: FeatureRule | None = None,
    texts: FeatureRule | None = None,
    where: str = "the data",
    fold: Fold[Any] | None = None,
) -> TransformState:
    """Learn from all rows. Raises StepError for what cannot be transformed.

    `batches` must give the same rows each time they are iterated. `numbers` and `texts` are defaults by type. `where`
    names the dataset in messages. `fold` goes over the same rows in another way.
    """
    first = next((batch for batch in batches if batch.num_rows), None)
    if first is None:
        raise StepError(f"{where} has no rows to learn from", "Check the data source, and the step that split it.")
    defaults = {"string": texts or FeatureRule(), "number": numbers or FeatureRule()}
    columns, left_out = _columns(first.schema, rules, defaults, label, exclude, where)
    if not columns:
        raise StepError(f"no column of {where} is left to transform", "Exclude fewer columns.")
    folded = fold or _in_order(batches)
    measured = folded(Measure(tuple(columns), where), merge, {})
    learned = {column.name: Learned(column, measured[column.name]) for column in columns}
    stretches = {name: one.stretches for name, one in learned.items() if one.stretches}
    lower = folded(Refine(stretches), merge_lower, {}) if stretches else {}
    examples = _examples(batches, [column.name for column in columns])
    features = tuple(learned[c.name].feature(examples.get(c.name), lower.get(c.name, {})) for c in columns)
    _check_names(features, label)
    return TransformState(features, label, left_out)


def _in_order(batches: Iterable[Any]) -> Fold[Any]:
    def fold(function: Callable[[Any], Any], merge: Callable[[Any, Any], Any], empty: Any) -> Any:
        for batch in batches:
            empty = merge(empty, function(batch))
        return empty

    return fold


def _columns(
    schema: Any,
    rules: Mapping[str, FeatureRule],
    defaults: Mapping[str, FeatureRule],
    label: str | None,
    exclude: Sequence[str],
    where: str,
) -> tuple[list[Column], tuple[str, ...]]:
    """What is to be learned of each column that is kept, in the dataset's order, and the names of the others."""
    for name in (*rules, *exclude):
        if name not in schema.names:
            raise missing_column(name, schema.names, where)
    if label is not None and label not in schema.names:
        raise missing_column(label, schema.names, where, "label")
    kept: list[Column] = []
    left_out = []
    for field in schema:
        if field.name == label:
            continue
        found = kind(field.type)
        default = FeatureRule() if found == "bytes" else defaults["string" if found == "string" else "number"]
        rule = rules.get(field.name, FeatureRule()).over(default)
        if field.name in exclude or rule.method == "drop":
            left_out.append(field.name)
            continue
        kept.append(_column(field, found, rule))
    return kept, tuple(left_out)


def _column(field: Any, found: str | None, rule: FeatureRule) -> Column:
    name = field.name
    if found is None:
        raise StepError(
            f'column "{name}" holds {field.type}, which transform cannot turn into numbers',
            f'Leave it out: exclude = ["{name}"].',
        )
    if (found == "bytes") != (rule.method == IMAGE):
        holds = "bytes" if found == "bytes" else "no bytes, as the files of images are"
        raise StepError(
            f'column "{name}" holds {holds}',
            f'If these are images, say features = {{ {name} = {{ method = "image", height = 64, width = 64 }} }}; else '
            f'leave it out: exclude = ["{name}"].'
            if found == "bytes"
            else "Use another method for it.",
        )
    if rule.method == IMAGE:
        return Column(name, found, IMAGE, rule, is_number=False)
    method = rule.method or ("one_hot" if found == "string" else "z_score")
    if method in TERM_METHODS and found != "string":
        raise StepError(f'feature "{name}": {method} is for texts, but the column holds numbers', "Use z_score.")
    if method in INDEX_METHODS - {"bucketise"}:
        if found == "float32":
            raise StepError(
                f'feature "{name}": {method} is for texts and integers, but the column holds fractions',
                "Use z_score, min_max, bucketise or identity.",
            )
        return token_column(name, found, rule)
    if found == "string":
        if method not in TERM_METHODS | {"identity"}:
            raise StepError(
                f'feature "{name}": {method} is for numbers, but the column holds texts',
                "Use one_hot or vocabulary, or read the column as a number in the data source.",
            )
        return token_column(name, found, rule)
    return Column(name, found, method, rule)


def _check_names(features: Sequence[Feature], label: str | None) -> None:
    """Columns made of terms must not be named as others are."""
    seen: dict[str, str] = {} if label is None else {label: label}
    for feature in features:
        for name in feature.columns:
            if name in seen:
                raise StepError(
                    f'the features "{seen[name]}" and "{feature.name}" both give a column "{name}"',
                    "Rename one of the columns in the step before.",
                )
            seen[name] = feature.name


def _examples(batches: Iterable[Any], names: Sequence[str]) -> dict[str, Any]:
    """A value of each column: those of the first row that misses nothing, else the first of each."""
    found: dict[str, Any] = {}
    for batch in itertools.islice(batches, EXAMPLE_BATCHES):
        missing = {
            name: np.asarray(pc.is_null(batch.column(name), nan_is_null=True).to_numpy(zero_copy_only=False))
            for name in names
        }
        complete = ~np.logical_or.reduce(list(missing.values()))
        if complete.any():
            row = int(np.argmax(complete))
            return {name: batch.column(name)[row].as_py() for name in names}
        for name, absent in missing.items():
            if name not in found and not absent.all():
                found[name] = batch.column(name)[int(np.argmin(absent))].as_py()
    return found
