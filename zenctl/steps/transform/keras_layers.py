"""Applies a TransformState to tensors, as Keras layers, so that a served model takes raw features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from zenctl.steps.transform.state import Feature, TransformState

TENSOR_TYPES = {"float32": tf.float32, "int64": tf.int64, "string": tf.string}


class Scale(keras.layers.Layer):  # type: ignore[misc]
    """float32 [rows] -> float32 [rows]: (x - shift) / scale in float64, x being `fill` where it is not finite."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self.fill = tf.constant(feature.missing, tf.float32)
        self.shift = tf.constant(feature.shift, tf.float64)
        self.scale = tf.constant(feature.scale, tf.float64)

    def call(self, values: Any) -> Any:
        filled = tf.where(tf.math.is_finite(values), values, self.fill)
        return tf.cast((tf.cast(filled, tf.float64) - self.shift) / self.scale, tf.float32)


class Fill(keras.layers.Layer):  # type: ignore[misc]
    """Texts or int64 [rows] -> the same, with the marker of a missing value replaced by what stands for it."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        # Layers cast their inputs to floats unless told not to.
        self._convert_input_args = False
        dtype = TENSOR_TYPES[feature.type]
        self.marker = tf.constant(feature.marker, dtype)
        self.fill = tf.constant(feature.missing, dtype)

    def call(self, values: Any) -> Any:
        return tf.where(tf.equal(values, self.marker), self.fill, values)


class Lookup(keras.layers.Layer):  # type: ignore[misc]
    """Texts or int64 [rows] -> int64 [rows]: 1 + position in the vocabulary, 0 for what is not in it."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        keys = tf.constant(list(feature.vocabulary), TENSOR_TYPES[feature.type])
        indices = tf.range(1, len(feature.vocabulary) + 1, dtype=tf.int64)
        # A named table gets a random name, which would make equal models differ in their bytes.
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, indices), default_value=0, experimental_is_anonymous=True
        )

    def call(self, values: Any) -> Any:
        return self.table.lookup(values)


class Transform(keras.layers.Layer):  # type: ignore[misc]
    """Raw tensors by feature name, each [rows] of its feature's type -> transformed tensors by name, each [rows]."""

    def __init__(self, state: TransformState) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.steps = {feature.name: _layers(feature) for feature in state.features}

    @property
    def tables(self) -> list[Any]:
        """The lookup tables: whoever saves the layer's function must hold on to them."""
        return [layer.table for layers in self.steps.values() for layer in layers if isinstance(layer, Lookup)]

    def call(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        transformed = {}
        for name, layers in self.steps.items():
            values = raw[name]
            for layer in layers:
                values = layer(values)
            transformed[name] = values
        return transformed


def signature(state: TransformState) -> dict[str, Any]:
    """What `Transform` takes: a TensorSpec [None] by feature name."""
    return {f.name: tf.TensorSpec([None], TENSOR_TYPES[f.type], name=f.name) for f in state.features}


def _layers(feature: Feature) -> list[Any]:
    if feature.result == "float32":
        return [Scale(feature)]
    layers: list[Any] = [] if feature.fill is None else [Fill(feature)]
    return [*layers, Lookup(feature)] if feature.result == "int64" else layers
