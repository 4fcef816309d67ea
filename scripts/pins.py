"""Writes zenctl/engine/pins.txt: of constraints.txt what built-in steps can need on a machine that installs it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from zenctl.fingerprint.environment import normalised

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "zenctl" / "engine" / "pins.txt"

EXTRAS = ("beam", "tensorflow", "sql", "bigquery", "zstd")
"""The extras of zenctl whose packages steps import; of what zenctl always needs, that is pydantic alone."""


def needed() -> set[str]:
    """All distributions that these need, on any machine, as far as what is installed here tells."""
    waiting = [("pydantic", frozenset[str]()), *_required("zenctl", frozenset(EXTRAS), own=True)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        item = waiting.pop()
        if item not in seen:
            seen.add(item)
            waiting += _required(*item)
    return {name for name, _ in seen}


def _required(name: str, extras: frozenset[str], *, own: bool = False) -> list[tuple[str, frozenset[str]]]:
    """What a distribution requires with these extras; `own`: what the extras alone do."""
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        # It belongs to another Python or system than this one.
        return []
    found = []
    for requirement in map(Requirement, lines):
        asked = set(re.findall(r'extra == "([^"]+)"', str(requirement.marker or "")))
        if asked & extras or not (asked or own):
            found.append((normalised(requirement.name), frozenset(requirement.extras)))
    return found


def pins(constraints: str) -> str:
    """The lines of constraints.txt that are about what is needed."""
    names = needed()
    lines = [line for line in constraints.splitlines() if normalised(line.partition("==")[0]) in names]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    TARGET.write_text(pins((ROOT / "constraints.txt").read_text(encoding="utf-8")), encoding="utf-8")
