"""Runs jobs in container images: finds podman or docker, writes its command, and removes what a job has left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from zenctl.jobs.resources import memory_text
from zenctl.lazy_dataclasses import dataclass

ENGINES = ("podman", "docker")
"""The programs that can run a container, in the order in which they are tried."""

CONTAINER = "container.json"
"""File in a job's work folder: which program runs it in a container, under which name, with how much memory."""

OUT_OF_MEMORY = "out-of-memory"
"""File in a job's work folder that its container leaves if the system has ended the job for want of memory."""

ENGINE_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Exit codes of these programs that are not the job's."""

NO_PYTHON = "its image has no python3 on its PATH: steps need Python 3.9 or newer"

ALIVE = "alive"
"""File in a job's work folder that the runner touches first."""

_ANSWER_SECONDS, _REMOVE_SECONDS = 30.0, 60.0
_REMOVALS, _PAUSE = 10, 0.2


class ContainerProblem(Exception):
    """A container cannot be run, or removed. `message` says why, `hint` what to do; `passing`: later it may."""

    def __init__(self, message: str, hint: str = "", *, passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.passing = passing


@dataclass(frozen=True)
class Container:
    """A job's container. `folders` are mounted to be written, `files` to be read, all where they are outside.

    `store` is the artifact store as the job reaches it, `work` its folder, `root` where relative paths of its secrets
    start. `variables` are the names of those variables that it gets of the environment of whoever runs the command.
    `memory` is in bytes, 0 for no limit. `gpus`: it gets all of the machine's.
    """

    job_id: str
    image: str
    runner: Path
    store: str
    work: Path
    root: Path
    folders: Tuple[Path, ...] = ()
    files: Tuple[Path, ...] = ()
    variables: Tuple[str, ...] = ()
    memory: int = 0
    gpus: bool = False

    @property
    def name(self) -> str:
        """Under which name it is found."""
        return f"zenctl-{self.job_id}"


def find_engine(hint: str = "") -> str:
    """The path of the first program that works. ContainerProblem with what each said, and the hint, if none does."""
    said = []
    for name in ENGINES:
        path = shutil.which(name)
        if path is None:
            said.append(f"{name} is not installed")
            continue
        try:
            _check(path)
        except ContainerProblem as problem:
            said.append(f"{name} does not work: {problem}")
        else:
            return path
    raise ContainerProblem(f"no container can be run here: {'; '.join(said)}", hint)


def container_command(engine: str, container: Container) -> List[str]:
    """The command that runs the job in its image. What it reads and writes has the same path inside as outside.

    Values of variables are not in the command, which everybody on the machine can read: the program takes them from
    its own environment. Standard input stays open as long as whoever runs the command lives. ContainerProblem for a
    path that cannot be mounted.
    """
    runner, work = str(container.runner), str(container.work)
    command = [engine, "run", "--rm", "--interactive", "--name", container.name]
    command += ["--label", f"zenctl.job={container.job_id}", "--log-driver", "none"]
    # As a process of this machine has it: a store or a database may listen on loopback only.
    command += ["--network", "host"]
    # Folders of the user's are mounted: on machines with SELinux they are not to be labelled anew.
    command += ["--security-opt", "label=disable", *_owner(engine)]
    for folder in (container.work, *container.folders):
        command += ["--mount", _mount(folder)]
    for file in (container.runner, *container.files):
        command += ["--mount", _mount(file, "readonly")]
    command += ["--env", "PYTHONUNBUFFERED=1", "--env", "TF_CPP_MIN_LOG_LEVEL=3"]
    for name in container.variables:
        command += ["--env", name]
    if container.memory:
        command += ["--memory", str(container.memory)]
    if container.gpus:
        command += ["--device", "nvidia.com/gpu=all"] if engine.endswith("podman") else ["--gpus", "all"]
    command += ["--workdir", work, "--entrypoint", "python3", container.image]
    command += [runner, container.store, container.job_id, "--contained", container.image]
    return [*command, "--work", work, "--root", str(container.root)]


def note_container(engine: str, container: Container) -> None:
    """Leave in its work folder what a later process needs to remove it. To be called before there is a container."""
    container.work.mkdir(parents=True, exist_ok=True)
    noted = {"engine": engine, "name": container.name, "memory": container.memory}
    (container.work / CONTAINER).write_text(json.dumps(noted))


def remove_container(work: Path) -> None:
    """End and remove the job's container, if it has one that is still there. ContainerProblem if that fails."""
    noted = _noted(work)
    if not noted:
        return
    command = [noted["engine"], "rm", "--force", noted["name"]]
    said = ""
    for _ in range(_REMOVALS):
        try:
            done = _run(command, _REMOVE_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as problem:
            said = str(problem)
            break
        said = done.stderr.strip()
        if done.returncode == 0 or "no such container" in said.lower():
            return
        # The program that ran it may be clearing up at the same moment.
        time.sleep(_PAUSE)
    message = f"the container {noted['name']} may still run: {said}"
    raise ContainerProblem(message, f"Remove it: {' '.join(command)}", passing=True)


def explain_end(work: Path, code: Optional[int], log: Path) -> Tuple[Optional[int], int, str]:
    """(exit code, signal, reason) of a job from how its container's command ended; the same of one without.

    The reason is empty where the code or the signal says all.
    """
    noted = _noted(work)
    if not noted or code is None:
        return code, 0, ""
    if code in (ENGINE_FAILED, NOT_EXECUTABLE, NOT_FOUND) and not (work / ALIVE).exists():
        if code == NOT_FOUND:
            return code, 0, NO_PYTHON
        return code, 0, f"{os.path.basename(noted['engine'])} could not run its image: {last_line(log)}"
    if code <= 128:
        return code, 0, ""
    reason = ""
    if (work / OUT_OF_MEMORY).exists():
        limit = int(noted.get("memory") or 0)
        reason = "it was ended by the system because it ran out of memory"
        reason += f", of which it may take {memory_text(limit)}" if limit else ""
    return None, code - 128, reason


def last_line(log: Path) -> str:
    """The last line of a log, such as the words of a program that has failed."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4000))
            lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return "its log is gone"
    return lines[-1] if lines else "it said nothing"


def _noted(work: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((work / CONTAINER).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=8)  # every job of an apply asks; one that does not work yet is asked again
def _check(engine: str) -> None:
    """ContainerProblem with what it says if the program cannot run anything here."""
    command = [engine, "version", "--format", "{{.Server.Version}}" if engine.endswith("docker") else "json"]
    try:
        done = _run(command, _ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ContainerProblem(str(problem)) from problem
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ContainerProblem(lines[-1] if lines else f"exit code {done.returncode}")


def _run(command: Sequence[str], seconds: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds
    )


def _owner(engine: str) -> List[str]:
    """What makes the files that the job writes the user's."""
    if os.getuid() == 0:
        return []
    own = ["--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]
    return [*own, "--userns", "keep-id"] if engine.endswith("podman") else own


def _mount(path: Path, *more: str) -> str:
    if "," in str(path) or '"' in str(path):
        hint = "Move the project to a folder without one."
        raise ContainerProblem(f"a path with a comma cannot be mounted in a container: {path}", hint)
    return ",".join([f"type=bind,source={path},target={path}", *more])
