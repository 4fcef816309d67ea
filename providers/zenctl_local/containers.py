"""Runs jobs in container images: finds podman or docker, writes its command, and removes what a job has left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from zenctl.jobs.secrets.references import REMOTE, split
from zenctl.jobs.stores.opening import ACCESS
from zenctl.provider import ErrorKind, ProviderError, SubmitRequest
from zenctl_local.storage import store_folder

ENGINES = ("podman", "docker")
"""The programs that can run a container, in the order in which they are tried."""

CONTAINER = "container.json"
"""File in a job's work folder: which program runs it in a container, and under which name."""

ENGINE_FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127
"""Exit codes of these programs that are not the job's."""

_ANSWER_SECONDS, _REMOVE_SECONDS = 30.0, 60.0
_REMOVALS, _PAUSE = 10, 0.2


def find_engine() -> str:
    """The path of the first program that works. ProviderError(INVALID) with what each said if none does."""
    said = []
    for name in ENGINES:
        path = shutil.which(name)
        if path is None:
            said.append(f"{name} is not installed")
            continue
        problem = _problem(path)
        if not problem:
            return path
        said.append(f"{name} does not work: {problem}")
    hint = "Install podman, or start docker; or leave `image` out and run the step with a Python of this machine."
    raise ProviderError(ErrorKind.INVALID, f"no container can be run here: {'; '.join(said)}", hint)


def container_order(request: SubmitRequest, work: Path, root: Path) -> dict[str, Any]:
    """What a fork server is told besides, to run the job in its image; {} for a job that has none.

    Paths of secrets start at `root`. Raises ProviderError(INVALID).
    """
    spec = request.spec
    if not spec.image:
        return {}
    engine = find_engine()
    command = container_command(engine, request, work, root)
    work.mkdir(parents=True, exist_ok=True)
    # Written before there is a container, so that it is found whatever happens.
    (work / CONTAINER).write_text(json.dumps({"engine": engine, "name": container_name(spec.job_id)}))
    return {"command": command, "fresh": True, "imports": []}


def container_command(engine: str, request: SubmitRequest, work: Path, root: Path) -> list[str]:
    """The command that runs the job in its image. What it reads and writes has the same path inside as outside.

    Values of variables are not in the command, which everybody on the machine can read: the program takes them from
    its own environment. Standard input stays open as long as whoever runs the command lives.
    """
    spec, runner = request.spec, request.runner.absolute()
    names = {reference[4:] for reference in spec.secrets.values() if reference.startswith("env:")}
    files = {root / reference[5:] for reference in spec.secrets.values() if reference.startswith("file:")}
    store = store_folder(request.store_uri)
    command = [engine, "run", "--rm", "--interactive", "--name", container_name(spec.job_id)]
    command += ["--label", f"zenctl.job={spec.job_id}", "--log-driver", "none"]
    # As a process of this machine has it: a store or a database may listen on loopback only.
    command += ["--network", "host"]
    # Folders of the user's are mounted: on machines with SELinux they are not to be labelled anew.
    command += ["--security-opt", "label=disable", *_owner(engine)]
    for folder in [work, store] if store is not None else [work]:
        command += ["--mount", _mount(folder)]
    for file in [runner, *sorted(file for file in files if file.exists())]:
        command += ["--mount", _mount(file, "readonly")]
    command += ["--env", "PYTHONUNBUFFERED=1", "--env", "TF_CPP_MIN_LOG_LEVEL=3"]
    for name in sorted({*names, *spec.variables} & os.environ.keys()):
        command += ["--env", name]
    if store is None or any(split(reference)[0] in REMOTE for reference in spec.secrets.values()):
        command += ["--env", ACCESS]
    if spec.resources.memory:
        command += ["--memory", str(spec.resources.memory)]
    command += ["--workdir", str(work), "--entrypoint", "python3", spec.image]
    command += [str(runner), request.store_uri, spec.job_id, "--contained"]
    return [*command, "--work", str(work), "--root", str(root)]


def container_name(job_id: str) -> str:
    """Under which name a job's container is found."""
    return f"zenctl-{job_id}"


def remove_container(work: Path) -> None:
    """End and remove the job's container, if it has one that is still there."""
    noted = _noted(work)
    if not noted:
        return
    command = [noted["engine"], "rm", "--force", noted["name"]]
    said = ""
    for _ in range(_REMOVALS):
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_REMOVE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            said = str(problem)
            break
        said = done.stderr.strip()
        if done.returncode == 0 or "no such container" in said.lower():
            return
        # The program that ran it may be clearing up at the same moment.
        time.sleep(_PAUSE)
    message = f"the container {noted['name']} may still run: {said}"
    raise ProviderError(ErrorKind.TRANSIENT, message, f"Remove it: {' '.join(command)}")


def explain_end(work: Path, code: int | None, log: Path) -> tuple[int | None, int, str]:
    """(exit code, signal, reason) of a job from how its container's command ended; the same of one without."""
    noted = _noted(work)
    if not noted or code is None:
        return code, 0, ""
    name = os.path.basename(noted["engine"])
    if code in (ENGINE_FAILED, NOT_EXECUTABLE):
        return code, 0, f"{name} could not run its image: {_last_line(log)}"
    if code == NOT_FOUND:
        return code, 0, "its image has no python3 on its PATH: steps need Python 3.9 or newer"
    if code > 128:
        return None, code - 128, ""
    return code, 0, ""


def _noted(work: Path) -> Mapping[str, str]:
    try:
        found = json.loads((work / CONTAINER).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=8)  # every job of an apply asks
def _problem(engine: str) -> str:
    """Why the program cannot run anything here; empty if it can."""
    command = [engine, "version", "--format", "{{.Server.Version}}" if engine.endswith("docker") else "json"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else lines[-1] if lines else f"exit code {done.returncode}"


def _owner(engine: str) -> list[str]:
    """What makes the files that the job writes the user's."""
    if os.getuid() == 0:
        return []
    own = ["--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]
    return [*own, "--userns", "keep-id"] if engine.endswith("podman") else own


def _mount(path: Path, *more: str) -> str:
    if "," in str(path) or '"' in str(path):
        hint = "Move the project to a folder without one."
        raise ProviderError(ErrorKind.INVALID, f"a path with a comma cannot be mounted in a container: {path}", hint)
    return ",".join([f"type=bind,source={path},target={path}", *more])


def _last_line(log: Path) -> str:
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4000))
            lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return "its log is gone"
    return lines[-1] if lines else "it said nothing"
