"""Endpoints of type `local`: a server process that outlives apply, found again through its state file."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import (
    EndpointAction,
    EndpointPlan,
    EndpointRequest,
    EndpointState,
    ErrorKind,
    ProviderContext,
    ProviderError,
)
from zenctl_local.endpoint_client import NoAnswer, Refused, change_model, health
from zenctl_local.forkserver import kill_group, started
from zenctl_local.schema import DEFAULT_HOST
from zenctl_local.server_state import (
    LOG_FILE,
    MODELS,
    ServerState,
    log_tail,
    place_model,
    read_state,
    remove,
    write_state,
)

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What may name a folder and stand in a URL."""

_processes: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started: kept, so that one that ends is reaped, and none is mourned when it lives on."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a model to be loaded, a look to be answered, a server to end by itself."""

    load: float = 120.0
    look: float = 2.0
    grace: float = 10.0


class LocalEndpoints:
    """Endpoints below `data_dir/endpoints`, a folder each: server.json, server.log, models/DIGEST."""

    def __init__(self, context: ProviderContext, patience: Patience | None = None) -> None:
        self._root = context.data_dir / "endpoints"
        self._patience = patience or Patience()

    def read(self, name: str) -> EndpointState | None:
        """What the server itself says; None if there is none or its process is gone, as after a reboot."""
        state = read_state(self._folder(name))
        if state is None or not state.alive:
            return None
        return self._observe(state)

    def plan(self, prior: EndpointState | None, wanted: EndpointRequest) -> EndpointPlan:
        if prior is None:
            return EndpointPlan(EndpointAction.CREATE, ("no server runs",))
        if not prior.ready:
            return EndpointPlan(EndpointAction.CREATE, (prior.problem or "its server is not ready",))
        moved = _moved(prior, wanted)
        if moved:
            return EndpointPlan(EndpointAction.REPLACE, moved)
        if prior.model_digest != wanted.model_digest:
            before, after = ((digest or "?")[:12] for digest in (prior.model_digest, wanted.model_digest))
            return EndpointPlan(EndpointAction.UPDATE, (f"it serves another model: {before} -> {after}",))
        return EndpointPlan(EndpointAction.NO_OP)

    def create(self, wanted: EndpointRequest) -> EndpointState:
        """Start the server and wait until it predicts; what was there before is stopped and removed.

        A port that was free to choose stays the same over a restart, if it is still free.
        """
        model, digest = _model(wanted)
        folder = self._folder(wanted.name)
        before = read_state(folder)
        self.delete(wanted.name)
        host, port = _place(wanted)
        listening = _listen(host, port, before.port if before and before.host == host else 0)
        try:
            with listening:
                _make(folder)
                _lay_out(model, folder / MODELS / digest)
                state = self._start(wanted.name, digest, host, listening)
            return self._await_ready(state)
        except BaseException:
            self.delete(wanted.name)
            raise

    def update(self, prior: EndpointState, wanted: EndpointRequest) -> EndpointState:
        """Let the running server load the model; the one before answers until it has. Elsewhere it is made anew."""
        model, digest = _model(wanted)
        folder = self._folder(wanted.name)
        state = read_state(folder)
        if state is None or not state.alive or _moved(prior, wanted):
            return self.create(wanted)
        now = self._observe(state)
        if not now.ready:
            return self.create(wanted)
        if now.model_digest != digest:
            _lay_out(model, folder / MODELS / digest)
            try:
                change_model(state, digest, self._patience.load)
            except Refused as problem:
                remove(folder / MODELS / digest)
                hint = (
                    f"The endpoint {wanted.name} goes on with the model it has. Is {wanted.name}'s model a SavedModel?"
                )
                raise ProviderError(ErrorKind.INVALID, f"the model cannot be served: {problem}", hint) from problem
            except NoAnswer as problem:
                hint = f"Its log is {folder / LOG_FILE}. Apply again: it is then made anew if need be."
                raise ProviderError(
                    ErrorKind.TRANSIENT, f"the server of {wanted.name} did not change its model: {problem}", hint
                ) from problem
        for place in (folder / MODELS).iterdir():
            if place.name != digest:
                remove(place)
        after = self._observe(state)
        if after.ready and after.model_digest == digest:
            return after
        said = after.problem or "it serves another model than it was told to"
        raise ProviderError(ErrorKind.TRANSIENT, f"the endpoint {wanted.name}: {said}", "Apply again.")

    def delete(self, name: str) -> None:
        """Stop the server, by its own pid, and remove its folder."""
        folder = self._folder(name)
        state = read_state(folder)
        if state is not None:
            self._stop(state)
        remove(folder)

    def find(self, id: str) -> EndpointState | None:
        """The server of that name, or that answers at that URL; None if none of this data folder does."""
        if NAME.fullmatch(id):
            return self.read(id)
        for folder in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            state = read_state(folder)
            if state is not None and state.alive and state.answers_at(id):
                return self._observe(state)
        return None

    def config(self, state: EndpointState) -> Mapping[str, Any]:
        """Where it listens."""
        host, port = str(state.attributes["host"]), int(state.attributes["port"])
        return {"port": port} if host == DEFAULT_HOST else {"host": host, "port": port}

    def _folder(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ProviderError(
                ErrorKind.INVALID, f'"{name}" cannot name a local endpoint', "Use letters, digits, `_`, `-` and `.`."
            )
        return self._root / name

    def _observe(self, state: ServerState) -> EndpointState:
        attributes = {
            "pid": state.pid,
            "host": state.host,
            "port": state.port,
            "log": (self._folder(state.name) / LOG_FILE).relative_to(self._root.parent).as_posix(),
        }

        def seen(problem: str, digest: str | None = None) -> EndpointState:
            return EndpointState(state.name, digest, not problem, state.url, attributes, problem)

        try:
            said = health(state, self._patience.look)
        except NoAnswer as problem:
            return seen(f"its process {state.pid} runs but does not answer: {problem}")
        if said.name != state.name or said.pid != state.pid:
            return seen(f"another server answers at {state.url}")
        if not said.ready:
            return seen("it is still loading its model")
        return seen("", said.model_digest)

    def _start(self, name: str, digest: str, host: str, listening: socket.socket) -> ServerState:
        folder = self._folder(name)
        command = [sys.executable, "-m", "zenctl_local.serving", "--name", name, "--digest", digest]
        command += ["--model", str((folder / MODELS / digest).resolve()), "--fd", str(listening.fileno())]
        with open(folder / LOG_FILE, "ab") as log:
            process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # A folder of its own: the user's files must not be taken for modules, nor their folder be held.
                cwd=folder,
                pass_fds=[listening.fileno()],
                start_new_session=True,
            )
        _processes[process.pid] = process
        assert process.stdin is not None
        with process.stdin as handshake:
            state = ServerState(
                name, process.pid, started(process.pid), host, listening.getsockname()[1], secrets.token_urlsafe(32)
            )
            # Recorded before it is told to go on: if this process dies here, the server reads nothing and ends.
            write_state(folder, state)
            # A server that has ended already is found by waiting for it, with its log.
            with contextlib.suppress(BrokenPipeError):
                handshake.write(json.dumps({"token": state.token}).encode() + b"\n")
        return state

    def _await_ready(self, state: ServerState) -> EndpointState:
        deadline = time.monotonic() + self._patience.load
        folder = self._folder(state.name)
        while True:
            if not _alive(state):
                raise ProviderError(
                    ErrorKind.INVALID,
                    f"the server of {state.name} ended before it was ready:\n{_indented(log_tail(folder))}",
                    "A model that can be served is a SavedModel with signatures or a .keras file.",
                )
            seen = self._observe(state)
            if seen.ready:
                return seen
            if time.monotonic() > deadline:
                raise ProviderError(
                    ErrorKind.TRANSIENT,
                    f"the server of {state.name} was not ready after {self._patience.load:g} seconds: {seen.problem}\n"
                    f"{_indented(log_tail(folder))}",
                    "Apply again, or look whether the machine has the memory that the model needs.",
                )
            time.sleep(0.05)

    def _stop(self, state: ServerState) -> None:
        for number, patience in ((signal.SIGTERM, self._patience.grace), (signal.SIGKILL, self._patience.grace)):
            deadline = time.monotonic() + patience
            if _alive(state):
                kill_group(state.pid, number)
            while (_alive(state) or state.lingers) and time.monotonic() < deadline:
                time.sleep(0.02)
        if _alive(state) or state.lingers:
            raise ProviderError(
                ErrorKind.TRANSIENT, f"the process {state.pid} of {state.name} does not end", "Try again later."
            )
        _processes.pop(state.pid, None)


