"""What is recorded, read back through the installed command: lineage, differences of states, comparisons, exports."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.e2e.conftest import ROOT, Project


def schema(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / f"{name}.v1.schema.json").read_text()))


@pytest.fixture(scope="module")
def applied_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project of the golden tests, applied."""
    root = tmp_path_factory.mktemp("lineage") / "once"
    shutil.copytree(ROOT / "tests" / "golden" / "nothing-changed" / "before", root)
    Project(root).ok("apply", "-auto-approve")
    return root


@pytest.fixture
def applied(project: Project, applied_once: Path) -> Project:
    """A copy of its own: stores are found relative to the configuration."""
    shutil.copytree(applied_once, project.root, dirs_exist_ok=True, symlinks=True)
    return project


def test_a_code_change_is_shown_as_the_difference_of_two_applies(applied: Project) -> None:
    applied.edit("steps/order.py", "reverse=True", "reverse=False")
    applied.ok("apply", "-auto-approve", "-var", "top=3")
    told = applied.ok("state", "diff", "-diff-code", "1")
    assert told.startswith("# default@1 -> default@2\n\n~ step.python.tallest  apply 1 -> 2\n")
    assert "    steps/order.py: by_height\n    params.top: 2 -> 3\n" in told
    assert '-    return sorted(rows, key=lambda row: row["height"], reverse=True)' in told
    assert '+    return sorted(rows, key=lambda row: row["height"], reverse=False)' in told
    assert "metrics.result  2 -> 3" in told
    assert "  ~ count: 2 -> 3\n\n2 results differ, 1 result is the same.\n" in told
    document = applied.json("state", "diff", "-json", "-diff-code", "1", "2")
    schema("state-diff").validate(document)
    assert document["changes"][0]["code_diff"]["files"].keys() == {"steps/order.py"}
    assert applied.json_of(2, "state", "diff", "-json", "-detailed-exitcode", "1")["equal"] is False
    assert applied.json("state", "diff", "-json", "-detailed-exitcode", "2")["equal"] is True


def test_data_and_workspaces_that_differ(applied: Project) -> None:
    applied.ok("workspace", "new", "pr-1")
    with (applied.root / "heights.csv").open("a") as file:
        file.write("Zoe,201\n")
    applied.ok("apply", "-auto-approve")
    told = applied.ok("state", "diff", "default", "pr-1")
    assert "# default@1 -> pr-1@1" in told
    assert " rows (1 added)" in told
    assert "no apply 7" in applied.fails("state", "diff", "7")
    assert 'Did you mean "default"?' in applied.fails("state", "diff", "defalt")


def test_state_show_by_digest_folder_and_apply(applied: Project) -> None:
    shown = applied.json("state", "show", "-json", "step.python.tallest@1")
    schema("lineage").validate(shown)
    digest = shown["values"]["outputs"]["names"]["digest"]
    assert [use["address"] for use in shown["used_by"]] == ["step.python.count"]
    by_digest = applied.ok("state", "show", digest[:10])
    assert "# step.python.tallest\n" in by_digest
    assert f"{digest[:12]} is its output names" in by_digest
    copy = applied.root / "copied"
    copy.mkdir()
    (copy / "names.json").write_bytes(next(iter_blobs(applied.root, digest)))
    assert applied.ok("state", "show", "copied") == by_digest
    assert "digraph {" in applied.ok("state", "show", "-format=dot", shown["values"]["outputs"]["names"]["uri"])
    assert "has results of apply 1" in applied.fails("state", "show", "step.python.tallest@9")


def iter_blobs(root: Path, digest: str) -> Iterator[bytes]:
    """The contents of an artifact's files."""
    store = root / ".zenctl" / "artifacts"
    tree = json.loads((store / "trees" / digest[:2] / f"{digest}.json").read_text())
    for file in tree["files"]:
        yield (store / "blobs" / file["sha256"][:2] / file["sha256"]).read_bytes()


def test_state_pull_is_the_whole_state(applied: Project) -> None:
    document = applied.json("state", "pull")
    schema("state").validate(document)
    assert [r["address"] for r in document["results"]] == applied.ok("state", "list").split()
    assert document["apply"]["result"] == "complete"
    assert document["outputs"] == {"count": {"sensitive": False, "value": 2}}
    assert applied.ok("state", "list", "-type=csv") == "datasource.csv.heights\n"


def test_runs_side_by_side(applied: Project) -> None:
    applied.ok("apply", "-auto-approve", "-var", "top=3")
    document = applied.json("compare", "-json")
    schema("comparison").validate(document)
    [table] = document["tables"]
    assert table["address"] == "step.python.count"
    assert table["columns"] == [{"name": "top", "kind": "parameter", "address": "step.python.tallest"}]
    assert [(run["serial"], run["values"], run["metrics"]) for run in table["runs"]] == [
        (2, [3], {"result": 3}),
        (1, [2], {"result": 2}),
    ]
    told = applied.ok("compare", "-metric=result:min", "step.python.count", "-last=5")
    assert "2 *" in told
    assert "top: a parameter of step.python.tallest" in told
    assert "lowest result" in told
    assert 'Did you mean "result"?' in applied.fails("compare", "-metric=resutl")


def test_events_for_openlineage(applied: Project) -> None:
    applied.ok("apply", "-auto-approve", "-var", "top=3")
    printed = applied.ok("state", "export", "-format=openlineage")
    events = [json.loads(line) for line in printed.splitlines()]
    assert [e["job"]["name"] for e in events if e["eventType"] == "COMPLETE"] == [
        "datasource.csv.heights",
        "step.python.tallest",
        "step.python.count",
        "apply",
        "step.python.tallest",
        "step.python.count",
        "apply",
    ]
    columns = events[2]["outputs"][0]["facets"]["schema"]["fields"]
    assert [column["name"] for column in columns] == ["name", "height"]
    assert applied.ok("state", "export", "-o", "events.ndjson") == f"Wrote {len(events)} events to events.ndjson.\n"
    assert (applied.root / "events.ndjson").read_text() == printed
    later = applied.ok("state", "export", "-since=1")
    assert printed.endswith(later)
    assert len(later.splitlines()) == 6
    assert "cannot be written" in applied.fails("state", "export", "-out=no/such/folder/x")
