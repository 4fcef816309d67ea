"""Holds what a command printed to what docs/faults.md says that it prints."""

from __future__ import annotations

import re
from pathlib import Path

FAULTS = Path(__file__).parents[1] / "docs" / "faults.md"


def expect_documented(fault: str, said: str) -> None:
    """Assert that all that the row of this fault quotes was printed, whatever stands for `…`."""
    rows = [line.strip("| ").split(" | ") for line in FAULTS.read_text().splitlines() if line.startswith("| ")]
    [printed] = [row[2] for row in rows if row[0] == fault]
    text = " ".join(said.split())
    for quoted in re.findall(r"`([^`]+)`", printed):
        pattern = ".*?".join(re.escape(part) for part in quoted.split("…"))
        assert re.search(pattern, text), f"{quoted!r} was not printed:\n{said}"
