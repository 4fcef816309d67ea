"""Follows an apply on a terminal: a line per running step with its bar and time, finished lines above. Needs rich."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.progress import Running, amount, line_of
from zenctl.cli.views.style import Style, duration
from zenctl.engine.events import (
    ChangeEnded,
    ChangeFailed,
    ChangeProgress,
    ChangeSkipped,
    ChangeStarted,
    Event,
    RefreshEnded,
    RefreshStarted,
)
from zenctl.plans.actions import Action

_SHOWN = 12
"""Most lines of running steps at once; the rest is counted."""


class LiveProgress:
    """The live display. What has ended is printed once, above it."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(
            file=terminal.out, no_color=not terminal.style.colour, highlight=False, width=terminal.width
        )
        self._style: Style = terminal.style
        self._clock = clock
        self._lock = threading.RLock()
        self._running: dict[str, Running] = {}
        self._spinners: dict[str, Spinner] = {}
        self._said: list[str] = []
        self._live = Live(console=self._console, refresh_per_second=10, transient=True, get_renderable=self._draw)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._running.clear()
        self._live.__exit__(None, None, None)
        self._print_said()

    def say(self, text: str) -> None:
        # Printed with the next redraw: a signal handler must not wait for the display's lock.
        self._said.append(text)

    def __call__(self, event: Event) -> None:
        with self._lock:
            now = self._clock()
            if isinstance(event, ChangeStarted):
                self._running[event.address] = Running(event.action, now, now)
                return
            if isinstance(event, RefreshStarted):
                self._running[event.address] = Running(Action.NO_OP, now, now)
                return
            if isinstance(event, ChangeProgress) and event.address in self._running:
                self._running[event.address].progress = event
                return
            if isinstance(event, (ChangeEnded, ChangeFailed, ChangeSkipped, RefreshEnded)):
                self._running.pop(event.address, None)
                self._spinners.pop(event.address, None)
            line = line_of(event, self._style)
        if line:
            self._print(line)

    def _print(self, line: str) -> None:
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def _print_said(self) -> None:
        while self._said:
            self._print(self._said.pop(0))

    def _draw(self) -> Group:
        with self._lock:
            now = self._clock()
            table = Table.grid(padding=(0, 1))
            for address, running in list(self._running.items())[:_SHOWN]:
                spinner = self._spinners.setdefault(address, Spinner("dots", style="cyan"))
                table.add_row(spinner, Text(address, style="bold"), *_columns(running), duration(now - running.since))
            if len(self._running) > _SHOWN:
                table.add_row("", Text(f"and {len(self._running) - _SHOWN} more", style="dim"))
            return Group(table, *(Text.from_ansi(text) for text in self._said))


def _columns(running: Running) -> tuple[ProgressBar | Text, Text]:
    progress = running.progress
    if progress is None:
        return Text("", style="dim"), Text("")
    if not progress.total:
        return Text(""), Text(amount(progress), style="dim")
    bar = ProgressBar(total=progress.total, completed=min(progress.done, progress.total), width=24)
    return bar, Text(amount(progress), style="dim")
