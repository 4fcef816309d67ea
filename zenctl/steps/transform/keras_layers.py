"""Applies a TransformState to tensors, as Keras layers, so that a served model takes raw features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from zenctl.steps.data import hashing
from zenctl.steps.transform.images import pixels
from zenctl.steps.transform.state import TERM_METHODS, Feature, ImageForm, TransformState
from zenctl.steps.transform.terms import BETWEEN

TENSOR_TYPES = {"float32": tf.float32, "int64": tf.int64, "string": tf.string, "bytes": tf.string}


class Scale(keras.layers.Layer):  # type: ignore[misc]
    """float32 [rows] -> float32 [rows]: (x - shift) / scale in float64, x being `fill` where it is not finite."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self.fill = tf.constant(feature.missing, tf.float32)
        self.shift = tf.constant(feature.shift, tf.float64)
        self.scale = tf.constant(feature.scale, tf.float64)
        self.logarithm = feature.method == "log"

    def call(self, values: Any) -> Any:
        filled = tf.cast(tf.where(tf.math.is_finite(values), values, self.fill), tf.float64)
        if self.logarithm:
            filled = tf.sign(filled) * tf.math.log1p(tf.abs(filled))
        return tf.cast((filled - self.shift) / self.scale, tf.float32)


class Bucketise(keras.layers.Layer):  # type: ignore[misc]
    """float32 [rows] -> int64 [rows]: 1 + boundaries that are not above x, 0 where there is neither x nor fill."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self.fill = tf.constant(feature.missing, tf.float32)
        self.boundaries = tf.constant(feature.boundaries, tf.float32, [len(feature.boundaries)])

    def call(self, values: Any) -> Any:
        filled = tf.where(tf.math.is_finite(values), values, self.fill)
        index = tf.searchsorted(self.boundaries, filled, side="right", out_type=tf.int64) + 1
        return tf.where(tf.math.is_finite(filled), index, tf.zeros_like(index))


class Hash(keras.layers.Layer):  # type: ignore[misc]
    """Texts or int64 [rows] -> int64 [rows] from 0 on: `zenctl.steps.data.hashing.token_hashes` in tensors."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self.buckets = feature.buckets
        self.powers = tf.constant(hashing.token_powers())

    def call(self, values: Any) -> Any:
        if values.dtype == tf.string:
            single = tf.strings.bytes_split(values)
            codes = tf.cast(tf.reshape(tf.io.decode_raw(single.values, tf.uint8), [-1]), tf.int64) + 1
            rows = single.value_rowids()
            place = tf.range(tf.size(codes, tf.int64)) - tf.gather(single.row_starts(), rows)
            products = codes * tf.gather(self.powers, place % hashing.PERIOD)
            sums = tf.math.segment_sum(products, rows)
            # Texts without bytes at the end have no segment.
            sums = tf.concat([sums, tf.zeros([single.nrows() - tf.size(sums, tf.int64)], tf.int64)], 0)
            sums = tf.math.floormod(sums, hashing.PRIME)
        else:
            sums = tf.math.floormod(values, hashing.PRIME)
        return tf.math.floormod(tf.math.floormod(sums * hashing.SPREAD, hashing.PRIME), self.buckets)


class FromOne(keras.layers.Layer):  # type: ignore[misc]
    """int64 [rows] -> the same plus 1: index 0 is that of no value."""

    def __init__(self) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False

    def call(self, values: Any) -> Any:
        return values + 1


