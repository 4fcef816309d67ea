"""Turns Ctrl-C and SIGTERM into a stop of the running apply: first to its end, then at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from zenctl.cli import exits
from zenctl.cli.views.style import duration

FIRST = (
    "\nInterrupted: nothing new is started; what is running goes on to its end.\n"
    "Interrupt again to cancel that as well."
)
FIRST_FOR_A_WHILE = (
    "\nInterrupted: nothing new is started; what is running has {} to end.\nInterrupt again to cancel it now."
)
GRACE_OVER = "\nThe grace period of {} is over: canceling what is running."
SECOND = (
    "\nInterrupted again: canceling what is running. A third time leaves at once;\n"
    "the next command then finds out what became of it."
)


class Terminated(BaseException):
    """SIGTERM outside of an apply: the command ends as it does on Ctrl-C."""


class Interrupted(BaseException):
    """Ctrl-C outside of an apply, in a form that typer does not swallow."""


class Stoppable(Protocol):
    """The engine's `Stop`."""

    drain: threading.Event
    cancel: threading.Event


def raise_terminated(_number: int, _frame: FrameType | None) -> None:
    """Handler of SIGTERM while no apply runs."""
    raise Terminated


class Interrupts:
    """Handles signals while it is entered. Both signals count together; `exit_code` is that of the first.

    `grace` seconds after the first one what still runs is canceled; None lets it go on to its end.
    """

    def __init__(
        self,
        stop: Stoppable,
        say: Callable[[str], None],
        grace: float | None = None,
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._stop = stop
        self._say = say
        self._leave = leave
        self._grace = grace
        self._timer: threading.Timer | None = None
        self._count = 0
        self._before: dict[int, Any] = {}
        self.exit_code = exits.INTERRUPTED

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self.handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal. Waits for nothing: it may have come in the middle of anything."""
        self._count += 1
        if self._count == 1:
            self.exit_code = 128 + number
            self._stop.drain.set()
            if self._grace is None:
                self._say(FIRST)
                return
            self._say(FIRST_FOR_A_WHILE.format(duration(self._grace)))
            self._timer = threading.Timer(self._grace, self._end_grace)
            self._timer.daemon = True
            self._timer.start()
        elif self._count == 2:
            self._stop.drain.set()
            self._stop.cancel.set()
            self._say(SECOND)
        else:
            self._leave(self.exit_code)

    def _end_grace(self) -> None:
        if not self._stop.cancel.is_set():
            self._say(GRACE_OVER.format(duration(self._grace or 0.0)))
            self._stop.cancel.set()
