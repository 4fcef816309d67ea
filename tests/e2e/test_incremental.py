"""Snapshots whose cost follows the change, through the command line: what apply says is reused, and what gc keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Project

CONFIGURATION = """
datasource "csv" "rows" { path = "rows.csv" }

step "split" "rows" {
  inputs = { data = datasource.csv.rows }
  ratio  = { train = 0.8, eval = 0.2 }
}
"""
ROWS = 330_000


def lines(start: int, end: int) -> str:
    return "".join(
        f"{at},{at * 7919 % 100003},{at * 31 % 977 / 8},some words of row {at % 1009}\n" for at in range(start, end)
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("main.zen.hcl", CONFIGURATION)
    made.write("rows.csv", "id,number,share,words\n" + lines(0, ROWS))
    return made


def reused(said: str, address: str) -> tuple[int, int]:
    found = re.search(rf"{re.escape(address)}.*?(\d+) of (\d+) shards reused", said)
    assert found, said
    return int(found[1]), int(found[2])


def test_an_apply_after_an_append_reuses_all_shards_but_the_last(project: Project) -> None:
    said = project.ok("apply", "-auto-approve")
    assert "reused" not in said
    with open(project.root / "rows.csv", "a") as stream:
        stream.write(lines(ROWS, ROWS + ROWS // 100))
    said = project.ok("apply", "-auto-approve")
    known, shards = reused(said, "datasource.csv.rows")
    assert shards >= 4
    assert shards - known <= 2
    assert reused(said, "step.split.rows")[0] > 0
    results = [json.loads(p.read_bytes()) for p in (project.root / ".zenctl/artifacts/jobs").glob("*/result.json")]
    assert sorted(result["outputs"]["data"]["reused"] for result in results if "data" in result["outputs"]) == [
        0,
        known,
    ]

    said = project.ok("state", "diff", "1")
    assert re.search(r"data\.id +moved by 0\.010 \(KS\), mean 165000 -> 166650\n", said), said
    (data,) = [c for c in json.loads(project.ok("state", "diff", "-json", "1"))["changes"] if "csv" in c["address"]]
    (moved,) = [item for item in data["drift"]["data"] if item["feature"] == "id"]
    assert (moved["measure"], moved["new_values"]) == ("KS", [])
    assert 0.009 < moved["distance"] < 0.011

    notes = project.root / ".zenctl/artifacts/known"
    assert len([path for path in notes.rglob("*") if path.is_file()]) == 6
    project.ok("state", "gc", "-auto-approve")
    assert len([path for path in notes.rglob("*") if path.is_file()]) == 3
    assert "No changes" in project.ok("plan")


def test_only_what_may_be_taken_is_believed(project: Project) -> None:
    """Without `reuse_from` a workspace makes everything itself: what another one left could be anything."""
    project.write("main.zen.hcl", 'zenctl {\n  reuse_from = ["trusted"]\n}\n' + CONFIGURATION)
    project.ok("apply", "-auto-approve")
    project.ok("workspace", "new", "stranger")
    assert "shards reused" not in project.ok("apply", "-auto-approve")
    project.ok("workspace", "new", "trusted")
    with open(project.root / "rows.csv", "a") as stream:
        stream.write(lines(ROWS, ROWS + 10))
    assert "shards reused" not in project.ok("apply", "-auto-approve")
    with open(project.root / "rows.csv", "a") as stream:
        stream.write(lines(ROWS, ROWS + 10))
    project.ok("workspace", "select", "stranger")
    assert reused(project.ok("apply", "-auto-approve"), "datasource.csv.rows")[0] > 0
