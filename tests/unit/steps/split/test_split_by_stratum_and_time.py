"""The step split by stratum and by time: exact shares of each category, and stretches of time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from zenctl.addrs import DatasourceAddr
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import ArtifactRef
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.sdk.snapshot import Cutter
from zenctl.steps.split.run import split
from zenctl.steps.split.schema import SPLIT, Split
from zenctl_beam.direct import DirectProcessing

DATA = ArtifactRef(DatasourceAddr("csv", "penguins"), "data", "Dataset")
SMALL = Cutter(minimum=20_000, mean=10_000, maximum=50_000)
KINDS = pa.table({"n": list(range(1000)), "kind": ["rare"] * 10 + ["common"] * 700 + [None] * 290})


def divided(root: Path, table: pa.Table, processing: Any = None, **params: Any) -> dict[str, Dataset]:
    root.mkdir()
    (root / "scratch").mkdir()
    (root / "data").mkdir()
    source = DatasetOutput(root / "data", "data", cutter=SMALL)
    source.write(table)
    source.close()
    block = Split(inputs={"data": DATA}, **params).model_dump(exclude={"inputs"})
    outputs = {}
    for name in SPLIT.outputs({"inputs": {}, **params}):
        (root / f"out-{name}").mkdir()
        outputs[name] = DatasetOutput(root / f"out-{name}", name, cutter=SMALL)
    inputs = {"data": Dataset(source.path, "data")}
    split(Job(inputs, outputs, block, processing=processing or {}, scratch=root / "scratch"))
    for output in outputs.values():
        output.close()
    return {name: Dataset(output.path, name) for name, output in outputs.items()}


def column(data: Dataset, name: str) -> list[Any]:
    found: list[Any] = data.arrow([name]).column(0).to_pylist()
    return found


def test_each_category_keeps_the_ratio(tmp_path: Path) -> None:
    ratio = {"train": 0.7, "eval": 0.2, "test": 0.1}
    parts = divided(tmp_path / "a", KINDS, ratio=ratio, stratify="kind", seed=3)
    counts = {name: Counter(column(data, "kind")) for name, data in parts.items()}
    assert counts["train"] == {"rare": 7, "common": 490, None: 203}
    assert counts["eval"] == {"rare": 2, "common": 140, None: 58}
    assert sorted(n for data in parts.values() for n in column(data, "n")) == list(range(1000))
    shuffled = KINDS.take(pa.array(np.random.default_rng(1).permutation(1000)))
    again = divided(tmp_path / "b", shuffled, ratio=ratio, stratify="kind", seed=3)
    assert {name: set(column(data, "n")) for name, data in again.items()} == {
        name: set(column(data, "n")) for name, data in parts.items()
    }
    other = divided(tmp_path / "c", KINDS, ratio=ratio, stratify="kind", seed=4)
    assert set(column(other["test"], "n")) != set(column(parts["test"], "n"))


DAYS = pa.table({"day": [f"2026-01-{d:02}T00:00:00" for d in (5, 1, 9, 2, 11)], "n": [5, 1, 9, 2, 11]})


def test_time_until(tmp_path: Path) -> None:
    until = {"test": "", "train": "2026-01-05T00:00:00", "eval": "2026-01-10"}
    parts = divided(tmp_path / "a", DAYS, time="day", until=until)
    assert {name: column(data, "n") for name, data in parts.items()} == {
        "train": [1, 2],
        "eval": [5, 9],
        "test": [11],
    }
    numbers = divided(tmp_path / "b", DAYS, time="n", until={"old": 5, "new": ""})
    assert column(numbers["old"], "n") == [1, 2]


def test_shares_of_the_time_range(tmp_path: Path) -> None:
    ratio = {"train": 0.5, "eval": 0.5}
    parts = divided(tmp_path / "a", DAYS, time="day", ratio=ratio, order=["train", "eval"])
    assert {name: column(data, "n") for name, data in parts.items()} == {"train": [5, 1, 2], "eval": [9, 11]}
    empty = divided(tmp_path / "b", DAYS.slice(0, 0), time="day", ratio=ratio, order=["train", "eval"])
    assert [data.num_rows for data in empty.values()] == [0, 0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": {"a": 0.5, "b": 0.5}, "stratify": "kinds"}, 'stratify names the column "kinds"'),
        ({"ratio": {"a": 0.5, "b": 0.5}, "time": "kind", "order": ["a", "b"]}, "has no time in 64 rows|has no time in"),
        ({"time": "n", "until": {"a": "2026-01-01", "b": ""}}, "the times are numbers"),
        ({"time": "n", "until": {"a": 5, "b": 5, "c": ""}}, "end at the same time"),
    ],
)
def test_what_cannot_be_divided(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message):
        divided(tmp_path / "a", KINDS.slice(700), **params)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"until": {"a": ""}}, "until needs time"),
        ({"time": "t", "until": {"a": "2026-01-01"}}, "exactly one output"),
        ({"time": "t", "ratio": {"a": 0.5, "b": 0.5}}, "order must name each of a, b"),
        ({"order": ["a"], "ratio": {"a": 1.0}}, "order goes with time"),
        ({"by": ["x"], "stratify": "y", "ratio": {"a": 1.0}}, "exclude each other"),
        ({"column": "x", "values": {"a": [1], "b": []}, "stratify": "x"}, "go with ratio"),
    ],
)
def test_a_wrong_block(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Split(inputs={"data": DATA}, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"ratio": {"a": 0.8, "b": 0.2}, "stratify": "kind"},
        {"ratio": {"a": 0.8, "b": 0.2}, "time": "n", "order": ["b", "a"]},
    ],
    ids=["stratum", "time"],
)
def test_both_compositions_give_the_same_bytes(tmp_path: Path, params: dict[str, Any]) -> None:
    table = pa.table({"n": [i * 7919 % 9000 for i in range(9000)], "kind": [f"k{i % 7}" for i in range(9000)]})
    here = divided(tmp_path / "process", table, **params)
    beam = divided(tmp_path / "beam", table, DirectProcessing().options(), **params)
    assert {n: scan_folder(d.path).digest for n, d in here.items()} == {
        n: scan_folder(d.path).digest for n, d in beam.items()
    }
