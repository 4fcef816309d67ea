"""A split of data of which some shards were there the last time makes only what comes of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.steps.data.remembering import Made, Workspace
from zenctl.sdk import Dataset, Job
from zenctl.steps.data.composition import DatasetSource
from zenctl.steps.split.run import split
from zenctl_beam.direct import DirectProcessing

RATIO = {"ratio": {"train": 0.8, "eval": 0.2}, "seed": 3, "by": [], "column": "", "values": {}}
ROWS = [{"n": at, "word": f"w{at % 9}", "raw": b"\x00\xff%d" % at} for at in range(900)]


def divided(place: Workspace, rows: list[dict[str, Any]], **order: Any) -> tuple[Dataset, dict[str, Made]]:
    data = place.run(lambda job: job.outputs["data"].write(pa.Table.from_pylist(rows)), "data")["data"].data
    order = {"params": RATIO, **order}
    return data, place.run(split, "train", "eval", inputs={"data": data}, **order)


@pytest.mark.parametrize("beam", [False, True], ids=["process", "beam"])
def test_what_comes_of_known_shards_is_named(tmp_path: Path, beam: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workspace(tmp_path)
    order: dict[str, Any] = {"processing": DirectProcessing().options()} if beam else {}
    data, first = divided(place, ROWS, **order)
    assert len(data.shards) > 10
    assert [made.reused for made in first.values()] == [0, 0]
    assert all(0 < made.shards <= len(data.shards) for made in first.values())
    read = []
    original = DatasetSource.read
    monkeypatch.setattr(DatasetSource, "read", lambda self, part: (read.append(part), original(self, part))[1])
    changed = [*ROWS[:400], {"n": -1, "word": "new", "raw": b""}, *ROWS[400:]]
    data, again = divided(place, changed, **order)
    fresh = place.run(split, "train", "eval", inputs={"data": data}, params=RATIO, remembers=False)
    assert {name: made.digest for name, made in again.items()} == {name: made.digest for name, made in fresh.items()}
    assert all(made.shards - made.reused <= 3 for made in again.values())
    assert again["train"].data.num_rows + again["eval"].data.num_rows == 901
    if not beam:
        assert len(read) - len(data.shards) <= 3


def test_other_parameters_share_nothing(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    divided(place, ROWS)
    _, other = divided(place, ROWS, params={**RATIO, "seed": 4})
    assert [made.reused for made in other.values()] == [0, 0]
    _, same = divided(place, ROWS)
    assert all(made.reused == made.shards for made in same.values())


def test_an_output_may_be_lost_alone(tmp_path: Path) -> None:
    from zenctl.jobs.artifacts import blob_path

    place = Workspace(tmp_path)
    _, first = divided(place, ROWS)
    place.storage.delete(blob_path(first["eval"].data.manifest.shards[1].sha256))
    _, again = divided(place, ROWS)
    assert {name: made.digest for name, made in again.items()} == {name: made.digest for name, made in first.items()}
    assert (again["train"].shards - again["train"].reused, again["eval"].shards - again["eval"].reused) == (0, 1)


def test_a_job_without_a_store_splits_as_well(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    data, _ = divided(place, ROWS)
    seen: list[tuple[float, float, str]] = []
    place.run(split, "train", "eval", inputs={"data": data}, params=RATIO, report=lambda *r: seen.append(r))
    assert seen[-1] == (900, 900, "rows")
    assert Job().memory.recall("key") == []


def test_bounds_that_follow_from_all_rows_are_part_of_what_is_known(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    params = {**RATIO, "stratify": "word"}
    divided(place, ROWS, params=params)
    _, same = divided(place, ROWS, params=params)
    assert all(made.reused == made.shards for made in same.values())
    more = [*ROWS, *({"n": 1000 + at, "word": "w1", "raw": b""} for at in range(60))]
    data, again = divided(place, more, params=params)
    fresh = place.run(split, "train", "eval", inputs={"data": data}, params=params, remembers=False)
    assert {name: made.digest for name, made in again.items()} == {name: made.digest for name, made in fresh.items()}
    kept = [row["word"] for row in again["train"].data].count("w1")
    assert kept == round(0.8 * 160)
