"""Appends how far a job is to its progress.jsonl, at most a few lines a second."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Optional

INTERVAL = 0.2
"""Seconds between two lines; what comes faster is passed over, the last one never."""


class ProgressFile:
    """Writes one JSON object a line. Callable from any thread; a full disk costs progress, not the job."""

    def __init__(self, path: Path, interval: float = INTERVAL) -> None:
        self._path = path
        self._interval = interval
        self._lock = threading.Lock()
        self._next = 0.0
        self._pending: Optional[bytes] = None

    def __call__(self, done: float, total: float = 0, unit: str = "") -> None:
        """Note that `done` of `total` (0 = not known) `unit`s are done. Raises TypeError for what is no number."""
        record = {"done": _number(done), "total": _number(total), "unit": str(unit)}
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self._lock:
            now = time.monotonic()
            self._pending = line
            if now >= self._next:
                self._next = now + self._interval
                self._write()

    def close(self) -> None:
        """Write what was passed over last."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        line, self._pending = self._pending, None
        if line is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "ab", buffering=0) as stream:
                stream.write(line)
        except OSError:
            # Progress is a courtesy; what is really wrong with the disk shows when the outputs are stored.
            return


def _number(value: float) -> float:
    number = float(value)
    return int(number) if number.is_integer() else number
