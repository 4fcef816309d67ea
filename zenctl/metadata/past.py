"""Reads what a workspace's state was when an earlier apply had ended, and what an address was in the applies before."""

from __future__ import annotations

from zenctl.addrs import Address
from zenctl.metadata.applies import Apply, decode_apply
from zenctl.metadata.encoding import address_key, context_name, workspace_key
from zenctl.metadata.records import Recorded, WorkspaceState
from zenctl.metadata.state import by_address, outputs_until, read_recorded
from zenctl.metadata.store import Execution, ExecutionState, MetadataStore, Where
from zenctl.metadata.types import APPLY

_RESULTS = (ExecutionState.COMPLETE, ExecutionState.CACHED)


def state_at(store: MetadataStore, project: str, workspace: str, serial: int, now_ms: int) -> WorkspaceState | None:
    """What was current when an apply of the workspace had ended; None if there is no such apply.

    Up to six queries, which read what was recorded up to then.
    """
    context = store.context(APPLY, context_name(project, workspace, serial))
    if context is None:
        return None
    # When its end was recorded, by the clock that has the times of executions too.
    ended_ms = context.updated_ms if decode_apply(context, now_ms).ended_ms else 0
    where = Where(properties={"workspace_key": workspace_key(project, workspace)}, at_most={"serial": serial})
    results: dict[str, Execution] = {}
    attempts: dict[str, Execution] = {}
    for execution in store.executions(where):
        key = str(execution.properties.get("address_key", ""))
        if execution.properties.get("operation") == "delete":
            results.pop(key, None)
            attempts.pop(key, None)
        elif execution.state in _RESULTS:
            results[key] = execution
            attempts.pop(key, None)
        else:
            attempts[key] = execution
    current = [e for e in results.values() if _was_current(e, "head", ended_ms)]
    tried = [e for e in attempts.values() if _was_current(e, "attempt", ended_ms)]
    recorded = read_recorded(store, [*current, *tried])
    outputs = outputs_until(store, context)
    return WorkspaceState(
        project, workspace, serial, by_address(recorded[: len(current)]), by_address(recorded[len(current) :]), outputs
    )


def _was_current(execution: Execution, mark: str, ended_ms: int) -> bool:
    """Whether the newest of its address was not forgotten or moved by then: that, too, is an update of the record."""
    return mark in execution.properties or not ended_ms or execution.updated_ms > ended_ms


def recorded_in(store: MetadataStore, project: str, workspace: str, addr: Address, serial: int) -> list[Recorded]:
    """What an apply recorded of an address, newest first. Three queries."""
    where = Where(properties={**_of(project, workspace, addr), "serial": serial})
    return read_recorded(store, store.executions(where)[::-1])


def newest_results(store: MetadataStore, project: str, workspace: str, addr: Address, newest: int) -> list[Recorded]:
    """The newest results of an address, newest first. Three queries."""
    where = Where(properties=_of(project, workspace, addr), states=_RESULTS, newest=newest)
    return read_recorded(store, store.executions(where))


def apply_of(store: MetadataStore, recorded: Recorded, now_ms: int) -> Apply | None:
    """The apply that recorded it. One query."""
    context = store.context(APPLY, context_name(recorded.project, recorded.workspace, recorded.serial))
    return None if context is None else decode_apply(context, now_ms)


def _of(project: str, workspace: str, addr: Address) -> dict[str, str]:
    return {"workspace_key": workspace_key(project, workspace), "address_key": address_key(addr)}
