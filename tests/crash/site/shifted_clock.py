"""Lets the machine's clock jump for one process: by the seconds that stand in the file that ZENCTL_TEST_CLOCK names.

What counts time without a clock goes on as it did. When a process started is told by Linux as a time after the
machine's start, which the clock moves with it: so does it here.
"""

from __future__ import annotations

import os
import time
from typing import Any

from after_import import after_import


def install() -> None:
    """Shift what tells the time."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + _offset()
    time.time_ns = lambda: real_ns() + round(_offset() * 1e9)
    after_import("psutil._pslinux", _boot)


def _offset() -> float:
    try:
        with open(os.environ["ZENCTL_TEST_CLOCK"], encoding="ascii") as stream:
            return float(stream.read() or 0)
    except FileNotFoundError:
        return 0.0


def _boot(module: Any) -> None:
    boot_time = module.boot_time
    module.boot_time = lambda: boot_time() + _offset()
