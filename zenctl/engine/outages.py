"""Bears with a backend that does not answer for a while: asks again what may pass, and gives up in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import field
from typing import TypeVar

from zenctl.engine.events import Listener, Notice
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import ErrorKind, ProviderError

T = TypeVar("T")

RETRIED = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.NO_CAPACITY})
"""Errors of a backend that may pass by themselves."""

SILENT = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED})
"""Errors that say nothing of the job that was asked about. To have no machine for it is an answer."""

OUTAGE, OUTAGE_CANCELED = 600.0, 20.0
"""Seconds that a backend may be silent about a job that runs: it works on meanwhile. Who cancels waits less."""

ATTEMPTS, PAUSE = 5, 0.5
"""How often a single call is made that may succeed yet, and the seconds before the second; they double."""


@dataclass(frozen=True, slots=True)
class Time:
    """How time passes for who waits for a backend: `now` in seconds, `wait` until an event is set or they are over."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], object] = threading.Event.wait


def insist(call: Callable[[], T], stop: threading.Event, time: Time | None = None) -> T:
    """What the call gives, made again while it fails for what may pass and `stop` is not set. Raises ProviderError."""
    pause = PAUSE
    for _ in range(ATTEMPTS - 1):
        try:
            return call()
        except ProviderError as problem:
            if problem.kind not in RETRIED or stop.is_set():
                raise
        (time or Time()).wait(stop, pause)
        pause *= 2
    return call()


@dataclass(slots=True)
class Outage:
    """One job's backend, as long as somebody waits for the job: since when it has not answered."""

    address: str
    listener: Listener
    time: Time = field(default_factory=Time)
    since: float | None = None

    def ask(self, call: Callable[[], T], patience: float = OUTAGE) -> T | None:
        """What the call gives, or None if it fails for what may pass. Raises ProviderError once `patience` is over.

        The user is told when it begins and when it ends.
        """
        try:
            answer = call()
        except ProviderError as problem:
            if problem.kind not in SILENT:
                raise
            now = self.time.now()
            if self.since is None:
                self.since = now
                self.listener(Notice(f"{self.address}: its backend does not answer: {problem.message}; asking again"))
            if now - self.since > patience:
                raise
            return None
        if self.since is not None:
            self.since = None
            self.listener(Notice(f"{self.address}: its backend answers again"))
        return answer
