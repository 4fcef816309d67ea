"""What plan sees of data that was touched, replaced and changed; -refresh-only; snapshots that `version` pins."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.e2e.conftest import ROOT, Project

DATA = "heights.csv"
HEIGHTS = "datasource.csv.heights"


def change(project: Project, address: str, *words: str) -> dict[str, object]:
    """One item of a plan's `resource_changes`."""
    project.ok("plan", "-out=p.zenplan", *words)
    document = project.json("show", "-json", "p.zenplan")
    found: dict[str, object] = next(c for c in document["resource_changes"] if c["address"] == address)
    return found


def grow(project: Project, text: str = "Eve,190\n") -> None:
    with (project.root / DATA).open("a") as stream:
        stream.write(text)


def digest_of(project: Project) -> str:
    return str(project.json("state", "show", "-json", HEIGHTS)["values"]["outputs"]["data"]["digest"])


@pytest.fixture
def applied(tiny: Project) -> Project:
    # Old enough to be remembered: what changed within two seconds is always read anew.
    os.utime(tiny.root / DATA, ns=(10**18, 10**18))
    tiny.ok("apply", "-auto-approve")
    return tiny


def test_a_file_that_was_touched_is_fresh(applied: Project) -> None:
    (applied.root / DATA).touch()
    assert applied.stale() == {}


def test_a_file_that_was_replaced_by_an_equal_one_is_fresh(applied: Project) -> None:
    other = applied.root / "other.csv"
    shutil.copyfile(applied.root / DATA, other)
    other.replace(applied.root / DATA)
    assert applied.stale() == {}


def test_a_change_that_keeps_size_and_time_is_seen(applied: Project) -> None:
    path = applied.root / DATA
    before = path.stat()
    text = path.read_text()
    path.write_text(text[:-2] + ("1" if text[-2] != "1" else "2") + text[-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    item = change(applied, HEIGHTS)
    assert item["zenctl_action"] == "RUN"
    assert "1 changed" in str(item["stale_because"])


def test_a_change_names_rows_and_columns(applied: Project) -> None:
    path = applied.root / DATA
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},city", *(f"{row}.5,Rome" for row in rows)]) + "\n")
    [reason] = change(applied, HEIGHTS)["stale_because"]  # type: ignore[misc]
    assert "column city is new" in reason["detail"]
    assert "column height: int -> float" in reason["detail"]
    assert reason["data"]["columns_added"] == ["city"]
    assert reason["data"]["columns_retyped"] == {"height": {"before": "int", "after": "float"}}


def test_files_of_a_folder_come_and_go(tiny: Project) -> None:
    folder = tiny.root / "many"
    folder.mkdir()
    (tiny.root / DATA).rename(folder / "a.csv")
    tiny.edit("main.zen.hcl", f'"{DATA}"', '"many"')
    tiny.ok("apply", "-auto-approve")
    (folder / "b.csv").write_text("name,height\nEve,190\n")
    [reason] = change(tiny, HEIGHTS)["stale_because"]  # type: ignore[misc]
    assert reason["data"]["rows_added"] == 1
    (folder / "b.csv").unlink()
    assert tiny.stale() == {}


def test_without_a_refresh_the_record_stands(applied: Project) -> None:
    grow(applied)
    assert applied.stale("-refresh=false") == {}


def test_refresh_only_reads_data_anew_and_runs_no_step(applied: Project) -> None:
    grow(applied)
    assert applied.stale("-refresh-only") == {HEIGHTS: "RUN"}
    printed = applied.ok("apply", "-refresh-only", "-auto-approve")
    assert f"{HEIGHTS}: ran" in printed
    assert "step.python" not in printed.partition("Plan:")[2]
    assert applied.stale("-refresh-only") == {}
    assert applied.stale() == {"step.python.tallest": "RUN", "step.python.count": "MAY_RUN"}


def test_refresh_only_forgets_what_is_gone(applied: Project) -> None:
    shutil.rmtree(applied.root / ".zenctl" / "artifacts" / "blobs")
    assert set(applied.stale("-refresh-only").values()) == {"FORGET"}
    applied.ok("apply", "-refresh-only", "-auto-approve")
    assert applied.ok("state", "list") == ""


@pytest.mark.parametrize("flag", ["-refresh=false", "-replace=step.python.count", "-destroy"])
def test_refresh_only_refuses_what_it_cannot_do(tiny: Project, flag: str) -> None:
    assert "-refresh-only" in tiny.fails("plan", "-refresh-only", flag)


@pytest.fixture
def served(project: Project) -> Project:
    """An endpoint that is a file, of the provider that the golden cases have."""
    golden = ROOT / "tests" / "golden"
    shutil.copytree(golden / "endpoint-gone" / "before", project.root, dirs_exist_ok=True)
    project.environment["PYTHONPATH"] = str(golden / "site")
    project.ok("apply", "-auto-approve")
    return project


def endpoint_file(project: Project) -> Path:
    return project.root / ".zenctl" / "endpoints" / "shop.json"


def test_refresh_only_records_an_endpoint_as_it_is(served: Project) -> None:
    path = endpoint_file(served)
    path.write_text(json.dumps({**json.loads(path.read_text()), "model": "ab" * 32}))
    served.ok("plan", "-refresh-only", "-out=p.zenplan")
    [drift] = served.json("show", "-json", "p.zenplan")["resource_drift"]
    assert (drift["address"], drift["change"]["actions"]) == ("endpoint.file.shop", ["update"])
    served.ok("apply", "p.zenplan")
    assert json.loads(path.read_text())["model"] == "ab" * 32, "only recorded"
    assert served.stale("-refresh-only") == {}
    item = change(served, "endpoint.file.shop")
    assert item["zenctl_action"] == "UPDATE"
    assert [reason["reason"] for reason in item["stale_because"]] == ["MODEL_CHANGED"]  # type: ignore[attr-defined]


def test_refresh_only_forgets_an_endpoint_that_is_gone(served: Project) -> None:
    endpoint_file(served).unlink()
    assert served.stale("-refresh-only") == {"endpoint.file.shop": "FORGET"}
    served.ok("apply", "-refresh-only", "-auto-approve")
    assert served.stale() == {"endpoint.file.shop": "CREATE"}


def pin(project: Project, version: str) -> None:
    text = (project.root / "main.zen.hcl").read_text()
    lines = [line for line in text.splitlines() if "version =" not in line]
    at = next(i for i, line in enumerate(lines) if f'"{DATA}"' in line)
    (project.root / "main.zen.hcl").write_text(
        "\n".join([*lines[: at + 1], f'  version = "{version}"', *lines[at + 1 :]])
    )


def test_a_version_pins_an_older_snapshot(applied: Project) -> None:
    old = digest_of(applied)
    grow(applied, "Tom,230\n")
    applied.ok("apply", "-auto-approve")
    assert digest_of(applied) != old
    for version in ("1", old[:8], old):
        pin(applied, version)
        assert applied.stale() == {
            HEIGHTS: "REUSE",
            "step.python.tallest": "REUSE",
            "step.python.count": "REUSE",
        }
    (applied.root / DATA).unlink()
    printed = applied.ok("apply", "-auto-approve")
    assert f"{HEIGHTS}: reused" in printed
    assert ": ran" not in printed
    assert digest_of(applied) == old
    assert applied.stale() == {}, "a pinned snapshot needs no source"


def test_a_saved_plan_holds_its_pin(applied: Project) -> None:
    old = digest_of(applied)
    grow(applied)
    applied.ok("apply", "-auto-approve")
    pin(applied, "1")
    applied.ok("plan", "-out=p.zenplan")
    grow(applied, "Zoe,150\n")
    applied.ok("apply", "p.zenplan")
    assert digest_of(applied) == old


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("abcdef", 'has no snapshot "abcdef"'),
        ("99", 'has no snapshot "99"'),
        ("latest", "is no version of a snapshot"),
        ("abc", "is no version of a snapshot"),
    ],
)
def test_a_version_that_names_nothing_says_what_there_is(applied: Project, version: str, says: str) -> None:
    pin(applied, version)
    said = applied.fails("plan")
    assert says in said
    assert "main.zen.hcl:" in said
    if "no snapshot" in says:
        assert f"{digest_of(applied)[:12]} (apply 1" in said


