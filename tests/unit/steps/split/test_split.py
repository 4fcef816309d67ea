"""The step split: every row goes to one output, decided by its content alone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.addrs import DatasourceAddr
from zenctl.schema import ArtifactRef, Unknown
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.split.partition import ByRatio
from zenctl.steps.split.run import split
from zenctl.steps.split.schema import SPLIT, Split

DATA = ArtifactRef(DatasourceAddr("csv", "penguins"), "data", "Dataset")
PENGUINS = pa.table(
    {
        "n": pa.array(range(1000)),
        "island": pa.array(["Biscoe", "Dream", None, "Torgersen"] * 250),
        "bird": pa.array([f"bird {i // 4}" for i in range(1000)]),
        "mass": pa.array(np.linspace(1, 2, 1000), mask=np.arange(1000) % 5 == 0),
    }
)


def divided(root: Path, table: pa.Table, **params: Any) -> dict[str, Dataset]:
    places = iter(root / f"d{at}" for at in range(len(list(root.iterdir())), 1000))

    def folder() -> Path:
        place = next(places)
        place.mkdir()
        return place

    source = DatasetOutput(folder(), "data")
    source.write(table)
    source.close()
    block = Split(inputs={"data": DATA}, **params).model_dump(exclude={"inputs"})
    names = SPLIT.outputs({"inputs": {}, **params})
    outputs = {name: DatasetOutput(folder(), name) for name in names}
    seen: list[tuple[float, float, str]] = []
    split(
        Job(
            inputs={"data": Dataset(source.path, "data")},
            outputs=outputs,
            params=block,
            report=lambda *report: seen.append(report),
        )
    )
    assert not seen or seen[-1] == (table.num_rows, table.num_rows, "rows")
    for output in outputs.values():
        output.close()
    return {name: Dataset(output.path, name) for name, output in outputs.items()}


def test_every_row_goes_to_one_output_in_order(tmp_path: Path) -> None:
    parts = divided(tmp_path, PENGUINS, ratio={"train": 0.7, "eval": 0.2, "test": 0.1})
    assert sorted(n for part in parts.values() for n in part.arrow()["n"].to_pylist()) == list(range(1000))
    for name, share in {"train": 700, "eval": 200, "test": 100}.items():
        numbers = parts[name].arrow()["n"].to_pylist()
        assert numbers == sorted(numbers)
        assert abs(len(numbers) - share) < 60
        assert parts[name].schema.names == tuple(PENGUINS.column_names)


def numbers(parts: dict[str, Dataset]) -> dict[str, set[int]]:
    return {name: set(part.arrow(["n"])["n"].to_pylist()) for name, part in parts.items()}


def test_a_rows_place_depends_on_nothing_but_itself_and_the_seed(tmp_path: Path) -> None:
    ratio = {"train": 0.8, "eval": 0.2}
    before = numbers(divided(tmp_path, PENGUINS, ratio=ratio, seed=7))
    other_order = PENGUINS.select(["mass", "bird", "island", "n"]).take(list(range(999, -1, -3)))
    some = numbers(divided(tmp_path, other_order, ratio=ratio, seed=7))
    for name in ratio:
        assert some[name] == before[name] & set(range(999, -1, -3))
    assert numbers(divided(tmp_path, PENGUINS, ratio=ratio, seed=8)) != before
    assert numbers(divided(tmp_path, PENGUINS, ratio={"eval": 0.2, "train": 0.8}, seed=7)) == before


def test_the_division_is_pinned() -> None:
    """Another hash would move rows between train and eval of every user: that takes a new version of the step."""
    batch = pa.RecordBatch.from_pydict({"n": pa.array([1, 2, 3, 4, 5, 6, 7, None]), "s": list("abcdefgh")})
    parts = ByRatio({"train": 0.6, "eval": 0.4}, seed=7)(batch)
    assert {name: part.column(1).to_pylist() for name, part in parts.items()} == PINNED


PINNED = {"eval": ["d", "e", "h"], "train": ["a", "b", "c", "f", "g"]}


def test_rows_of_a_group_stay_together(tmp_path: Path) -> None:
    parts = divided(tmp_path, PENGUINS, ratio={"a": 0.5, "b": 0.5}, by=["bird"])
    birds = {name: Counter(part.arrow()["bird"].to_pylist()) for name, part in parts.items()}
    assert not birds["a"].keys() & birds["b"].keys()
    assert set(birds["a"].values()) == set(birds["b"].values()) == {4}


def test_an_output_may_stay_without_rows(tmp_path: Path) -> None:
    parts = divided(tmp_path, PENGUINS.slice(0, 1), ratio={"a": 0.5, "b": 0.5})
    assert sorted(part.num_rows for part in parts.values()) == [0, 1]
    assert parts["a"].schema.names == parts["b"].schema.names


def test_by_values(tmp_path: Path) -> None:
    parts = divided(tmp_path, PENGUINS, column="island", values={"train": ["Biscoe", "Dream"], "eval": []})
    assert set(parts["train"].arrow()["island"].to_pylist()) == {"Biscoe", "Dream"}
    assert set(parts["eval"].arrow()["island"].to_pylist()) == {None, "Torgersen"}
    parts = divided(tmp_path, PENGUINS.slice(0, 3), column="n", values={"a": [0, "2"], "b": [1]})
    assert numbers(parts) == {"a": {0, 2}, "b": {1}}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"column": "island", "values": {"a": ["Biscoe"], "b": ["Dream"]}}, "holds a missing value, which no output"),
        ({"column": "island", "values": {"a": ["Biscoe"], "b": ["x"]}}, "holds the value 'Dream'"),
        ({"column": "mass", "values": {"a": [1], "b": []}}, 'column "mass" is of type float'),
        ({"column": "isle", "values": {"a": ["x"], "b": []}}, 'column names the column "isle"'),
        ({"ratio": {"a": 1.0}, "by": ["brd"]}, 'by names the column "brd"'),
        ({"column": "n", "values": {"a": ["x"], "b": []}}, "values names a text"),
    ],
)
def test_what_cannot_be_divided(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError) as caught:
        divided(tmp_path, PENGUINS, **params)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "give one of ratio"),
        ({"ratio": {"a": 0.5, "b": 0.4}}, "add up to 0.9 instead of 1"),
        ({"ratio": {"a": 1.5, "b": -0.5}}, 'the share of "b" must be above 0'),
        ({"ratio": {"a b": 1.0}}, "cannot name an output"),
        ({"ratio": {"a": 1.0}, "column": "x"}, "column goes with values"),
        ({"values": {"a": ["x"]}}, "values needs column"),
        ({"values": {"a": [], "b": []}, "column": "x"}, "only one output"),
        ({"values": {"a": ["1"], "b": [1]}, "column": "x"}, 'named by both "a" and "b"'),
        ({"ratio": {"a": 1.0}, "values": {"a": []}}, "give one of ratio"),
    ],
)
def test_a_wrong_block(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Split(inputs={"data": DATA}, **params)


def test_outputs_follow_from_the_block() -> None:
    assert list(SPLIT.outputs({"ratio": {"train": 0.8, "eval": Unknown("number")}})) == ["train", "eval"]
    assert list(SPLIT.outputs({"ratio": {}, "values": {"a": [], "b": []}})) == ["a", "b"]
    assert SPLIT.outputs({"ratio": Unknown("any")}) == {}


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 100), min_size=1),
    st.integers(-(2**70), 2**70),
    st.integers(0, 50),
)
def test_parts_are_disjoint_and_whole(weights: dict[str, int], seed: int, rows: int) -> None:
    ratio = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    batch = pa.RecordBatch.from_pydict({"n": pa.array(range(rows), pa.int64())})
    parts = ByRatio(ratio, seed)(batch)
    assert sorted(n for part in parts.values() for n in part.column(0).to_pylist()) == list(range(rows))


def test_shares_hold_for_many_rows() -> None:
    batch = pa.RecordBatch.from_pydict({"n": pa.array(range(100_000))})
    for seed in (0, 1, 2**63):
        parts = ByRatio({"a": 0.01, "b": 0.29, "c": 0.7}, seed)(batch)
        assert [round(parts[name].num_rows / 1000) for name in "abc"] == [1, 29, 70]


def test_plan_needs_the_standard_library_only() -> None:
    code = (
        "import sys, zenctl.steps.split.schema, zenctl.steps.statistics.schema; "
        "print({'numpy', 'pyarrow', 'apache_beam', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "set()"
