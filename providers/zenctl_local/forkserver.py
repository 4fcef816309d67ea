"""The fork server: a warm process that starts jobs for one zenctl command and ends them all when it ends.

A program of its own, `python forkserver.py SOCKET LIFE RUNNER [PACKAGE]`, standard library only, Python 3.9 syntax: it
runs under the jobs' interpreter, where zenctl may not be installed. It loads third-party modules that it is asked for
and nothing of the user's, so that a forked child finds TensorFlow loaded, yet nothing in it begun. Messages are JSON
lines; what it is asked: {"op": "start" | "cancel" | "preload", ...}; what it tells: {"event": "started" | "ended" |
"known" | "importing" | "imported", ...}.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

PROCESS, EXIT = "process.json", "exit.json"
"""Files in a job's work folder: which process runs it (made before it starts, so that no job starts twice), and how it
ended."""


def started(pid: int) -> str:
    """When a process started, as a text that tells it from a later one of the same number; empty if it is gone.

    It is counted from the machine's start, so it names that too: TICKS@BOOT.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The name in parentheses may hold anything; the fields after it are numbers, the 20th is the start.
            fields = stream.read().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else f"{fields[19].decode()}@{boot()}"
    except (OSError, IndexError):
        if os.path.isdir("/proc/self"):
            return ""
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def boot() -> str:
    """Names the time since the machine was started, on Linux; empty where that is not told."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def kill_group(pid: int, number: int) -> None:
    """Signal a job's whole process group, or the process alone if it has none yet; one that is gone is success."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
    except PermissionError:
        # macOS says so of a group whose only member is a zombie.
        return


