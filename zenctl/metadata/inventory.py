"""Reads all that is recorded, of every project: as little of each execution as what may be freed depends on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.store import Artifact, EventType, Execution, ExecutionState, MetadataStore, Where

READ_AT_ONCE = 5000
"""Executions that are held in memory whole; of the others only what a Run has."""


@dataclass(frozen=True, slots=True)
class Run:
    """An execution. `current` says that it is its address's result now, `unsettled` that its job was never seen to end.

    `attempted` says that it is its address's newest attempt and no result: the next may go on from its checkpoint.
    `recorded_ms` is when it was last written, in ms since 1970; `archive` the digest of its code archive, or empty;
    `inputs` and `outputs` are ids of artifacts.
    """

    id: int
    job_id: str
    project: str
    workspace: str
    address: str
    is_result: bool
    current: bool
    unsettled: bool
    recorded_ms: int
    started_ms: int
    archive: str = ""
    fingerprint: str = ""
    attempted: bool = False
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Executions, oldest first, and all artifacts by id."""

    runs: tuple[Run, ...]
    artifacts: Mapping[int, Artifact]


def take_inventory(store: MetadataStore) -> Inventory:
    """All executions and artifacts. Time and memory grow with the history: for commands that clear it up."""
    newest = store.executions(Where(newest=1))
    runs: list[Run] = []
    last = newest[0].id if newest else 0
    for first in range(1, last + 1, READ_AT_ONCE):
        executions = store.executions_by_id(range(first, min(first + READ_AT_ONCE, last + 1)))
        joined: dict[tuple[int, EventType], list[int]] = defaultdict(list)
        for event in store.events(execution_ids=[e.id for e in executions]) if executions else []:
            joined[event.execution, event.type].append(event.artifact)
        runs += [_run(e, joined[e.id, EventType.INPUT], joined[e.id, EventType.OUTPUT]) for e in executions]
    return Inventory(tuple(runs), {artifact.id: artifact for artifact in store.artifacts(Where())})


def _run(execution: Execution, inputs: list[int], outputs: list[int]) -> Run:
    found = execution.properties
    components = str(found.get("components", ""))
    code = json.loads(components).get("code") or {} if '"archive"' in components else {}
    started, ended = int(found.get("started_ms", 0)), int(found.get("ended_ms", 0))
    return Run(
        id=execution.id,
        job_id=execution.name,
        project=str(found.get("project", "")),
        workspace=str(found.get("workspace", "")),
        address=str(found.get("address", "")),
        is_result=execution.state in (ExecutionState.COMPLETE, ExecutionState.CACHED),
        current=bool(found.get("head")),
        unsettled=execution.state is ExecutionState.RUNNING and bool(found.get("attempt")),
        recorded_ms=max(started, ended, execution.created_ms),
        started_ms=started or execution.created_ms,
        archive=str(code.get("archive", "")),
        fingerprint=str(found.get("fingerprint", "")),
        attempted=bool(found.get("attempt")),
        inputs=tuple(sorted(set(inputs))),
        outputs=tuple(sorted(set(outputs))),
    )