class Terms(keras.layers.Layer):  # type: ignore[misc]
    """Texts [rows] -> float32 [rows, terms]: `zenctl.steps.transform.terms.counts` in tensors, weighted."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self.ngrams = feature.ngrams
        self.size = len(feature.vocabulary)
        self.weights_of_terms = tf.constant(feature.weights, tf.float64) if feature.method == "tf_idf" else None
        self.table = _table(feature)

    def call(self, values: Any) -> Any:
        plain = tf.strings.regex_replace(tf.strings.lower(values), BETWEEN, " ")
        words = tf.strings.split(tf.strings.strip(plain))
        found = tf.strings.ngrams(words, list(range(1, self.ngrams + 1)), separator=" ")
        index, rows, count = self.table.lookup(found.values) - 1, found.value_rowids(), found.nrows()
        known = index >= 0
        cell = tf.boolean_mask(rows * self.size + index, known)
        ones = tf.ones_like(cell, tf.float64)
        counts = tf.reshape(tf.math.unsorted_segment_sum(ones, cell, count * self.size), [-1, self.size])
        if self.weights_of_terms is not None:
            whole = tf.cast(tf.maximum(found.row_lengths(), 1), tf.float64)
            counts = counts / whole[:, None] * self.weights_of_terms
        return tf.cast(counts, tf.float32)


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
    """Texts or int64 [rows] -> int64 [rows]: 1 + position in the vocabulary; for what is not in it 0, or by hash."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self.table = _table(feature)
        self.kept = len(feature.vocabulary)
        self.other = Hash(feature) if feature.buckets else None

    def call(self, values: Any) -> Any:
        found = self.table.lookup(values)
        if self.other is None:
            return found
        return tf.where(found > 0, found, self.other(values) + self.kept + 1)


class Pixels(keras.layers.Layer):  # type: ignore[misc]
    """Image files [rows] -> uint8 [rows, bytes of an image]."""

    def __init__(self, form: ImageForm) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self.form = form

    def call(self, values: Any) -> Any:
        return pixels(values, self.form)


class Transform(keras.layers.Layer):  # type: ignore[misc]
    """Raw tensors by feature name, each [rows] of its feature's type -> transformed tensors by column, each [rows].

    Those of images are [rows, bytes of an image].
    """

    def __init__(self, state: TransformState) -> None:
        super().__init__(trainable=False)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.features = state.features
        self.steps = {feature.name: _layers(feature) for feature in state.features}

    @property
    def tables(self) -> list[Any]:
        """The lookup tables: whoever saves the layer's function must hold on to them."""
        found = [layer for layers in self.steps.values() for layer in layers]
        return [layer.table for layer in found if isinstance(layer, (Lookup, Terms))]

    def call(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        transformed: dict[str, Any] = {}
        for feature in self.features:
            values = raw[feature.name]
            for layer in self.steps[feature.name]:
                values = layer(values)
            parts = tf.unstack(values, len(feature.columns), axis=1) if feature.method in TERM_METHODS else [values]
            transformed.update(zip(feature.columns, parts, strict=True))
        return transformed


def signature(state: TransformState) -> dict[str, Any]:
    """What `Transform` takes: a TensorSpec [None] by feature name."""
    return {f.name: tf.TensorSpec([None], TENSOR_TYPES[f.type], name=f.name) for f in state.features}


def _table(feature: Feature) -> Any:
    """From a value to 1 + its position in the vocabulary; to 0 where it is not in it."""
    keys = tf.constant(list(feature.vocabulary), TENSOR_TYPES[feature.type])
    indices = tf.range(1, len(feature.vocabulary) + 1, dtype=tf.int64)
    # A named table gets a random name, which would make equal models differ in their bytes.
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, indices), default_value=0, experimental_is_anonymous=True
    )


def _layers(feature: Feature) -> list[Any]:
    if feature.image is not None:
        return [Pixels(feature.image)]
    if feature.method == "bucketise":
        return [Bucketise(feature)]
    if feature.type == "float32":
        return [Scale(feature)]
    layers: list[Any] = [] if feature.fill is None else [Fill(feature)]
    if feature.method in TERM_METHODS:
        return [*layers, Terms(feature)]
    if feature.method == "hash":
        return [*layers, Hash(feature), FromOne()]
    return [*layers, Lookup(feature)] if feature.result == "int64" else layers
