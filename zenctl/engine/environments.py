"""Finds or builds the environment that a job ran with: this interpreter, one built before, or a new one from pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zenctl
from zenctl.digests import sha256_json
from zenctl.fingerprint.environment import PackageChange, compare, installed
from zenctl.lazy_dataclasses import dataclass

COMPLETE = "complete"
"""The file that marks an environment as whole: it is written last."""

BUILD_SECONDS = 1800.0
"""How long pip may take."""


@dataclass(frozen=True, slots=True)
class FoundEnvironment:
    """Where a job can run. `python` is the interpreter, empty for the one that runs zenctl.

    `differences` is what it has otherwise than recorded; `problem` why the recorded one cannot be had, `origin` where
    it comes from: `here`, `kept`, `built`, or the job's own `image` or `requirements`.
    """

    python: str = ""
    differences: tuple[PackageChange, ...] = ()
    problem: str = ""
    origin: str = "here"


def find_environment(recorded: Mapping[str, Any], cache_dir: Path, *, build: bool) -> FoundEnvironment:
    """The recorded environment if it can be had, else this one with what differs; `build` allows to make one.

    `recorded` is what a job reported: {"python": "3.11", "distributions": {name: version}}. Environments are kept below
    `cache_dir`, by what is in them, and can be removed at any time.
    """
    wanted = {str(name): str(version) for name, version in recorded.get("distributions", {}).items()}
    here = installed(wanted, cache_dir)
    missing = {name: version for name, version in here["distributions"].items() if version is None}
    differences = [*compare(recorded, here), *(PackageChange(name, wanted.get(name), None) for name in missing)]
    if not differences:
        return FoundEnvironment()
    told = tuple(sorted(differences, key=lambda change: (change.name != "python", change.name)))
    place = cache_dir / "environments" / sha256_json([recorded.get("python", ""), wanted, zenctl.__version__])[:16]
    python = place / "bin" / "python"
    if (place / COMPLETE).exists():
        return FoundEnvironment(str(python.absolute()), origin="kept")
    if not build:
        return FoundEnvironment(differences=told, problem="it is not here, and -build=false forbids to build it")
    problem = _build(str(recorded.get("python", "")), wanted, place)
    if problem:
        return FoundEnvironment(differences=told, problem=problem)
    return FoundEnvironment(str(python.absolute()), origin="built")


def _build(version: str, wanted: Mapping[str, str], place: Path) -> str:
    """Make a virtual environment; gives what went wrong, or nothing."""
    base = _interpreter(version)
    if not base:
        return f"there is no Python {version} on this machine"
    shutil.rmtree(place, ignore_errors=True)
    packages = [f"{name}=={number}" for name, number in sorted(wanted.items())]
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # What lies on this interpreter's path must not be taken for a part of the new environment.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    commands = [[base, "-m", "venv", str(place)]] + ([[*pip, *packages]] if packages else [])
    for command in commands:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return f"it cannot be built: {problem}"
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            errors = [line for line in said if line.startswith("ERROR")] or said
            return f"it cannot be built: {errors[-1] if errors else f'exit code {done.returncode}'}"
    _with_zenctl(place)
    (place / COMPLETE).write_text("")
    return ""


def _with_zenctl(place: Path) -> None:
    """Lay this zenctl into the environment: built-in steps are part of it, and it comes from no index."""
    [packages] = (place / "lib").glob("python*/site-packages")
    source = Path(zenctl.__file__).parent
    shutil.copytree(source, packages / "zenctl", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


def _interpreter(version: str) -> str:
    if not version or version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    return shutil.which(f"python{version}") or ""