def test_a_version_whose_files_are_deleted_is_refused(applied: Project) -> None:
    grow(applied)
    applied.ok("apply", "-auto-approve")
    pin(applied, "1")
    shutil.rmtree(applied.root / ".zenctl" / "artifacts" / "trees")
    assert "was deleted, or is damaged" in applied.fails("plan")


def test_plan_reads_changed_data_for_its_drift_only_when_asked_and_once(applied: Project) -> None:
    path = applied.root / DATA
    path.write_text(path.read_text() + "".join(f"new{i},2{i:02}\n" for i in range(20)))
    before = sorted((applied.root / ".zenctl" / "artifacts").rglob("*"))
    assert "moved by" not in applied.ok("plan")
    planned = applied.ok("plan", "-drift", "-out=p.zenplan")
    assert f"{HEIGHTS}: reading it, to see how far its columns moved\n" in planned
    assert "  #     height: moved by 0." in planned
    assert sorted((applied.root / ".zenctl" / "artifacts").rglob("*")) == before

    again = applied.ok("plan", "-drift")
    assert "reading it" not in again
    assert "  #     height: moved by 0." in again
    assert "# height: moved by 0." in applied.ok("show", "-markdown", "p.zenplan").replace("#   ", "# ")
    document = applied.json("show", "-json", "p.zenplan")
    jsonschema.validate(document, json.loads((ROOT / "schemas" / "plan.v1.schema.json").read_text()))
    [item] = [c for c in document["resource_changes"] if c["address"] == HEIGHTS]
    told = item["stale_because"][0]["data"]["drift"]
    assert told["columns"] == 2

    # What apply then takes has moved by just as much.
    applied.ok("apply", "p.zenplan")
    [result] = [r for r in applied.json("state", "diff", "-json", "1", "2")["changes"] if r["address"] == HEIGHTS]
    assert result["drift"]["data"] == told["movers"]


def test_data_that_cannot_be_read_is_a_warning_of_its_drift(applied: Project) -> None:
    with (applied.root / DATA).open("ab") as stream:
        stream.write(b'"\xff",1\n')
    planned = applied.ok("plan", "-drift")
    assert "Warning: How far the data of datasource.csv.heights moved cannot be told" in planned
    assert "heights.csv" in planned.partition("cannot be told")[2]
    assert "datasource.csv.heights will be read again" in planned
