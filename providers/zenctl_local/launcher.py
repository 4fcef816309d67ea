"""Zenctl's side of the fork servers: has them start jobs, hears what became of these, steps in when one hangs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import IO, Any

import zenctl
from zenctl.jobs.environments import use
from zenctl.jobs.resources import Resources
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import ErrorKind, ProviderError
from zenctl_local import forkserver
from zenctl_local.forkserver import kill_group, started
from zenctl_local.room import Room

ALIVE = "alive"
"""File in a job's work folder that the runner touches first."""

WAITING, RUNNING, ENDED, ELSEWHERE = "waiting", "running", "ended", "elsewhere"
"""States of a job here. ELSEWHERE: an earlier submit started it, and its work folder tells more."""


@dataclass(slots=True)
class Limits:
    """Seconds to wait.

    `start`: a forked job that gave no sign of life by then is replaced by a fresh process. `load`: a server that takes
    longer to load a module is passed by. `grace`: between SIGTERM and SIGKILL. `close`: for a server's end.
    """

    start: float = 20.0
    load: float = 60.0
    grace: float = 10.0
    close: float = 5.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a job takes of the room that the jobs of its lane, one backend's, share."""

    lane: str = ""
    room: Room = Room()
    needs: Resources = Resources()


FREE = Claim()
"""The claim of a job that takes nothing."""


@dataclass(slots=True)
class Launched:
    """A job as its server told of it. `order` is the message that starts it, which is sent once there is room.

    `gpus` are the devices that it has.
    """

    order: dict[str, Any]
    server: ForkServer
    claim: Claim
    sent: bool = False
    gpus: tuple[str, ...] = ()
    state: str = WAITING
    pid: int = 0
    started: str = ""
    since: float = 0.0
    alive: bool = False
    replace: bool = False
    canceled: bool = False
    code: int | None = None
    signal: int = 0
    reason: str = ""


class ForkServer:
    """One fork server process, as its client sees it. Never blocks for longer than a message takes."""

    def __init__(self, python: str, runner: Path, root: Path, *, isolated: bool = False) -> None:
        """`isolated`: the interpreter is that of a virtual environment, which must not find other packages first."""
        self.dead = False
        self.importing: tuple[str, float] | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._connection, theirs = socket.socketpair()
        life, self._life = os.pipe()
        package = str(Path(zenctl.__file__).parent) if python == sys.executable else ""
        command = [python, forkserver.__file__, str(theirs.fileno()), str(life), str(runner), package]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs.fileno(), life),
                env=_isolated(os.environ) if isolated else None,
                start_new_session=True,
            )
        except OSError as error:
            self._connection.close()
            os.close(self._life)
            self._log.close()
            hint = 'Set `python` of the backend "local" to a Python interpreter, or leave it out.'
            raise ProviderError(ErrorKind.INVALID, f"{python} cannot be started: {error.strerror}", hint) from error
        finally:
            theirs.close()
            os.close(life)
        self._buffer = b""

    def send(self, message: Mapping[str, Any]) -> None:
        """Ask for something; whether the server is dead shows in `dead`."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.dead = True

    def drain(self) -> list[dict[str, Any]]:
        """What it told since the last call."""
        while True:
            try:
                data = self._connection.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.dead = True
                break
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]

    def last_words(self) -> str:
        """The end of what it printed."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self, patience: float) -> None:
        """End the server and with it every job of its."""
        self._connection.close()
        os.close(self._life)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


