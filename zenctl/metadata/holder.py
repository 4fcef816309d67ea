"""Holder: who holds a lock, and whether that process is still there."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import clean_text, present
from zenctl.metadata.store import Properties, PropertyValue


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that applies. Give `host`, `pid`, `command`, `user` and `plan`; `completed` finds out the rest.

    `plan` says in a few words what it does. `process` tells the process from a later one with its number,
    `pid_namespace` the container that the number counts in; both are empty where they are not known. `since_ms` is when
    it asked for the lock.
    """

    host: str
    pid: int
    command: str = ""
    user: str = ""
    since_ms: int = 0
    process: str = ""
    pid_namespace: str = ""
    plan: str = ""

    @classmethod
    def here(cls, command: str = "", user: str = "", plan: str = "") -> Holder:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), command, user, plan=plan).completed()

    def completed(self) -> Holder:
        """With time, and for a process of this machine its start and namespace, where they were not given."""
        known = replace(self, since_ms=self.since_ms or time.time_ns() // 1_000_000)
        if self.host != socket.gethostname():
            return known
        return replace(
            known,
            process=self.process or _identity(self.pid) or "",
            pid_namespace=self.pid_namespace or _pid_namespace(),
        )

    def __str__(self) -> str:
        who = f"{self.user}@{self.host}" if self.user else self.host
        since = datetime.fromtimestamp(self.since_ms / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        command = f" ({self.command})" if self.command else ""
        plan = f": {self.plan}" if self.plan else ""
        return f"{who}, process {self.pid}{command}, since {since}{plan}"


def is_here(holder: Holder) -> bool:
    """Whether this machine, and this container of it, can tell if the holder's process is there."""
    return holder.host == socket.gethostname() and holder.pid_namespace == _pid_namespace()


def has_ended(holder: Holder) -> bool:
    """Whether the process of a holder that is here has ended."""
    found = _identity(holder.pid)
    return found is None or bool(found and holder.process and found != holder.process)


def is_gone(holder: Holder, lease_until_ms: int, now_ms: int) -> bool:
    """Whether a holder seems dead, as far as one look can tell.

    On this machine its process decides, so that one that slept with its machine keeps its lock; elsewhere its lease.
    """
    return has_ended(holder) if is_here(holder) else now_ms >= lease_until_ms


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
            "process": holder.process,
            "command": clean_text(holder.command),
            "plan": clean_text(holder.plan),
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
        process=str(properties.get("process", "")),
        pid_namespace=str(properties.get("pid_namespace", "")),
        plan=str(properties.get("plan", "")),
    )


def _identity(pid: int) -> str | None:
    """What tells a process of this machine from a later one of its number; empty if that may not be known.

    None if there is none: a dead process that its parent has not collected is none either. On Linux it is when the
    process started, counted from the machine's start, which no setting of the clock changes: TICKS@BOOT.
    """
    if pid <= 0:
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # The name in parentheses may hold anything; the 20th field after it is the start.
            fields = stream.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _identity_elsewhere(pid)
    return None if fields[0] in (b"Z", b"X") else f"{fields[19].decode()}@{_boot()}"


def _identity_elsewhere(pid: int) -> str | None:
    """The same where there is no /proc, or where it hides the processes of others."""
    import psutil  # where /proc tells it is not needed, and importing it costs as much as a small plan

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return "" if os.path.isdir("/proc/self") else f"{process.create_time():.3f}"
    except psutil.AccessDenied:
        return ""
    except psutil.NoSuchProcess:
        return None


def _boot() -> str:
    """Names the time since the machine was started."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()
    return ""


def _pid_namespace() -> str:
    """Names the set of processes whose numbers are this process's; empty where the system has only one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
