"""Runs one job to its end, apart from zenctl: `python supervisor.py WORK GRACE LOCK COMMAND...`. Imports no zenctl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

ALIVE, PID, LOG, EXIT = "alive.lock", "supervisor.pid", "log.txt", "exit.json"
"""Files of a job's folder: locked while it lives; who to signal; what it printed; how it ended."""


def main(argv: list[str]) -> int:
    """Run the command in a process group of its own; what SIGTERM does not end within GRACE seconds is killed."""
    work, grace, command = Path(argv[0]), float(argv[1]), argv[3:]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        group(process.pid, signal.SIGTERM)
        timer = threading.Timer(grace, group, (process.pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, stop)
    write(work / PID, str(os.getpid()))
    code = process.wait()
    # What the job has left running ends with it.
    group(process.pid, signal.SIGKILL)
    write(work / EXIT, json.dumps({"code": code if code >= 0 else None, "signal": max(0, -code)}))
    return 0


def group(pid: int, number: int) -> None:
    """Signal a process group; one that is gone is success."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def write(path: Path, text: str) -> None:
    """Write a small file whole."""
    partial = path.with_suffix(".tmp")
    partial.write_text(text)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
