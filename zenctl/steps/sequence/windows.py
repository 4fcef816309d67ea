"""Turns rows of several series into windows. Pure: the rows of a series must all be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.times import Times, read_times
from zenctl.steps.sequence.schema import SequenceSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

BATCH_CELLS = 1 << 20
"""Values of one batch of windows, about."""


@dataclass(frozen=True)
class Plan:
    """What is made: the settings, the columns to take windows of, and the types of the input's columns."""

    settings: SequenceSettings
    columns: tuple[str, ...]
    types: Mapping[str, str]

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns of the input that are read."""
        label = () if self.settings.label is None else (self.settings.label,)
        return tuple(dict.fromkeys((*self.settings.by, self.settings.time, *self.columns, *label)))

    @property
    def series(self) -> tuple[str, ...]:
        """The columns whose values are resampled: those of windows, and the label's."""
        return tuple(name for name in self.needed if name not in (*self.settings.by, self.settings.time))

    def aggregate(self, name: str) -> str:
        """How the values of one step become one."""
        if self.types[name] not in ("int", "float"):
            return "count" if self.settings.aggregates.get(name) == "count" else "last"
        return self.settings.aggregates.get(name, self.settings.aggregate)

    def made_type(self, name: str) -> str:
        """The feature type of a column's values in windows."""
        if self.settings.every is None:
            return self.types[name]
        aggregate = self.aggregate(name)
        if aggregate == "count":
            return "float" if self.settings.gaps == "interpolate" else "int"
        number = self.types[name] in ("int", "float")
        if number and (aggregate in ("mean", "sum") or self.settings.gaps == "interpolate"):
            return "float"
        return self.types[name]

    @property
    def made(self) -> dict[str, str]:
        """The feature types of the output's columns, in order."""
        found = {name: self.types[name] for name in (*self.settings.by, self.settings.time)}
        for name in self.columns:
            found |= {at(name, -back): self.made_type(name) for back in range(self.settings.window - 1, -1, -1)}
        if self.settings.label is not None:
            found[at(self.settings.label, self.settings.horizon)] = self.made_type(self.settings.label)
        return found


def at(name: str, shift: int) -> str:
    """The name of a value in a window: x_lag2, x_lag0, x_lead1. Names that models' signatures take as they are."""
    return f"{name}_lead{shift}" if shift > 0 else f"{name}_lag{-shift}"


@dataclass(frozen=True)
class _Rows:
    """Rows in order: their series and times, the values by column, and where no window reaches across to the next."""

    group: Ints
    time: Any
    values: Mapping[str, Any]
    first: Ints


def windows(table: Any, plan: Plan) -> Iterator[Any]:
    """Record batches of windows, series by series in the order of `by`, in each in the order of time.

    `table` holds `plan.needed` of all rows of some series. Raises StepError for what is no time.
    """
    if not table.num_rows:
        return
    settings = plan.settings
    times = read_times(table.column(settings.time).combine_chunks(), settings.time)
    group = _groups(table, settings.by)
    order = np.lexsort((times.values, group))
    values = {name: table.column(name).combine_chunks().take(pa.array(order)) for name in plan.series}
    group, when = group[order], times.values[order]
    # `first` is a row of each series, for its names.
    if settings.every is None:
        rows = _Rows(group, when, values, order)
        limit = None if settings.max_gap is None else times.length(settings.max_gap, "max_gap")
        cut = np.diff(when) > limit if limit is not None else np.zeros(len(when) - 1, dtype=bool)
    else:
        rows, cut = _resampled(_Rows(group, when, values, order), times.length(settings.every, "every"), plan)
    yield from _cut(rows, cut, table, times, plan)


