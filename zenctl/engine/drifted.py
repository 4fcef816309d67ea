"""Tells what differs from its record by no doing of an apply: live endpoints, data, stored outputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr
from zenctl.engine.components import source_facts
from zenctl.engine.observed import Observed
from zenctl.engine.reasons import damaged, data_moved, vanished
from zenctl.engine.removing import before
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, EndpointSeen


def drift(state: WorkspaceState, observed: Observed) -> list[Change]:
    """A change for each address that is not as recorded, from what is recorded to what is there, by address.

    `after` is None where it is gone.
    """
    found = []
    for addr, recorded in sorted(state.results.items(), key=lambda item: str(item[0])):
        change = None
        if isinstance(addr, EndpointAddr):
            change = _endpoint(addr, recorded, observed)
        elif addr in observed.damage:
            reason = damaged(observed.damage[addr])
            change = _moved(addr, reason, before(recorded), None)
        elif isinstance(addr, DatasourceAddr) and addr in observed.sources:
            facts = source_facts(observed.sources[addr])
            recorded_source = dict(recorded.components.get("source", {}))
            if facts["digest"] != recorded_source.get("digest"):
                reason = data_moved(recorded_source, facts, observed.rows.get(addr))
                change = _moved(addr, reason, {"source": recorded_source}, {"source": facts})
        found += [change] if change is not None else []
    return found


def seen_endpoints(observed: Observed) -> dict[str, EndpointSeen | None]:
    """What was seen of each endpoint that was looked for, None where there was none."""
    found: dict[str, EndpointSeen | None] = {str(addr): None for addr in observed.absent}
    found |= {str(addr): EndpointSeen(state.model_digest, state.ready) for addr, state in observed.endpoints.items()}
    return dict(sorted(found.items()))


def _endpoint(addr: EndpointAddr, recorded: Recorded, observed: Observed) -> Change | None:
    state = observed.endpoints.get(addr)
    if state is None and addr not in observed.absent:
        return None
    model = recorded.inputs.get("model")
    was = {"model": model.digest if model else None, "ready": True, "url": recorded.attributes.get("url", "")}
    provider = str(recorded.attributes.get("provider", ""))
    if state is None:
        return _moved(addr, vanished(recorded), was, None, provider)
    now = {"model": state.model_digest, "ready": state.ready, "url": state.url}
    differing = [name for name in ("model", "ready") if was[name] != now[name]]
    if not differing:
        return None
    texts = {
        "model": f"serves another model: {_short(was['model'])} -> {_short(now['model'])}",
        "ready": state.problem or "is not ready",
    }
    reason = Reason(ReasonCode.DRIFTED, "; ".join(texts[name] for name in differing))
    return _moved(addr, reason, was, now, provider)


def _moved(
    addr: Address, reason: Reason, was: Mapping[str, Any] | None, now: Mapping[str, Any] | None, provider: str = ""
) -> Change:
    action = Action.DELETE if now is None else Action.UPDATE
    return Change(addr, action, (reason,), before=was, after=now, provider=provider)


def _short(digest: Any) -> str:
    return str(digest)[:12] if digest else "(unknown)"
