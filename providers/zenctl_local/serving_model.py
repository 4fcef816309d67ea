"""Loads a SavedModel or a `.keras` file and calls it with NumPy arrays: the only module that imports TensorFlow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from zenctl.lazy_dataclasses import dataclass

DEFAULT_SIGNATURE = "serving_default"

MISSING: Mapping[str, Any] = {"float32": float("nan"), "int64": -(2**63), "string": ""}
"""What stands for a missing value in a model that has a model.json, by the feature's type."""


_NODE = re.compile(r"\{\{.*?\}\}")
_GRAPH = ("Graph execution error", "Detected at node", "<stack traces unavailable>")


class UnreadableModel(Exception):
    """The folder holds no model that can be served; the text says why."""


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: `dtype` is TensorFlow's name, a dimension of unknown size is None."""

    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def is_scalar_column(self) -> bool:
        """One scalar a row."""
        return self.shape is not None and len(self.shape) == 1


@dataclass(frozen=True)
class SignatureInfo:
    """What one signature takes and gives, and the function itself."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    call: Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory: the folder it came from may go. `missing` are the values of features that may be absent."""

    digest: str
    version: int
    signatures: Mapping[str, SignatureInfo]
    missing: Mapping[str, Any] = field(default_factory=dict)


def load_model(folder: Path, digest: str, version: int) -> LoadedModel:
    """Load the model of a folder and try it with the example of its model.json; raises UnreadableModel."""
    path = find_model(folder)
    features = _features(path.parent if path.is_file() else path) or _features(folder)
    try:
        signatures = _keras_signatures(path) if path.is_file() else _saved_signatures(path)
    except UnreadableModel:
        raise
    except Exception as error:
        raise UnreadableModel(first_words(error)) from error
    missing = {name: MISSING[str(feature["type"])] for name, feature in features.items() if feature["type"] in MISSING}
    model = LoadedModel(digest, version, signatures, missing)
    _try(model, features)
    return model


def find_model(folder: Path) -> Path:
    """The SavedModel's folder or the `.keras` file: at the root, or in the only folder that has one."""
    for place in (folder, *sorted(path for path in folder.glob("*") if path.is_dir())):
        if (place / "saved_model.pb").is_file():
            return place
        files = sorted(place.glob("*.keras"))
        if len(files) > 1:
            raise UnreadableModel(f"it holds several models: {', '.join(file.name for file in files)}")
        if files:
            return files[0]
    names = ", ".join(sorted(path.name for path in folder.glob("*"))[:5]) if folder.is_dir() else ""
    raise UnreadableModel(f"it holds neither saved_model.pb nor a .keras file, but {names or 'nothing'}")


def _features(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        raw = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return {str(feature["name"]): dict(feature) for feature in raw["features"] if feature["type"]}
    except (OSError, ValueError, KeyError, TypeError):
        # Not a card of zenctl: the file is the model's own, which then has no values for missing ones.
        return {}


def _saved_signatures(folder: Path) -> dict[str, SignatureInfo]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    found = {name: _saved_signature(loaded, function) for name, function in getattr(loaded, "signatures", {}).items()}
    if not found:
        raise UnreadableModel(f'it has no signature: save it with signatures={{"{DEFAULT_SIGNATURE}": ...}}')
    return found


def _saved_signature(loaded: Any, function: Any) -> SignatureInfo:
    import tensorflow as tf

    _, inputs = function.structured_input_signature
    dtypes = {name: spec.dtype for name, spec in inputs.items()}

    # `loaded` owns the variables: the default argument keeps it alive as long as the function.
    def call(arrays: Mapping[str, Any], owner: Any = loaded) -> Mapping[str, Any]:  # noqa: ARG001 - see above
        tensors = {name: tf.constant(value, dtypes[name]) for name, value in arrays.items()}
        return {name: value.numpy() for name, value in function(**tensors).items()}

    return SignatureInfo(_infos(inputs), _infos(function.structured_outputs), call)


def _keras_signatures(path: Path) -> dict[str, SignatureInfo]:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    specs = {tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in model.inputs}
    names = list(getattr(model, "output_names", ())) or [f"output_{i}" for i in range(len(model.outputs))]

    @tf.function(input_signature=[list(specs.values())], autograph=False)  # type: ignore[untyped-decorator, unused-ignore]
    def run(tensors: list[Any]) -> list[Any]:
        return list(tf.nest.flatten(model(tensors[0] if len(tensors) == 1 else tensors, training=False)))

    def call(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
        tensors = [tf.constant(arrays[name], spec.dtype) for name, spec in specs.items()]
        return {name: value.numpy() for name, value in zip(names, run(tensors), strict=True)}

    return {DEFAULT_SIGNATURE: SignatureInfo(_infos(specs), _infos(dict(zip(names, model.outputs, strict=True))), call)}


def _infos(specs: Mapping[str, Any]) -> dict[str, TensorInfo]:
    found = {}
    for name in sorted(specs):
        spec = specs[name]
        rank = getattr(spec.shape, "rank", None) if not isinstance(spec.shape, tuple) else len(spec.shape)
        shape = None if rank is None else tuple(None if size is None else int(size) for size in spec.shape)
        found[name] = TensorInfo(getattr(spec.dtype, "name", str(spec.dtype)), shape)
    return found


def _try(model: LoadedModel, features: Mapping[str, Mapping[str, Any]]) -> None:
    """Predict the card's example: builds what TensorFlow builds at the first call, and shows a model that cannot."""
    signature = model.signatures.get(DEFAULT_SIGNATURE)
    if signature is None or set(signature.inputs) != set(features):
        return
    try:
        rows = {name: np.asarray([feature["example"]]) for name, feature in features.items()}
        signature.call(
            {name: column.astype(object) if column.dtype.kind == "U" else column for name, column in rows.items()}
        )
    except Exception as error:
        raise UnreadableModel(f"it cannot predict its own example: {first_words(error)}") from error


def first_words(error: Exception) -> str:
    """The first line with words of an error: TensorFlow's tell of its graph before and after them."""
    lines = [_NODE.sub("", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_GRAPH)] or [line for line in lines if line]
    return told[0][:500] if told else type(error).__name__
