"""Decides to which output each row of a batch goes. Pure: a row's place follows from its content alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.sdk.examples_encode import encode
from zenctl.steps.data.times import read_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 53
_GOLDEN = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1


@dataclass(frozen=True)
class ByRatio:
    """Divides by a hash of the columns `by` (empty: all): shares by output, in order of the outputs' names.

    A row's hash is the masked CRC-32C of these columns as a tf.train.Example (which does not depend on the order of
    columns), mixed with the seed by SplitMix64's finaliser. The upper 53 bits, as a number from 0 to 1, fall into one
    of the intervals that the shares cut.
    """

    ratio: Mapping[str, float]
    seed: int = 0
    by: tuple[str, ...] = ()

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """The rows that go to each output, in their order."""
        place = places(batch, self.by, self.seed)
        names = sorted(self.ratio)
        bounds = _bounds([self.ratio[name] for name in names])
        part = np.searchsorted(bounds, place, side="right")
        return _divide(batch, names, part)


@dataclass(frozen=True)
class ByValue:
    """Divides by the values of a column; an output without values takes what no other names."""

    column: str
    values: Mapping[str, Sequence[Any]]

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """The rows that go to each output; raises StepError for a value that none takes."""
        found = batch.column(batch.schema.get_field_index(self.column))
        names = sorted(self.values)
        rest = next((at for at, name in enumerate(names) if not self.values[name]), -1)
        part = np.full(batch.num_rows, rest, dtype=np.int64)
        for at, name in enumerate(names):
            if self.values[name]:
                wanted = pa.array(_as_type(self.values[name], found.type), found.type)
                part[pc.is_in(found, wanted).to_numpy(zero_copy_only=False)] = at
        if rest < 0 and bool((part < 0).any()):
            value = found[int(np.argmin(part))].as_py()
            what = f"the value {value!r}" if value is not None else "a missing value"
            hint = f"Add it to one of {', '.join(names)}, or leave one of them without values to take all the rest."
            raise StepError(f'column "{self.column}" holds {what}, which no output takes', hint)
        return _divide(batch, names, part)


@dataclass(frozen=True)
class ByStratum:
    """Divides the rows of each value of `column` by their hash, at bounds of its own (`strata.bounds`)."""

    column: str
    names: tuple[str, ...]
    bounds: Mapping[Any, tuple[int, ...]]
    seed: int = 0

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """The rows that go to each output, in their order."""
        place = places(batch, (), self.seed)
        category, values = categories(batch, self.column)
        part = np.zeros(batch.num_rows, dtype=np.int64)
        bounds = np.array([self.bounds[value] for value in values], dtype=np.uint64).reshape(len(values), -1)
        for bound in bounds.T:
            part += place >= bound[category]
        return _divide(batch, list(self.names), part)


@dataclass(frozen=True)
class ByTime:
    """Divides by time: the first of `names` takes the rows before the first of `bounds`, and so on; the last the rest.

    Bounds rise, and are in the unit of `Times.values`.
    """

    column: str
    names: tuple[str, ...]
    bounds: tuple[float, ...]

    def __call__(self, batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        """The rows that go to each output; raises StepError for what is no time."""
        found = read_times(batch.column(batch.schema.get_field_index(self.column)), self.column)
        part = np.searchsorted(np.array(self.bounds), found.values, side="right")
        return _divide(batch, list(self.names), part)


def places(batch: pa.RecordBatch, by: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """Where each row lies, from 0 to 2**53, by a hash of the columns `by` (empty: all)."""
    hashed = encode(batch.select(list(by)) if by else batch).checksums
    return _mix(hashed.astype(np.uint64), seed) >> np.uint64(64 - _BITS)


def categories(batch: pa.RecordBatch, column: str) -> tuple[NDArray[np.int64], list[Any]]:
    """The number of each row's value, and the values by number; a missing one is None."""
    encoded = batch.column(batch.schema.get_field_index(column)).dictionary_encode()
    missing = len(encoded.dictionary)
    index = pc.fill_null(encoded.indices, missing).to_numpy(zero_copy_only=False).astype(np.int64)
    return index, [*encoded.dictionary.to_pylist(), None]


def _divide(batch: pa.RecordBatch, names: list[str], part: NDArray[np.int64]) -> dict[str, pa.RecordBatch]:
    divided = {}
    for at, name in enumerate(names):
        rows = np.flatnonzero(part == at)
        divided[name] = batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))
    return divided


def _bounds(shares: list[float]) -> NDArray[np.uint64]:
    """Upper ends of all intervals but the last, which goes to the end, in units of 2**-53; exact sums."""
    sums = [sum((Fraction(share) for share in shares[: at + 1]), Fraction()) for at in range(len(shares) - 1)]
    return np.array([min(round(bound * 2**_BITS), 2**_BITS) for bound in sums], dtype=np.uint64)


def _mix(hashes: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Spread hashes over all 64 bits, in another way for each seed."""
    start = np.uint64((_mix_one((seed + 1) * _GOLDEN & _ALL)) & _ALL)
    mixed = hashes + start
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _mix_one(value: int) -> int:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ (value >> shift)) * factor & _ALL
    return value ^ (value >> 31)


def _as_type(values: Sequence[Any], type: pa.DataType) -> list[Any]:
    if pa.types.is_string(type) or pa.types.is_large_string(type):
        return [str(value) for value in values]
    try:
        return [int(value) for value in values]
    except ValueError as error:
        raise StepError(f"the column holds whole numbers, but values names a text: {error}") from error
