"""Applies each folder's project, changes it, plans or applies a saved plan, and compares what is said with what is
expected. Every reason, action and refusal must occur in a case.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests import starting
from tests.starting import ZENCTL
from zenctl.digests import sha256_file, sha256_json
from zenctl.plans import planfile
from zenctl.plans.actions import Action, ReasonCode

HERE = Path(__file__).parent
CASES = sorted(p.name for p in HERE.iterdir() if (p / "before").is_dir())
REMOVED = "(removed)"
SAVED = "saved.plan"


def environment(project: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ZENCTL_")}
    site = os.pathsep.join([str(HERE / "site"), str(project / "site")])
    return kept | {
        "NO_COLOR": "1",
        "ZENCTL_IN_AUTOMATION": "1",
        "COLUMNS": "120",
        "PYTHONPATH": site,
        "PYTHON": sys.executable,
        "ZENCTL": str(ZENCTL),
    }


def zenctl(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return starting.run(words, project, environment(project), timeout=240)


def lay_over(project: Path, changes: Path) -> None:
    for source in sorted(p for p in changes.rglob("*") if p.is_file()):
        target = project / source.relative_to(changes)
        if source.read_bytes().strip() == REMOVED.encode():
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def script(project: Path, path: Path) -> None:
    if path.exists():
        subprocess.run(["sh", "-e", str(path)], cwd=project, env=environment(project), check=True, capture_output=True)


def words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def steady(text: str, project: Path) -> str:
    """The text without what differs from run to run: digests, places, times."""
    text = text.replace(str(project), "<project>")
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "<digest>", text)
    text = re.sub(r"\bis \w+ old\b", "is <age> old", text)
    text = re.sub(r"unpacks to [\d,]+ bytes", "unpacks to <size> bytes", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "<date>", text)
    return re.sub(r" in \d+(\.\d)?s\b", " in <time>", text)


def compare(expected: Path, text: str) -> None:
    if os.environ.get("ZENCTL_UPDATE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text()


def said(done: subprocess.CompletedProcess[str], project: Path) -> str:
    return steady(f"{done.stdout}{done.stderr}exit code {done.returncode}\n", project)


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Path], None]:
    """Copies a case's project as its first apply leaves it. Half of the cases begin with the same one."""
    shared = tmp_path_factory.getbasetemp()
    # The workers of one run share what is beside their own folders.
    made = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "golden"

    def copy(folder: Path, project: Path) -> None:
        before = folder / "before"
        files = {str(p.relative_to(before)): sha256_file(p) for p in before.rglob("*") if p.is_file()}
        fails = (folder / "apply-fails").exists()
        place = made / sha256_json([files, fails])
        made.mkdir(exist_ok=True)
        with FileLock(f"{place}.lock"):
            if not place.exists():
                shutil.copytree(before, project)
                done = zenctl(project, "apply", "-auto-approve")
                assert (done.returncode != 0) == fails, done.stdout + done.stderr
                project.rename(place)
        shutil.copytree(place, project, symlinks=True)

    return copy


@pytest.mark.parametrize("case", CASES)
def test_plan_says(case: str, tmp_path: Path, applied: Callable[[Path, Path], None]) -> None:
    folder, project = HERE / case, tmp_path / "project"
    applied(folder, project)
    script(project, folder / "between")
    if (folder / "apply-again").exists():
        done = zenctl(project, "apply", "-auto-approve", *words(folder / "apply-again"))
        assert done.returncode == 0, done.stdout + done.stderr
    if (folder / "after").is_dir():
        lay_over(project, folder / "after")
    script(project, folder / "damage")
    planned = zenctl(project, "plan", "-detailed-exitcode", f"-out={SAVED}", *words(folder / "arguments"))
    if (folder / "meanwhile").exists():
        assert planned.returncode in (0, 2), planned.stdout + planned.stderr
        script(project, folder / "meanwhile")
        done = zenctl(project, "apply", SAVED, *words(folder / "apply-arguments"))
        compare(folder / "expected.txt", said(done, project))
        return
    compare(folder / "expected.txt", said(planned, project))
    if planned.returncode in (0, 2):
        changes = planfile.read(project / SAVED).changes
        lines = [" ".join([c.address, c.action.value, *(r.code.value for r in c.reasons)]) for c in changes]
        compare(folder / "expected-actions.txt", "".join(f"{line}\n" for line in lines))


def occurring() -> set[str]:
    """Every action and reason that a case expects."""
    found: set[str] = set()
    for case in CASES:
        path = HERE / case / "expected-actions.txt"
        for line in path.read_text().splitlines() if path.exists() else ():
            found.update(line.split()[1:])
    return found


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_case(action: Action) -> None:
    assert action.value in occurring()


@pytest.mark.parametrize("reason", list(ReasonCode))
def test_every_reason_has_a_case(reason: ReasonCode) -> None:
    assert reason.value in occurring()


@pytest.mark.parametrize("kind", sorted(planfile.REFUSALS))
def test_every_refusal_of_a_plan_file_has_a_case(kind: str) -> None:
    folder = HERE / f"file-{kind}"
    assert (folder / "meanwhile").exists()
    assert "saved.plan cannot be read as a plan" in (folder / "expected.txt").read_text()


STALE = (
    "state", "data", "data-of-fresh-steps", "data-gone", "endpoint", "endpoint-gone", "file-read", "provider", "result",
    "requirements",
)  # fmt: skip


@pytest.mark.parametrize("what", STALE)
def test_every_ground_that_moves_has_a_case(what: str) -> None:
    text = (HERE / f"moved-{what}" / "expected.txt").read_text()
    assert "Error: The plan is stale" in text
    assert text.endswith("exit code 5\n")
