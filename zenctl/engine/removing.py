"""Decides what becomes of records that nobody asks for any more, and what must not be destroyed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address, EndpointAddr, covers
from zenctl.config.configuration import NodeConfig, RemovedConfig
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change


def begun(state: WorkspaceState) -> dict[Address, Recorded]:
    """Endpoints that an apply was making when it was interrupted, so that they may be there without a record."""
    interrupted = (ExecutionState.RUNNING, ExecutionState.CANCELED)
    return {
        addr: attempt
        for addr, attempt in state.attempts.items()
        if isinstance(addr, EndpointAddr) and addr not in state.results and attempt.state in interrupted
    }


def plan_destroy(state: WorkspaceState, wanted: Collection[Address]) -> list[Change]:
    """Delete the endpoints that are wanted gone, recorded or only begun; records and artifacts stay."""
    return [
        _delete(recorded, Reason(ReasonCode.REQUESTED, "destroy was requested"))
        for addr, recorded in sorted({**state.results, **begun(state)}.items(), key=lambda item: str(item[0]))
        if isinstance(addr, EndpointAddr) and addr in wanted
    ]


def still_configured(blocks: Sequence[RemovedConfig], nodes: Collection[Address]) -> list[Diagnostic]:
    """`removed` blocks of what is there."""
    found = []
    for removed in blocks:
        if any(covers(removed.source, block) for block in nodes):
            detail = "Remove its block, or the removed block."
            summary = f"{removed.source} is removed, and is still configured"
            found.append(error("removed_exists", summary, detail, range=removed.range))
    return found


def protected(changes: Sequence[Change], nodes: Mapping[Address, NodeConfig]) -> list[Diagnostic]:
    """Errors for what would be deleted or replaced although its block forbids it."""
    found = []
    for change in changes:
        node = nodes.get(change.addr.block)
        if change.action in (Action.DELETE, Action.REPLACE) and node and node.meta.lifecycle.prevent_destroy:
            detail = (
                "Its lifecycle has prevent_destroy. Remove that to let it go, or leave out what asks for it: "
                f"{'; '.join(reason.detail for reason in change.reasons)}."
            )
            summary = f"{change.address} must not be destroyed"
            found.append(error("prevent_destroy", summary, detail, range=node.range, address=change.address))
    return found


@dataclass(frozen=True, slots=True)
class Configured:
    """What is there: all configured `nodes`, the blocks that are `planned`, their `instances`, and those `wanted`."""

    nodes: Collection[Address]
    planned: Collection[Address]
    instances: Collection[Address]
    wanted: Collection[Address]


def gone(
    state: WorkspaceState, configured: Configured, blocks: Sequence[RemovedConfig], moved: Mapping[Address, str]
) -> list[Change]:
    """What is recorded and not wanted any more: endpoints are deleted, steps and datasources forgotten.

    An endpoint that a `removed` block lets go without destroying it is forgotten too. `moved` gives the former address
    of what has moved to where nothing is wanted: it is moved first.
    """
    found = []
    for addr, recorded in sorted({**state.results, **begun(state)}.items(), key=lambda item: str(item[0])):
        block = addr.block
        if addr in configured.wanted or (block in configured.nodes and block not in configured.planned):
            continue
        reason = _removed(addr, configured)
        stays = any(covers(removed.source, addr) and not removed.destroy for removed in blocks)
        if isinstance(addr, EndpointAddr) and not stays:
            change = _delete(recorded, reason)
        else:
            change = Change(addr, Action.FORGET, (reason,), before=before(recorded), after=None)
        found.append(replace(change, moved_from=moved.get(addr, "")))
    return found


def _removed(addr: Address, configured: Configured) -> Reason:
    """Why nobody asks for it any more; `because` is the end of Terraform's `delete_because_...`."""
    if addr.block not in configured.nodes:
        return Reason(ReasonCode.REMOVED, "is no longer in the configuration", {"because": "no_resource_config"})
    if addr in configured.instances:
        return Reason(ReasonCode.REMOVED, "is not enabled", {"because": "wrong_repetition"})
    detail = "is no instance of its block any more: for_each, count or the modules around it have changed"
    keys = {str: "each_key", int: "count_index"}
    return Reason(ReasonCode.REMOVED, detail, {"because": keys.get(type(addr.key), "wrong_repetition")})


def _delete(recorded: Recorded, reason: Reason) -> Change:
    model = recorded.inputs.get("model")
    known = {**recorded.handle, **recorded.attributes}
    shown = {"model": model.digest if model else None, **known}
    provider = str(known.get("provider", ""))
    return Change(recorded.addr, Action.DELETE, (reason,), before=shown, after=None, provider=provider)


def before(recorded: Recorded | None) -> dict[str, Any] | None:
    """What is recorded at an address, as a plan shows it."""
    if recorded is None:
        return None
    components = recorded.components
    shown: dict[str, Any] = {"type": components.get("type", "")}
    if components.get("code"):
        shown["code"] = components["code"].get("entry", "")
    if components.get("environment", {}).get("image"):
        shown["image"] = components["environment"]["image"]
    shown["params"] = components.get("params", {})
    if components.get("triggers_replace") is not None:
        shown["triggers_replace"] = components["triggers_replace"]
    if components.get("inputs"):
        shown["inputs"] = dict(components["inputs"])
    shown["outputs"] = {name: artifact.digest for name, artifact in recorded.outputs.items()}
    return shown
