"""Finds what runs containers on a machine of an apply, waits for one that is starting, or installs one."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping

from zenctl.jobs.containers import ENGINES, ContainerProblem, find_engine

STARTING_SECONDS, PAUSE = 60.0, 2.0
"""How long an engine that is installed may take to work: a machine that boots starts docker beside its jobs."""

INSTALL_SECONDS = 900.0
"""How long an installation may take."""

HINT = (
    "Boot an image of Debian or Ubuntu, where podman is installed with apt-get, or one that brings podman or docker "
    "besides Python, and nvidia-container-toolkit where there are GPUs."
)

NO_INSTALLATION = (
    "apt-get needs its package servers: a machine without an address of its own on the internet needs Cloud NAT. Or "
    "boot an image that brings podman or docker."
)

INSTALLATION = (
    ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "update"),
    ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "install", "--yes", "--no-install-recommends", "podman"),
)
"""What installs an engine. The lock of dpkg is waited for: a machine that boots may be updating itself."""

Say = Callable[[str], None]


def have_engine(
    say: Say,
    lock: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """The path of a program that can run containers here; one job at a time, by `lock`, installs one if there is none.

    What it prints goes to this process's standard output. Raises ContainerProblem.
    """
    if not _installed():
        with open(lock, "w", encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not _installed():
                _install(say)
    deadline = clock() + STARTING_SECONDS
    while True:
        try:
            return find_engine(HINT)
        except ContainerProblem:
            if clock() > deadline or not _installed():
                raise
        sleep(PAUSE)


def _installed() -> bool:
    return any(shutil.which(name) for name in ENGINES)


def _install(say: Say) -> None:
    if shutil.which("apt-get") is None or os.getuid() != 0:
        return
    say("zenctl: this machine has neither podman nor docker; installing podman with apt-get")
    environment: Mapping[str, str] = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in INSTALLATION:
        try:
            # A session of its own: to kill dpkg midway would leave the machine without a working one.
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=INSTALL_SECONDS,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise ContainerProblem(f"podman cannot be installed: {problem}", NO_INSTALLATION) from problem
        if done.returncode != 0:
            message = f"podman cannot be installed: `{' '.join(command)}` ended with exit code {done.returncode}"
            raise ContainerProblem(message, f"Its output is in the step's log. {NO_INSTALLATION}")
