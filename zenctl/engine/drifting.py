"""Says what has changed outside of zenctl: what is recorded beside what is there now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zenctl.addrs import Address, EndpointAddr
from zenctl.diagnostics import Diagnostic, warning
from zenctl.engine.observed import Observed
from zenctl.engine.reasons import damaged, vanished
from zenctl.engine.removing import before
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.difference import differences
from zenctl.plans.plan import Change
from zenctl.provider import EndpointState


def plan_refresh(
    state: WorkspaceState, observed: Observed, wanted: Collection[Address]
) -> tuple[list[Change], list[Diagnostic]]:
    """What apply would write into the records so that they say what is there; nothing is run, made or removed.

    What is gone or damaged has no result any more (FORGET), an endpoint that is another one is recorded as it is
    (READ). `wanted` are the recorded addresses that were looked at.
    """
    changes: list[Change] = []
    diagnostics: list[Diagnostic] = []
    for addr, recorded in sorted(state.results.items(), key=lambda item: str(item[0])):
        if addr not in wanted:
            continue
        if isinstance(addr, EndpointAddr):
            change, found = _endpoint(addr, recorded, observed.endpoints.get(addr))
            diagnostics += found
        else:
            change = _result(addr, recorded, observed)
        changes.append(change)
    return changes, diagnostics


def described(model: str | None, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A live endpoint as a plan shows it."""
    return {"model": model, **{k: v for k, v in attributes.items() if k != "provider"}}


def _result(addr: Address, recorded: Recorded, observed: Observed) -> Change:
    damage = observed.damage.get(addr)
    if damage is not None:
        return Change(addr, Action.FORGET, (damaged(damage),), before=before(recorded), after=None)
    shown = before(recorded)
    return Change(addr, Action.NO_OP, before=shown, after=shown, execution_id=recorded.execution_id)


def _endpoint(
    addr: EndpointAddr, recorded: Recorded, observed: EndpointState | None
) -> tuple[Change, list[Diagnostic]]:
    model = recorded.inputs.get("model")
    was = described(model.digest if model else None, recorded.attributes)
    if observed is None:
        return Change(addr, Action.FORGET, (vanished(recorded),), before=was, after=None), []
    unchanged = Change(addr, Action.NO_OP, before=was, after=was, execution_id=recorded.execution_id)
    if not observed.ready or observed.model_digest is None:
        detail = f"{observed.problem or 'It is not ready'}. `zenctl plan` says what would be done about it."
        return unchanged, [warning("endpoint_not_ready", f"{addr} does not serve", detail, address=str(addr))]
    seen = {"name": observed.name, "url": observed.url, **observed.attributes}
    now = described(observed.model_digest, {**recorded.attributes, **seen})
    reasons = tuple(Reason(ReasonCode.DRIFTED, str(d), {"path": d.path}) for d in differences(was, now))
    return (Change(addr, Action.READ, reasons, before=was, after=now), []) if reasons else (unchanged, [])