def _alive(state: ServerState) -> bool:
    process = _processes.get(state.pid)
    if process is not None:
        process.poll()
    return state.alive


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in (text or "(its log is empty)").splitlines())


def _model(wanted: EndpointRequest) -> tuple[Path, str]:
    assert wanted.model_path is not None, "create and update are given the model's folder"
    assert wanted.model_digest is not None, "create and update are given the model's digest"
    return wanted.model_path, wanted.model_digest


def _place(wanted: EndpointRequest) -> tuple[str, int]:
    """Host and port that the block asks for; 0 is any port."""
    return str(wanted.config.get("host") or DEFAULT_HOST), int(wanted.config.get("port") or 0)


def _moved(prior: EndpointState, wanted: EndpointRequest) -> tuple[str, ...]:
    """Why the server cannot go on where it listens."""
    host, port = _place(wanted)
    before: dict[str, Any] = dict(prior.attributes)
    reasons = []
    if before.get("host") != host:
        reasons.append(f"host: {before.get('host')} -> {host}")
    if port not in (0, before.get("port")):
        reasons.append(f"port: {before.get('port')} -> {port}")
    return tuple(reasons)


def _lay_out(model: Path, place: Path) -> None:
    try:
        place_model(model, place)
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ProviderError(
            ErrorKind.NO_CAPACITY if full else ErrorKind.INVALID,
            f"the model cannot be laid out in {place.parent}: {problem}",
            "Free some space, then apply again." if full else "Check that the folder can be written.",
        ) from problem


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # It holds the token by which the model is changed.
    folder.chmod(0o700)


def _listen(host: str, port: int, preferred: int) -> socket.socket:
    """A listening socket: it is made here, so that a taken port is known at once and cannot be taken meanwhile."""
    if port == 0 and preferred:
        try:
            return _bind(host, preferred)
        except OSError:
            # Taken meanwhile; the block asks for none in particular.
            return _listen(host, 0, 0)
    try:
        return _bind(host, port)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            hint = "Set another `port`, or 0 for any that is free, or end what listens there."
            raise ProviderError(
                ErrorKind.INVALID, f"port {port} on {host} is taken by another process", hint
            ) from problem
        reason = os.strerror(problem.errno) if problem.errno and problem.errno > 0 else str(problem)
        raise ProviderError(
            ErrorKind.INVALID, f"cannot listen on {host}, port {port}: {reason}", "Set `host` and `port`."
        ) from problem


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=2048)
