"""Holder: who holds a lock, and whether that process is still there."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from datetime import datetime, timezone

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import clean_text, present
from zenctl.metadata.store import Properties, PropertyValue

START_TOLERANCE = 2.0
"""Seconds by which one process's start time may seem to differ, because the clock was set meanwhile."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that applies. Give `host`, `pid`, `command` and `user`; `completed` finds out the rest.

    `process_started` (Unix time) tells the process from a later one with its number, `pid_namespace` the container that
    the number counts in; both are empty where they are not known. `since_ms` is when it asked for the lock.
    """

    host: str
    pid: int
    command: str = ""
    user: str = ""
    since_ms: int = 0
    process_started: float = 0.0
    pid_namespace: str = ""

    @classmethod
    def here(cls, command: str = "", user: str = "") -> Holder:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), command, user).completed()

    def completed(self) -> Holder:
        """With time, and for a process of this machine its start and namespace, where they were not given."""
        known = replace(self, since_ms=self.since_ms or time.time_ns() // 1_000_000)
        if self.host != socket.gethostname():
            return known
        return replace(
            known,
            process_started=self.process_started or _start_time(self.pid) or 0.0,
            pid_namespace=self.pid_namespace or _pid_namespace(),
        )

    def __str__(self) -> str:
        who = f"{self.user}@{self.host}" if self.user else self.host
        since = datetime.fromtimestamp(self.since_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        command = f" ({self.command})" if self.command else ""
        return f"{who}, process {self.pid}{command}, since {since}"


def is_gone(holder: Holder, lease_until_ms: int, now_ms: int) -> bool:
    """Whether a holder is dead.

    On this machine its process decides, so that one that slept with its machine keeps its lock; elsewhere its lease.
    """
    if holder.host != socket.gethostname() or holder.pid_namespace != _pid_namespace():
        return now_ms >= lease_until_ms
    started = _start_time(holder.pid)
    if started is None:
        return True
    known = bool(started and holder.process_started)
    return known and abs(started - holder.process_started) > START_TOLERANCE


def is_dead(apply: Properties, now_ms: int) -> bool:
    """Whether who holds a lock by a context of these properties has ended without giving it back."""
    return is_gone(decode_holder(apply), int(apply.get("lease_until_ms", 0)), now_ms)


def encode_holder(holder: Holder) -> dict[str, PropertyValue]:
    """As properties of an Apply context."""
    return present(
        {
            "host": clean_text(holder.host),
            "user": clean_text(holder.user),
            "pid": holder.pid,
            "pid_namespace": holder.pid_namespace,
            "process_started": float(holder.process_started),
            "command": clean_text(holder.command),
            "since_ms": holder.since_ms,
        }
    )


def decode_holder(properties: Properties) -> Holder:
    """From properties of an Apply context."""
    return Holder(
        host=str(properties.get("host", "")),
        pid=int(properties.get("pid", 0)),
        command=str(properties.get("command", "")),
        user=str(properties.get("user", "")),
        since_ms=int(properties.get("since_ms", 0)),
        process_started=float(properties.get("process_started", 0.0)),
        pid_namespace=str(properties.get("pid_namespace", "")),
    )


def _start_time(pid: int) -> float | None:
    """When a process of this machine started: None if there is none, 0.0 if that may not be known.

    A dead process that its parent has not collected is none.
    """
    import psutil  # only applying needs it, and importing it costs as much as a small plan

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time()
    except psutil.AccessDenied:
        return 0.0
    except (psutil.NoSuchProcess, ValueError):
        return None


def _pid_namespace() -> str:
    """Names the set of processes whose numbers are this process's; empty where the system has only one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
