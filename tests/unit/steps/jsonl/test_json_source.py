"""The json source: an array of objects, and objects one after the other, are what the same lines are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.steps.data.remembering import Workspace
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema.block import fingerprinted
from zenctl.sdk import StepError
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.testing import (
    SourceCase,
    job_of,
    objections,
    observed,
    refusal,
    run,
    snapshot,
)
from zenctl.steps.jsonl import elements, ingest
from zenctl.steps.jsonl.schema import JSON, JSONL, Json, Jsonl

ROWS: list[dict[str, Any]] = [{"n": at, "word": f"w{at % 7}", "x": at / 8} for at in range(300)]


def case(root: Path, name: str = "f.json", **attributes: Any) -> SourceCase:
    return SourceCase(JSON, Json(path=name, **attributes), root, lambda: None, lambda: None)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "PART", PartSize(300, 200, 1500))
    monkeypatch.setattr(elements, "_READ", 1000)


@pytest.mark.parametrize("text", [json.dumps(ROWS), json.dumps(ROWS, indent=1), "".join(map(json.dumps, ROWS))])
def test_rows_are_those_of_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    (tmp_path / "f.json").write_text(text)
    lines = SourceCase(JSONL, Jsonl(path="f.jsonl"), tmp_path, lambda: None, lambda: None)
    state = observed(case(tmp_path))
    assert (state.rows, state.columns) == (300, observed(lines).columns)
    made = snapshot(case(tmp_path), tmp_path / "json")
    assert scan_folder(made.path).digest == scan_folder(snapshot(lines, tmp_path / "jsonl").path).digest
    (tmp_path / "f.json").write_bytes(gzip.compress(text.encode()))
    assert observed(case(tmp_path)) == state
    assert scan_folder(snapshot(case(tmp_path), tmp_path / "gz").path).digest == scan_folder(made.path).digest


def test_folders_and_several_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS[:100]))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(ROWS[100:]).encode()))
    (tmp_path / "c.jsonl").write_text("{}")
    assert list(snapshot(case(tmp_path, "."), tmp_path / "out")) == ROWS


def test_a_bad_element_is_told_with_its_number_and_line(tmp_path: Path) -> None:
    text = json.dumps([{"a": 1}, {"a": 2}], indent=1)[:-2]
    (tmp_path / "f.json").write_text(text + ', {"a": 3, "a": 4},\n{"a": "x"}]')
    problem = refusal(case(tmp_path), tmp_path / "out")
    assert problem.message.startswith('f.json:7: element 3: the key "a" is there twice')
    assert (problem.file, problem.line) == (str(tmp_path / "f.json"), 7)
    (tmp_path / "f.json").write_text(text + ',\n{"a": "x"}]')
    problem = refusal(case(tmp_path, types={"a": "int"}), tmp_path / "other")
    assert problem.message == """f.json:8: element 3: column "a" is declared as int, but holds 'x'"""


def test_bad_elements_are_kept_apart(tmp_path: Path) -> None:
    rows = [json.dumps(row) for row in ROWS]
    rows[100:100] = ["7", '{"n": 1, "n": 2}', "{\\n}", '{"n": "x"}']
    (tmp_path / "f.json").write_text("[" + ",\n".join(rows) + "]")
    space = Workspace(tmp_path)
    model = Json(path="f.json", bad_rows="quarantine", types={"n": "int"})
    order = {"params": fingerprinted(model), "locations": {"f.json": str(tmp_path / "f.json")}}
    made = space.run(ingest.ingest_json, "data", quarantine=True, **order)["data"]
    assert list(made.data) == ROWS
    assert [(row["element"], row["line"]) for row in space.kept] == [(at, at) for at in (101, 102, 103, 104)]
    assert space.warned[0][1].startswith("The first: f.json:101: element 101: not an object: '7'.")


def test_an_element_more_gives_new_shards_only(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    order = {"params": fingerprinted(Json(path="f.json")), "locations": {"f.json": str(tmp_path / "f.json")}}
    (tmp_path / "f.json").write_text(json.dumps(ROWS))
    space.run(ingest.ingest_json, "data", **order)
    (tmp_path / "f.json").write_text(json.dumps([{"n": 1000, "word": "w", "x": 0.5}, *ROWS], indent=0))
    made = space.run(ingest.ingest_json, "data", **order)["data"]
    assert made.shards > made.reused
    # Written in another way, so nothing is known.
    assert made.reused == 0
    (tmp_path / "f.json").write_text(json.dumps([*ROWS, {"n": 1000, "word": "w", "x": 0.5}]))
    made = space.run(ingest.ingest_json, "data", **order)["data"]
    assert 0 < made.shards - made.reused <= 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "source_empty: f.json: the file is empty"),
        (b"[ ]", "source_empty: there are no rows in f.json"),
        (b"n,word\n", "source_format: f.json:1: not an array of objects: 'n,word'"),
        (b"BZh9", "source_format: f.json: not JSON in UTF-8 but bzip2"),
    ],
)
def test_plan_tells_what_is_wrong(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "f.json").write_bytes(data)
    assert said in objections(case(tmp_path))


def test_a_file_that_is_cut_off_is_told_with_its_element(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps(ROWS)[:-20])
    problem = refusal(case(tmp_path), tmp_path / "out")
    assert problem.message == "f.json:1: it is cut off in element 300"


def test_what_changed_is_refused_before_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps(ROWS))
    job = job_of(case(tmp_path), observed(case(tmp_path)), tmp_path / "out")
    (tmp_path / "f.json").write_text(json.dumps(ROWS)[:-1])
    with pytest.raises(StepError) as caught:
        run(case(tmp_path), job)
    assert caught.value.kind == "source_changed"
