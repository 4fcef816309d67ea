"""Hashes of column values, without a Python call per value. Pure: the same on every machine, in any batch.

Two kinds: `row_hashes` has 64 bits, for finding equal rows; `token_hashes` fits tensors without an unsigned type, so
that a served model computes the same (`keras_layers.Hash`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIME = (1 << 31) - 1
"""Modulus of token hashes: products of two residues fit into 63 bits."""

BASE = 1_000_003
"""Base of the polynomial whose coefficients are a text's bytes."""

PERIOD = 4096
"""Powers of the base repeat after this many bytes."""

SPREAD = 1_103_515_245
"""Factor that spreads token hashes of small whole numbers."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0xD1B54A32D192ED03)


def token_powers() -> NDArray[np.int64]:
    """BASE**i modulo PRIME for i below PERIOD."""
    powers, value = np.empty(PERIOD, dtype=np.int64), 1
    for at in range(PERIOD):
        powers[at] = value
        value = value * BASE % PRIME
    return powers


_POWERS = token_powers()


def token_hashes(values: Any, buckets: int) -> NDArray[np.int64]:
    """From 0 to `buckets` - 1 for each value of an Arrow array of texts or int64 without nulls, [rows].

    A text's hash is the sum of (byte + 1) * BASE**position modulo PRIME over its UTF-8 bytes; a whole number's is the
    number modulo PRIME. Both are multiplied by SPREAD modulo PRIME, and taken modulo `buckets`.
    """
    if pa.types.is_integer(values.type):
        sums = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.int64) % PRIME
    else:
        data, starts, ends = _bytes(values)
        place = _places(starts, ends) % PERIOD
        sums = _sums((data.astype(np.int64) + 1) * _POWERS[place], starts, ends) % PRIME
    return np.asarray(sums * SPREAD % PRIME % buckets, dtype=np.int64)


def row_hashes(batch: Any, columns: Sequence[str]) -> NDArray[np.uint64]:
    """64 bits for each row, of these columns (int64, string, binary or their large forms; null is a value), [rows]."""
    total = np.zeros(batch.num_rows, dtype=np.uint64)
    for name in columns:
        column = batch.column(batch.schema.get_field_index(name))
        missing = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
        if pa.types.is_integer(column.type):
            found = column.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
        else:
            data, starts, ends = _bytes(column)
            place = _places(starts, ends)
            powers = np.full(int(place.max(initial=0)) + 1, _MULTIPLIER, dtype=np.uint64)
            powers[0] = 1
            np.cumprod(powers, out=powers)
            found = _sums((data.astype(np.uint64) + np.uint64(1)) * powers[place], starts, ends)
        total = mixed(total * _MULTIPLIER + mixed(np.where(missing, ~np.uint64(0), found) + _GOLDEN))
    return total


def mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: spreads over all bits."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(hashes ^ (hashes >> np.uint64(31)), dtype=np.uint64)


def _bytes(values: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """All bytes of a text column one after the other, and where each value starts and ends in them (null: empty)."""
    plain = values.cast(pa.large_binary())
    if plain.null_count:
        plain = plain.fill_null(b"")
    _, offsets, data = plain.buffers()
    if not len(plain):
        none = np.empty(0, dtype=np.int64)
        return np.empty(0, dtype=np.uint8), none, none
    bounds = np.frombuffer(offsets, dtype=np.int64)[plain.offset : plain.offset + len(plain) + 1]
    if data is None:
        return np.empty(0, dtype=np.uint8), bounds[:-1] * 0, bounds[1:] * 0
    stretch = np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]
    return stretch, bounds[:-1] - bounds[0], bounds[1:] - bounds[0]


def _places(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position of each byte in its value."""
    sizes = ends - starts
    return np.asarray(np.arange(int(sizes.sum()), dtype=np.int64) - np.repeat(starts, sizes), dtype=np.int64)


def _sums(products: NDArray[Any], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[Any]:
    """The sum over each value's bytes; unsigned ones wrap around, which leaves differences right."""
    running = np.zeros(len(products) + 1, dtype=products.dtype)
    np.cumsum(products, out=running[1:])
    return np.asarray(running[ends] - running[starts])
