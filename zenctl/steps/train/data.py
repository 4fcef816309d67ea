"""Reads datasets into the arrays a network learns from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.train.target import Target, fit_target, present
from zenctl.steps.transform.applying import apply
from zenctl.steps.transform.columns import Float32, column, kind, missing_column
from zenctl.steps.transform.fitting import Batches, fit
from zenctl.steps.transform.log import log
from zenctl.steps.transform.pixels import pixel_matrix
from zenctl.steps.transform.state import Feature, TransformState

if TYPE_CHECKING:
    from zenctl.sdk import Dataset

UInt8 = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]

TRANSFORMED = "Give the output of the step transform that goes with this transform, not the data before it."


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for a network: `numbers` float32 [rows, numbers], `indices` int32 [rows, indices], `labels` [rows].

    Columns stand in the order of the transform's features, and so do `images`, uint8 [rows, bytes of an image] each.
    Labels are int64 class indices or standardised float32.
    """

    numbers: Float32
    indices: Int32
    labels: npt.NDArray[Any]
    images: tuple[UInt8, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.labels)

    @property
    def inputs(self) -> list[npt.NDArray[Any]]:
        """What the network is called with: the parts that have columns."""
        return [*(part for part in (self.numbers, self.indices) if part.shape[1]), *self.images]

    def select(self, rows: npt.NDArray[np.bool_], labels: npt.NDArray[Any]) -> Table:
        """Some of the rows, with their labels as the network takes them."""
        return Table(self.numbers[rows], self.indices[rows], labels, tuple(image[rows] for image in self.images))


def prepare(
    dataset: Dataset, state: TransformState | None, label: str, features: Sequence[str] | None
) -> TransformState:
    """The transform of the features to learn from: chosen from the given one, or fitted here where the data is raw."""
    if features is not None and label in features:
        raise StepError(f'"{label}" is the label, so it cannot be a feature', "Take it out of features.")
    if state is None:
        names = _column_names(dataset)
        if label not in names:
            raise missing_column(label, names, 'input "train"', "label")
        _check_features(features, [name for name in names if name != label])
        others = [] if features is None else [name for name in names if name not in features and name != label]
        state = fit(Batches(dataset), {}, label=label, exclude=others, where='input "train"')
    else:
        _check_label(state, label, _column_names(dataset))
        known = [feature.name for feature in state.features]
        _check_features(features, known)
        state = state if features is None else state.select(list(features))
    texts = [feature.name for feature in state.features if feature.result == "string"]
    if texts:
        raise StepError(
            f"a network cannot learn from texts, which the transform leaves as they are: {', '.join(texts)}",
            "Use one_hot or vocabulary for them in the step transform, or leave them out of features.",
        )
    return state


def read_train(
    dataset: Dataset, state: TransformState, label: str, task: str, *, transformed: bool
) -> tuple[Table, Target]:
    """All rows that have a label, and what the label means. Raises StepError if there is nothing to learn."""
    table, labels = _read(dataset, state, label, "train", transformed=transformed)
    if not len(labels):
        raise StepError(f'input "train" has no rows with a label "{label}"', "Check the steps that made it.")
    target = fit_target(labels, label, task)
    return replace(table, labels=target.encode(labels)), target


def read_eval(dataset: Dataset, state: TransformState, target: Target, *, transformed: bool) -> Table | None:
    """All rows whose label is known from training; None, with a note in the log, if there is none."""
    table, labels = _read(dataset, state, target.label, "eval", transformed=transformed)
    encoded = target.encode(labels)
    known = encoded >= 0 if target.is_classification else np.ones(len(encoded), dtype=bool)
    if not known.all():
        log(f"eval: left out {int((~known).sum())} rows whose {target.label} does not occur in train")
    if not known.any():
        log("eval: no rows to measure on")
        return None
    return table.select(known, encoded[known])


