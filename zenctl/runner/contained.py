"""Keeps a job that is the first process of a container: passes on signals, and ends when the starter does."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Dict, Iterable, Optional

from zenctl.jobs.containers import OUT_OF_MEMORY

MEMORY_EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
"""Where a container finds how often it lacked memory, by the version of control groups."""

ABANDONED = 4
"""Exit code when whoever started the container is gone."""


def attend(work: Optional[Path]) -> None:
    """Fork. The child returns and is to run the job; the parent attends it and never returns.

    In `work`, the job's folder, it leaves OUT_OF_MEMORY if that is why the child was killed.

    The first process of a container cannot be killed from inside, takes no signal that it has no handler for, and all
    others end with it. The starter holds the other end of standard input: when that is gone, so is the container.
    """
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    child = os.fork()
    if child == 0:
        os.close(awake)
        os.close(wake)
        os.setsid()
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
        return
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def pass_on(number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG001 - a signal handler's signature
        with suppress(ProcessLookupError):
            os.killpg(child, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    code = _wait(child, awake)
    if code == 128 + signal.SIGKILL and work is not None and lacked_memory():
        with suppress(OSError):
            (work / OUT_OF_MEMORY).touch()
    os._exit(code)


def _wait(child: int, awake: int) -> int:
    """The child's exit code as a shell tells it, once it has ended; ABANDONED if the starter ends before."""
    ended = _reap()
    while child not in ended:
        ready, _, _ = select.select([0, awake], [], [])
        if 0 in ready and not os.read(0, 4096):
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            return ABANDONED
        if awake in ready:
            os.read(awake, 4096)
        ended = _reap()
    status = ended[child]
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def lacked_memory(files: Iterable[Path] = MEMORY_EVENTS) -> bool:
    """Whether the system has ended a process of this container because its memory was used up."""
    for file in files:
        with suppress(OSError, ValueError):
            for line in file.read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill" and int(count):
                    return True
    return False


def _reap() -> Dict[int, int]:
    """The wait statuses of all children that have ended: orphans of the container become children of this process."""
    ended: Dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = status
