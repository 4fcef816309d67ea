"""Runs the step `evaluate`: predicts, measures, checks the gates, and passes the model on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.sdk import Job, StepError
from zenctl.steps.evaluate.gates import check
from zenctl.steps.evaluate.measures import Classification, Measures, Regression
from zenctl.steps.evaluate.schema import EvaluateSettings
from zenctl.steps.train.card import ModelCard, read_card
from zenctl.steps.train.target import class_indices, present
from zenctl.steps.transform.columns import column, kind, missing_column, numbers, tokens
from zenctl.steps.transform.log import log, prepare_tensorflow
from zenctl.steps.transform.state import MISSING

WHERE = 'input "data"'

MISSING_SLICE = "(missing)"
"""Name of the slice of rows without a value."""

SLICE_LIMIT = 1000
"""Most values a column may have to be sliced by: each has metrics of its own."""


def evaluate(job: Job) -> None:
    """Write `metrics` and `model`. Raises StepError for bad data, and where a gate is not met."""
    settings = EvaluateSettings.model_validate(dict(job.params))
    model, data = job.inputs["model"], job.inputs["data"]
    card = read_card(model.path)
    label = settings.label or card.label
    unknown = _unknown_labels(data, card, label)
    prepare_tensorflow()
    from zenctl.steps.evaluate.predictor import Predictor

    predictor = Predictor(model.path, card)
    evaluation = _Evaluation(card, label, unknown, settings.slices)
    done = missing = 0
    for batch in data.batches():
        labelled = _labelled(batch, label)
        missing += batch.num_rows - labelled.num_rows
        if labelled.num_rows:
            evaluation.add(labelled, predictor.scores(labelled, WHERE))
        done += batch.num_rows
        job.progress(done, data.num_rows, "rows")
    if missing:
        log(f"left out {missing} rows without a value of {label}")
    metrics = evaluation.metrics()
    log(", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, (int, float))))
    job.outputs["metrics"].log(**metrics)
    check(metrics, settings.gates)
    job.outputs["model"].pass_on(model)


class _Evaluation:
    """Measures over all rows, and over each value of each column to slice by."""

    def __init__(self, card: ModelCard, label: str, unknown: list[str | int], slices: list[str]) -> None:
        self.card = card
        self.label = label
        self.known = (*card.classes, *unknown)
        self.make: Callable[[], Measures] = (
            (lambda: Classification(card.classes, unknown)) if card.task == "classification" else Regression
        )
        self.total = self.make()
        self.rows = 0
        self.slices: dict[str, dict[str, Measures]] = {name: {} for name in slices}

    def add(self, batch: Any, scores: npt.NDArray[np.float32]) -> None:
        """Take rows that have a label, and the model's answer for each."""
        values = column(batch, self.label, self.card.label_type, WHERE, "Set label to the column with the truth.")
        truth: npt.NDArray[Any]
        if self.card.task == "classification":
            truth = class_indices(values, self.card.label_type, self.known)
        else:
            truth = numbers(values)
        self.total.add(truth, scores)
        self.rows += len(truth)
        for name, parts in self.slices.items():
            for value, rows in _groups(batch, name):
                if value not in parts and len(parts) == SLICE_LIMIT:
                    raise StepError(
                        f'column "{name}" has more than {SLICE_LIMIT} different values',
                        "Slice by a column with few values, such as a region.",
                    )
                parts.setdefault(value, self.make()).add(truth[rows], scores[rows])

    def metrics(self) -> dict[str, Any]:
        if not self.rows:
            raise StepError(f'{WHERE} has no rows with a label "{self.label}"', "Check the steps that made it.")
        metrics = self.total.metrics()
        if self.slices:
            metrics["slices"] = {
                name: {value: parts[value].metrics(full=False) for value in sorted(parts)}
                for name, parts in self.slices.items()
            }
        return metrics


def _labelled(batch: Any, label: str) -> Any:
    """The rows that have a label."""
    if label not in batch.schema.names:
        raise missing_column(label, batch.schema.names, WHERE, "label")
    return batch.filter(pa.array(present(batch.column(label))))


def _unknown_labels(data: Any, card: ModelCard, label: str) -> list[str | int]:
    """Labels of the data that the model does not know, sorted; none for regression."""
    if card.task != "classification":
        return []
    found: set[str | int] = set()
    for batch in data.batches():
        labelled = _labelled(batch, label)
        values = column(labelled, label, card.label_type, WHERE, "Set label to the column with the truth.")
        found.update(pc.unique(tokens(values, card.label_type, MISSING[card.label_type])).to_pylist())
    unknown = sorted(found - set(card.classes), key=lambda value: (str(type(value)), value))
    if unknown:
        names = ", ".join(str(value) for value in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        log(f"{label} has values that the model does not know, and so gets wrong: {names}")
    return unknown


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
