"""Shows how far the reading of artifacts is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from zenctl.cli.terminal import Terminal
from zenctl.cli.views.progress import HEARTBEAT_SECONDS
from zenctl.cli.views.style import size

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from zenctl.engine.integrity import Progress


class Reading:
    """Follows the reading: a bar with bytes, speed and time left on a terminal, else a line every ten seconds.

    `doing` says what it is read for.
    """

    def __init__(self, terminal: Terminal, doing: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._doing = doing
        self._clock = clock
        self._began = self._spoken = clock()
        self._bar: Bar | None = _bar(terminal) if terminal.live else None
        self._task = self._bar.add_task(doing, total=None) if self._bar is not None else None

    def __enter__(self) -> Reading:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Take how far it is; from one thread at a time."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=progress.done, total=progress.total or None)
            return
        now = self._clock()
        if now - self._spoken >= HEARTBEAT_SECONDS:
            self._spoken = now
            speed = f"{size(progress.done / (now - self._began))}/s"
            self._terminal.write(f"{self._doing}: {size(progress.done)} of {size(progress.total)}, {speed}")
            self._terminal.out.flush()


def _bar(terminal: Terminal) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    width = None if terminal.out.isatty() else terminal.width
    console = Console(file=terminal.out, no_color=not terminal.style.colour, highlight=False, width=width)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
