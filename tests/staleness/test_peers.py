"""The same changes as ours, judged by dvc, snakemake and redun: what each misses, what each calls stale for nothing.

`make peers` installs them into an environment of their own and prints the table.
"""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.staleness.corpus import lay
from tests.staleness.runs import Runs
from tests.staleness.test_mutations import changed, find

HERE = Path(__file__).parent
PYTHON = Path(__file__).parents[2] / ".venv-peers/bin/python"
NAMES = ("parsing", "pipeline", "trainer")
WAYS = {
    "dvc, deps: the step's file": ("dvc", "entry"),
    "dvc, deps: every file": ("dvc", "every"),
    "snakemake, script:": ("snakemake", "entry"),
    "snakemake, input: every file": ("snakemake", "every"),
    "redun, the step as task": ("redun", "entry"),
    "redun, hash_includes: every file": ("redun", "every"),
}


@dataclass(frozen=True)
class Edit:
    """A file's new text, and whether what changed in it is executed by the step."""

    path: str
    text: str
    counts: bool


@dataclass
class Score:
    """How a tool's verdicts agree with what is executed."""

    missed: int = 0
    counting: int = 0
    alarms: int = 0
    others: int = 0

    def add(self, edit: Edit, *, stale: bool) -> None:
        self.counting += edit.counts
        self.others += not edit.counts
        self.missed += edit.counts and not stale
        self.alarms += stale and not edit.counts

    def row(self, name: str) -> str:
        return f"| {name} | {self.missed} of {self.counting} | {self.alarms} of {self.others} |"


def project(name: str) -> dict[str, str]:
    folder = HERE / "projects" / name
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}
    # Layout is a change to some tools: every text is the one that a tree unparses to, as the changed ones are.
    # A script of snakemake's has code before its first line, where no `__future__` can follow.
    future = "from __future__ import annotations\n"
    return {path: ast.unparse(ast.parse(text.replace(future, ""))) + "\n" for path, text in found.items()}


def edits(files: dict[str, str], root: Path) -> Iterator[Edit]:
    """Every definition changed in turn, and a comment in every file."""
    with Runs() as runs:
        executed = runs(lay(root, files), "steps/fit.py", "fit")["executed"]
    for path, text in files.items():
        yield Edit(path, f"# a comment\n{text}", counts=False)
        for new, name, line in changed(text):
            yield Edit(path, new + "\n", counts=[path, name, line] in executed)


@contextmanager
def judge(tool: str, way: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [str(PYTHON), str(HERE / "peers/judge.py"), tool, way, str(root)]
    # They look for settings in the home folder, and some of them call home.
    environment = {**os.environ, "HOME": str(root.parent), "DVC_NO_ANALYTICS": "1"}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate()


def ask(process: subprocess.Popen[str]) -> bool:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    assert answer in ("stale", "fresh"), answer
    return answer == "stale"


def score(tool: str, way: str, files: dict[str, str], todo: list[Edit], root: Path) -> Score:
    found = Score()
    with judge(tool, way, lay(root, files)) as process:
        assert not ask(process), "nothing has changed"
        # snakemake's script has a tail by now, which has to stay.
        tails = {path: (root / path).read_text()[len(text) :] for path, text in files.items()}
        for edit in todo:
            place = root / edit.path
            before, times = place.read_bytes(), (place.stat().st_atime_ns, place.stat().st_mtime_ns)
            place.write_text(edit.text + tails[edit.path])
            found.add(edit, stale=ask(process))
            place.write_bytes(before)
            os.utime(place, ns=times)
        assert not ask(process), "all is as it was"
    return found


def ours(files: dict[str, str], todo: list[Edit], root: Path) -> Score:
    found = Score()
    before = find(lay(root, files), "steps/fit.py")
    assert before is not None
    for edit in todo:
        (root / edit.path).write_text(edit.text)
        after = find(root, "steps/fit.py")
        found.add(edit, stale=after is None or after.digest != before.digest)
        (root / edit.path).write_text(files[edit.path])
    return found


@pytest.mark.benchmark
@pytest.mark.skipif(not PYTHON.exists(), reason="make peers installs the other tools")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", NAMES)
def test_table(name: str, tmp_path: Path) -> None:
    files = project(name)
    todo = list(edits(files, tmp_path / "run"))
    print(
        f"\n| {name} | changes of executed code that are missed | other changes that make the step stale |"
        "\n|---|---|---|"
    )
    own = ours(files, todo, tmp_path / "zenctl")
    print(own.row("zenctl"))
    for number, (shown, (tool, way)) in enumerate(WAYS.items()):
        print(score(tool, way, files, todo, tmp_path / str(number) / "project").row(shown), flush=True)
    assert not own.missed
