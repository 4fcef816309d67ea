"""Passes on what providers tell of their machines, and remembers it by machine, for the records of what ran there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from zenctl.addrs import BackendAddr
from zenctl.engine.events import Listener, MachineChanged
from zenctl.provider import Announcing, Compute, MachineChange, MachineEvent


class MachineEvents:
    """What happened to the machines of one command. Safe for any thread.

    `clock` gives seconds.
    """

    def __init__(self, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}

    def attach(self, addr: BackendAddr, compute: Compute) -> None:
        """Have a backend tell, if it can."""
        if isinstance(compute, Announcing):
            compute.announce(partial(self._take, str(addr)))

    def _take(self, address: str, event: MachineEvent) -> None:
        now = self._clock()
        with self._lock:
            if event.change is MachineChange.CREATING:
                self._asked[event.name] = now
            since = self._asked.get(event.name, now)
        self._listener(MachineChanged(address, event, now - since))
