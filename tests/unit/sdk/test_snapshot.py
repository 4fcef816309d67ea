"""Statistics are exact, and the same however the rows are divided."""

from __future__ import annotations

import math
import statistics as reference
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import snapshot_statistics
from zenctl.sdk.snapshot import Feature, Schema
from zenctl.sdk.snapshot_statistics import Statistics, summarise

FLOATS = st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40)
INTS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9), max_size=40)


def divided(array: pa.Array, cuts: list[int], order: int) -> Statistics:
    """Statistics of a column, summarised in parts and merged in some order."""
    batch = pa.RecordBatch.from_arrays([array], ["x"])
    places = [0, *sorted(min(cut, len(array)) for cut in cuts), len(array)]
    parts = [summarise(batch.slice(a, b - a)) for a, b in pairwise(places)]
    if order % 2:
        parts.reverse()
    total = Statistics()
    for part in parts:
        total.merge(part)
    return total


def check(array: pa.Array, type: str, total: Statistics) -> None:
    schema = Schema((Feature("x", type, "optional"),))
    whole = Statistics()
    whole.merge(summarise(pa.RecordBatch.from_arrays([array], ["x"])))
    data = total.to_data(schema)["features"]["x"]
    assert total.to_json(schema) == whole.to_json(schema)
    values = [Fraction(v) for v in array.to_pylist() if v is not None]
    assert data["count"] == len(values)
    assert data["missing"] == len(array) - len(values)
    if values:
        mean = sum(values) / len(values)
        assert data["mean"] == float(mean)
        assert math.isclose(data["std"], float(reference.pvariance(values, mean)) ** 0.5, rel_tol=1e-12, abs_tol=0.0)
        assert (data["min"], data["max"]) == (min(values), max(values))


@settings(deadline=None)
@given(FLOATS, st.lists(st.integers(0, 40), max_size=3), st.integers(0, 1))
def test_floats_are_summed_exactly(values: list[float | None], cuts: list[int], order: int) -> None:
    array = pa.array(values, pa.float32())
    check(array, "float", divided(array, cuts, order))


@settings(deadline=None)
@given(INTS, st.lists(st.integers(0, 40), max_size=3), st.integers(0, 1))
def test_integers_are_summed_exactly(values: list[int | None], cuts: list[int], order: int) -> None:
    array = pa.array(values, pa.int64())
    check(array, "int", divided(array, cuts, order))


def test_a_long_column_of_tiny_and_huge_numbers() -> None:
    values = np.tile(np.array([1e-45, 3e38, -3e38, 1.0], np.float32), 300_000)
    (column,) = summarise(pa.RecordBatch.from_arrays([pa.array(values)], ["x"])).columns.values()
    assert column.total == 300_000 * (2**149 + 1)
    assert column.to_data()["std"] == pytest.approx(float(np.std(values.astype(np.float64))), rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab", max_size=4), max_size=30), st.lists(st.integers(0, 30), max_size=3), st.integers(0, 1))
def test_counting_stops_in_the_same_way_however_rows_are_divided(
    values: list[str], cuts: list[int], order: int
) -> None:
    limits = (snapshot_statistics.MAX_DISTINCT, snapshot_statistics.MAX_VALUE_BYTES)
    snapshot_statistics.MAX_DISTINCT, snapshot_statistics.MAX_VALUE_BYTES = 5, 3
    try:
        schema = Schema((Feature("x", "string"),))
        array = pa.array(values, pa.string())
        whole = summarise(pa.RecordBatch.from_arrays([array], ["x"]))
        assert divided(array, cuts, order).to_json(schema) == whole.to_json(schema)
        counted = whole.columns["x"].values is not None
        assert counted == (len(set(values)) <= 5 and all(len(v) <= 3 for v in values))
    finally:
        snapshot_statistics.MAX_DISTINCT, snapshot_statistics.MAX_VALUE_BYTES = limits
