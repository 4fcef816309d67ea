"""What tests know of time on a machine that many share: how long to wait, and what a piece of Python costs now."""

from __future__ import annotations

import time

PATIENCE = 240.0
"""Seconds until a test gives up waiting. It is reached only where something is wrong, so it may be long."""


def peer_seconds() -> float:
    """CPU seconds of a fixed piece of work, about 0.1 s where nothing else runs; take it beside what is measured."""
    began = time.process_time()
    kept = {}
    for number in range(150_000):
        text = str(number)
        kept[text] = (number, text.upper(), [number])
    assert len(kept) == 150_000
    return time.process_time() - began
