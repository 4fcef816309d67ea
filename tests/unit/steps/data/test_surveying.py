"""A survey of a source gives the very statistics that its snapshot would have, and leaves no rows behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zenctl.runner.memory import StoreMemory
from zenctl.sdk import Job
from zenctl.sdk.memory import Memory, NoMemory
from zenctl.sdk.snapshot import STATISTICS_FILE
from zenctl.steps.csv import ingest as ingesting
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.csv.ingest import CsvSource, ingest
from zenctl.steps.data.surveying import SurveyedOutput

from .remembering import SHARDS, Workspace, csv_job


def rows(path: Path, changed: int = -1, end: int = 4000) -> Path:
    lines = [f"{at},{'new' if at == changed else f'w{at % 7}'},{at / 8}" for at in range(end)]
    path.write_text("\n".join(["n,word,x", *lines]) + "\n")
    return path


def surveyed(folder: Path, order: Any, memory: Memory) -> SurveyedOutput:
    folder.mkdir()
    output = SurveyedOutput(folder, "data", cutter=SHARDS)
    ingest(Job(outputs={"data": output}, memory=memory, scratch=folder, **order))
    return output


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("remembers", [False, True])
def test_statistics_are_those_of_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembers: bool, compression: str
) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(3000, 2000, 12000))
    workspace = Workspace(tmp_path)
    order = csv_job(rows(tmp_path / "f.csv"), compression=compression)
    workspace.run(ingest, "data", **order)
    rows(tmp_path / "f.csv", changed=1500, end=4100)
    read: list[int] = []
    real = CsvSource.read

    def noting(self: CsvSource, part: int) -> Any:
        read.append(part)
        return real(self, part)

    monkeypatch.setattr(CsvSource, "read", noting)
    memory = StoreMemory(workspace.storage, workspace.notes) if remembers else NoMemory()
    output = surveyed(tmp_path / "survey", order, memory)
    found = output.statistics()
    parts = CsvSource.of(Job(**order)).parts
    assert (len(set(read)) < parts / 2) == remembers, "known parts are not read again"
    assert {path.name for path in (tmp_path / "survey").rglob("*") if path.is_file()} == {
        "schema.json",
        STATISTICS_FILE,
        "manifest.json",
    }
    assert output.notes == {}
    made = workspace.run(ingest, "data", **order)["data"]
    assert found == json.loads((made.data.path / STATISTICS_FILE).read_bytes())
    assert found["rows"] == 4100
