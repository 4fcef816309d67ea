"""Finds or makes the environment that a recorded job ran with: this interpreter, one kept from before, or a new one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zenctl
from zenctl.digests import sha256_json
from zenctl.fingerprint.environment import PackageChange, compare, installed
from zenctl.jobs.environments import environment_python, use
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.lazy_dataclasses import dataclass
from zenctl.runner.environment_errors import EnvironmentProblem
from zenctl.runner.preparing import prepare


@dataclass(frozen=True, slots=True)
class FoundEnvironment:
    """Where a job can run. `python` is the interpreter, empty for the one that runs zenctl.

    `differences` is what it has otherwise than recorded; `problem` why the recorded one cannot be had, `origin` where
    it comes from: `here`, `kept`, `built`, or the job's own `image` or `requirements`. `lock` is an open file that
    keeps it from being removed, None where there is nothing to keep.
    """

    python: str = ""
    differences: tuple[PackageChange, ...] = ()
    problem: str = ""
    origin: str = "here"
    lock: int | None = None

    def close(self) -> None:
        """Let it be removed again."""
        if self.lock is not None:
            os.close(self.lock)


def find_environment(
    recorded: Mapping[str, Any], cache_dir: Path, *, build: bool, say: Callable[[str], None] = lambda _: None
) -> FoundEnvironment:
    """The recorded environment if it can be had, else this one with what differs; `build` allows to make one.

    `recorded` is what a job reported: {"python": "3.11", "distributions": {name: version}}. Environments are kept below
    `cache_dir`, by what is in them, and can be removed at any time. `say` takes what is printed while one is made.
    """
    wanted = {str(name): str(version) for name, version in recorded.get("distributions", {}).items()}
    here = installed(wanted, cache_dir)
    missing = {name: version for name, version in here["distributions"].items() if version is None}
    differences = [*compare(recorded, here), *(PackageChange(name, wanted.get(name), None) for name in missing)]
    if not differences:
        return FoundEnvironment()
    told = tuple(sorted(differences, key=lambda change: (change.name != "python", change.name)))
    version = str(recorded.get("python", ""))
    place = cache_dir.absolute() / "environments" / sha256_json([version, wanted, zenctl.__version__])[:32]
    held = use(place)
    if held is not None:
        return FoundEnvironment(environment_python(place), origin="kept", lock=held)
    if not build:
        return FoundEnvironment(differences=told, problem="it is not here, and -build=false forbids to build it")
    packages = VirtualEnvironment(version, tuple(f"{name}=={number}" for name, number in sorted(wanted.items())))
    try:
        held = prepare(packages, place, sys.executable, str(cache_dir), say, finish=_with_zenctl)
    except EnvironmentProblem as problem:
        return FoundEnvironment(differences=told, problem=f"it cannot be built: {problem.message}")
    return FoundEnvironment(environment_python(place), origin="built", lock=held)


def _with_zenctl(place: Path) -> None:
    """Lay this zenctl into the environment: built-in steps are part of it, and it comes from no index."""
    [packages] = (place / "lib").glob("python*/site-packages")
    source = Path(zenctl.__file__).parent
    shutil.copytree(source, packages / "zenctl", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
