"""Runs jobs as processes of this machine, forked from a warm server; nothing of them outlives the command."""

from __future__ import annotations

import codecs
import errno
import json
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.jobs.containers import explain_end
from zenctl.jobs.environments import ENVIRONMENT, PREPARING, environment_place, environment_python
from zenctl.jobs.resources import Resources, memory_text
from zenctl.jobs.spec import JobSpec, log_path
from zenctl.provider import (
    ErrorKind,
    JobHandle,
    JobState,
    JobStatus,
    LogChunk,
    Misfit,
    ProviderContext,
    ProviderError,
    SubmitRequest,
)
from zenctl_local.containers import clear_container, container_order
from zenctl_local.forkserver import EXIT, PROCESS, kill_group, started
from zenctl_local.launcher import ELSEWHERE, ENDED, RUNNING, Claim, Launcher
from zenctl_local.room import Room
from zenctl_local.storage import store_folder

PROGRESS = "progress.jsonl"
"""File in a job's work folder to which the runner appends its progress."""

LOG_BYTES = 1 << 20
"""Most bytes of a log that one call gives."""

LAST_WORDS = 5.0
"""Seconds in which who attends a job that has ended may still write into its folder."""

UNWRITTEN = {
    3: "its result could not be written; its log says why",
    5: "its result could not be written: no space is left where the artifacts lie",
}
"""What the runner's exit codes mean that leave no result."""


