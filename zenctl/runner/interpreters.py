"""Finds Python interpreters of this machine, and the program uv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import Dict, List, Mapping, Tuple

from zenctl.runner.environment_errors import EnvironmentProblem

OLDEST = (3, 9)
"""The oldest Python that the runner runs on."""

ANSWER_SECONDS = 30.0
"""How long an interpreter may take to say what it is."""

DOWNLOADS = "UV_PYTHON_DOWNLOADS"
"""The variable by which a user lets uv download interpreters; without it, it must not."""


def find_uv() -> str:
    """The path of uv: beside this interpreter, on the PATH, or where its installer puts it; empty if there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    usual = [os.path.expanduser(f"~/{place}/uv") for place in (".local/bin", ".cargo/bin")]
    for path in (beside, shutil.which("uv") or "", *usual):
        if path and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def find_interpreter(wanted: str, default: str, folder: str, uv: str, environment: Mapping[str, str]) -> str:
    """The interpreter to make an environment with; raises EnvironmentProblem, which names those that are here.

    `wanted` is a version ("3.12"), a path (relative to `folder`), or empty for `default`. Where uv may download
    interpreters, a version that is not here is given back as it is, for uv to get it.
    """
    if not wanted:
        return _checked(default, default)
    if "/" in wanted:
        return _checked(os.path.join(folder, os.path.expanduser(wanted)), wanted)
    for path in (default, shutil.which(f"python{wanted}") or "", _by_uv(uv, wanted, environment)):
        if path and _version(path)[:2] == _numbers(wanted):
            return path
    if uv and environment.get(DOWNLOADS, "never") != "never":
        return wanted
    here = ", ".join(f"{version} ({path})" for version, path in sorted(interpreters().items()))
    hint = "Install it, or name another version in `environment { python = ... }`."
    if uv:
        hint += f" uv downloads it with {DOWNLOADS}=automatic set where zenctl runs."
    raise EnvironmentProblem(f"there is no Python {wanted} here; found: {here or 'none'}", hint)


def interpreters() -> Dict[str, str]:
    """The interpreters on the PATH that work: {"3.11.7": path}. Of several of one version the first."""
    found: Dict[str, str] = {}
    seen = set()
    for name in _named_as_python():
        path = shutil.which(name) or ""
        if path and os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            version = _version(path)
            if version:
                found.setdefault(".".join(map(str, version)), path)
    return found


def _named_as_python() -> List[str]:
    names = {"python3", "python"}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            names |= {name for name in os.listdir(folder or ".") if re.fullmatch(r"python3\.\d+", name)}
        except OSError:
            continue
    return sorted(names, reverse=True)


def _checked(path: str, shown: str) -> str:
    version = _version(path)
    if not version:
        hint = "Name a version, such as 3.11, or the path of a Python interpreter."
        raise EnvironmentProblem(f"there is no Python interpreter {shown} that works", hint)
    if version < OLDEST:
        old, least = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        raise EnvironmentProblem(f"{shown} is Python {old}; steps need {least} or newer")
    return path


def _version(path: str) -> Tuple[int, ...]:
    """What an interpreter says it is; () of one that cannot be run, such as the stub of a version manager."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    return _numbers(_answer([path, "-I", "-c", code], os.environ))


def _by_uv(uv: str, wanted: str, environment: Mapping[str, str]) -> str:
    """One that uv manages, or knows where to look for."""
    return _answer([uv, "python", "find", "--no-project", wanted], {**environment, DOWNLOADS: "never"}) if uv else ""


def _answer(command: List[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_SECONDS,
            env=dict(environment),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _numbers(text: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if re.fullmatch(r"\d+(\.\d+)*", text) else ()
