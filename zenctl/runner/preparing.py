"""Makes the virtual environment that a job is to run in, with uv or with venv and pip, once for equal requirements."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Mapping

from zenctl.jobs.environments import COMPLETE, environment_python, is_whole, open_lock, use
from zenctl.jobs.requirements import has_hashes, placeholders, without_secrets
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.runner.environment_errors import EnvironmentProblem, explain
from zenctl.runner.fetching_uv import fetch_uv
from zenctl.runner.interpreters import DOWNLOADS, find_interpreter, find_uv
from zenctl.runner.secrets import redact

BUILD_SECONDS = 1800.0
"""How long making an environment may take."""

Say = Callable[[str], None]


def prepare(
    wanted: VirtualEnvironment,
    place: Path,
    python: str,
    folder: str,
    say: Say,
    *,
    seconds: float = BUILD_SECONDS,
    finish: Callable[[Path], None] = lambda _: None,
) -> int:
    """Have an environment: the one that is there, or a new one. Gives an open file that keeps it from being removed.

    `say` takes what the programs print. `finish` does what is left before it counts as whole. Raises
    EnvironmentProblem.
    """
    held = use(place)
    if held is not None:
        return held
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = open_lock(place)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("zenctl: waiting for the environment that another job makes")
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not is_whole(place):
                fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(place):
            _Build(wanted, place, python, folder, say, time.monotonic() + seconds, seconds).run(finish)
        os.utime(place / COMPLETE)
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock
    except OSError as error:
        os.close(lock)
        raise EnvironmentProblem(f"{place}: {error.strerror or error}") from error
    except BaseException:
        os.close(lock)
        raise


class _Build:
    """One making of one environment."""

    def __init__(
        self,
        wanted: VirtualEnvironment,
        place: Path,
        python: str,
        folder: str,
        say: Say,
        deadline: float,
        seconds: float,
    ) -> None:
        self._wanted, self._place, self._python, self._folder = wanted, place, python, folder
        self._deadline, self._seconds = deadline, seconds
        lines = [*wanted.requirements, *wanted.constraints]
        self._hidden = [os.environ.get(name, "") for name in placeholders(lines)]
        self._environment = _environment(wanted)
        self._no_uv = ""
        self._say = say

    def run(self, finish: Callable[[Path], None]) -> None:
        uv = find_uv() or self._fetched_uv()
        python = find_interpreter(self._wanted.python, self._python, self._folder, uv, self._environment)
        shutil.rmtree(self._place, ignore_errors=True)
        with_what = "uv" if uv else "pip"
        asked = f"{len(self._wanted.requirements)} requirement{'' if len(self._wanted.requirements) == 1 else 's'}"
        self._say(f"zenctl: preparing an environment with {with_what}: {python}, {asked}")
        if uv:
            self._with_uv(uv, python)
        else:
            self._with_pip(python)
        finish(self._place)
        partial = self._place / f"{COMPLETE}.tmp"
        partial.write_text("", encoding="utf-8")
        os.replace(partial, self._place / COMPLETE)

    def _fetched_uv(self) -> str:
        """The path of uv, fetched; empty where it may not or cannot be, which is told if pip does not do either."""
        if not self._wanted.fetches:
            return ""
        try:
            return fetch_uv(self._place.parents[1] / "tools", self._environment)
        except EnvironmentProblem as problem:
            self._no_uv = problem.message
            return ""

    def _with_uv(self, uv: str, python: str) -> None:
        self._do("uv", [uv, "venv", "--no-project", "--quiet", "--python", python, str(self._place)])
        lines = self._wanted.requirements
        if not lines:
            return
        where = ["--python", environment_python(self._place), *self._constraints()]
        # With hashes the file is the whole set; without, it may leave out what its packages need.
        command = ["sync", "--require-hashes", *where, "-"] if has_hashes(lines) else ["install", *where, "-r", "-"]
        self._do("uv", [uv, "pip", *command], "\n".join(lines) + "\n")

    def _with_pip(self, python: str) -> None:
        self._do("venv", [python, "-m", "venv", str(self._place)])
        lines = self._wanted.requirements
        if not lines:
            return
        file = self._place / "requirements.txt"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        pip = [environment_python(self._place), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        self._do("pip", [*pip, *self._constraints(), "-r", str(file)])

    def _constraints(self) -> List[str]:
        if not self._wanted.constraints:
            return []
        file = self._place / "constraints.txt"
        file.write_text("\n".join(self._wanted.constraints) + "\n", encoding="utf-8")
        return ["-c", str(file)]

    def _do(self, tool: str, command: List[str], given: str = "") -> None:
        """Run a program to its end, passing on what it prints; raises EnvironmentProblem."""
        with tempfile.TemporaryFile() as source:
            source.write(given.encode())
            source.seek(0)
            try:
                process = subprocess.Popen(
                    command,
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=self._environment,
                )
            except OSError as error:
                raise EnvironmentProblem(f"{command[0]} cannot be started: {error.strerror}") from error
        with process:
            output = self._listen(process)
        if process.returncode:
            if tool == "venv" and "ensurepip" in output:
                raise _without_tools(self._no_uv)
            raise explain(tool, output, process.returncode, self._wanted)

    def _listen(self, process: "subprocess.Popen[bytes]") -> str:
        """Pass on what a program prints until it ends, and give it; one that takes too long is killed."""
        said: List[str] = []
        rest = b""
        stream = process.stdout.fileno() if process.stdout is not None else -1
        while True:
            # Not read by lines: what the program has started may keep the pipe open after it is killed.
            ready, _, _ = select.select([stream], [], [], max(0.0, self._deadline - time.monotonic()))
            if not ready:
                process.kill()
                hint = "A package that is built from source takes long; ask for versions that have wheels."
                raise EnvironmentProblem(f"making it took longer than {self._seconds:g} seconds", hint)
            data = os.read(stream, 1 << 16)
            *lines, rest = (rest + data).split(b"\n") if data else ([rest] if rest else []) + [b""]
            for line in lines:
                text = redact(without_secrets(line.decode("utf-8", "replace").rstrip()), self._hidden)
                said.append(text)
                self._say(text)
            if not data:
                return "\n".join(said)


def _without_tools(no_uv: str) -> EnvironmentProblem:
    """There is nothing to make an environment with. `no_uv` says why uv could not be fetched, where it might be."""
    message = "there is no uv here, and this Python comes without venv and pip"
    if no_uv:
        hint = "Have the machine reach an index with uv, or boot an image that has uv or Debian's python3-venv."
        return EnvironmentProblem(f"{message}; {no_uv}", hint)
    return EnvironmentProblem(
        message, "Install uv (pip install uv), or the system's package for it (Debian: python3-venv)."
    )


def _environment(wanted: VirtualEnvironment) -> Dict[str, str]:
    """The programs' environment: what lies on this interpreter's path is no part of the new environment."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_USER")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    # Lines, no bars.
    # A machine's start-up has no HOME, where uv keeps what it downloads.
    kept.setdefault("HOME", os.path.expanduser("~"))
    downloads = "automatic" if wanted.fetches else "never"
    return {DOWNLOADS: downloads, **kept, **wanted.settings, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def enter(python: str, lock: int, command: List[str], more: Mapping[str, str]) -> None:
    """Become the environment's interpreter, running a program: does not return. The lock is held until it ends."""
    os.set_inheritable(lock, True)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(python, [python, *command], {**environment, **more})  # noqa: S606 - no shell is meant
