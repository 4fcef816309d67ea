"""Lets a process be on another host, hold its lock for less long, wait less long for a server, or look more often."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Any

from after_import import after_import


def install() -> None:
    """Set what the variables say: ZENCTL_TEST_HOST, and in seconds ZENCTL_TEST_LEASE, ZENCTL_TEST_BUSY and _PACE.

    ZENCTL_TEST_PACE has two numbers, `first` and `most` of `zenctl_gcp.gce_fleet.Pace`.
    """
    host = os.environ.get("ZENCTL_TEST_HOST")
    if host:
        socket.gethostname = lambda: host
    _set("zenctl.engine.locking", "LEASE_SECONDS", os.environ.get("ZENCTL_TEST_LEASE"))
    _set("zenctl.metadata.mlmd.connection", "BUSY_SECONDS", os.environ.get("ZENCTL_TEST_BUSY"))

    pace = os.environ.get("ZENCTL_TEST_PACE")
    if pace:
        first, most = map(float, pace.split())
        after_import("zenctl_gcp.gce", lambda module: setattr(module, "Pace", partial(module.Pace, first, most)))


def _set(module: str, name: str, seconds: str | None) -> None:
    def change(imported: Any) -> None:
        setattr(imported, name, float(seconds or 0))

    if seconds:
        after_import(module, change)
