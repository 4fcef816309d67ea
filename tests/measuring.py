"""A measure of CPU time that fits a shared machine: how much a fixed piece of Python costs right now."""

from __future__ import annotations

import time


def peer_seconds() -> float:
    """CPU seconds of a fixed piece of work, about 0.1 s where nothing else runs; take it beside what is measured."""
    began = time.process_time()
    kept = {}
    for number in range(150_000):
        text = str(number)
        kept[text] = (number, text.upper(), [number])
    assert len(kept) == 150_000
    return time.process_time() - began
