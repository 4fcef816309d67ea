"""Ends a job in time: cancellation and time limits reach the running code, and a dead parent takes its job along."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Optional, Type

OVERDUE = 10.0
"""Seconds the code has to react to its time limit before the process is ended under it."""

CANCELED = "canceled"
"""File in the work folder by which a machine's attendant says that it is the job that is to end, not the machine."""

MACHINE = "ZENCTL_MACHINE"
"""Variable that says to a job that it runs on a machine that may go: SIGTERM means that, without the file above."""

_PR_SET_PDEATHSIG = 1


class Interrupted(BaseException):
    """The job must end now. `kind` is `canceled` or `timeout`. Not an Exception: user code is not meant to catch it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Guard:
    """While entered, SIGTERM, SIGINT and the time limit raise Interrupted in the main thread, once.

    If the code does not end within OVERDUE seconds after the limit (it hangs in C, or catches everything), `expire`
    is called from a thread; it must not return.
    """

    def __init__(self, timeout: Optional[float], expire: Callable[[Interrupted], None]) -> None:
        self._timeout = timeout
        self._expire = expire
        self._ended = threading.Event()
        self._previous: Dict[int, Any] = {}
        self._timed_out = False
        self.interrupted: Optional[Interrupted] = None

    def __enter__(self) -> Guard:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._stop)
        if self._timeout:
            threading.Thread(target=self._watch, name="zenctl-timeout", daemon=True).start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.disarm()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise what the code has swallowed."""
        if self.interrupted is not None:
            raise self.interrupted

    def disarm(self) -> None:
        """From here on nothing interrupts: what came of the job is being written down."""
        self._ended.set()

    def _stop(self, number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG002 - a signal handler's signature
        if self._ended.is_set() or self.interrupted is not None:
            return
        self.interrupted = self._limit() if self._timed_out else Interrupted("canceled", "it was canceled")
        raise self.interrupted

    def _limit(self) -> Interrupted:
        return Interrupted("timeout", f"it did not end within its timeout of {self._timeout:g} seconds")

    def _watch(self) -> None:
        if self._ended.wait(self._timeout):
            return
        self._timed_out = True
        if self._previous:
            # To the main thread, so that it leaves a blocking call; which handler runs then may be the code's own.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        if not self._ended.wait(OVERDUE):
            self._expire(self._limit())


def die_with(parent: int) -> None:
    """On Linux: be killed when the process `parent`, which must be the real parent, ends. Elsewhere nothing."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError) as error:
        print(f"zenctl: this job may outlive its parent: {error}", file=sys.stderr)  # noqa: T201 - the job's log
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
