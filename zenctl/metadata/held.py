"""Tells who holds a lock, and whether that one is dead."""

from __future__ import annotations

import time

from zenctl.metadata.holder import Holder, decode_holder, has_ended, is_here
from zenctl.metadata.store import Context, StoreError
from zenctl.metadata.workspaces import COLLECTION

WATCHED = 0.5
"""For how much of its lease a holder elsewhere whose lease has ended is watched before it is taken for dead.

It renews it after a third. So no clock that is set wrong, here or there, makes a living one look dead.
"""


class LockHeld(StoreError):
    """Another apply holds the workspace's lock: `holder`, under `serial`.

    `overdue` says that its lease has ended: it is watched for a sign of life.
    """

    def __init__(self, project: str, workspace: str, serial: int, holder: Holder, *, overdue: bool = False) -> None:
        what = f"workspace {workspace} of {project} is locked by apply {serial}"
        hint = f"Wait for it with -lock-timeout=5m. If it is dead for certain: zenctl force-unlock {serial}"
        if (project, workspace) == COLLECTION:
            what, hint = "garbage is being collected, and no apply can run meanwhile", "Wait with -lock-timeout=5m."
        super().__init__(f"{what}: {holder}", hint)
        self.project = project
        self.workspace = workspace
        self.serial = serial
        self.holder = holder
        self.overdue = overdue


class Watch:
    """Looks at an apply that holds the lock again and again, and tells whether it is dead."""

    def __init__(self) -> None:
        self._seen = (0, 0)
        self._since = 0.0
        self._alive = False

    def look(self, apply: Context) -> tuple[bool, bool]:
        """Whether it is dead, and whether it may be: it runs elsewhere, its lease has ended, and no sign came."""
        holder = decode_holder(apply.properties)
        if is_here(holder):
            return has_ended(holder), False
        # Whatever it writes counts its transitions up, a renewal of its lease too.
        seen = (apply.id, int(apply.properties.get("transitions", 0)))
        if seen != self._seen:
            self._alive = seen[0] == self._seen[0]
            self._seen, self._since = seen, time.monotonic()
        idle, lease = time.monotonic() - self._since, float(apply.properties.get("lease_seconds", 0))
        overdue = not self._alive and time.time_ns() // 1_000_000 >= int(apply.properties.get("lease_until_ms", 0))
        return idle >= (WATCHED * lease if overdue else lease), overdue


def lock_held(apply: Context, *, overdue: bool = False) -> LockHeld:
    """Who holds the lock by this context."""
    of, holder = apply.properties, decode_holder(apply.properties)
    return LockHeld(str(of["project"]), str(of["workspace"]), int(of["serial"]), holder, overdue=overdue)
