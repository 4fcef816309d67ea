"""Applies a TransformState to record batches. Pure: the same state and batch give the same columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.steps.transform.columns import Float32, column, numbers, tokens
from zenctl.steps.transform.state import Feature, TransformState


def apply(state: TransformState, batch: Any, where: str = "the data") -> Any:
    """The transformed record batch: a column for each feature, then the label if the batch has it.

    Columns are float32, int64 or string without nulls, as `Feature.result` says; the label is untouched. Raises
    StepError for a column that is not there or has another type; `where` names the dataset.
    """
    names = [feature.name for feature in state.features]
    arrays = [transformed(feature, column(batch, feature.name, feature.type, where)) for feature in state.features]
    if state.label is not None and state.label in batch.schema.names:
        names.append(state.label)
        arrays.append(batch.column(state.label))
    return pa.RecordBatch.from_arrays(arrays, names=names)


def nothing(state: TransformState) -> Any:
    """A transformed record batch without rows and without a label, whose type is not known."""
    types = {"float32": pa.float32(), "int64": pa.int64(), "string": pa.string()}
    fields = [pa.field(feature.name, types[feature.result]) for feature in state.features]
    return pa.RecordBatch.from_pylist([], schema=pa.schema(fields))


def transformed(feature: Feature, values: Any) -> Any:
    """One column, transformed: an Arrow array of `feature.result`, [rows]."""
    if feature.result == "float32":
        return pa.array(scale(feature, numbers(values)))
    found = tokens(values, feature.type, feature.missing)
    if feature.result == "string":
        return found
    vocabulary = pa.array(feature.vocabulary, type=found.type)
    position = pc.cast(pc.index_in(found, value_set=vocabulary), pa.int64())
    return pc.fill_null(pc.add(position, 1), 0)


def scale(feature: Feature, raw: Float32) -> Float32:
    """(x - shift) / scale in float64, given in float32, as the Keras layer computes it."""
    filled = np.where(np.isfinite(raw), raw, np.float32(feature.missing)).astype(np.float64)
    # What float32 cannot hold becomes infinite, as it does in the layer.
    with np.errstate(over="ignore"):
        result: Float32 = ((filled - feature.shift) / feature.scale).astype(np.float32)
    return result