def _read(dataset: Dataset, state: TransformState, label: str, name: str, *, transformed: bool) -> tuple[Table, Any]:
    """Features and labels (an Arrow array) of the rows that have a label. The table's own labels are not set yet."""
    where = f'input "{name}"'
    floats = [f for f in state.features if f.result == "float32"]
    indexed = [f for f in state.features if f.result == "int64"]
    pictured = [f for f in state.features if f.image is not None]
    empty = Table(
        np.empty((0, sum(len(f.columns) for f in floats)), np.float32),
        np.empty((0, len(indexed)), np.int32),
        np.empty(0),
        tuple(np.empty((0, f.image.size), np.uint8) for f in pictured if f.image is not None),
    )
    tables, labels = [empty], []
    missing = 0
    for batch in dataset.batches():
        if label not in batch.schema.names:
            raise missing_column(label, batch.schema.names, where, "label")
        columns = _checked(batch, state, where) if transformed else apply(state, batch, where)
        values = _plain(columns.column(columns.schema.get_field_index(label)))
        keep = present(values)
        missing += int((~keep).sum())
        images = tuple(_pixels(columns, feature) for feature in pictured)
        whole = Table(_matrix(columns, floats, np.float32), _matrix(columns, indexed, np.int32), keep, images)
        tables.append(whole.select(keep, keep[keep]))
        labels.append(values.filter(pa.array(keep)))
    if missing:
        log(f"{name}: left out {missing} rows without a value of {label}")
    return _joined(tables), pa.chunked_array(labels).combine_chunks() if labels else pa.nulls(0)


def _joined(tables: Sequence[Table]) -> Table:
    return Table(
        np.concatenate([table.numbers for table in tables]),
        np.concatenate([table.indices for table in tables]),
        np.empty(0),
        tuple(np.concatenate(parts) for parts in zip(*(table.images for table in tables), strict=True)),
    )


def _pixels(columns: Any, feature: Feature) -> UInt8:
    """The pixels of a transformed column of images, [rows, bytes of an image]."""
    if feature.image is None:
        raise AssertionError(f"{feature.name} is no image")
    return pixel_matrix(columns.column(columns.schema.get_field_index(feature.name)), feature.image, feature.name)


def _plain(values: Any) -> Any:
    """Texts in one Arrow type, of which there are several: parts of a column must agree to be put together."""
    return values.cast(pa.large_string()) if kind(values.type) == "string" else values


def _checked(batch: Any, state: TransformState, where: str) -> Any:
    """The batch itself, if it is what the transform gives; StepError otherwise."""
    for feature in state.features:
        for name in feature.columns:
            column(batch, name, feature.result, where, TRANSFORMED)
    raw = [
        name
        for name in batch.schema.names
        if name in state.left_out
        or ((f := state.feature(name)) and f.result == "float32" and pa.types.is_integer(batch.schema.field(name).type))
    ]
    if raw:
        raise StepError(f"{where} is not transformed: it holds {', '.join(raw)} as in the source", TRANSFORMED)
    return batch


def _matrix(columns: Any, features: Iterable[Feature], dtype: Any) -> npt.NDArray[Any]:
    names = [name for feature in features for name in feature.columns]
    parts = [columns.column(name).to_numpy(zero_copy_only=False).astype(dtype, copy=False) for name in names]
    return np.stack(parts, axis=1) if parts else np.empty((columns.num_rows, 0), dtype)


def _column_names(dataset: Dataset) -> list[str]:
    for batch in dataset.batches():
        names: list[str] = list(batch.schema.names)
        return names
    raise StepError('input "train" has no rows', "Check the data source, and the step that split it.")


def _check_features(features: Sequence[str] | None, known: Sequence[str]) -> None:
    if features is not None and not features:
        raise StepError("features is empty: there is nothing to learn from", "Leave it out to use every column.")
    for name in features or ():
        if name not in known:
            raise StepError(
                f'there is no feature "{name}"', f"Features are {', '.join(known)}.{did_you_mean(name, known)}"
            )


def _check_label(state: TransformState, label: str, names: Sequence[str]) -> None:
    if state.feature(label) is not None:
        raise StepError(
            f'label "{label}" was transformed like a feature', f'Set label = "{label}" in the step transform, too.'
        )
    if label not in names:
        gone = " The step transform left it out." if label in state.left_out else ""
        error = missing_column(label, names, 'input "train"', "label")
        raise StepError(error.message, error.hint + gone)
