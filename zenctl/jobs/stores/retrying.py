"""Repeats what failed for a while: pauses that grow, with jitter, within a budget of time."""

from __future__ import annotations

import random
import time
from typing import Callable, TypeVar

from zenctl.jobs.storage import StorageError

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which a call that fails is repeated, unless it is set otherwise."""

DOUBLINGS = 60
"""After so many tries pauses grow no more: they have long been as long as they may be."""


class Retrying:
    """Repeats a call while it raises StorageError(TRANSIENT), for `patience` seconds at most; any other passes through.

    The pause before try n is drawn from 0 to `first` * 2**n seconds, `most` at most, so that many jobs which failed
    together do not come back together; a server that says how long to wait is heeded. Callable from any thread.
    """

    def __init__(
        self,
        patience: float = PATIENCE,
        *,
        first: float = 0.5,
        most: float = 16.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.patience = patience
        self.first = first
        self.most = most
        self._clock = clock
        self._sleep = sleep
        self._draw = draw

    def __call__(self, call: Callable[[], T]) -> T:
        """What the call returns at last; the last error, with how often it was tried, when the budget is used up."""
        began = self._clock()
        tries = 0
        while True:
            tries += 1
            try:
                return call()
            except StorageError as error:
                if error.kind != "TRANSIENT":
                    raise
                pause = max(
                    error.retry_after, self._draw(0.0, min(self.most, self.first * 2.0 ** min(tries, DOUBLINGS)))
                )
                spent = self._clock() - began
                if spent + pause > self.patience:
                    message = f"{error} (tried {tries} times in {spent:.0f} seconds)" if tries > 1 else str(error)
                    raise StorageError(error.kind, message, error.hint) from error
                self._sleep(pause)
