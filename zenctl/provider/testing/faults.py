"""What goes wrong in a fake, and what time it is there: which call fails, with what, before or after its effect."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass


class Clock:
    """A clock that only the test moves: `clock()` is the Unix time there, in seconds.

    With `tick` it moves by that much each time that it is read, for whom polling is all that passes the time.
    """

    def __init__(self, now: float | None = None, tick: float = 0.0) -> None:
        self._now = time.time() if now is None else now
        self._tick = tick
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self._now += self._tick
            return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += seconds


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a fake was asked for: a method, and what it is about (a job id, a path, a name)."""

    method: str
    about: str


@dataclass(slots=True)
class _Planned:
    method: str
    about: str
    error: BaseException
    first: int
    times: int | None
    after: bool
    seen: int = 0

    def strikes(self, call: Call) -> bool:
        """Whether this call is one that fails; it is counted."""
        if call.method != self.method or self.about not in ("", call.about):
            return False
        self.seen += 1
        return self.seen >= self.first and (self.times is None or self.seen < self.first + self.times)


@dataclass(slots=True)
class Faults:
    """What a fake is to fail at, and what it was asked for. Every fake takes one; several may share it.

    ```python
    faults = Faults()
    faults.fail("submit", ProviderError(ErrorKind.TRANSIENT, "connection reset"), after=True)
    compute = FakeCompute(backend, faults)     # the first submit starts the job, and its answer is lost
    ```
    """

    calls: list[Call] = field(default_factory=list)
    _planned: list[_Planned] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self,
        method: str,
        error: BaseException,
        *,
        on: int = 1,
        times: int | None = 1,
        after: bool = False,
        about: str = "",
    ) -> None:
        """Let a method raise `error`, from its call number `on` on (counted from now), as often as `times` says.

        `times` None: for ever. `after`: the call takes effect, and only its answer is lost. `about` is the job id,
        path or name that must be meant; empty for any. Of several that a call strikes the first that was told counts.
        """
        if on < 1 or (times is not None and times < 1):
            raise ValueError(f"calls are counted from 1, and fail once or more, not {on=}, {times=}")
        with self._lock:
            self._planned.append(_Planned(method, about, error, on, times, after))

    def clear(self) -> None:
        """From now on nothing fails."""
        with self._lock:
            self._planned.clear()

    def asked(self) -> Counter[str]:
        """How often each method was called, whether it failed or not."""
        with self._lock:
            return Counter(call.method for call in self.calls)

    @contextmanager
    def during(self, method: str, about: str) -> Iterator[None]:
        """What a fake's method does all its work in; raises what is to go wrong before or after that work."""
        call = Call(method, about)
        with self._lock:
            self.calls.append(call)
            struck = [planned for planned in self._planned if planned.strikes(call)]
        if struck and not struck[0].after:
            raise struck[0].error
        yield
        if struck:
            raise struck[0].error