class LocalCompute:
    """The backend of type `local`. Its handles name the job's work folder, which tells a later process all it needs.

    `room` is what its jobs share; `python` is their interpreter, empty for this one.
    """

    def __init__(self, launcher: Launcher, context: ProviderContext, room: Room, *, python: str = "") -> None:
        self._launcher = launcher
        self._context = context
        self._room = room
        self._python = python
        self._lane = uuid.uuid4().hex
        self._kill_at: dict[str, float] = {}

    def handle(self, request: SubmitRequest) -> JobHandle:
        """The job's folder and its log, relative to the project's data folder: a project can be moved meanwhile."""
        base = self._base
        work = base / "work" / request.spec.job_id
        log = _log(request, work)
        inside = base in log.parents
        return {
            "job_id": request.spec.job_id,
            "work": work.relative_to(base).as_posix(),
            "log": log.relative_to(base).as_posix() if inside else str(log),
        }

    def submit(self, request: SubmitRequest) -> JobHandle:
        """Start the job, at once or when there is room.

        ProviderError(INVALID) if there is no such interpreter, nothing that runs its image, or never enough room.
        """
        spec, handle = request.spec, self.handle(request)
        self._check(spec)
        here = self._here(handle)
        if self._launcher.look(spec.job_id) is None and Path(here["work"], PROCESS).exists():
            # An earlier process started it. Whether it lives is for `status` to say: it is not started twice.
            return handle
        order = {
            **here,
            "store": request.store_uri,
            "imports": [] if spec.entry.command else list(spec.imports),
            "preload": list(request.preload),
            "fresh": request.fresh,
            **container_order(request, Path(here["work"]), self._context.root.absolute()),
        }
        python = sys.executable if spec.image else self._interpreter()
        own = self._own_environment(spec, python)
        if own is not None:
            order.update(own)
            python = order.pop("python", python)
        access = request.access(True)
        if access:
            # Through the processes' memory and environment only: it may hold a token.
            order["access"] = json.dumps(access)
        if spec.resources.memory and not spec.image:
            order["memory"] = spec.resources.memory
        claim = Claim(self._lane, self._room, spec.resources)
        self._launcher.start(order, python, request.runner.absolute(), claim)
        return handle

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is. A job of an earlier process runs if its process does; else its work folder tells."""
        job = self._launcher.look(handle["job_id"])
        if job is None or job.state == ELSEWHERE:
            return self._status_elsewhere(handle)
        if job.state == ENDED:
            ended = _ended(self._here(handle), job.code, job.signal, job.reason, job.canceled)
            return _limited(ended, job.order.get("memory", 0))
        if job.state == RUNNING:
            return _alive(self._here(handle))
        waits = "" if job.sent or job.claim.needs == Resources() else f"waiting for {job.claim.needs}"
        return JobStatus(JobState.PENDING, reason=waits)

    def misfit(self, needs: Resources) -> Misfit | None:
        """Whether the backend's block, or this machine, has too little for a job."""
        message, declared = self._room.lacks(needs)
        return Misfit(message, declared) if message else None

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        """What the job printed from byte `offset` on, whole characters only, a megabyte at most."""
        try:
            with open(self._here(handle)["log"], "rb") as stream:
                stream.seek(offset)
                data = stream.read(LOG_BYTES)
        except FileNotFoundError:
            return LogChunk("", offset)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data)
        rest = len(decoder.getstate()[0])
        if rest and rest == len(data) and self.status(handle).state in (JobState.ENDED, JobState.LOST):
            # It ended in the middle of a character.
            text, rest = decoder.decode(b"", final=True), 0
        return LogChunk(text, offset + len(data) - rest)

    def progress(self, handle: JobHandle, offset: int) -> bytes:
        """What the job has told of its progress from `offset` on, where its store is no folder."""
        try:
            with open(os.path.join(self._here(handle)["work"], PROGRESS), "rb") as stream:
                stream.seek(offset)
                return stream.read(LOG_BYTES)
        except FileNotFoundError:
            return b""

    def cancel(self, handle: JobHandle) -> None:
        """SIGTERM to the job's process group now, SIGKILL after a grace period."""
        if self._launcher.cancel(handle["job_id"]):
            return
        pid = _living(self._here(handle))
        if pid:
            kill_group(pid, signal.SIGTERM)
            self._kill_at.setdefault(handle["job_id"], time.monotonic() + self._launcher.limits.grace)

    def release(self, handle: JobHandle) -> None:
        """Remove the job's work folder, and end the job if it should still run."""
        self._launcher.forget(handle["job_id"])
        handle = self._here(handle)
        pid = _living(handle)
        if pid:
            kill_group(pid, signal.SIGKILL)
        work = Path(handle["work"])
        if _read(handle, EXIT).get("code") not in (0, 1, 3):
            # The program that ran a container may have ended without it, or without clearing up.
            clear_container(work)
        _remove(work)
        self._kill_at.pop(handle["job_id"], None)

    @property
    def _base(self) -> Path:
        return self._context.data_dir.absolute()

    def _here(self, handle: JobHandle) -> JobHandle:
        """The handle with its paths as they are on this machine."""
        return {**handle, "work": str(self._base / handle["work"]), "log": str(self._base / handle["log"])}

    def _status_elsewhere(self, handle: JobHandle) -> JobStatus:
        handle = self._here(handle)
        ended = _read(handle, EXIT)
        if ended:
            return _ended(handle, ended.get("code"), ended.get("signal", 0), "", canceled=False)
        pid = _living(handle)
        if not pid:
            return JobStatus(JobState.LOST, reason="its process is gone, and so is the zenctl that started it")
        if time.monotonic() > self._kill_at.get(handle["job_id"], float("inf")):
            kill_group(pid, signal.SIGKILL)
        return _alive(handle)

    def _check(self, spec: JobSpec) -> None:
        found = self.misfit(spec.resources)
        if found is not None:
            hint = "Ask for less in `resources`, or run it on another backend."
            raise ProviderError(ErrorKind.INVALID, f"there is not enough for it here: {found.message}", hint)
        if spec.image and spec.resources.gpu:
            hint = "Leave `image` out and run it with a Python of this machine, or use another backend."
            raise ProviderError(ErrorKind.INVALID, "a local backend gives containers no GPUs", hint)

    def _own_environment(self, spec: JobSpec, python: str) -> Mapping[str, Any] | None:
        """What a fork server is told of a job's virtual environment; None for a job that has none.

        One that is there has a fork server of its own; else the runner makes it, as a fresh process.
        """
        if spec.virtual_environment is None:
            return None
        cache = self._base / "cache" / "environments"
        folder = spec.locations.get(ENVIRONMENT, str(self._context.root.absolute()))
        place = environment_place(cache, spec.virtual_environment, python, folder)
        if not self._launcher.hold(place):
            return {"environments": str(cache), "fresh": True, "imports": [], "preload": []}
        return {"environments": str(cache), "python": environment_python(place), "isolated": True, "preload": []}

    def _interpreter(self) -> str:
        if not self._python:
            return sys.executable
        path = Path(self._python).expanduser()
        # A bare name is looked up as a shell does; a path starts at the configuration's folder.
        found = str(self._context.root / path) if "/" in self._python else shutil.which(self._python)
        if found and os.path.isfile(found) and not os.access(found, os.X_OK):
            hint = f"Make it executable (chmod +x {found}), or set `python` of the backend to another interpreter."
            raise ProviderError(ErrorKind.UNAUTHORIZED, f"permission to run the interpreter {found} is missing", hint)
        if not found or not os.path.isfile(found):
            hint = 'Set `python` of the backend "local" to a Python interpreter, or leave it out.'
            raise ProviderError(ErrorKind.INVALID, f"there is no Python interpreter {self._python}", hint)
        return found


