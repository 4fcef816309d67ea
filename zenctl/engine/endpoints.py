"""Plans endpoints: joins what the provider proposes with what was recorded and what was seen. Pure."""

from __future__ import annotations

import re
from typing import Any

from zenctl.addrs import EndpointAddr
from zenctl.digests import sha256_bytes
from zenctl.engine.components import plain
from zenctl.engine.desired import DesiredEndpoint
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.difference import differences
from zenctl.provider import Endpoint, EndpointAction, EndpointRequest, EndpointState

ACTIONS = {
    EndpointAction.NO_OP: Action.NO_OP,
    EndpointAction.CREATE: Action.CREATE,
    EndpointAction.UPDATE: Action.UPDATE,
    EndpointAction.REPLACE: Action.REPLACE,
}
"""A provider's words in the plan's."""


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

    Instances and modules have theirs in it, with a few digits of the whole address so that no two are equal; workspaces
    other than the default too, so that previews stay apart.
    """
    parts = [*(part for m in addr.module for part in (m.name, m.key)), addr.name, addr.key]
    name = addr.name
    if addr.module or addr.key is not None:
        readable = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", str(part)).strip("-") for part in parts if part is not None)
        name = f"{readable[:40]}-{sha256_bytes(str(addr).encode())[:6]}"
    return name if workspace == "default" else f"{name}-{workspace}"


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
    if action is Action.NO_OP:
        return action, []
    if observed is None:
        return action, [_absent(recorded)]
    reasons = [*_model(desired, recorded), *_config(desired, recorded)]
    if not reasons:
        reasons = [Reason(ReasonCode.DRIFTED, text) for text in proposal.reasons or ("differs from its record",)]
    return action, reasons


def _absent(recorded: Recorded | None) -> Reason:
    if recorded is None:
        return Reason(ReasonCode.NEVER_RAN, "does not exist yet")
    return Reason(ReasonCode.DRIFTED, f"is gone: it was running after apply {recorded.serial}")


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
