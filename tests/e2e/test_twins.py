"""HCL and YAML mean the same to every command: plans made of a configuration and of its twin are equal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Project

# But for the one whose provider test_custom_provider.py installs.
EXAMPLES = sorted(p for p in (ROOT / "examples").iterdir() if p.is_dir() and p.name != "custom-provider")


def plans(project: Project, *words: str) -> tuple[str, list[dict[str, Any]]]:
    """The plan document and the stream of a plan, without the times at which they were made."""
    project.ok("plan", "-out=p.zenplan", *words)
    document = project.ok("show", "-json", "p.zenplan")
    (project.root / "p.zenplan").unlink()
    timestamp = json.dumps(json.loads(document)["timestamp"])
    assert document.count(timestamp) == 1
    events = [json.loads(line) for line in project.ok("plan", "-json", *words).splitlines()]
    return document.replace(timestamp, '""'), [{k: v for k, v in e.items() if k != "@timestamp"} for e in events]


def files(project: Project) -> dict[str, str]:
    """The texts of all modules' files, by their paths."""
    found = sorted(project.root.rglob("*.zen.*"))
    return {str(path.relative_to(project.root)): path.read_text() for path in found}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_a_plan_of_the_twin_is_the_same(project: Project, example: Path) -> None:
    shutil.copytree(example, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".zenctl"))
    before, made = files(project), plans(project)
    assert json.loads(made[0])["resource_changes"]
    project.ok("convert", "-to=yaml", "-replace", *before)
    twins = files(project)
    assert all(name.endswith(".zen.yaml") for name in twins)
    project.ok("validate")
    assert plans(project) == made
    project.ok("convert", "-to=hcl", "-replace", *twins)
    assert files(project).keys() == before.keys()
    assert plans(project) == made
    project.ok("convert", "-replace", *before)
    assert files(project) == twins


def test_a_plan_of_the_twin_after_an_apply(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    made = plans(tiny, "-var", "top=1")
    tiny.ok("convert", "-replace")
    tiny.ok("plan", "-detailed-exitcode")
    assert plans(tiny, "-var", "top=1") == made


def test_stores_that_are_set_are_used(tiny: Project) -> None:
    tiny.ok("convert", "-replace")
    tiny.ok("config", "metadata", "set", "sqlite", "-path=records/m.db")
    tiny.ok("config", "artifacts", "set", "results")
    tiny.ok("apply", "-auto-approve")
    assert (tiny.root / "records" / "m.db").stat().st_size
    assert any((tiny.root / "results").rglob("*"))
    assert not (tiny.root / ".zenctl" / "metadata.db").exists()
    tiny.ok("convert", "-replace")
    tiny.ok("plan", "-detailed-exitcode")
    assert tiny.json("config", "metadata", "get", "-json")["location"] == "records/m.db"
