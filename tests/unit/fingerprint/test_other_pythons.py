"""A closure has one digest, whichever Python computes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.staleness.corpus import lay, read_cases

REPOSITORY = Path(__file__).parents[3]
PROJECTS = REPOSITORY / "tests" / "staleness" / "projects"
PROGRAM = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from zenctl.fingerprint.code import closure
from zenctl.fingerprint.source import WorkingTree
found = {}
for folder, entry in json.load(sys.stdin):
    made, diagnostics = closure(WorkingTree(pathlib.Path(folder)), entry, "fit")
    found[folder] = [made.digest, made.definitions, sorted(made.third_party), [str(d) for d in diagnostics]]
print(json.dumps(found))
"""


def other_pythons() -> list[Path]:
    versions = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    return sorted(p for p in versions.glob("3.*/bin/python") if int(p.parts[-3].split(".")[1]) in range(10, 14))


def test_every_python_finds_the_same(tmp_path: Path) -> None:
    others = other_pythons()
    if not others:
        pytest.skip("no other interpreter from 3.10 to 3.13 under PYENV_ROOT")
    jobs = [(str(path), "steps/fit.py") for path in sorted(PROJECTS.iterdir()) if path.is_dir()]
    for number, case in enumerate(read_cases().values()):
        jobs.append((str(lay(tmp_path / str(number), case.before)), case.entry))
    found = {}
    for python in [*others, Path(sys.executable)]:
        command = [str(python), "-I", "-c", PROGRAM, str(REPOSITORY)]
        done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{python}: {done.stderr}"
        found[str(python)] = json.loads(done.stdout)
    for python, result in found.items():
        assert result == found[sys.executable], python
