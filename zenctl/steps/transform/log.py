"""Writes to the log of the job: its standard output, which the runner keeps for `zenctl logs`."""

from __future__ import annotations

import sys


def log(line: str) -> None:
    """Add one line, at once, so that who follows the log sees it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
