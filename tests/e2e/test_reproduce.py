"""A recorded result made again: equal, or where it differs; from recorded code, inputs and packages, not from today."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.conftest import ROOT, Project
from tests.wheels import wheel

FIT = "step.python.tallest"

LUCK = """\
import json
import random

from zenctl.sdk import Artifact, Dataset, Metrics, Output


def tallest(data: Dataset, names: Output[Artifact], metrics: Output[Metrics], *, top: int) -> None:
    chosen = [row["name"] for row in data][:top]
    (names.path / "names.json").write_text(json.dumps(chosen))
    (names.path / "luck.txt").write_text(str(random.random()))
    metrics.log(people=len(chosen), luck=random.random())
"""


def everything(project: Project) -> set[str]:
    """Every file of the data folder but caches."""
    root = project.root / ".zenctl"
    return {str(p.relative_to(root)) for p in root.rglob("*") if "cache" not in p.parts and p.is_file()}


def test_an_equal_result_is_equal_and_nothing_is_recorded(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    before = everything(tiny)
    records = tiny.json("show", "-json")
    printed = tiny.ok("reproduce", FIT)
    assert "Equal. Every byte is as it was recorded." in printed
    document = tiny.json("reproduce", "-json", FIT)
    assert document["equal"]
    assert document["outputs"]["names"]["recorded"] == document["outputs"]["names"]["reproduced"]
    assert everything(tiny) == before
    assert tiny.json("show", "-json") == records
    assert not list((tiny.root / ".zenctl").glob("reproduce-*"))


def test_code_parameters_and_data_are_the_recorded_ones(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    shutil.rmtree(tiny.root / "steps")
    (tiny.root / "heights.csv").write_text("name,height\nEve,190\n")
    document = tiny.json("reproduce", "-json", FIT)
    assert document["equal"]
    said = tiny.fails("reproduce", "datasource.csv.heights")
    assert "does not hold any more what the snapshot was taken from" in said


def test_a_serial_names_an_older_result(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    first = tiny.json("reproduce", "-json", FIT)
    tiny.ok("apply", "-auto-approve", "-var", "top=1")
    assert tiny.json("reproduce", "-json", f"{FIT}@1")["outputs"] == first["outputs"]
    assert tiny.json("reproduce", "-json", FIT)["outputs"] != first["outputs"]
    assert "It has results of apply 1, 2." in tiny.fails("reproduce", f"{FIT}@7")


def test_a_reused_result_is_made_as_it_was_made_first(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.ok("apply", "-auto-approve", "-var", "top=1")
    tiny.ok("apply", "-auto-approve")
    assert tiny.json("reproduce", "-json", FIT)["serial"] == 3
    assert "Equal." in tiny.ok("reproduce", FIT)


def test_what_differs_is_shown_side_by_side(tiny: Project) -> None:
    tiny.write("steps/rank.py", LUCK)
    tiny.ok("apply", "-auto-approve")
    printed = tiny.ok("reproduce", FIT, code=2)
    assert "Different: 2 of 2 outputs." in printed
    assert "luck.txt" in printed
    assert "names.json" not in printed
    assert "people  2" in printed
    document = tiny.json_of(2, "reproduce", "-json", FIT)
    assert [file["path"] for file in document["outputs"]["names"]["files"]] == ["luck.txt"]
    metrics = document["outputs"]["metrics"]["metrics"]
    assert metrics["people"] == {"recorded": 2, "reproduced": 2}
    assert metrics["luck"]["recorded"] != metrics["luck"]["reproduced"]


def test_what_is_gone_cannot_be_reproduced(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    shutil.rmtree(tiny.root / ".zenctl" / "artifacts" / "code")
    assert "code" in tiny.fails("reproduce", FIT)
    shutil.rmtree(tiny.root / ".zenctl" / "artifacts" / "jobs")
    assert f"The order of {FIT} in apply 1 cannot be read" in tiny.fails("reproduce", FIT)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "The address is missing"),
        (["step.python.talest"], f'Did you mean "{FIT}"'),
        (["nothing"], "nothing"),
    ],
)
def test_bad_addresses(tiny: Project, words: list[str], says: str) -> None:
    tiny.ok("apply", "-auto-approve")
    assert says in " ".join(tiny.fails("reproduce", *words).split())


@pytest.fixture
def packages(project: Project) -> Project:
    """A step that ran with goldenlib 1.0 where 1.1, which answers otherwise, is installed now."""
    shutil.copytree(ROOT / "tests/golden/environment-changed/before", project.root, dirs_exist_ok=True)
    site = project.root / "site"
    project.environment["PYTHONPATH"] = str(site)
    project.ok("apply", "-auto-approve")
    (site / "goldenlib-1.0.dist-info").rename(site / "goldenlib-1.1.dist-info")
    (site / "goldenlib.py").write_text("ANSWER = 43\n")
    return project


def test_another_environment_is_named(packages: Project) -> None:
    printed = packages.ok("reproduce", "-build=false", "step.python.use", code=2)
    assert "-build=false forbids to build it" in printed
    assert "goldenlib 1.0 -> 1.1 (recorded -> used)" in printed
    assert "The environment was another one, which may be why." in printed


def test_an_environment_that_cannot_be_built_is_told(packages: Project) -> None:
    packages.environment |= {"UV_NO_INDEX": "1"}
    printed = packages.ok("reproduce", "step.python.use", code=2)
    assert "it cannot be built: no set of packages fits the requirements: No solution found" in printed
    assert "goldenlib" in printed.split("it cannot be built", 1)[1]
    assert "your requirements are unsatisfiable" in printed


def test_the_recorded_environment_is_built_and_kept(packages: Project) -> None:
    wheels = packages.root.parent / "wheels"
    wheel(wheels, "goldenlib", "1.0", "ANSWER = 42\n")
    packages.environment |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels)}
    printed = packages.ok("reproduce", "step.python.use")
    assert "preparing an environment with uv" in printed
    assert "built just now" in printed
    shutil.rmtree(wheels)
    document = packages.json("reproduce", "-json", "step.python.use")
    assert document["environment"]["origin"] == "kept"
    assert document["equal"]