@dataclass
class Launcher:
    """Every job that one zenctl command started on this machine, whichever backend named it. Safe for any thread."""

    root: Path
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        # For each interpreter a server that loads what jobs need, and where that is busy or broken one that does not.
        self._lock = threading.Lock()
        self._warm: dict[str, ForkServer] = {}
        self._cold: dict[str, ForkServer] = {}
        self._jobs: dict[str, Launched] = {}
        self._held: dict[Path, int] = {}

    def start(self, order: Mapping[str, Any], python: str, runner: Path, claim: Claim = FREE) -> None:
        """Start a job, once there is room for it, unless it was started already; returns before it runs."""
        with self._lock:
            if order["job_id"] in self._jobs:
                return
            isolated = bool(order.get("isolated"))
            server = self._server(self._warm, python, runner, isolated)
            self._hear(server)
            facts = {**order, "op": "start", "again": False, "python": python, "runner": str(runner)}
            # Objective-C does not bear a fork, and a library may use it.
            facts["fresh"] = bool(order.get("fresh")) or server.dead or sys.platform == "darwin"
            if server.dead or (server.importing and server.importing[0] not in order["imports"]):
                # Not to wait seconds for a module that others will need.
                server = self._server(self._cold, python, runner, isolated)
                facts.update(imports=[], preload=[])
            self._jobs[order["job_id"]] = Launched(facts, server, claim)
            self._admit()

    def look(self, job_id: str) -> Launched | None:
        """What is known of a job now; None if it was not started here."""
        with self._lock:
            for server in [*self._warm.values(), *self._cold.values()]:
                self._hear(server)
            self._admit()
            job = self._jobs.get(job_id)
            if job is not None:
                self._step_in(job)
            return job

    def cancel(self, job_id: str) -> bool:
        """Ask a job to stop, and have it killed if it does not; False if it was not started here."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.state == ELSEWHERE:
                return False
            if job.state in (WAITING, RUNNING) and not job.canceled:
                job.canceled = True
                if not job.sent:
                    job.state, job.signal = ENDED, signal.SIGTERM
                    return True
                job.server.send({"op": "cancel", "job_id": job_id, "grace": self.limits.grace})
                if job.state == RUNNING and started(job.pid) == job.started:
                    # Not through the server alone: it may be busy loading a module.
                    kill_group(job.pid, signal.SIGTERM)
            return True

    def forget(self, job_id: str) -> None:
        """Drop what is known of a job; one that still runs is killed."""
        with self._lock:
            job = self._jobs.pop(job_id, None)
            if job is not None and job.sent and job.state in (WAITING, RUNNING):
                job.server.send({"op": "cancel", "job_id": job_id, "grace": 0.0})

    def close(self) -> None:
        """End the servers and every job that still runs."""
        with self._lock:
            for servers in (self._warm, self._cold):
                for server in servers.values():
                    server.close(self.limits.close)
                servers.clear()
            for job in self._jobs.values():
                if job.state in (WAITING, RUNNING):
                    job.state, job.signal = ENDED, signal.SIGKILL
            for held in self._held.values():
                os.close(held)
            self._held.clear()

    def hold(self, place: Path) -> bool:
        """Keep a virtual environment from being removed while this command runs; False if it is not there (yet)."""
        with self._lock:
            if place not in self._held:
                held = use(place)
                if held is None:
                    return False
                self._held[place] = held
            return True

    def _server(self, servers: dict[str, ForkServer], python: str, runner: Path, isolated: bool) -> ForkServer:
        if python not in servers:
            servers[python] = ForkServer(python, runner, self.root, isolated=isolated)
        return servers[python]

    def _admit(self) -> None:
        """Have the jobs started for which there is room, in the order in which they came."""
        for job in self._jobs.values():
            if job.sent or job.state != WAITING:
                continue
            claim = job.claim
            beside = [
                (other.claim.needs, other.gpus)
                for other in self._jobs.values()
                if other.sent and other.state in (WAITING, RUNNING) and other.claim.lane == claim.lane
            ]
            gpus = claim.room.share(claim.needs, beside)
            if gpus is None:
                continue
            job.sent, job.gpus = True, gpus
            if gpus or "gpus" in claim.room.declared:
                job.order["environment"] = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
            job.server.send(job.order)

    def _hear(self, server: ForkServer) -> None:
        for event in server.drain():
            if event["event"] == "importing":
                server.importing = (event["module"], time.monotonic())
            elif event["event"] == "imported":
                server.importing = None
            else:
                job = self._jobs.get(event["job_id"])
                # A server that was passed by may still tell of a job that another one runs.
                if job is not None and job.server is server:
                    self._note(job, event)
        if server.dead:
            for job in [job for job in self._jobs.values() if job.server is server]:
                self._bereave(job)

    def _note(self, job: Launched, event: Mapping[str, Any]) -> None:
        if event["event"] == "known":
            job.state = ELSEWHERE
        elif event["event"] == "started":
            job.state, job.since, job.pid, job.started = RUNNING, time.monotonic(), event["pid"], event["started"]
        elif job.replace and not job.canceled:
            job.replace, job.state = False, WAITING
            job.order = {**job.order, "fresh": True, "again": True}
            job.server.send(job.order)
        else:
            job.state = ENDED
            job.code, job.signal, job.reason = event["code"], event["signal"], event.get("reason", "")

    def _step_in(self, job: Launched) -> None:
        now = time.monotonic()
        if job.state == RUNNING and not job.alive and not job.replace and not job.order["fresh"]:
            job.alive = os.path.exists(os.path.join(job.order["work"], ALIVE))
            if not job.alive and now - job.since > self.limits.start:
                job.replace = True
                kill_group(job.pid, signal.SIGKILL)
        elif (
            job.state == WAITING
            and job.sent
            and job.server.importing
            and now - job.server.importing[1] > self.limits.load
        ):
            self._pass_by(job)

    def _bereave(self, job: Launched) -> None:
        """Its server has died: jobs that wait go to another one, those that ran have died with it."""
        if job.state == WAITING and not job.canceled and self._cold.get(job.order["python"]) is not job.server:
            self._pass_by(job)
        elif job.state in (WAITING, RUNNING):
            job.state = ENDED
            job.signal = signal.SIGKILL if job.state == RUNNING else 0
            job.reason = f"the process that starts jobs ended: {job.server.last_words()}"

    def _pass_by(self, job: Launched) -> None:
        """Have the job started as a fresh process by a server that loads nothing."""
        try:
            isolated = bool(job.order.get("isolated"))
            job.server = self._server(self._cold, job.order["python"], Path(job.order["runner"]), isolated)
        except ProviderError as error:
            job.state, job.reason = ENDED, error.message
            return
        job.order = {**job.order, "fresh": True, "imports": [], "preload": []}
        if job.sent:
            job.server.send(job.order)


def _isolated(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
