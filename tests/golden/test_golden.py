"""Applies each folder's project, changes it, plans, and compares what is printed with what is expected."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(p.name for p in HERE.iterdir() if (p / "before").is_dir())
ZENCTL = Path(sys.executable).parent / "zenctl"
REMOVED = "(removed)"


def zenctl(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ZENCTL_")}
    environment |= {"NO_COLOR": "1", "ZENCTL_IN_AUTOMATION": "1", "COLUMNS": "120"}
    return subprocess.run(
        [ZENCTL, *words], cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def lay_over(project: Path, changes: Path) -> None:
    for source in sorted(p for p in changes.rglob("*") if p.is_file()):
        target = project / source.relative_to(changes)
        if source.read_bytes().strip() == REMOVED.encode():
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def steady(text: str) -> str:
    """The text without what differs from run to run: digests, and how old a result is."""
    text = re.sub(r"\bis \w+ old\b", "is <age> old", text)
    return re.sub(r"\b[0-9a-f]{12,64}\b", "<digest>", text)


@pytest.mark.parametrize("case", CASES)
def test_plan_says(case: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(HERE / case / "before", project)
    applied = zenctl(project, "apply", "-auto-approve")
    fails = (HERE / case / "apply-fails").exists()
    assert (applied.returncode != 0) == fails, applied.stdout + applied.stderr
    if (HERE / case / "after").is_dir():
        lay_over(project, HERE / case / "after")
    damage = HERE / case / "damage"
    if damage.exists():
        subprocess.run(["sh", str(damage)], cwd=project, check=True)
    arguments = HERE / case / "arguments"
    words = arguments.read_text().split() if arguments.exists() else []
    planned = zenctl(project, "plan", "-detailed-exitcode", *words)
    text = steady(f"{planned.stdout}{planned.stderr}exit code {planned.returncode}\n")
    expected = HERE / case / "expected.txt"
    if os.environ.get("ZENCTL_UPDATE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_there_are_cases() -> None:
    assert len(CASES) >= 15
