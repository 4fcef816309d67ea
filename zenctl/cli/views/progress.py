"""Follows an apply in plain lines: what starts, what ended and how, and a sign of life every ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.machines import happening
from zenctl.cli.views.style import Style, duration, plural, printable, size
from zenctl.engine.events import (
    ChangeEnded,
    ChangeFailed,
    ChangeProgress,
    ChangeSkipped,
    ChangeStarted,
    Event,
    MachineChanged,
    Notice,
    RefreshEnded,
    RefreshStarted,
)
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.actions import Action

HEARTBEAT_SECONDS = 10.0
"""How often a running step is mentioned again."""

SLOW_SECONDS = 1.0
"""How long looking at a datasource may take before that is said."""

DOING = {
    Action.RUN: "running",
    Action.MAY_RUN: "running",
    Action.REUSE: "reusing a recorded result",
    Action.FORGET: "forgetting",
    Action.NO_OP: "checking",
    Action.CREATE: "creating",
    Action.UPDATE: "updating",
    Action.REPLACE: "replacing",
    Action.DELETE: "deleting",
    Action.READ: "recording as it is",
}
"""What is being done to an address, by its action."""

_DONE = {
    "ran": "ran",
    "cut_off": "not run, its inputs turned out unchanged",
    "reused": "reused a recorded result",
    "unchanged": "unchanged",
    "forgotten": "forgotten",
    "created": "created",
    "updated": "updated",
    "replaced": "replaced",
    "deleted": "deleted",
    "recorded": "recorded as it is",
}


@dataclass(slots=True)
class Running:
    """What is known of an address at work."""

    action: Action
    since: float
    spoken: float
    progress: ChangeProgress | None = None


class Progress(Protocol):
    """A view of an apply: the engine's listener, entered for as long as the apply runs."""

    def __enter__(self) -> Progress: ...

    def __exit__(self, *exception: object) -> None: ...

    def __call__(self, event: Event) -> None:
        """Take an event, from any thread."""
        ...

    def say(self, text: str) -> None:
        """Print a line of the command's own; must not wait (signal handlers call it)."""
        ...


class PlainProgress:
    """Prints a line per event. `tick` gives the signs of life; `background=False` leaves calling it to a test."""

    def __init__(
        self,
        terminal: Terminal,
        clock: Callable[[], float] = time.monotonic,
        *,
        background: bool = True,
    ) -> None:
        self._terminal = terminal
        self._style = terminal.style
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._checking: dict[str, tuple[float, bool]] = {}
        self._said: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="zenctl-progress", daemon=True) if background else None

    def __enter__(self) -> PlainProgress:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.tick()

    def say(self, text: str) -> None:
        # Only appended here and printed by `tick`: a signal handler may have interrupted a print of this thread.
        self._said.append(text)

    def __call__(self, event: Event) -> None:
        with self._lock:
            for line in self._lines(event):
                self._terminal.write(line)
            self._terminal.out.flush()

    def tick(self) -> None:
        """Print what was said, and mention every address that has been silent for ten seconds."""
        with self._lock:
            now = self._clock()
            while self._said:
                self._terminal.write(self._said.pop(0))
            for address, running in list(self._running.items()):
                if now - running.spoken >= HEARTBEAT_SECONDS:
                    running.spoken = now
                    self._terminal.write(f"{address}: still {DOING[running.action]}, {status(running, now)}")
            for address, (since, told) in list(self._checking.items()):
                if not told and now - since >= SLOW_SECONDS:
                    self._checking[address] = (since, True)
                    self._terminal.write(f"{address}: checking ...")
            self._terminal.out.flush()

    def _beat(self) -> None:
        while not self._over.wait(0.2):
            self.tick()

    def _lines(self, event: Event) -> list[str]:
        now = self._clock()
        if isinstance(event, RefreshStarted):
            self._checking[event.address] = (now, False)
        elif isinstance(event, RefreshEnded):
            self._checking.pop(event.address, None)
        elif isinstance(event, ChangeStarted):
            self._running[event.address] = Running(event.action, now, now)
        elif isinstance(event, ChangeProgress) and event.address in self._running:
            self._running[event.address].progress = event
        elif isinstance(event, (ChangeEnded, ChangeFailed, ChangeSkipped)):
            self._running.pop(event.address, None)
        line = line_of(event, self._style)
        return [line] if line else []


def line_of(event: Event, style: Style) -> str:
    """The line that stays for an event; empty for those that only move a display."""
    if isinstance(event, Notice):
        return printable(event.text)
    if isinstance(event, MachineChanged):
        return machine_line(event)
    if isinstance(event, RefreshEnded):
        note = f": {printable(event.note)}" if event.note else ""
        return f"{event.address}: checked{note}"
    if isinstance(event, ChangeStarted):
        return f"{event.address}: {DOING[event.action]} ..."
    if isinstance(event, ChangeEnded):
        note = f" [{printable(event.note)}]" if event.note else ""
        note += f" ({style.yellow(plural(len(event.diagnostics), 'warning'))})" if event.diagnostics else ""
        took = "" if event.outcome in ("cut_off", "unchanged", "forgotten") else f" in {duration(event.seconds)}"
        done = _DONE.get(event.outcome, event.outcome)
        return f"{style.bold(event.address)}: {style.green(done)}{took}{note}"
    if isinstance(event, ChangeFailed):
        word = "canceled" if event.canceled else "failed"
        return f"{style.bold(event.address)}: {style.red(word)} after {duration(event.seconds)}"
    if isinstance(event, ChangeSkipped):
        reason = f"needs {event.because}" if event.because else "interrupted"
        return f"{style.bold(event.address)}: {style.yellow('skipped')} ({reason})"
    return ""


def machine_line(event: MachineChanged) -> str:
    """`backend.gce.vm: creating machine zenctl-1f0e (n1-standard-4, europe-west1-b) ...`."""
    told = event.told
    plain = {"name": told.name, "machine_type": told.machine_type, "location": told.location, "reason": told.reason}
    said = happening({**plain, "change": told.change.value})
    # By their values: what only prints need not load the provider SDK.
    said += {"created": f" after {duration(event.seconds)}", "creating": " ..."}.get(told.change.value, "")
    return printable(f"{event.address}: {said}")


def amount(progress: ChangeProgress) -> str:
    """`1,200 of 5,000 rows`, `1.2 of 3.4 MB` for bytes, `3 epochs` without a total."""
    if progress.unit == "bytes":
        done, total = size(progress.done), size(progress.total)
        return f"{done} of {total}" if progress.total else done
    if progress.total:
        return f"{progress.done:,g} of {progress.total:,g} {progress.unit}".rstrip()
    return f"{progress.done:,g} {progress.unit}".rstrip()


def status(running: Running, now: float) -> str:
    """`12s elapsed, 3 of 10 epochs`."""
    elapsed = f"{duration(now - running.since)} elapsed"
    return f"{elapsed}, {amount(running.progress)}" if running.progress else elapsed
