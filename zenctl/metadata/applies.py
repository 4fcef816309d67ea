"""Reads the applies of a workspace: who applied when, with which command, and how it ended."""

from __future__ import annotations

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import workspace_key
from zenctl.metadata.holder import Holder, decode_holder, is_gone
from zenctl.metadata.store import Context, MetadataStore
from zenctl.metadata.types import APPLY

RUNNING, DEAD, ABANDONED = "running", "dead", "abandoned"
"""What has become of an apply that did not end by itself: it goes on, its process is gone, or it was unlocked."""

OUTCOMES = ("complete", "failed", "refused", "interrupted", RUNNING, DEAD, ABANDONED)
"""`refused` is an apply that did nothing, as its plan was out of date when it got the lock."""


@dataclass(frozen=True, slots=True)
class Apply:
    """One apply. `outcome` is one of OUTCOMES.

    Times are milliseconds since 1970; `ended_ms` is 0 while it has not ended.
    """

    serial: int
    outcome: str
    holder: Holder
    ended_ms: int = 0


def applies(store: MetadataStore, project: str, workspace: str, now_ms: int, *, newest: int = 0) -> list[Apply]:
    """The applies of a workspace, newest first; only so many if `newest` is not 0. One query."""
    found = store.contexts(APPLY, {"workspace_key": workspace_key(project, workspace)}, newest=newest)
    return sorted((decode_apply(context, now_ms) for context in found), key=lambda apply: -apply.serial)


def decode_apply(context: Context, now_ms: int) -> Apply:
    """The apply that an Apply context stands for."""
    properties = context.properties
    holder = decode_holder(properties)
    state = properties.get("state")
    if state == "active":
        gone = is_gone(holder, int(properties.get("lease_until_ms", 0)), now_ms)
        return Apply(int(properties["serial"]), DEAD if gone else RUNNING, holder)
    outcome = ABANDONED if state == "abandoned" else str(properties.get("outcome", ""))
    return Apply(int(properties["serial"]), outcome, holder, int(properties.get("ended_ms", 0)))
