"""The installed command, in a project of its own, as a user would run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import jsonschema
import pytest

from tests import starting
from tests.measuring import PATIENCE
from tests.starting import ZENCTL

ROOT = Path(__file__).parents[2]

SCHEMAS: dict[tuple[str, ...], str] = {
    ("compare",): "comparison",
    ("history", "-json"): "history",
    ("history", "step.python.count"): "runs",
    ("state", "diff"): "state-diff",
    ("state", "gc"): "garbage",
    ("state", "list"): "addresses",
    ("state", "pull"): "state",
    ("state", "show"): "lineage",
    ("state", "verify"): "verification",
}
"""The schema of what a command prints with -json."""


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of a user who has set nothing."""
    dropped = ("ZENCTL_", "PYTHONDONTWRITEBYTECODE", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "120", **more}


@dataclass
class Project:
    """A folder with a configuration, and what a user does in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=clean_environment)

    def run(self, *words: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, loaded beforehand."""
        return starting.run(words, self.root, self.environment, timeout)

    def ok(self, *words: str, code: int = 0) -> str:
        """Run a command that must end with this code; gives what it printed."""
        done = self.run(*words)
        assert done.returncode == code, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fails(self, *words: str, code: int = 1) -> str:
        """Run a command that must fail; gives what it said on both streams."""
        done = self.run(*words)
        assert done.returncode == code, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        said = done.stdout + done.stderr
        # A step's own traceback may be shown; a bug of zenctl, or a frame of it, never.
        assert "met a bug of its own" not in said
        assert not any(f"/zenctl/{part}/" in said for part in ("cli", "engine", "runner", "sdk", "steps"))
        return said

    def start(self, *words: str, printed: IO[str] | None = None) -> subprocess.Popen[str]:
        """Start a command in a session of its own; what it prints goes into a pipe, or the file `printed`."""
        return subprocess.Popen(
            [ZENCTL, *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE if printed is None else printed,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def stale(self, *words: str) -> dict[str, str]:
        """What a plan would do, by address, without what is up to date."""
        path = self.root / "plan.out"
        done = self.run("plan", f"-out={path}", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        document = self.json("show", "-json", str(path))
        path.unlink()
        changes = {c["address"]: c["zenctl_action"] for c in document["resource_changes"]}
        return {address: action for address, action in changes.items() if action != "NO_OP"}

    def json(self, *words: str) -> Any:
        """What a command prints as one JSON document, which fits the command's schema if there is one."""
        return self.json_of(0, *words)

    def json_of(self, code: int, *words: str) -> Any:
        """The same of a command that ends with this code."""
        printed = json.loads(self.ok(*words, code=code))
        schema = next((SCHEMAS[words[:length]] for length in (1, 2) if words[:length] in SCHEMAS), None)
        if schema is not None:
            jsonschema.validate(printed, json.loads((ROOT / "schemas" / f"{schema}.v1.schema.json").read_text()))
        return printed

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a process started here, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=PATIENCE)
    if process.stdout:
        process.stdout.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project; endpoints that a test leaves behind are stopped."""
    root = tmp_path / "a project"
    root.mkdir()
    made = Project(root)
    yield made
    if (root / ".zenctl" / "endpoints").exists():
        made.run("destroy", "-auto-approve")


@pytest.fixture
def tiny(project: Project) -> Project:
    """The small project of the golden tests: a CSV file and two python steps."""
    shutil.copytree(ROOT / "tests" / "golden" / "nothing-changed" / "before", project.root, dirs_exist_ok=True)
    return project
