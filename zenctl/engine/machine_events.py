"""Passes on what providers tell of their machines, and remembers it by machine, for the records of what ran there."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from zenctl.addrs import BackendAddr
from zenctl.engine.events import Listener, MachineChanged
from zenctl.provider import Announcing, Compute, JobHandle, MachineChange, MachineEvent


class MachineEvents:
    """What happened to the machines of one command. Safe for any thread.

    `clock` gives seconds, `now` milliseconds since 1970.
    """

    def __init__(
        self,
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._stories: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)

    def attach(self, addr: BackendAddr, compute: Compute) -> None:
        """Have a backend tell, if it can."""
        if isinstance(compute, Announcing):
            compute.announce(partial(self._take, str(addr)))

    def story(self, jobs: Iterable[tuple[Compute, JobHandle]]) -> list[Mapping[str, Any]]:
        """What has happened so far to the machines of these jobs, as plain JSON: the events with their time."""
        names = [compute.machine(handle) for compute, handle in jobs if isinstance(compute, Announcing)]
        with self._lock:
            return [event for name in dict.fromkeys(names) for event in self._stories.get(name, ())]

    def _take(self, address: str, event: MachineEvent) -> None:
        now = self._clock()
        with self._lock:
            if event.change is MachineChange.CREATING:
                self._asked[event.name] = now
            since = self._asked.get(event.name, now)
            told = {key: str(getattr(event, key)) for key in ("name", "machine_type", "location", "reason")}
            self._stories[event.name].append({**told, "change": event.change.value, "at_ms": self._now()})
        self._listener(MachineChanged(address, event, now - since))
