"""Lets a process be on another host, hold its lock for a shorter lease, or wait less long for a server that is away."""

from __future__ import annotations

import os
import socket
from typing import Any

from after_import import after_import


def install() -> None:
    """Set what the variables say: ZENCTL_TEST_HOST, and ZENCTL_TEST_LEASE and ZENCTL_TEST_BUSY in seconds."""
    host = os.environ.get("ZENCTL_TEST_HOST")
    if host:
        socket.gethostname = lambda: host
    _set("zenctl.engine.locking", "LEASE_SECONDS", os.environ.get("ZENCTL_TEST_LEASE"))
    _set("zenctl.metadata.mlmd.connection", "BUSY_SECONDS", os.environ.get("ZENCTL_TEST_BUSY"))


def _set(module: str, name: str, seconds: str | None) -> None:
    def change(imported: Any) -> None:
        setattr(imported, name, float(seconds or 0))

    if seconds:
        after_import(module, change)
