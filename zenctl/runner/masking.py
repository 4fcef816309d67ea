"""Keeps secret values out of the log: what the job's process and its children print passes through a filter process."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import Iterable, Iterator, List, Optional, Tuple

from zenctl.runner.secrets import HIDDEN, hideable

DRAIN = 2.0
"""Seconds to wait for the filter once the code has ended. Only a process that the code left behind keeps it longer."""


class Mask:
    """Replaces values in a stream of bytes, also where one is spread over several pieces."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values: List[bytes] = [value.encode("utf-8", "surrogateescape") for value in hideable(values)]
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown by now; the beginning of what may become a value is held back."""
        text = self._held + data
        cut = len(text) - max((_overlap(text, value) for value in self._values), default=0)
        # A value in the text may be a part of a longer one that has only begun: then it is held back too.
        while (whole := self._across(text, cut)) is not None:
            cut = whole
        self._held = text[cut:]
        return self._hidden(text[:cut])

    def rest(self) -> bytes:
        """What was held back; call it at the end."""
        held, self._held = self._held, b""
        return self._hidden(held)

    def _hidden(self, text: bytes) -> bytes:
        for value in self._values:
            text = text.replace(value, HIDDEN.encode())
        return text

    def _across(self, text: bytes, cut: int) -> Optional[int]:
        """Where a value begins that lies on both sides of the cut; None if there is none."""
        for value in self._values:
            at = text.find(value, max(0, cut - len(value) + 1), cut + len(value) - 1)
            if at >= 0:
                return at
        return None


@contextmanager
def masked(values: Iterable[str]) -> Iterator[None]:
    """Within, file descriptors 1 and 2 lead through a filter that hides the values. Without values nothing is done.

    The filter is a process, not a thread: it goes on when the code crashes or ends the process itself, and a library
    that prints while it holds Python's lock cannot wait for it forever.
    """
    hidden = hideable(values)
    if not hidden:
        yield
        return
    _flush()
    kept = (os.dup(1), os.dup(2))
    source, sink = os.pipe()
    filter_pid = os.fork()
    if filter_pid == 0:
        _filter(source, sink, kept, hidden)
    os.close(source)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield
    finally:
        _flush()
        for number, original in enumerate(kept, start=1):
            os.dup2(original, number)
            os.close(original)
        _wait(filter_pid)


def _filter(source: int, sink: int, kept: Tuple[int, int], values: List[str]) -> None:
    """The filter process: from the pipe to the log until the last writer is gone. Does not return."""
    try:
        # Who ends the job signals its whole group; the filter ends with its input.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(sink)
        mask = Mask(values)
        for data in iter(lambda: os.read(source, 1 << 16), b""):
            _write(kept[0], mask.feed(data))
        _write(kept[0], mask.rest())
    finally:
        os._exit(0)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


def _overlap(text: bytes, value: bytes) -> int:
    """Length of the longest end of the text that is a beginning of the value."""
    at = text.find(value[:1], max(0, len(text) - len(value) + 1))
    while at >= 0:
        # A value can be long: the rest of the text is cut out only where it begins as the value does.
        if value.startswith(text[at : at + 16]) and value.startswith(text[at:]):
            return len(text) - at
        at = text.find(value[:1], at + 1)
    return 0


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _wait(pid: int) -> None:
    deadline = time.monotonic() + DRAIN
    try:
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
    except ChildProcessError:
        # The code has waited for all its children, and so for this one.
        return
