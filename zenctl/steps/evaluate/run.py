"""Runs the step `evaluate`: measures in process or on Beam's workers, checks the gates, and passes the model on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Job, StepError
from zenctl.steps.data.composition import DatasetSource, as_dataset, fold
from zenctl.steps.evaluate.gates import check
from zenctl.steps.evaluate.measures import Classification, Measures, Regression
from zenctl.steps.evaluate.schema import EvaluateSettings
from zenctl.steps.train.card import ModelCard, read_card
from zenctl.steps.train.target import class_indices, present
from zenctl.steps.transform.columns import column, kind, missing_column, numbers, tokens
from zenctl.steps.transform.log import log, prepare_tensorflow
from zenctl.steps.transform.state import MISSING

if TYPE_CHECKING:
    from zenctl.steps.evaluate.predictor import Predictor

WHERE = 'input "data"'

MISSING_SLICE = "(missing)"
"""Name of the slice of rows without a value."""

SLICE_LIMIT = 1000
"""Most values a column may have to be sliced by: each has metrics of its own."""


def evaluate(job: Job) -> None:
    """Write `metrics` and `model`. Raises StepError for bad data, and where a gate is not met."""
    settings = EvaluateSettings.model_validate(dict(job.params))
    model, data = job.inputs["model"], as_dataset(job.inputs["data"])
    card = read_card(model.path)
    label = settings.label or card.label
    source = DatasetSource(data.path, data.name)
    # Only the label is read; where there is none, all columns are, to be named.
    labels = DatasetSource(data.path, data.name, (label,) if label in data.schema.names else None)
    unknown = _unknown_labels(labels, card, label, job)
    measure = Measure(model.path, card, label, tuple(unknown), tuple(settings.slices))
    tally = fold(source, measure, merge, measure.none(), job, total=data.num_rows)
    if tally.missing:
        log(f"left out {tally.missing} rows without a value of {label}")
    metrics = tally.metrics(label)
    log(", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, (int, float))))
    job.outputs["metrics"].log(**metrics)
    check(metrics, settings.gates)
    job.outputs["model"].pass_on(model)


@dataclass
class Tally:
    """Measures over rows, and over each value of each column to slice by; None for a column with too many values.

    `rows` have a label, `missing` have none.
    """

    total: Measures
    slices: dict[str, dict[str, Measures] | None]
    rows: int = 0
    missing: int = 0

    def metrics(self, label: str) -> dict[str, Any]:
        """Plain JSON; raises StepError if there is nothing to measure, or too many slices."""
        if not self.rows:
            raise StepError(f'{WHERE} has no rows with a label "{label}"', "Check the steps that made it.")
        metrics = self.total.metrics()
        for name, parts in self.slices.items():
            if parts is None:
                raise StepError(
                    f'column "{name}" has more than {SLICE_LIMIT} different values',
                    "Slice by a column with few values, such as a region.",
                )
            told = {value: parts[value].metrics(full=False) for value in sorted(parts)}
            metrics.setdefault("slices", {})[name] = told
        return metrics


@dataclass(frozen=True)
class Measure:
    """From a batch to its tally. Loads the model once in each process."""

    folder: Path
    card: ModelCard
    label: str
    unknown: tuple[str | int, ...]
    slices: tuple[str, ...]

    def none(self) -> Tally:
        """The tally of no rows."""
        return Tally(self._make(), {name: {} for name in self.slices})

    def __call__(self, batch: Any) -> Tally:
        labelled = _labelled(batch, self.label)
        tally = self.none()
        tally.missing = batch.num_rows - labelled.num_rows
        if labelled.num_rows:
            self._add(tally, labelled, _predictor(self.folder, self.card).scores(labelled, WHERE))
        return tally

    def _make(self) -> Measures:
        return Classification(self.card.classes, self.unknown) if self.card.task == "classification" else Regression()

    def _add(self, tally: Tally, batch: Any, scores: npt.NDArray[np.float32]) -> None:
        values = column(batch, self.label, self.card.label_type, WHERE, "Set label to the column with the truth.")
        truth: npt.NDArray[Any]
        if self.card.task == "classification":
            truth = class_indices(values, self.card.label_type, (*self.card.classes, *self.unknown))
        else:
            truth = numbers(values)
        tally.rows = len(truth)
        tally.total.add(truth, scores)
        for name in self.slices:
            groups = _groups(batch, name)
            parts: dict[str, Measures] = {}
            # Counting for each of too many values would be in vain.
            for value, rows in groups if len(groups) <= SLICE_LIMIT else ():
                parts[value] = self._make()
                parts[value].add(truth[rows], scores[rows])
            tally.slices[name] = parts if len(groups) <= SLICE_LIMIT else None


def merge(into: Tally, other: Tally) -> Tally:
    """Both together, in the first."""
    into.rows += other.rows
    into.missing += other.missing
    into.total.merge(other.total)
    for name, parts in other.slices.items():
        known = into.slices[name]
        if known is None or parts is None or len(known.keys() | parts.keys()) > SLICE_LIMIT:
            into.slices[name] = None
            continue
        for value, measures in parts.items():
            if value in known:
                known[value].merge(measures)
            else:
                known[value] = measures
    return into


@lru_cache(maxsize=1)
def _predictor(folder: Path, card: ModelCard) -> Predictor:
    prepare_tensorflow()
    from zenctl.steps.evaluate.predictor import Predictor

    return Predictor(folder, card)


def _labelled(batch: Any, label: str) -> Any:
    """The rows that have a label."""
    if label not in batch.schema.names:
        raise missing_column(label, batch.schema.names, WHERE, "label")
    return batch.filter(pa.array(present(batch.column(label))))


def _unknown_labels(source: DatasetSource, card: ModelCard, label: str, job: Job) -> list[str | int]:
    """Labels of the data that the model does not know, sorted; none for regression."""
    if card.task != "classification":
        return []
    empty: set[str | int] = set()
    found = fold(source, Labels(label, card.label_type), set.union, empty, job)
    unknown = sorted(found - set(card.classes), key=lambda value: (str(type(value)), value))
    if unknown:
        names = ", ".join(str(value) for value in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        log(f"{label} has values that the model does not know, and so gets wrong: {names}")
    return unknown


@dataclass(frozen=True)
class Labels:
    """From a batch to its different labels."""

    label: str
    type: str

    def __call__(self, batch: Any) -> set[str | int]:
        labelled = _labelled(batch, self.label)
        values = column(labelled, self.label, self.type, WHERE, "Set label to the column with the truth.")
        return set(pc.unique(tokens(values, self.type, MISSING[self.type])).to_pylist())


def _groups(batch: Any, name: str) -> list[tuple[str, npt.NDArray[np.int64]]]:
    """Rows of the batch by the column's value as a text, in the order of first appearance."""
    if name not in batch.schema.names:
        raise missing_column(name, batch.schema.names, WHERE, "slice column")
    values = batch.column(name)
    if kind(values.type) in (None, "bytes"):
        raise StepError(f'column "{name}" holds {values.type} and cannot be sliced by', "Choose a plain column.")
    encoded = pc.dictionary_encode(pc.fill_null(pc.cast(values, pa.string()), MISSING_SLICE))
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    # An empty text is a missing value everywhere else, too.
    names = [value or MISSING_SLICE for value in encoded.dictionary.to_pylist()]
    merged: dict[str, list[npt.NDArray[np.int64]]] = {}
    for position, value in enumerate(names):
        merged.setdefault(value, []).append(np.flatnonzero(indices == position))
    return [(value, np.concatenate(parts)) for value, parts in merged.items()]
