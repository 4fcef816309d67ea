"""`make setup` as it is on other machines: which Python it takes, and what it installs with."""

from __future__ import annotations

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
WRONG = "exit 1\n"
RIGHT = """
case "$*" in
  *"-m venv .venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"-m uv "*) exit 2 ;;
esac
echo "$*" >> calls
"""


class Machine:
    """A copy of what setup reads, in a folder with a space, and a PATH of stand-ins."""

    def __init__(self, root: Path) -> None:
        self.root = root / "a clone"
        self.bin = root / "bin"
        self.bin.mkdir()
        (self.root / "scripts").mkdir(parents=True)
        for name in ("scripts/setup.sh", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("sh", "dirname", "sed", "cat", "cksum", "tr", "rm", "mkdir", "cp"):
            (self.bin / name).symlink_to(str(shutil.which(name)))

    def program(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it as make does."""
        return subprocess.run(
            ["sh", "scripts/setup.sh"],
            cwd=self.root,
            env={"PATH": str(self.bin), "HOME": str(self.root), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """What the stand-in Pythons were asked for."""
        return (self.root / "calls").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_only_a_wrong_python_is_one_line_that_says_what_to_install(machine: Machine) -> None:
    machine.program("python3", WRONG)
    done = machine.setup()
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "needs Python 3.10 or 3.11" in line
    assert "uv" in line


def test_a_wrong_python_that_was_asked_for_is_told(machine: Machine) -> None:
    machine.program("python3.13", WRONG)
    machine.program("python3.11", RIGHT)
    (machine.root / ".venv").mkdir()
    done = machine.setup(PYTHON="python3.13")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "PYTHON=python3.13 is no Python 3.10 or 3.11" in line
    assert (machine.root / ".venv").exists(), "what is there stays until it can be replaced"


def test_a_python_that_was_asked_for_is_taken(machine: Machine) -> None:
    machine.program("python3.11", WRONG)
    machine.program("my python", RIGHT)
    assert machine.setup(PYTHON="my python").returncode == 0
    assert any("-m venv .venv" in call for call in machine.calls())


def test_pip_installs_what_uv_does_not_get(machine: Machine) -> None:
    machine.program("python3.10", RIGHT)
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "Installing with pip instead" in done.stdout
    installed = [call for call in machine.calls() if "pip install" in call]
    assert "--requirement constraints.txt" in installed[-3]
    assert installed[-1].endswith("--editable .")
    calls = len(machine.calls())
    assert machine.setup().stdout == "", "a second time nothing is to be done"
    assert len(machine.calls()) == calls + 1


@pytest.mark.parametrize("python", ["3.10.13", "3.11.7"])
def test_every_pinned_version_is_one_for_this_python(python: str) -> None:
    """As far as the versions that are installed here tell: each says for which Pythons it is."""
    environment = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    wrong = []
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is not None and not pin.marker.evaluate(environment):
            continue
        try:
            found = metadata.metadata(pin.name)
        except metadata.PackageNotFoundError:
            continue
        if pin.specifier.contains(found["Version"]) and not SpecifierSet(found["Requires-Python"] or "").contains(
            python
        ):
            wrong.append(f"{line} is for Python {found['Requires-Python']}")
    assert wrong == []
