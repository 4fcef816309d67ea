"""Faults that a fake server commits when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a method.

    `status` answers with an error (`reason`, `headers`) instead of doing it. `lost` does it and then breaks the
    connection without an answer. `cut` breaks a download, or the taking in of an upload, after that many bytes.
    `flip` changes a byte on the way. `stall` says nothing until the server ends: no answer, or with `cut` nothing
    after that many bytes.
    """

    method: str
    times: int = 1
    status: int = 0
    reason: str = ""
    message: str = "a fault that the test asked for"
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False
    cut: int = -1
    flip: bool = False
    stall: bool = False
    key: str = ""
    after: int = 0


class Faults:
    """The faults to come; each is taken by the first request that it is meant for. `after` requests are let pass."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._waiting += faults

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    @property
    def empty(self) -> bool:
        """Whether all have been taken."""
        with self._lock:
            return not self._waiting

    def take(self, method: str, key: str) -> Fault | None:
        """The fault of this request."""
        with self._lock:
            for fault in self._waiting:
                if fault.method != method or (fault.key and fault.key not in key):
                    continue
                if fault.after:
                    fault.after -= 1
                    return None
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None
