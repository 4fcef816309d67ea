"""Runs the `zenctl` command as its console script would, in a fork of a process that has loaded it already.

Most of what a short command costs is loading zenctl. A fork has the arguments, folder, environment and streams that a
process of its own would have, and ends as one does. Two loaded processes take turns: each has its own order of sets,
as every process of Python has, so that nothing may rely on it from one command to the next. What an interpreter reads
as it starts cannot be set in a fork: a command that is given other such variables is started afresh. So is every one
that a test starts without waiting for its end, and those of `test_start.py`.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ZENCTL = Path(sys.executable).parent / "zenctl"

LOADED = (
    "filelock",
    "git",
    "pydantic.type_adapter",
    "rich.console",
    "typer.main",
    "zenctl.cli.application",
    "zenctl.cli.commands.apply",
    "zenctl.cli.main",
    "zenctl.engine.session",
    "zenctl.engine.workflow",
    "zenctl.metadata.mlmd.sqlite",
    "zenctl.runner.zipapp",
    "zenctl.steps.csv.observe",
    "zenctl_local.compute",
    "zenctl_local.provider",
)
"""What plan and apply load themselves. None of it starts a thread or opens a file, which a fork would share."""

AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "TZ", "GRPC_", "PROTOCOL_BUFFERS_")
"""Beginnings of the names of variables that Python, its libraries or the system's read as they are loaded."""

PATH = "PYTHONPATH"


class Loaded:
    """A process that has zenctl loaded and forks. It ends with this one."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        self._fixed = _at_start(os.environ)
        environment = {name: value for name, value in os.environ.items() if name != PATH}
        command = [sys.executable, __file__, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), env=environment
            )

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork of it is what a process started with these variables would be."""
        return _at_start(environment) == self._fixed

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `zenctl` to its end; raises subprocess.TimeoutExpired, and then it has been killed."""
        command = [str(ZENCTL), *words]
        own, theirs = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        try:
            socket.send_fds(self._control, [b"."], [theirs.fileno(), 0, out_end, err_end])
        finally:
            theirs.close()
            os.close(out_end)
            os.close(err_end)
        order = {"arguments": command, "folder": str(folder), "environment": dict(environment)}
        with own, own.makefile("rw", encoding="utf-8") as lines, open(out, "rb") as stdout, open(err, "rb") as stderr:
            lines.write(json.dumps(order) + "\n")
            lines.flush()
            pid = json.loads(lines.readline())
            said = _read([stdout, stderr], time.monotonic() + timeout)
            if said is None:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout)
            code = json.loads(lines.readline())
        return subprocess.CompletedProcess(command, code, *said)


_loaded: list[Loaded] = []


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `zenctl` to its end; raises subprocess.TimeoutExpired, and then it has been killed."""
    if not _loaded:
        _loaded.extend((Loaded(), Loaded()))
    _loaded.append(_loaded.pop(0))
    if _loaded[0].can(environment):
        return _loaded[0].run(words, folder, environment, timeout)
    return subprocess.run(
        [ZENCTL, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_START) and name != PATH}


def _read(streams: Sequence[IO[bytes]], deadline: float) -> list[str] | None:
    """All that the streams give until nobody writes to them any more; None if that is not before the deadline."""
    said = {stream.fileno(): bytearray() for stream in streams}
    left = list(said)
    while left:
        ready, _, _ = select.select(left, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        for number in ready:
            data = os.read(number, 1 << 16)
            said[number] += data
            if not data:
                left.remove(number)
    return [io.TextIOWrapper(io.BytesIO(text), encoding="utf-8").read() for text in said.values()]


def _serve(control: socket.socket) -> None:
    """Fork for every command that is asked for. Returns in the forks only, each ready to be that command."""
    before = dict(os.environ)
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The system reaps those that wait for the commands.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for name in LOADED:
        importlib.import_module(name)
    tasks = Path("/proc/self/task")
    assert not tasks.exists() or len(os.listdir(tasks)) == 1, "a fork would lack the other threads"
    added = {name: value for name, value in os.environ.items() if name not in before}
    gc.freeze()
    while True:
        message, streams, _, _ = socket.recv_fds(control, 1, 4)
        if not message:
            sys.exit()
        if not os.fork():
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            order = _become(*streams)
            signal.signal(signal.SIGINT, interrupted)
            os.environ.clear()
            os.environ.update({**added, **order["environment"]})
            os.chdir(order["folder"])
            sys.argv = order["arguments"]
            path = [entry for entry in os.environ.get(PATH, "").split(os.pathsep) if entry]
            sys.path[:] = [str(ZENCTL.parent), *path, *sys.path[1:]]
            importlib.invalidate_caches()
            return
        for number in streams:
            os.close(number)


def _become(orders: int, *streams: int) -> dict[str, Any]:
    """Fork a command and tell of its end; returns in the command only, with what was ordered."""
    with socket.socket(fileno=orders) as theirs, theirs.makefile("rw", encoding="utf-8") as lines:
        order: dict[str, Any] = json.loads(lines.readline())
        pid = os.fork()
        if pid:
            for number in (*streams, 0, 1):
                os.close(number)
            lines.write(f"{pid}\n")
            lines.flush()
            lines.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
            lines.flush()
            os._exit(0)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(streams[number], number)
        os.close(streams[number])
        # Made anew: what Python finds out of a file as it opens it is otherwise that of another.
        former = getattr(sys, name)
        buffering = 0 if number and former.write_through else -1
        buffer = open(number, "wb" if number else "rb", buffering=buffering, closefd=False)  # noqa: SIM115
        made = io.TextIOWrapper(
            buffer,
            encoding=former.encoding,
            errors=former.errors,
            line_buffering=number == 2,
            write_through=buffering == 0,
        )
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)
    return order


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from zenctl.cli.main import main

    main()