def _log(request: SubmitRequest, work: Path) -> Path:
    store = store_folder(request.store_uri)
    return store / log_path(request.spec.job_id) if store is not None else work / "log.txt"


def _read(handle: JobHandle, name: str) -> Mapping[str, Any]:
    """A file of the job's work folder; {} if it is not there, or was just being written when all ended."""
    try:
        found = json.loads(Path(handle["work"], name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _living(handle: JobHandle) -> int:
    """The job's process id if that very process still lives, else 0."""
    process = _read(handle, PROCESS)
    pid = int(process.get("pid", 0))
    return pid if pid and process.get("started") and started(pid) == process["started"] else 0


def _alive(handle: JobHandle) -> JobStatus:
    """The status of a job whose process lives: it may be making its environment yet."""
    try:
        words = Path(handle["work"], PREPARING).read_text(encoding="utf-8")
    except OSError:
        return JobStatus(JobState.RUNNING)
    return JobStatus(JobState.PENDING, reason=words or "preparing its environment")


def _limited(status: JobStatus, memory: int) -> JobStatus:
    """The same, with a word on the memory limit where a program that has run into it may end so."""
    if not memory or not status.reason.startswith(("killed by signal 6", "killed by signal 11")):
        return status
    more = f"; its memory is limited to {memory_text(memory)}, and programs may end so when they get no more"
    return JobStatus(status.state, status.exit_code, status.reason + more)


def _ended(handle: JobHandle, code: int | None, number: int, reason: str, canceled: bool) -> JobStatus:
    more = ""
    if not reason and not number:
        code, number, more = explain_end(Path(handle["work"]), code, Path(handle["log"]))
    if not reason and number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        reason = f"killed by signal {number} ({name})"
        if more:
            reason += f": {more}"
        elif number == signal.SIGKILL and not canceled:
            reason += "; the system does that when memory runs out"
    if not reason:
        reason = more or UNWRITTEN.get(code or 0, "")
    return JobStatus(JobState.ENDED, code, reason)


def _remove(work: Path) -> None:
    """Remove a job's folder, also while who attends the job writes a last word into it, such as its exit code."""
    deadline = time.monotonic() + LAST_WORDS
    while True:
        try:
            shutil.rmtree(work, onerror=_make_writable)
        except OSError as problem:
            if problem.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                raise
        else:
            return


def _make_writable(function: Any, path: str, problem: Any) -> None:
    """rmtree's error handler: what is gone is success; a folder that the job made read-only is opened and retried."""
    if isinstance(problem[1], FileNotFoundError):
        return
    os.chmod(os.path.dirname(path), 0o700)
    os.chmod(path, 0o700)
    if function is os.unlink or function is os.rmdir:
        function(path)
    else:
        shutil.rmtree(path, ignore_errors=True)
