"""Recorded results are copied out of the artifact store: whole, verified, the user's own, overwriting nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Project

TALLEST = "step.python.tallest"


@pytest.fixture
def applied(tiny: Project) -> Project:
    tiny.ok("apply", "-auto-approve")
    return tiny


def stored(project: Project) -> dict[Path, bytes]:
    found = (project.root / ".zenctl" / "artifacts").rglob("*")
    return {path: path.read_bytes() for path in found if path.is_file()}


def test_one_output_lands_in_the_folder_and_is_the_users_own(applied: Project) -> None:
    before = stored(applied)
    said = applied.ok("state", "get", f"{TALLEST}.names", "out")
    (file,) = [path for path in (applied.root / "out").rglob("*") if path.is_file()]
    assert str(file.relative_to(applied.root)) in said
    assert file.read_bytes() in before.values()
    assert os.access(file, os.W_OK)
    assert file.stat().st_mode & 0o200
    file.write_bytes(b"changed")
    assert stored(applied) == before, "a copy, no link"
    assert "Nothing is missing or corrupt" in applied.ok("state", "verify")


def test_several_outputs_get_a_folder_each(applied: Project) -> None:
    applied.ok("state", "get", "datasource.csv.heights")
    assert (applied.root / "data" / "manifest.json").is_file(), "named as its only output"
    (applied.root / "steps" / "size.py").write_text(
        "from zenctl.sdk import Artifact, Output\n\n\n"
        "def count(one: Output[Artifact], two: Output[Artifact]) -> None:\n"
        '    (one.path / "f").write_text("1")\n'
        '    (two.path / "f").write_text("2")\n'
    )
    (applied.root / "two.zen.hcl").write_text('step "python" "two" { code = "steps/size.py:count" }\n')
    applied.ok("apply", "-auto-approve", "-target=step.python.two")
    applied.ok("state", "get", "step.python.two", "both")
    assert [(applied.root / "both" / name / "f").read_text() for name in ("one", "two")] == ["1", "2"]
    applied.ok("state", "get", "-output=two", "step.python.two", "only")
    assert (applied.root / "only" / "f").read_text() == "2"


def test_an_older_result_and_one_by_its_digest(applied: Project) -> None:
    applied.ok("apply", "-auto-approve", "-var", "top=1")
    contents = []
    for words in (f"{TALLEST}@1", f"{TALLEST}.names@1", TALLEST):
        folder = f"f{len(contents)}"
        said = applied.ok("state", "get", words, folder)
        contents.append(sorted(path.read_bytes() for path in (applied.root / folder).rglob("*") if path.is_file()))
    assert contents[0] == contents[1] != contents[2]
    digest = said.partition("Artifact ")[2][:12]
    applied.ok("state", "get", digest, "digest")
    found = sorted(path.read_bytes() for path in (applied.root / "digest").rglob("*") if path.is_file())
    assert found == contents[2]


def test_nothing_is_overwritten(applied: Project) -> None:
    (applied.root / "out").mkdir()
    (applied.root / "out" / "mine").write_text("mine")
    assert "out is there already" in applied.fails("state", "get", TALLEST, "out")
    assert (applied.root / "out" / "mine").read_text() == "mine"
    (applied.root / "out" / "mine").unlink()
    applied.ok("state", "get", TALLEST, "out")
    assert not list(applied.root.glob(".out-*")), "no scratch is left"


def test_what_is_damaged_is_not_given(applied: Project) -> None:
    applied.ok("state", "get", TALLEST, "good")
    (content,) = [path.read_bytes() for path in (applied.root / "good").rglob("*") if path.is_file()]
    (blob,) = [path for path, data in stored(applied).items() if data == content]
    blob.chmod(0o644)
    blob.write_bytes(b"x" * len(content))
    said = applied.fails("state", "get", TALLEST, "bad")
    assert "state verify" in said
    assert "damaged" in said
    assert not (applied.root / "bad").exists()
    assert not list(applied.root.glob(".bad-*"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["step.python.tallst"], 'Did you mean "step.python.tallest"?'),
        ([f"{TALLEST}.nams"], 'Did you mean "names"?'),
        ([f"{TALLEST}@7"], "Apply 7 recorded no result"),
        (["0123456789ab"], "Nothing recorded is an artifact"),
        ([], "What to copy is missing"),
    ],
)
def test_what_is_not_there(applied: Project, words: list[str], says: str) -> None:
    assert says in " ".join(applied.fails("state", "get", *words).split())
