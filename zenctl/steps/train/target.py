"""Decides what a label means, classes or a number, and encodes it for a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.transform.columns import Float32, Int64, kind, numbers, tokens
from zenctl.steps.transform.state import MISSING

CLASS_LIMIT = 20
"""Integers with at most this many different values are taken for classes, unless the task is given."""


@dataclass(frozen=True, slots=True)
class Target:
    """A fitted label. `classes` are sorted; for regression the network learns `(y - mean) / deviation`."""

    label: str
    task: str
    type: str
    classes: tuple[str | int, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def is_classification(self) -> bool:
        return self.task == "classification"

    def encode(self, values: Any) -> npt.NDArray[Any]:
        """An Arrow array of labels -> int64 class indices (-1: no such class) or standardised float32, [rows]."""
        if self.is_classification:
            return class_indices(values, self.type, self.classes)
        scaled: Float32 = (numbers(values) - np.float32(self.mean)) / np.float32(self.deviation)
        return scaled


def class_indices(values: Any, type: str, classes: tuple[str | int, ...]) -> Int64:
    """The position of each label in `classes`, -1 for a label that is not among them; [rows]."""
    found = tokens(values, type, MISSING[type])
    position = pc.index_in(found, value_set=pa.array(classes, type=found.type))
    indices: Int64 = pc.fill_null(pc.cast(position, pa.int64()), -1).to_numpy(zero_copy_only=False)
    return indices


def present(values: Any) -> npt.NDArray[np.bool_]:
    """Which labels are there: not null, not NaN or infinite, not an empty text; [rows]."""
    if kind(values.type) == "float32":
        finite: npt.NDArray[np.bool_] = np.isfinite(numbers(values))
        return finite
    there = pc.is_valid(values)
    if kind(values.type) == "string":
        there = pc.and_(there, pc.fill_null(pc.not_equal(pc.cast(values, pa.string()), ""), False))
    result: npt.NDArray[np.bool_] = np.asarray(there.to_numpy(zero_copy_only=False), dtype=np.bool_)
    return result


def fit_target(values: Any, label: str, task: str) -> Target:
    """What the label of the training rows (an Arrow array without missing values) means. Raises StepError.

    `task` is `auto`, `classification` or `regression`.
    """
    found = kind(values.type)
    if found is None:
        raise StepError(
            f'label "{label}" holds {values.type}, which cannot be learned', "Choose a column of plain values."
        )
    if found == "string" and task == "regression":
        raise StepError(f'label "{label}" holds texts: regression needs numbers', 'Set task = "classification".')
    if found == "float32" and task == "classification":
        raise StepError(
            f'label "{label}" holds numbers with a fraction: classification needs texts or integers',
            'Set task = "regression", or turn the label into texts in a step python.',
        )
    different = pc.unique(values).to_pylist()
    if len(different) < 2:
        raise StepError(
            f'label "{label}" is {different[0]!r} in every row: there is nothing to learn',
            "Check the filter or split that made these rows.",
        )
    if task == "auto":
        few = found == "int64" and len(different) <= CLASS_LIMIT
        task = "classification" if found == "string" or pa.types.is_boolean(values.type) or few else "regression"
    if task == "classification":
        classes = sorted({int(v) if found == "int64" else v for v in different})
        return Target(label, task, found, tuple(classes))
    exact = numbers(values).astype(np.float64)
    mean, deviation = float(np.float32(exact.mean())), float(np.float32(exact.std()))
    return Target(label, task, "float32", mean=mean, deviation=deviation or 1.0)
