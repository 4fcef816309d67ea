"""Virtual environments that are kept on a machine: where one is, whether it is whole, who uses it, which ones go.

An environment is a folder under the digest of what it is made from. Its file COMPLETE is written last: without it the
folder is what a killed build has left, and made anew. A file beside it is locked exclusively while it is built or
removed, and shared while a job runs in it.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from pathlib import Path
from typing import List, Optional, Tuple

from zenctl.digests import sha256_json
from zenctl.jobs.requirements import local_path
from zenctl.jobs.spec import VirtualEnvironment

ENVIRONMENT = "environment"
"""The location of a job at which relative paths of its requirements start."""

PREPARING = "preparing"
"""File in a job's work folder while its environment is made: a few words on it."""

FORMAT = 1
"""Version of how environments are made; another makes all anew."""

COMPLETE = "complete"
"""File in an environment that is whole; its time is that of the last use."""

KEPT, UNUSED_SECONDS = 20, 30 * 86400.0
"""How many environments stay beside a new one, the last used ones, and how long one stays that is not used."""


def default_cache() -> Path:
    """Where environments are kept on a machine that says nothing else."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "zenctl", "environments")


def environment_place(cache: Path, wanted: VirtualEnvironment, python: str, folder: str) -> Path:
    """The folder of an environment; `python` runs jobs where none is asked for, paths are relative to `folder`."""
    base = wanted.python or python
    base = os.path.realpath(os.path.join(folder, os.path.expanduser(base))) if "/" in base else base
    facts = [
        FORMAT,
        base,
        platform.machine(),
        list(wanted.requirements),
        list(wanted.constraints),
        dict(wanted.files),
        folder if _has_relative(wanted) else "",
    ]
    return cache / sha256_json(facts)[:32]


def environment_python(place: Path) -> str:
    """Its interpreter."""
    return str(place / "bin" / "python")


def is_whole(place: Path) -> bool:
    """Whether an environment is there, and so is the interpreter it was made with."""
    return (place / COMPLETE).exists() and os.access(environment_python(place), os.X_OK)


def use(place: Path) -> Optional[int]:
    """Keep an environment from being removed: an open file that holds it. None if it is not there, or being made."""
    if not is_whole(place):
        return None
    lock = open_lock(place)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if not is_whole(place):
        os.close(lock)
        return None
    os.utime(place / COMPLETE)
    return lock


def prune(cache: Path, keep: Path, now: float) -> List[Path]:
    """Remove environments that were not used for long, the oldest beyond KEPT, and rests of builds; gives what went.

    One that a job runs in, and `keep`, stay.
    """
    used: List[Tuple[float, Path]] = []
    for place in cache.iterdir() if cache.is_dir() else ():
        if place.is_dir() and place != keep:
            used.append((_last_used(place), place))
    used.sort(reverse=True)
    return [
        place
        for number, (at, place) in enumerate(used)
        if (number >= KEPT or now - at > UNUSED_SECONDS) and _remove(place)
    ]


def _remove(place: Path) -> bool:
    lock = open_lock(place)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        (place / COMPLETE).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        return True
    finally:
        os.close(lock)


def _last_used(place: Path) -> float:
    try:
        return (place / COMPLETE).stat().st_mtime
    except OSError:
        return place.stat().st_mtime if place.exists() else 0.0


def open_lock(place: Path) -> int:
    """The open lock file of an environment, not locked yet."""
    return os.open(f"{place}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _has_relative(wanted: VirtualEnvironment) -> bool:
    """Whether what the lines mean depends on where they stand."""
    paths = [local_path(line) for line in wanted.requirements]
    return any(path and not os.path.isabs(path) for path in paths) or any(
        line.startswith(("-f", "--find-links")) and "://" not in line for line in wanted.requirements
    )