class Server:
    """Starts, watches and ends jobs. One thread does all of it; a second one only waits for the end of zenctl."""

    def __init__(self, connection: socket.socket, life: int, runner: str, package: str) -> None:
        self._connection = connection
        self._life = life
        self._runner = runner
        self._buffer = b""
        self._waiting: list[dict[str, Any]] = []
        self._running: dict[int, dict[str, Any]] = {}
        self._kill_at: dict[int, float] = {}
        self._lifelines: dict[int, Any] = {}
        self._wanted: list[str] = []
        self._tried: set[str] = set()
        self._wake_in, self._wake_out = os.pipe()
        for end in (self._wake_in, self._wake_out):
            os.set_blocking(end, False)
        if not _is_installed(package):
            sys.path.insert(0, runner)
        self._main = importlib.import_module("zenctl.runner.main")

    def serve(self) -> None:
        """Work until the connection ends."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True).start()
        idle = False
        while True:
            self._receive(self._patience() if idle else 0.0)
            self._reap()
            self._kill_overdue()
            idle = not (self._start_next() or self._preload_next())

    def _watch(self) -> None:
        # The pipe's other end is held by zenctl alone, so it ends with zenctl, be the main thread ever so busy.
        while os.read(self._life, 1):
            pass
        self._end()

    def _end(self) -> None:
        for pid in list(self._running):
            kill_group(pid, signal.SIGKILL)
        os._exit(0)

    def _patience(self) -> float | None:
        return max(0.0, min(self._kill_at.values()) - time.monotonic()) if self._kill_at else None

    def _receive(self, patience: float | None) -> None:
        connection = self._connection.fileno()
        ready, _, _ = select.select([connection, self._wake_in], [], [], patience)
        if self._wake_in in ready:
            os.read(self._wake_in, 4096)
        if connection not in ready:
            return
        data = self._connection.recv(65536)
        if not data:
            self._end()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            getattr(self, f"_on_{message['op']}")(message)

    def _tell(self, event: str, **facts: Any) -> None:
        try:
            self._connection.sendall(json.dumps({"event": event, **facts}).encode() + b"\n")
        except OSError:
            self._end()

    def _on_start(self, job: dict[str, Any]) -> None:
        self._waiting.append(job)
        self._want(job["preload"])

    def _on_preload(self, message: dict[str, Any]) -> None:
        self._want(message["modules"])

    def _on_cancel(self, message: dict[str, Any]) -> None:
        for job in self._waiting:
            if job["job_id"] == message["job_id"]:
                self._waiting.remove(job)
                self._tell("ended", job_id=job["job_id"], code=None, signal=signal.SIGTERM)
                return
        for pid, job in self._running.items():
            if job["job_id"] == message["job_id"]:
                kill_group(pid, signal.SIGTERM)
                self._kill_at.setdefault(pid, time.monotonic() + message["grace"])

    def _want(self, modules: list[str]) -> None:
        self._wanted += [name for name in modules if name not in self._tried and name not in self._wanted]

    def _start_next(self) -> bool:
        """Start a waiting job that can start now, else load one module that one waits for. False: nothing to do."""
        for job in self._waiting:
            if job["fresh"] or not self._missing(job):
                self._waiting.remove(job)
                self._start(job)
                return True
        for job in self._waiting:
            self._load(self._missing(job)[0])
            return True
        return False

    def _preload_next(self) -> bool:
        while self._wanted:
            name = self._wanted.pop(0)
            if name not in self._tried:
                self._load(name)
                return True
        return False

    def _missing(self, job: dict[str, Any]) -> list[str]:
        return [name for name in job["imports"] if name not in self._tried]

    def _load(self, name: str) -> None:
        self._tried.add(name)
        self._tell("importing", module=name)
        # TensorFlow reads it as it is loaded; without it every log begins with errors about GPUs that are not there.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a job that needs it will say what is wrong with it
            print(f"{name} is not preloaded: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - its log
        # Loading may have set handlers of its own, and sets of objects that children should not copy.
        gc.freeze()
        self._tell("imported", module=name)

    def _start(self, job: dict[str, Any]) -> None:
        try:
            self._start_once(job)
        except OSError as error:
            # A full disk, for example: the jobs that run are not to end with this one.
            self._tell("ended", job_id=job["job_id"], code=None, signal=0, reason=f"it cannot be started: {error}")

    def _start_once(self, job: dict[str, Any]) -> None:
        os.makedirs(job["work"], exist_ok=True)
        record = os.path.join(job["work"], PROCESS)
        try:
            claim = os.open(record, os.O_WRONLY | os.O_CREAT | (0 if job["again"] else os.O_EXCL), 0o644)
        except FileExistsError:
            self._tell("known", job_id=job["job_id"])
            return
        with os.fdopen(claim, "wb", buffering=0) as process:
            os.makedirs(os.path.dirname(job["log"]), exist_ok=True)
            with open(job["log"], "ab", buffering=0) as log:
                pid = self._spawn(job, log.fileno()) if job["fresh"] else self._fork(job, log.fileno())
            self._running[pid] = job
            facts = {"pid": pid, "started": started(pid)}
            try:
                process.truncate(0)
                process.write(json.dumps(facts).encode())
            except OSError as error:
                # It is for a later zenctl only, and the job does not outlive this one.
                print(f"{record}: {error}", file=sys.stderr)  # noqa: T201 - the server's log
        self._tell("started", job_id=job["job_id"], **facts)

    def _spawn(self, job: dict[str, Any], log: int) -> int:
        # A container is not a child: it ends with its standard input, of which this process holds the other end.
        contained = job.get("command")
        command = contained or [sys.executable, self._runner, *self._arguments(job, os.getpid())]
        given = subprocess.PIPE if contained else subprocess.DEVNULL
        environment = dict(os.environ, PYTHONUNBUFFERED="1", **self._given(job))
        process = subprocess.Popen(
            command, stdin=given, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        if process.stdin is not None:
            self._lifelines[process.pid] = process.stdin
        # Reaped by number with all others; the object must not try it too.
        process.returncode = 0
        return process.pid

    def _given(self, job: dict[str, Any]) -> dict[str, str]:
        """What the job finds in its environment besides."""
        access = {self._main.ACCESS: job["access"]} if job.get("access") else {}
        return {**job.get("environment", {}), **access}

    @staticmethod
    def _arguments(job: dict[str, Any], parent: int) -> list[str]:
        named = {"--environments": job.get("environments"), "--memory": job.get("memory")}
        more = [word for name, value in named.items() if value for word in (name, str(value))]
        return [job["store"], job["job_id"], "--work", job["work"], "--parent", str(parent), *more]

    def _fork(self, job: dict[str, Any], log: int) -> int:
        main = self._main
        server = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python warns of a fork beside threads; ours holds no lock, and what was loaded has begun nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            return pid
        try:
            self._become_child(log)
            os.environ.update(self._given(job))
            code = main.main(self._arguments(job, server))
        except BaseException:  # noqa: BLE001 - nothing may go back up into the server's loop
            import traceback

            traceback.print_exc()
            code = 3
        main.leave(code)
        raise AssertionError("leave() does not return")

    def _become_child(self, log: int) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._connection.close()
        for end in (self._life, self._wake_in, self._wake_out, *(line.fileno() for line in self._lifelines.values())):
            os.close(end)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(empty)
        os.close(log)
        random = sys.modules.get("numpy.random")
        if random is not None:
            # Else every job would draw the same "random" numbers: the generator's state was copied with the process.
            random.seed()

    def _reap(self) -> None:
        for pid in list(self._running):
            status = _ended(pid)
            if status is None:
                continue
            job = self._running.pop(pid)
            self._kill_at.pop(pid, None)
            if pid in self._lifelines:
                self._lifelines.pop(pid).close()
            facts = {
                "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            }
            _record(os.path.join(job["work"], EXIT), facts)
            self._tell("ended", job_id=job["job_id"], **facts)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid, at in list(self._kill_at.items()):
            if at <= now:
                kill_group(pid, signal.SIGKILL)
                del self._kill_at[pid]


def _ended(pid: int) -> int | None:
    """The wait status of a child that has ended, and what it left behind in its group ended too; None while it runs."""
    if not hasattr(os, "waitid"):
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return None
        kill_group(pid, signal.SIGKILL)
        return status
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    # While the leader is not reaped, its group's number cannot be another's.
    kill_group(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _record(path: str, facts: dict[str, Any]) -> None:
    """Write a small file whole. Its folder may be gone already, when the job was released."""
    try:
        with open(f"{path}.tmp", "w", encoding="utf-8") as stream:
            json.dump(facts, stream)
        os.replace(f"{path}.tmp", path)
    except OSError as error:
        print(f"{path}: {error}", file=sys.stderr)  # noqa: T201 - the server's log


def _is_installed(package: str) -> bool:
    """Whether this interpreter imports zenctl from that very folder: then there is bytecode, and no need of the zip."""
    spec = importlib.util.find_spec("zenctl") if package else None
    return spec is not None and spec.origin == os.path.join(package, "__init__.py")


def main(argv: list[str]) -> str:
    """Serve; returns only an error."""
    if sys.version_info < (3, 9):  # noqa: UP036 - this file runs under the jobs' interpreter
        return f"steps need Python 3.9 or newer, this is {sys.version.split()[0]}"
    # The folder of this file holds modules of zenctl_local; jobs must not find them as top-level names.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    connection = socket.socket(fileno=int(argv[0]))
    Server(connection, int(argv[1]), argv[2], argv[3] if len(argv) > 3 else "").serve()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
