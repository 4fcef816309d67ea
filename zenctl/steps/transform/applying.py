"""Applies a TransformState to record batches. Pure: the same state and batch give the same columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.data.hashing import token_hashes
from zenctl.steps.transform.columns import Float32, Int64, column, numbers, tokens
from zenctl.steps.transform.log import prepare_tensorflow
from zenctl.steps.transform.state import TERM_METHODS, Feature, TransformState
from zenctl.steps.transform.terms import counts

FIRST_ROW = b"first_row"
"""In a batch's metadata: the number of its first row in the dataset, counted from 0, for errors."""


def apply(state: TransformState, batch: Any, where: str = "the data") -> Any:
    """The transformed record batch: the columns of each feature, then the label if the batch has it.

    Columns are float32, int64, string or bytes without nulls, as `Feature.result` says; the label is untouched. Rows
    without a value of a feature with `drop` are left out. Raises StepError for a column that is not there or has
    another type; `where` names the dataset.
    """
    columns = [(feature, column(batch, feature.name, feature.type, where)) for feature in state.features]
    arrays = []
    for feature, values in columns:
        arrays += _images(feature, values, batch, where) if feature.image else transformed(feature, values)
    names = list(state.names)
    if state.label is not None and state.label in batch.schema.names:
        names.append(state.label)
        arrays.append(batch.column(state.label))
    made = pa.RecordBatch.from_arrays(arrays, names=names)
    dropping = [_present(feature, values) for feature, values in columns if feature.drop]
    return made.filter(pa.array(np.logical_and.reduce(dropping))) if dropping else made


def types(state: TransformState, label: str = "") -> dict[str, str]:
    """The feature types of the transformed columns; `label` is the type of the label, "" without one."""
    kinds = {"float32": "float", "int64": "int", "string": "string", "bytes": "bytes"}
    found = {name: kinds[feature.result] for feature in state.features for name in feature.columns}
    return {**found, state.label: label} if label and state.label is not None else found


@dataclass(frozen=True)
class Apply:
    """`apply` for one input, as a function from a batch to the rows of the output of the same name."""

    state: TransformState
    name: str

    def __call__(self, batch: Any) -> dict[str, Any]:
        return {self.name: apply(self.state, batch, f'input "{self.name}"')}


def transformed(feature: Feature, values: Any) -> list[Any]:
    """The columns of one feature: Arrow arrays of `feature.result`, [rows] each."""
    if feature.method in TERM_METHODS:
        return [pa.array(part) for part in _terms(feature, values).T]
    if feature.method == "bucketise":
        return [pa.array(buckets(feature, numbers(values)))]
    if feature.result == "float32":
        return [pa.array(scale(feature, numbers(values)))]
    found = tokens(values, feature.type, feature.missing)
    if feature.result == "string":
        return [found]
    if feature.method == "hash":
        return [pa.array(token_hashes(found, feature.buckets) + 1)]
    vocabulary = pa.array(feature.vocabulary, type=found.type)
    position = pc.add(pc.cast(pc.index_in(found, value_set=vocabulary), pa.int64()), 1)
    if not feature.buckets:
        return [pc.fill_null(position, 0)]
    other = pa.array(token_hashes(found, feature.buckets) + len(feature.vocabulary) + 1)
    return [pc.coalesce(position, other)]


def _images(feature: Feature, values: Any, batch: Any, where: str) -> list[Any]:
    """The pixels of a column of images. Raises StepError for one that cannot be decoded, with its row."""
    # TensorFlow is loaded only where there are images.
    prepare_tensorflow()
    from zenctl.steps.transform.images import Undecodable, pixel_column

    if feature.image is None:
        raise AssertionError(f"{feature.name} is no image")
    try:
        return [pixel_column(values, feature.image)]
    except Undecodable as problem:
        first = int((batch.schema.metadata or {}).get(FIRST_ROW, b"0"))
        path = batch.column(batch.schema.names.index("path"))[problem.row] if "path" in batch.schema.names else ""
        named = f" ({path})" if str(path) else ""
        raise StepError(
            f'column "{feature.name}" of {where}, row {first + problem.row + 1:,}{named}: {problem}',
            "Mend the image where it comes from, or leave it out.",
        ) from None


def buckets(feature: Feature, raw: Float32) -> Int64:
    """1 + the number of boundaries that are not above each value; 0 where there is no value and no fill."""
    present = np.isfinite(raw)
    filled = np.where(present, raw, np.float32(feature.missing))
    index = np.searchsorted(np.array(feature.boundaries, dtype=np.float32), filled, side="right") + 1
    return np.where(np.isfinite(filled), index, 0).astype(np.int64)


def _terms(feature: Feature, values: Any) -> Float32:
    found, whole = counts(tokens(values, "string", feature.missing), feature.vocabulary, feature.ngrams)
    if feature.method == "tf_idf":
        found = found / np.maximum(whole, 1)[:, None] * np.array(feature.weights)
    return found.astype(np.float32)


def _present(feature: Feature, values: Any) -> Any:
    if feature.type == "float32":
        return np.isfinite(numbers(values))
    if feature.image is not None:
        return np.array([bool(value) for value in values.to_pylist()], dtype=bool)
    marker = pa.scalar(feature.marker, pa.int64() if feature.type == "int64" else pa.string())
    found = tokens(values, feature.type, feature.marker)
    return ~np.asarray(pc.equal(found, marker).to_numpy(zero_copy_only=False), dtype=bool)


def scale(feature: Feature, raw: Float32) -> Float32:
    """(x - shift) / scale in float64, given in float32, as the Keras layer computes it."""
    filled = np.where(np.isfinite(raw), raw, np.float32(feature.missing)).astype(np.float64)
    if feature.method == "log":
        filled = np.sign(filled) * np.log1p(np.abs(filled))
    # What float32 cannot hold becomes infinite, as it does in the layer.
    with np.errstate(over="ignore"):
        result: Float32 = ((filled - feature.shift) / feature.scale).astype(np.float32)
    return result
