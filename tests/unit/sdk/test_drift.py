"""Distributions that merge exactly, statistics that are kept and read back, and how far two snapshots lie apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import distribution
from zenctl.sdk.dataset import Dataset, DatasetOutput
from zenctl.sdk.distribution import Distribution, greatest_gap, of_numbers
from zenctl.sdk.drift import drift
from zenctl.sdk.snapshot import Feature, Schema, read_json
from zenctl.sdk.snapshot_statistics import Statistics, summarise
from zenctl.sdk.statistics_state import from_text, to_text

NUMBERS = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-5, 5).map(float)), max_size=120
)


@settings(deadline=None)
@given(NUMBERS, st.lists(st.integers(0, 120), max_size=6), st.randoms())
def test_a_distribution_does_not_depend_on_how_it_was_divided(
    numbers: list[float], cuts: list[int], chance: Any
) -> None:
    before, distribution.MAX_BUCKETS = distribution.MAX_BUCKETS, 16
    try:
        values = np.array(numbers, dtype=np.float64)
        parts = [of_numbers(part) for part in np.split(values, sorted(cuts))]
        chance.shuffle(parts)
        merged = Distribution()
        for part in parts:
            merged.merge(part)
        whole = of_numbers(values)
    finally:
        distribution.MAX_BUCKETS = before
    assert merged == whole
    assert len(whole.counts) <= 16
    assert sum(whole.counts.values()) == len(numbers)
    assert distribution.from_data(whole.to_data()) == whole


def test_buckets_fit_themselves_to_the_numbers() -> None:
    years = of_numbers(np.repeat(np.arange(1990, 2025), 10))
    assert (years.shift, len(years.counts)) == (0, 35)
    rng = np.random.default_rng(0)
    kelvin = rng.normal(295, 2, 20_000)
    assert greatest_gap(of_numbers(kelvin), of_numbers(kelvin + 1)) == pytest.approx(0.197, abs=0.02)
    assert greatest_gap(of_numbers(kelvin), of_numbers(rng.permutation(kelvin))) == 0
    assert greatest_gap(of_numbers(kelvin), of_numbers(-kelvin)) == 1
    assert of_numbers(np.array([-0.0, 0.0, 1e300, -(2.0**62)])).counts == {0: 2, 0x7F7FFFFF: 1, -0x5E800001: 1}


VALUES = st.one_of(st.none(), st.sampled_from(["a", "b", "é"]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.floats(width=32)),
            VALUES,
            st.one_of(st.none(), st.binary(max_size=3)),
        ),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_statistics_that_were_kept_merge_as_they_would_have(rows: list[Any], cut: int) -> None:
    types = {"i": pa.int64(), "f": pa.float32(), "s": pa.string(), "b": pa.binary()}
    schema = Schema(
        tuple(Feature(name, kind) for name, kind in zip(types, ("int", "float", "string", "bytes"), strict=True))
    )

    def batch(some: list[Any]) -> pa.RecordBatch:
        columns = [pa.array([row[at] for row in some], kind) for at, kind in enumerate(types.values())]
        return pa.RecordBatch.from_arrays(columns, names=list(types))

    merged = Statistics()
    for some in (rows[:cut], rows[cut:]):
        merged.merge(from_text(to_text(summarise(batch(some)))))
    assert merged.to_json(schema) == summarise(batch(rows)).to_json(schema)


def statistics(folder: Path, rows: list[dict[str, Any]]) -> Any:
    folder.mkdir()
    output = DatasetOutput(folder, "data")
    output.write(rows)
    output.close()
    assert Dataset(folder).num_rows == len(rows)
    return read_json(folder / "statistics.json")


def test_drift_names_the_columns_that_moved_farthest_first(tmp_path: Path) -> None:
    old = [{"same": at % 7, "n": at % 10, "s": "ab"[at % 2], "gone": 1, "m": at, "t": "x"} for at in range(100)]
    new = [
        {"same": at % 7, "n": at % 10 + 5, "s": "abc"[at % 3], "new": 1, "m": at if at % 4 else None, "t": 1}
        for at in range(100)
    ]
    before, after = statistics(tmp_path / "1", old), statistics(tmp_path / "2", new)
    assert drift(before, before) == []
    found = drift(before, after)
    assert [item.name for item in found][:3] == ["gone", "new", "t"]
    assert [item.change for item in found][:3] == ["gone", "new", "string -> int"]
    by_name = {item.name: item for item in found}
    assert "same" not in by_name
    assert (by_name["n"].distance, by_name["n"].measure) == (0.5, "KS")
    assert by_name["n"].mean == (4.5, 9.5)
    assert (by_name["m"].measure, by_name["m"].missing) == ("missing", (0.0, 0.25))
    assert (by_name["s"].measure, by_name["s"].come, by_name["s"].went) == ("JS", ("c",), ())
    assert 0.3 < by_name["s"].distance < 0.5
    assert by_name["s"].distance == {item.name: item for item in drift(after, before)}["s"].distance


def test_values_that_are_not_listed_are_not_taken_for_new(tmp_path: Path) -> None:
    old = [{"s": f"v{at % 50}"} for at in range(500)]
    new = [*old[1:], {"s": "v1"}]
    found = drift(statistics(tmp_path / "1", old), statistics(tmp_path / "2", new))
    assert all(not item.come and not item.went and item.distance < 0.1 for item in found)
    one = statistics(tmp_path / "3", [{"s": "only"}])
    (item,) = drift(one, statistics(tmp_path / "4", old))
    assert item.distance > 0.4
    assert item.come == tuple(sorted(f"v{at}" for at in range(50)))[:5]


def test_a_distance_is_the_same_in_every_process() -> None:
    program = (
        "from zenctl.sdk.drift import drift\n"
        "def side(start):\n"
        "    top = [{'value': f'w{at}', 'count': 3 * at + start} for at in range(1, 20)]\n"
        "    data = {'type': 'string', 'count': 2000, 'missing': 0, 'unique': 19, 'top': top}\n"
        "    return {'rows': 2000, 'features': {'s': data}}\n"
        "print(repr(drift(side(1), side(7))))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "1234"
    }
    assert len(said) == 1
