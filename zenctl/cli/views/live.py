"""Follows an apply on a terminal: a line per running step with its bar and time, finished lines above. Needs rich."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.progress import DOING, Running, amount, line_of
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

_BAR, _LEAST = 24, 8
"""Columns of a bar, and the fewest that are left of an address."""


class LiveProgress:
    """The live display. What has ended is printed once, above it."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        # On a terminal rich looks for the width itself, and so follows it when the window is made narrower.
        width = None if terminal.out.isatty() else terminal.width
        self._console = Console(file=terminal.out, no_color=not terminal.style.colour, highlight=False, width=width)
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
            shown = list(self._running.items())[:_SHOWN]
            said = [_said(running) for _, running in shown]
            times = [duration(now - running.since) for _, running in shown]
            # What is left for the addresses; the bar is what gives way where they do not fit beside it.
            room = self._console.width - 2 - _widest(said) - _widest(times) - 2
            with_bar = room - _BAR - 1 >= _widest(address for address, _ in shown)
            room = max(_LEAST, room - _BAR - 1 if with_bar else room)
            table = Table.grid(padding=(0, 1))
            for (address, running), text, taken in zip(shown, said, times, strict=True):
                spinner = self._spinners.setdefault(address, Spinner("dots", style="cyan"))
                name = Text(address, style="bold", no_wrap=True)
                name.truncate(room, overflow="ellipsis")
                bar = (_bar(running),) if with_bar else ()
                table.add_row(spinner, name, *bar, Text(text, style="dim", no_wrap=True), Text(taken, no_wrap=True))
            if len(self._running) > _SHOWN:
                table.add_row("", Text(f"and {len(self._running) - _SHOWN} more", style="dim"))
            return Group(table, *(Text.from_ansi(text) for text in self._said))


def _said(running: Running) -> str:
    """How far it is, or what is being done while that is not known."""
    return amount(running.progress) if running.progress else DOING[running.action]


def _bar(running: Running) -> ProgressBar | Text:
    progress = running.progress
    if progress is None or not progress.total:
        return Text("")
    return ProgressBar(total=progress.total, completed=min(progress.done, progress.total), width=_BAR)


def _widest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)
