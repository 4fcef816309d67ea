"""Reads what is recorded: a workspace's state, an address's history, results by fingerprint. Bounded queries each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zenctl.addrs import Address
from zenctl.metadata.encoding import address_key, context_name, decode_executions, decode_object, workspace_key
from zenctl.metadata.holder import is_dead
from zenctl.metadata.records import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import (
    Artifact,
    ArtifactState,
    Context,
    Event,
    EventType,
    Execution,
    ExecutionState,
    MetadataStore,
    Where,
)
from zenctl.metadata.types import APPLY, WORKSPACE

__all__ = [
    "Recorded",
    "RecordedArtifact",
    "WorkspaceState",
    "artifacts_made",
    "by_address",
    "find_results",
    "has_completed",
    "history",
    "newest_apply",
    "outputs_serial",
    "outputs_until",
    "read_heads",
    "read_recorded",
    "read_state",
]

READS = 5
"""How often the state is read anew because an apply recorded something meanwhile."""


def read_state(store: MetadataStore, project: str, workspace: str) -> WorkspaceState:
    """What is recorded for a workspace, all of one moment; a constant number of queries, however long its history."""
    apply = newest_apply(store, project, workspace)
    for _ in range(READS):
        state = _read(store, project, workspace, apply)
        now = newest_apply(store, project, workspace, since=state.serial)
        if _moment(now) == _moment(apply):
            break
        apply = now
    return replace(state, outputs=outputs_until(store, apply))


def history(store: MetadataStore, project: str, workspace: str, addr: Address, *, newest: int = 0) -> list[Recorded]:
    """The executions of an address in a workspace, newest first; only so many if `newest` is not 0."""
    of = {"workspace_key": workspace_key(project, workspace), "address_key": address_key(addr)}
    found = store.executions(Where(properties=of, newest=newest))
    return read_recorded(store, sorted(found, key=lambda execution: -execution.id))


def find_results(store: MetadataStore, fingerprint: str, allowed: Callable[[str, str], bool]) -> list[Recorded]:
    """Results with this fingerprint in workspaces that are allowed, newest first.

    `allowed` is asked with a project and a workspace of it. A result is left out once one of its outputs is marked as
    deleted. An empty fingerprint has no results.
    """
    if not fingerprint:
        return []
    results = (ExecutionState.COMPLETE, ExecutionState.CACHED)
    found = store.executions(Where(properties={"fingerprint": fingerprint}, states=results))
    executions = [e for e in found[::-1] if allowed(*(str(e.properties.get(n, "")) for n in ("project", "workspace")))]
    events, artifacts = _artifacts_of(store, executions)
    gone = {artifact.id for artifact in artifacts if artifact.state is not ArtifactState.LIVE}
    lost = {event.execution for event in events if event.type is EventType.OUTPUT and event.artifact in gone}
    return decode_executions([e for e in executions if e.id not in lost], events, artifacts)


def read_heads(store: MetadataStore, project: str, workspace: str) -> list[Recorded]:
    """The current results of a workspace, oldest first; three queries."""
    return read_recorded(store, store.executions(Where(properties={"head": workspace_key(project, workspace)})))


def read_recorded(store: MetadataStore, executions: Sequence[Execution]) -> list[Recorded]:
    """Executions with their artifacts, in the order given; two queries."""
    return decode_executions(executions, *_artifacts_of(store, executions))


def artifacts_made(store: MetadataStore, artifacts: Collection[int]) -> set[int]:
    """Those of these artifacts, by id, that an execution has as an output; others were only ever read."""
    events = store.events(artifact_ids=sorted(artifacts)) if artifacts else []
    return {event.artifact for event in events if event.type is EventType.OUTPUT}


def newest_apply(store: MetadataStore, project: str, workspace: str, *, since: int = 0) -> Context | None:
    """The context of the workspace's newest apply; its property `serial` is the workspace's serial.

    Serials have no gaps, so it is found by name: from `since`, the serial of an apply that is there, or else from what
    the workspace's own record says, in three queries. Older versions of zenctl keep no such record, and do not move it
    on: those that they began are looked for in doubling steps.
    """

    def named(serial: int) -> Context | None:
        return store.context(APPLY, context_name(project, workspace, serial))

    if not since:
        group = store.context(WORKSPACE, context_name(project, workspace))
        since = int(group.properties.get("serial", 0)) if group else 0
    newest = named(since) if since else None
    serial, step = since if newest else 0, 1
    while (found := named(serial + step)) is not None:
        newest, serial, step = found, serial + step, 2 * step
    while step > 1:
        step //= 2
        if (found := named(serial + step)) is not None:
            newest, serial = found, serial + step
    return newest


def outputs_until(store: MetadataStore, apply: Context | None) -> Mapping[str, Any]:
    """The root outputs that an apply recorded, or else the newest one before it that recorded any."""
    serial = outputs_serial(store, apply)
    if apply is None or not serial:
        return {}
    project, workspace = str(apply.properties["project"]), str(apply.properties["workspace"])
    if serial != apply.properties["serial"]:
        apply = store.context(APPLY, context_name(project, workspace, serial))
    return decode_object(str(apply.properties.get("outputs", ""))) if apply else {}


def outputs_serial(store: MetadataStore, apply: Context | None) -> int:
    """The serial of the newest apply, up to this one, that recorded root outputs; 0 if none did.

    It is written with each apply. After one of an older zenctl, which does not, all that recorded any are read once.
    """
    if apply is None:
        return 0
    if "outputs_serial" in apply.properties:
        return int(apply.properties["outputs_serial"])
    found = store.contexts(APPLY, {"workspace_key": str(apply.properties["workspace_key"]), "has_outputs": 1})
    return max((int(c.properties["serial"]) for c in found if c.id <= apply.id), default=0)


def _artifacts_of(store: MetadataStore, executions: Sequence[Execution]) -> tuple[list[Event], list[Artifact]]:
    if not executions:
        return [], []
    events = store.events(execution_ids=[execution.id for execution in executions])
    return events, store.artifacts_by_id([event.artifact for event in events])


def _read(store: MetadataStore, project: str, workspace: str, apply: Context | None) -> WorkspaceState:
    key = workspace_key(project, workspace)
    heads = store.executions(Where(properties={"head": key}))
    attempts = store.executions(Where(properties={"attempt": key}))
    recorded = read_recorded(store, [*heads, *attempts])
    return WorkspaceState(
        project=project,
        workspace=workspace,
        serial=int(apply.properties.get("serial", 0)) if apply else 0,
        busy=_busy(apply),
        unfinished=int(apply.properties["serial"]) if apply and not _busy(apply) and not has_completed(apply) else 0,
        results=by_address(recorded[: len(heads)]),
        attempts=by_address(recorded[len(heads) :]),
    )


def has_completed(apply: Context) -> bool:
    """Whether an apply came to its end with nothing failed, so that it has left nothing for the next one."""
    return apply.properties.get("state") == "finished" and apply.properties.get("outcome") == "complete"


def _busy(apply: Context | None) -> int:
    if apply is None or apply.properties.get("state") != "active":
        return 0
    dead = is_dead(apply.properties, time.time_ns() // 1_000_000)
    return 0 if dead else int(apply.properties.get("serial", 0))


def by_address(recorded: Sequence[Recorded]) -> Mapping[Address, Recorded]:
    """Records by address, in the order of the addresses; of several of one the newest."""
    return {item.addr: item for item in sorted(recorded, key=lambda item: (str(item.addr), item.execution_id))}


def _moment(apply: Context | None) -> tuple[int, int | float | str]:
    """What changes with every transition of an apply."""
    return (apply.id, apply.properties.get("transitions", 0)) if apply else (0, 0)