def _groups(table: Any, by: list[str]) -> Ints:
    """A number for each row, equal for the rows of a series, rising in the order of the values of `by`."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for name in by:
        encoded = table.column(name).combine_chunks().dictionary_encode()
        ranks = np.empty(len(encoded.dictionary) + 1, dtype=np.int64)
        ranks[np.asarray(pc.sort_indices(encoded.dictionary))] = np.arange(1, len(encoded.dictionary) + 1)
        ranks[-1] = 0
        index = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy(zero_copy_only=False)
        _, codes = np.unique(codes * len(ranks) + ranks[index], return_inverse=True)
    return codes


def _resampled(rows: _Rows, every: Any, plan: Plan) -> tuple[_Rows, Any]:
    """One row a step, gaps filled as the settings say, and where the others are."""
    settings = plan.settings
    step = np.floor_divide(rows.time, every).astype(np.int64)
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(step) != 0) | (np.diff(rows.group) != 0)]))
    values = {name: _aggregated(array, begins, plan.aggregate(name)) for name, array in rows.values.items()}
    group, step, first = rows.group[begins], step[begins], rows.first[begins]
    missing = np.where(np.diff(group) == 0, np.diff(step) - 1, 0)
    if settings.gaps == "split":
        return _Rows(group, step * every, values, first), missing > 0
    most = missing if settings.max_gap is None else np.where(missing <= settings.max_gap, missing, 0)
    count = np.concatenate([most + 1, [1]])
    source = np.repeat(np.arange(len(group)), count)
    offset = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
    filled = {}
    for name, array in values.items():
        if settings.gaps == "interpolate" and plan.made_type(name) == "float":
            filled[name] = _interpolated(array, source, offset, count)
        else:
            filled[name] = array.take(pa.array(source))
    cut = np.zeros(len(source) - 1, dtype=bool)
    cut[np.cumsum(count)[:-1] - 1] = most < missing
    return _Rows(group[source], (step[source] + offset) * every, filled, first[source]), cut


def _aggregated(array: Any, begins: Ints, aggregate: str) -> Any:
    """One value for each stretch of rows: missing where none of its rows has one."""
    present = np.asarray(pc.is_valid(array).to_numpy(zero_copy_only=False))
    if pa.types.is_floating(array.type):
        present = present & ~np.isnan(array.fill_null(0).to_numpy(zero_copy_only=False))
    count = np.add.reduceat(present.astype(np.int64), begins)
    if aggregate == "count":
        return pa.array(count)
    if aggregate in ("first", "last"):
        return array.take(pa.array(_nearest(present, begins, aggregate), mask=count == 0))
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    if aggregate in ("min", "max"):
        reduce, ends = (np.minimum, _greatest) if aggregate == "min" else (np.maximum, _least)
        found = reduce.reduceat(np.where(present, values, ends(values.dtype)), begins)
        return pa.array(found.astype(values.dtype), mask=count == 0)
    total = np.add.reduceat(np.where(present, values, 0).astype(np.float64), begins)
    return pa.array(total if aggregate == "sum" else total / np.maximum(count, 1), mask=count == 0)


def _nearest(present: Any, begins: Ints, aggregate: str) -> Ints:
    """The first or last row with a value of each stretch (any, where there is none)."""
    rows = np.arange(len(present))
    if aggregate == "first":
        found = np.minimum.reduceat(np.where(present, rows, len(rows) - 1), begins)
    else:
        found = np.maximum.reduceat(np.where(present, rows, 0), begins)
    return np.asarray(found, dtype=np.int64)


def _greatest(dtype: Any) -> Any:
    return np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else np.inf


def _least(dtype: Any) -> Any:
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


def _interpolated(array: Any, source: Ints, offset: Ints, count: Ints) -> Any:
    """Values on a straight line from each step to the next; missing where one of the two is."""
    known = pc.cast(array, pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    after = np.minimum(source + 1, len(known) - 1)
    part = offset / count[source]
    found = np.where(offset == 0, known[source], known[source] + (known[after] - known[source]) * part)
    return pa.array(found, mask=np.isnan(found))


def _cut(rows: _Rows, cut: Any, table: Any, times: Times, plan: Plan) -> Iterator[Any]:
    settings = plan.settings
    total = len(rows.group)
    begins = np.flatnonzero(np.concatenate([[True], cut | (np.diff(rows.group) != 0)]))
    ends = np.concatenate([begins[1:], [total]])
    number = np.arange(total) - np.repeat(begins, ends - begins)
    room = np.repeat(ends, ends - begins) - np.arange(total)
    ahead = settings.horizon if settings.label is not None else 0
    place = number - (settings.window - 1)
    last = np.flatnonzero((place >= 0) & (place % settings.stride == 0) & (room > ahead))
    each = max(1, BATCH_CELLS // len(plan.made))
    for start in range(0, len(last), each):
        yield _batch(last[start : start + each], rows, table, times, plan)


def _batch(last: Ints, rows: _Rows, table: Any, times: Times, plan: Plan) -> Any:
    """The windows that end at these rows."""
    settings = plan.settings
    source = pa.array(rows.first[last])
    arrays = [table.column(name).take(source).combine_chunks() for name in settings.by]
    if settings.every is None:
        arrays.append(table.column(settings.time).take(source).combine_chunks())
    else:
        arrays.append(times.written(rows.time[last]))
    for name in plan.columns:
        arrays += [rows.values[name].take(pa.array(last - back)) for back in range(settings.window - 1, -1, -1)]
    if settings.label is not None:
        arrays.append(rows.values[settings.label].take(pa.array(last + settings.horizon)))
    return pa.RecordBatch.from_arrays(arrays, names=list(plan.made))
