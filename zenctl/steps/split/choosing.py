"""Chooses how to divide, by what the block says and, where bounds follow from the rows, by looking at these first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.data.composition import DatasetSource, fold
from zenctl.steps.data.times import Times, read_times
from zenctl.steps.split.partition import ByRatio, ByStratum, ByTime, ByValue, categories, places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zenctl.sdk import Dataset, Job

    Hashes = dict[Any, list[NDArray[np.uint64]]]

MOST_CATEGORIES = 10_000
"""Different values that a column to stratify by may have."""

Divide = Callable[[pa.RecordBatch], dict[str, pa.RecordBatch]]


def choose(data: Dataset, params: Mapping[str, Any], job: Job) -> tuple[Divide, tuple[str, ...]]:
    """The function that divides a batch, a frozen dataclass that says all it depends on, and the outputs' names.

    Raises StepError for a column that is not there, or that rows cannot be divided by.
    """
    if params["values"]:
        _require(data, [params["column"]], "column")
        _require_values(data, params["column"])
        return ByValue(params["column"], params["values"]), tuple(params["values"])
    if params.get("until"):
        return _until(data, params), tuple(params["until"])
    names = tuple(params["ratio"])
    if params.get("time"):
        return _stretches(data, params, job), names
    if params.get("stratify"):
        return _strata(data, params, job), names
    _require(data, params["by"], "by")
    return ByRatio(params["ratio"], params["seed"], tuple(params["by"])), names


def _until(data: Dataset, params: Mapping[str, Any]) -> ByTime:
    times = _times(data, params["time"])
    ends = {name: times.at(end, f"until.{name}") for name, end in params["until"].items() if end != ""}
    order = sorted(ends, key=lambda name: (ends[name], name))
    for before, after in itertools.pairwise(order):
        if ends[before] == ends[after]:
            raise StepError(f"until: {before} and {after} end at the same time, so that one of them has no rows")
    rest = next(name for name in params["until"] if name not in ends)
    return ByTime(params["time"], (*order, rest), tuple(ends[name] for name in order))


def _stretches(data: Dataset, params: Mapping[str, Any], job: Job) -> ByTime:
    column, order, ratio = params["time"], params["order"], params["ratio"]
    _times(data, column)
    source = DatasetSource(data.path, data.name, (column,))
    none: tuple[Any, ...] = ()
    ends = fold(source, Ends(column), merge_ends, none, job, total=data.num_rows)
    if not ends:
        return ByTime(column, tuple(order), (0,) * (len(order) - 1))
    first, last = (Fraction(end) for end in ends)
    done, bounds = Fraction(), []
    for name in order[:-1]:
        done += Fraction(ratio[name])
        bounds.append(float(first + (last - first) * done))
    return ByTime(column, tuple(order), tuple(bounds))


@dataclass(frozen=True)
class Ends:
    """From a batch to its first and last time; empty without rows."""

    column: str

    def __call__(self, batch: pa.RecordBatch) -> tuple[Any, ...]:
        values = read_times(batch.column(batch.schema.get_field_index(self.column)), self.column).values
        return (values.min().item(), values.max().item()) if len(values) else ()


def merge_ends(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    """The first and last time of both."""
    if not left or not right:
        return left or right
    return min(left[0], right[0]), max(left[1], right[1])


def _times(data: Dataset, column: str) -> Times:
    """The first times of the column, which tell what kind of times these are."""
    _require(data, [column], "time")
    first = next((batch for batch in data.batches([column], 64)), None)
    if first is None:
        is_text = data.schema.feature(column).type == "string"
        return Times(np.empty(0, np.int64), is_text)
    return read_times(first.column(0), column)


def _strata(data: Dataset, params: Mapping[str, Any], job: Job) -> ByStratum:
    column, names = params["stratify"], tuple(sorted(params["ratio"]))
    _require(data, [column], "stratify")
    _require_values(data, column)
    source = DatasetSource(data.path, data.name)
    none: Hashes = {}
    found = fold(source, Places(column, params["seed"]), merge_places, none, job, total=data.num_rows)
    shares = [Fraction(params["ratio"][name]) for name in names]
    bounds = {value: _bounds(np.sort(np.concatenate(parts)), shares) for value, parts in found.items()}
    # None need not be among the values of a batch, but has a number in each.
    bounds.setdefault(None, (0,) * (len(names) - 1))
    return ByStratum(column, names, bounds, params["seed"])


@dataclass(frozen=True)
class Places:
    """From a batch to the places of the rows of each category."""

    column: str
    seed: int

    def __call__(self, batch: pa.RecordBatch) -> Hashes:
        place = places(batch, (), self.seed)
        category, values = categories(batch, self.column)
        order = np.argsort(category, kind="stable")
        ends = np.searchsorted(category[order], np.arange(len(values)), side="right")
        parts = np.split(place[order], ends[:-1])
        return {value: [part] for value, part in zip(values, parts, strict=True) if len(part)}


def merge_places(left: Hashes, right: Hashes) -> Hashes:
    """The places of both; raises StepError for too many categories."""
    for value, parts in right.items():
        left.setdefault(value, []).extend(parts)
    if len(left) > MOST_CATEGORIES:
        hint = "Stratify by a column with few values, such as the label; the hash keeps ratios roughly in any case."
        raise StepError(f"the column to stratify by has more than {MOST_CATEGORIES:,} different values", hint)
    return left


def _bounds(ordered: NDArray[np.uint64], shares: list[Fraction]) -> tuple[int, ...]:
    """The places at which the rows of one category are cut, but for rows with equal places, which stay together."""
    found, done = [], Fraction()
    for share in shares[:-1]:
        done += share
        count = round(done * len(ordered))
        found.append(int(ordered[count]) if count < len(ordered) else 1 << 53)
    return tuple(found)


def _require(data: Dataset, columns: list[str], attribute: str) -> None:
    for name in columns:
        if name not in data.schema.names:
            known = ", ".join(data.schema.names[:20])
            hint = f"Columns are {known}.{did_you_mean(name, data.schema.names)}"
            raise StepError(f'{attribute} names the column "{name}", which the data does not have', hint)


def _require_values(data: Dataset, column: str) -> None:
    if data.schema.feature(column).type not in ("int", "string"):
        hint = "Divide by a column of whole numbers or texts, or by ratio."
        raise StepError(f'column "{column}" is of type float', hint)
