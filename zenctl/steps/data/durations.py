"""Reads durations such as "15m". Standard library only."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(duration: str) -> int:
    """Seconds of "90s", "15m", "1h", "7d", "1w"; raises ValueError."""
    found = re.fullmatch(r"(\d{1,9})([smhdw])", duration)
    if found is None or not int(found[1]):
        raise ValueError(f'"{duration}" is no duration: write "90s", "15m", "1h", "7d" or "1w"')
    return int(found[1]) * _UNITS[found[2]]
