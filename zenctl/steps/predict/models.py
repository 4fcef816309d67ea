"""Calls any recorded model on record batches: one with a card, another SavedModel, or a Keras file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import StepError
from zenctl.steps.train.card import MODEL_FILE, ModelCard, read_card
from zenctl.steps.transform.columns import column, kind, missing_column, numbers, raw

WHERE = 'input "data"'

SIGNATURE = "serving_default"

Tensors = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A model's function: TensorSpecs by input, and from tensors to tensors by name. `owner` is kept alive."""

    inputs: Mapping[str, Any]
    call: Callable[[Tensors], Tensors]
    owner: Any


class LoadedModel:
    """A model in memory, with what its inputs are filled from."""

    def __init__(self, folder: Path, features: Sequence[str] | None) -> None:
        place = find_model(folder)
        self.card = read_card(place) if place.is_dir() and (place / MODEL_FILE).exists() else None
        if self.card is not None and features is not None:
            raise StepError("features is for models without a model.json: this one names its own", "Take it out.")
        self._function = _keras(place) if place.is_file() else _saved(place)
        self._features = features

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the data that are read."""
        if self.card is not None:
            return tuple(feature.name for feature in self.card.features)
        return tuple(self._features or self._function.inputs)

    def __call__(self, batch: Any, batch_size: int) -> dict[str, Any]:
        """Arrow arrays of what the model says, [rows] each, by column."""
        tensors = self._tensors(batch)
        parts = []
        types = {name: spec.dtype for name, spec in self._function.inputs.items()}
        # Without rows it is called once, too: that tells which columns it gives.
        for start in range(0, max(1, batch.num_rows), batch_size):
            end = start + batch_size
            rows = {name: tf.constant(values[start:end], types[name]) for name, values in tensors.items()}
            parts.append({name: np.asarray(value) for name, value in self._function.call(rows).items()})
        whole = {name: np.concatenate([part[name] for part in parts]) for name in sorted(parts[0])}
        if self.card is not None:
            return _named(self.card, whole)
        return {
            name: array for key, value in whole.items() for name, array in _columns(key, value, batch.num_rows).items()
        }

    def _tensors(self, batch: Any) -> dict[str, Any]:
        if self.card is not None:
            return {self._input(f.name): raw(batch, f.name, f.type, WHERE) for f in self.card.features}
        inputs = self._function.inputs
        if self._features is not None:
            if len(inputs) != 1:
                raise StepError(
                    f"features is for models with one input, this one has {', '.join(inputs)}", "Take it out."
                )
            name, spec = next(iter(inputs.items()))
            found = [numbers(column(batch, feature, "float32", WHERE)) for feature in self._features]
            return {name: np.stack(found, axis=1).astype(spec.dtype.as_numpy_dtype)}
        return {name: _tensor(batch, name, spec) for name, spec in inputs.items()}

    def _input(self, feature: str) -> str:
        """The signature's name of a feature: TensorFlow replaces what stands in no identifier."""
        return feature if feature in self._function.inputs else re.sub(r"\W", "_", feature)


def find_model(folder: Path) -> Path:
    """The SavedModel's folder or the Keras file: at the root, or in the only folder that has one. Raises StepError."""
    for place in (folder, *sorted(path for path in folder.glob("*") if path.is_dir())):
        if (place / "saved_model.pb").is_file():
            return place
        files = sorted(place.glob("*.keras"))
        if files:
            return files[0]
    raise StepError(
        "the model holds neither a SavedModel nor a .keras file",
        'Save it with model.save(model.path / "model.keras"), or tf.saved_model.save with a signature.',
    )


def _saved(folder: Path) -> Function:
    loaded = tf.saved_model.load(str(folder))
    found = loaded.signatures.get(SIGNATURE)
    if found is None:
        raise StepError(
            f"the SavedModel has no signature {SIGNATURE}", f'Save it with signatures={{"{SIGNATURE}": ...}}.'
        )
    specs = found.structured_input_signature[1]
    return Function(dict(sorted(specs.items())), lambda tensors: found(**_cast(tensors, specs)), loaded)


def _keras(file: Path) -> Function:
    model = keras.models.load_model(file, compile=False)
    specs = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs}
    names = list(getattr(model, "output_names", ())) or [f"output_{at}" for at in range(len(model.outputs))]

    def call(tensors: Tensors) -> Tensors:
        given = list(_cast(tensors, specs).values())
        made = model(given[0] if len(given) == 1 else given, training=False)
        return dict(zip(names, tf.nest.flatten(made), strict=True))

    return Function(specs, call, model)


def _cast(tensors: Tensors, specs: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors in the types and ranks of the specs: [rows] and [rows, 1] stand for one another."""
    found = {}
    for name, spec in specs.items():
        value = tf.cast(tensors[name], spec.dtype) if spec.dtype != tf.string else tensors[name]
        wanted = spec.shape.rank
        found[name] = tf.expand_dims(value, 1) if wanted == 2 and value.shape.rank == 1 else value
    return found


def _tensor(batch: Any, name: str, spec: Any) -> Any:
    """The column of an input's name, [rows]."""
    names = batch.schema.names
    if name not in names:
        error = missing_column(name, names, WHERE, "input")
        hint = did_you_mean(name, names) or " If it takes rows of numbers, say which: features = [...]."
        raise StepError(error.message, f"Its columns are {', '.join(names)}.{hint}")
    width = None if spec.shape.rank in (None, 1) else spec.shape[1:]
    if width is not None and list(width) not in ([1], [None]):
        raise StepError(
            f'the model\'s input "{name}" takes {list(width)} values a row, but a column holds one',
            "Say which columns these are: features = [...].",
        )
    if spec.dtype == tf.string:
        return raw(batch, name, "string", WHERE)
    values = batch.column(names.index(name))
    if spec.dtype.is_floating:
        return numbers(column(batch, name, "float32", WHERE))
    if kind(values.type) != "int64" or values.null_count:
        what = f"{values.null_count:,} missing values" if values.null_count else str(values.type)
        raise StepError(
            f'the model takes whole numbers as "{name}", but the column holds {what}', "Fill or convert it."
        )
    return values.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _named(card: ModelCard, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Of a model with a card: `class` and `score_<class>`, or `prediction`."""
    if card.task != "classification":
        return {"prediction": _array(outputs["prediction"])}
    found = {"class": _array(outputs["class"])}
    return found | {f"score_{label}": _array(outputs["scores"][:, at].copy()) for at, label in enumerate(card.classes)}


def _columns(name: str, values: Any, rows: int) -> dict[str, Any]:
    """A column for an output [rows] or [rows, 1]; `name_0`, `name_1` ... for [rows, n]."""
    if values.ndim == 0 or len(values) != rows:
        raise StepError(f'the model\'s output "{name}" does not have one value a row', "Predict with another model.")
    plain = re.sub(r"\W", "_", name)
    flat = values.reshape(rows, -1)
    if flat.shape[1] == 1:
        return {plain: _array(flat[:, 0].copy())}
    return {f"{plain}_{at}": _array(flat[:, at].copy()) for at in range(flat.shape[1])}


def _array(values: Any) -> Any:
    if values.dtype.kind == "f":
        return pa.array(values.astype(np.float32))
    if values.dtype.kind in "iub":
        return pa.array(values.astype(np.int64))
    binary = pa.array(values.tolist(), pa.large_binary())
    try:
        return binary.cast(pa.large_string())
    except pa.ArrowInvalid:
        return binary
