"""Time for tests of retries: it passes only in pauses."""

from __future__ import annotations

from zenctl.jobs.stores.retrying import Retrying


class Clock:
    """`pauses` are those that were made."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def quick(clock: Clock, patience: float = 60.0) -> Retrying:
    """Retries that take no time."""
    return Retrying(patience, first=0.002, most=0.002, clock=clock, sleep=clock.sleep)
