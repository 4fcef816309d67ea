"""Plans endpoints: joins what the provider proposes with what was recorded and what was seen. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address, EndpointAddr
from zenctl.config.conforming import fields
from zenctl.config.selected import DEFAULT
from zenctl.digests import sha256_bytes
from zenctl.engine.components import plain
from zenctl.engine.desired import Desired, DesiredEndpoint
from zenctl.engine.reasons import vanished
from zenctl.fingerprint.digest import is_unknown
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.difference import differences
from zenctl.plans.plan import Change
from zenctl.provider import Endpoint, EndpointAction, EndpointRequest, EndpointState
from zenctl.schema.block import is_exclusive

ACTIONS = {
    EndpointAction.NO_OP: Action.NO_OP,
    EndpointAction.CREATE: Action.CREATE,
    EndpointAction.UPDATE: Action.UPDATE,
    EndpointAction.REPLACE: Action.REPLACE,
}
"""A provider's words in the plan's."""

TAKING = (Action.CREATE, Action.UPDATE, Action.REPLACE)
"""Actions after which an endpoint has what its block says."""

LEAVING = (Action.DELETE, Action.UPDATE, Action.REPLACE)
"""Actions after which an endpoint no longer has what was recorded of it."""


def live_name(addr: EndpointAddr, state: WorkspaceState) -> str:
    """The live endpoint's name: as it was recorded, else from the address.

    One that has moved keeps its name, so that what now stands at its former address must have another.
    """
    recorded = state.results.get(addr)
    if recorded is not None and recorded.attributes.get("name"):
        return str(recorded.attributes["name"])
    name = endpoint_name(addr, state.workspace)
    if any(isinstance(other, EndpointAddr) and r.attributes.get("name") == name for other, r in state.results.items()):
        return f"{name}-{sha256_bytes(f'another {addr}'.encode())[:6]}"
    return name


def endpoint_name(addr: EndpointAddr, workspace: str) -> str:
    """The name that an address makes.

    Instances and modules have theirs in it, and so have workspaces other than the default, so that previews stay apart;
    a few digits of the whole are added then, so that no two are equal whatever they are called.
    """
    parts = [*(part for m in addr.module for part in (m.name, m.key)), addr.name, addr.key]
    name = addr.name
    if addr.module or addr.key is not None:
        name = f"{_readable(*parts)}-{sha256_bytes(str(addr).encode())[:6]}"
    if workspace == DEFAULT:
        return name
    return f"{_readable(*parts)}-{_readable(workspace)}-{sha256_bytes(f'{addr} in {workspace}'.encode())[:6]}"


def _readable(*parts: object) -> str:
    words = [re.sub(r"[^A-Za-z0-9_]+", "-", str(part)).strip("-") for part in parts if part is not None]
    return "-".join(words)[:40]


def plan_endpoint(
    provider: Endpoint, desired: DesiredEndpoint, recorded: Recorded | None, observed: EndpointState | None
) -> tuple[Action, list[Reason]]:
    """The action and its reasons."""
    if observed is not None and not observed.ready and desired.model.digest is None:
        observed = None
    if desired.model.digest is None:
        waits = Reason(ReasonCode.UPSTREAM_PENDING, f"waits for {desired.model.address}")
        reasons = [*_config(desired, recorded), waits]
        if observed is None:
            return Action.CREATE, [_absent(recorded), *reasons]
        return Action.UPDATE, reasons
    name = observed.name if observed is not None else desired.addr.name
    request = EndpointRequest(name, plain(desired.config_data), desired.model.digest)
    proposal = provider.plan(observed, request)
    action = ACTIONS[proposal.action]
    if action is Action.NO_OP and recorded is not None:
        return action, []
    if action is Action.NO_OP:
        # An apply that made it was interrupted before it could say so: what is not recorded would never be deleted.
        return Action.CREATE, [Reason(ReasonCode.NEVER_RAN, "is there already, and not recorded yet")]
    if observed is None:
        return action, [_absent(recorded)]
    reasons = [*_model(desired, recorded), *_config(desired, recorded)]
    if not reasons:
        reasons = [Reason(ReasonCode.DRIFTED, text) for text in proposal.reasons or ("differs from its record",)]
    return action, reasons


def in_turn(changes: Sequence[Change], planned: Mapping[Address, Desired], state: WorkspaceState) -> list[Change]:
    """The changes, where an endpoint that takes what another one gives up, such as its port, waits for that.

    With `create_before_destroy` it is the deletion that waits. Where two would wait for each other, neither does.
    """
    waits = {change.address: set(change.depends_on) for change in changes}
    taking = [(change, planned.get(change.addr)) for change in changes if change.action in TAKING]
    for leaving in changes:
        recorded = state.results.get(leaving.addr)
        if recorded is None or leaving.action not in LEAVING:
            continue
        kept = planned.get(leaving.addr)
        keeps = _exclusive(kept) if isinstance(kept, DesiredEndpoint) else {}
        had: Mapping[str, Any] = recorded.components.get("params", {})
        free = {(name, str(value)) for name, value in had.items() if keeps.get(name) != value}
        for change, desired in taking:
            if not isinstance(desired, DesiredEndpoint) or change.addr.type != leaving.addr.type:
                continue
            if change.addr == leaving.addr or free.isdisjoint((n, str(v)) for n, v in _exclusive(desired).items()):
                continue
            deleted_last = leaving.action is Action.DELETE and desired.config.meta.lifecycle.create_before_destroy
            later, earlier = (leaving, change) if deleted_last else (change, leaving)
            if not _leads(earlier.address, later.address, waits):
                waits[later.address].add(earlier.address)
    return [
        change if waits[change.address] == set(change.depends_on) else _after(change, waits[change.address])
        for change in changes
    ]


def _after(change: Change, needed: Collection[str]) -> Change:
    return replace(change, depends_on=tuple(sorted(needed)))


def _leads(start: str, end: str, waits: Mapping[str, Collection[str]]) -> bool:
    """Whether one change waits for another, be it through others."""
    seen = {start}
    pending = [start]
    while pending:
        new = [address for address in waits.get(pending.pop(), ()) if address not in seen]
        seen.update(new)
        pending += new
    return end in seen


def _exclusive(desired: DesiredEndpoint) -> dict[str, Any]:
    """What only one endpoint can have, and this one wants."""
    known = fields(desired.config.type.model)
    return {
        name: value
        for name, value in plain(desired.shown_config).items()
        if name in known and is_exclusive(known[name]) and value != known[name].default and not is_unknown(value)
    }


def _absent(recorded: Recorded | None) -> Reason:
    if recorded is None:
        return Reason(ReasonCode.NEVER_RAN, "does not exist yet")
    return vanished(recorded)


def _model(desired: DesiredEndpoint, recorded: Recorded | None) -> list[Reason]:
    before = recorded.inputs.get("model") if recorded else None
    now = desired.model.digest
    if before is None or now is None or before.digest == now:
        return []
    detail = f"model {desired.model} has other content: {before.digest[:12]} -> {now[:12]}"
    return [Reason(ReasonCode.MODEL_CHANGED, detail, {"before": before.digest, "after": now})]


def _config(desired: DesiredEndpoint, recorded: Recorded | None) -> list[Reason]:
    if recorded is None:
        return []
    before: dict[str, Any] = dict(recorded.components.get("params", {}))
    return [
        Reason(ReasonCode.CONFIG_CHANGED, str(difference), {"path": difference.path})
        for difference in differences(before, plain(desired.shown_config))
    ]
