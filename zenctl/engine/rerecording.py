"""Narrows a plan to what -refresh-only does: records what moved by no doing of an apply, and runs no step. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr
from zenctl.engine.freshness import KnownResults
from zenctl.engine.known import recorded_results
from zenctl.engine.removing import before
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change


def only_recording(changes: Iterable[Change], drift: Iterable[Change], state: WorkspaceState) -> list[Change]:
    """A change for each configured address that has a record; what was never made is left for another plan.

    A source that moved is read anew (a snapshot is its record). What is gone or damaged is forgotten. An endpoint that
    serves another model is recorded as it is. All else stays.
    """
    moved = {change.addr: change for change in drift}
    return [
        _narrowed(change, state.results[change.addr], moved)
        for change in changes
        if change.addr in state.results and change.action not in (Action.FORGET, Action.DELETE)
    ]


def known_after(changes: Iterable[Change], state: WorkspaceState) -> KnownResults:
    """What outputs may refer to: what is recorded, but for what is read anew or forgotten."""
    stay = {change.addr for change in changes if change.action is Action.NO_OP}
    return {addr: refs for addr, refs in recorded_results(state).items() if addr in stay}


def _narrowed(change: Change, recorded: Recorded, moved: Mapping[Address, Change]) -> Change:
    drift = moved.get(change.addr)
    if drift is not None and drift.after is None:
        gone = replace(change, action=Action.FORGET, reasons=drift.reasons, after=None, after_unknown=())
        return replace(gone, fingerprint="", execution_id=None)
    if drift is not None and isinstance(change.addr, DatasourceAddr) and change.action is Action.RUN:
        return replace(change, reasons=drift.reasons)
    if drift is not None and isinstance(change.addr, EndpointAddr) and _another_model(drift):
        return replace(
            change,
            action=Action.UPDATE,
            reasons=drift.reasons,
            before=drift.before,
            after=drift.after,
            after_unknown=(),
        )
    was = change.before if isinstance(change.addr, EndpointAddr) else before(recorded)
    stays = replace(change, action=Action.NO_OP, reasons=(), before=was, after=was, after_unknown=())
    return replace(stays, fingerprint=recorded.fingerprint, execution_id=recorded.execution_id)


def _another_model(drift: Change) -> bool:
    return (drift.before or {}).get("model") != (drift.after or {}).get("model")
