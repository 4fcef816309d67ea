"""Reads durations as users write them: 90, "90s", "30m", "1h30m", "2d"."""

from __future__ import annotations

import re

SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")


def seconds(value: object) -> float | None:
    """The seconds of a positive number or a text such as "1h30m"; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if value > 0 else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        text += "s"
    if not DURATION.fullmatch(text):
        return None
    total = sum(float(number) * SECONDS[unit] for number, unit in PART.findall(text))
    return total if total > 0 else None


def text_of_seconds(value: float) -> str:
    """A duration in its two greatest units, `1d2h`; milliseconds below one second."""
    left = int(value)
    parts = []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or f"{round(value * 1000)}ms"
