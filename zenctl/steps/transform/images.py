"""Decodes and resizes images in tensors: the same operations in a step and in a served model. Exact whole numbers.

Sizes and colours are computed without rounding until the last division, so that no processor, no number of threads and
no division into batches shows in a pixel. An image shrinks by averaging all pixels that fall onto one, each as far as
it does, and grows by interpolating between the two nearest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from zenctl.steps.images.formats import format_of
from zenctl.steps.transform.state import ImageForm

NODE = re.compile(r"\{\{.*?\}\}\s*")
"""How TensorFlow names a part of a graph, which tells a user nothing."""

AT_ONCE = 4
"""Images that are decoded at the same time: each needs memory for all its pixels."""


class Undecodable(Exception):
    """The image in `row` of a column, counted from 0, cannot be decoded; the text says why."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


def pixel_column(values: Any, form: ImageForm) -> Any:
    """An Arrow column of image files [rows] -> large_binary [rows]: `form.size` bytes each. A missing image is black.

    Raises Undecodable.
    """
    files = np.array([value or b"" for value in values.to_pylist()], dtype=object)
    decode = _decoder(form)
    try:
        found = decode(tf.constant(files, tf.string, [len(files)])).numpy()
    except tf.errors.OpError:
        raise _first_undecodable(files, decode) from None
    offsets = np.arange(len(files) + 1, dtype=np.int64) * form.size
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(found))]
    return pa.Array.from_buffers(pa.large_binary(), len(files), buffers)


def pixels(files: Any, form: ImageForm) -> Any:
    """Image files [rows] as strings -> uint8 [rows, size], row by row, the colours of a pixel together."""
    shape = [form.height, form.width, form.channels]

    def one(data: Any) -> Any:
        return tf.cond(
            tf.equal(tf.strings.length(data), 0),
            lambda: tf.zeros(shape, tf.uint8),
            lambda: tf.ensure_shape(_resized(_coloured(_decoded(data), form.channels), form), shape),
        )

    spec = tf.TensorSpec(shape, tf.uint8)
    return tf.reshape(tf.map_fn(one, files, fn_output_signature=spec, parallel_iterations=AT_ONCE), [-1, form.size])


@lru_cache(maxsize=8)
def _decoder(form: ImageForm) -> Any:
    return tf.function(lambda files: pixels(files, form), input_signature=[tf.TensorSpec([None], tf.string)])


def _first_undecodable(files: Any, decode: Any) -> Undecodable:
    for row, data in enumerate(files):
        try:
            decode(tf.constant([data], tf.string))
        except tf.errors.OpError as problem:
            kind = format_of(data)
            if kind == "WebP":
                return Undecodable(row, "it is a WebP image, which served models cannot decode: make it PNG or JPEG")
            reason = NODE.sub("", problem.message).strip().split("\n")[0]
            return Undecodable(row, f"the {kind} image is damaged: {reason}" if kind else "it is no image")
    raise AssertionError("one of the images could not be decoded")


def _decoded(data: Any) -> Any:
    """uint8 [height, width, 3]; of several frames the first."""
    return tf.cond(
        tf.io.is_jpeg(data),
        # The other ways to decode a JPEG are faster, and differ between versions and processors.
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.cond(tf.equal(tf.strings.substr(data, 0, 2), b"BM"), lambda: _bitmap(data), lambda: _other(data)),
    )


def _bitmap(data: Any) -> Any:
    """A BMP has one, three or four values a pixel, and is decoded as it is."""
    image = tf.io.decode_bmp(data, channels=0)
    return tf.cond(tf.equal(tf.shape(image)[2], 1), lambda: tf.tile(image, [1, 1, 3]), lambda: image[:, :, :3])


def _other(data: Any) -> Any:
    return tf.io.decode_image(data, channels=3, expand_animations=False)


def _coloured(image: Any, channels: int) -> Any:
    """int64 [height, width, channels]; grey is the luminance of ITU-R BT.601."""
    if channels == 3:
        return tf.cast(image, tf.int64)
    weighed = tf.reduce_sum(tf.cast(image, tf.int64) * tf.constant([299, 587, 114], tf.int64), axis=2, keepdims=True)
    return (weighed + 500) // 1000


def _resized(image: Any, form: ImageForm) -> Any:
    if form.resize == "nearest":
        for axis, wanted in enumerate((form.height, form.width)):
            size = tf.shape(image, tf.int64)[axis]
            image = tf.gather(image, (2 * tf.range(wanted, dtype=tf.int64) + 1) * size // (2 * wanted), axis=axis)
        return tf.cast(image, tf.uint8)
    whole = tf.constant(1, tf.int64)
    for axis, wanted in enumerate((form.height, form.width)):
        image, parts = _along(image, axis, wanted)
        whole *= parts
    return tf.cast((image + whole // 2) // whole, tf.uint8)


def _along(image: Any, axis: int, wanted: int) -> Any:
    """The image with `wanted` pixels along an axis, as whole numbers of how many parts of one, and that number."""
    size = tf.shape(image, tf.int64)[axis]

    def averaged() -> Any:
        # Sums of all pixels before a place, which may lie within one: the place is at / wanted.
        at = tf.range(wanted + 1, dtype=tf.int64) * size
        padded = tf.pad(image, [[0, int(axis == number)] for number in range(3)])
        before = tf.cumsum(padded, axis, exclusive=True)
        place, rest = at // wanted, tf.reshape(at % wanted, [-1 if axis == number else 1 for number in range(3)])
        sums = wanted * tf.gather(before, place, axis=axis) + rest * tf.gather(padded, place, axis=axis)
        first, last = ([slice(None)] * axis + [cut] for cut in (slice(None, -1), slice(1, None)))
        return sums[tuple(last)] - sums[tuple(first)], size

    def interpolated() -> Any:
        # Where the middle of each new pixel lies, in parts of 1 / (2 wanted).
        parts = tf.constant(2 * wanted, tf.int64)
        middle = tf.clip_by_value((2 * tf.range(wanted, dtype=tf.int64) + 1) * size - wanted, 0, parts * (size - 1))
        place, rest = middle // parts, tf.reshape(middle % parts, [-1 if axis == number else 1 for number in range(3)])
        low = tf.gather(image, place, axis=axis)
        high = tf.gather(image, tf.minimum(place + 1, size - 1), axis=axis)
        return low * (parts - rest) + high * rest, parts

    return tf.cond(size >= wanted, averaged, interpolated)
