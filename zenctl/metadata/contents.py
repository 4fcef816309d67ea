"""Finds what is recorded of a content: the artifacts whose digest begins with some digits, and who made one."""

from __future__ import annotations

from collections.abc import Sequence

from zenctl.metadata.encoding import decode_artifact, workspace_key
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.state import read_recorded
from zenctl.metadata.store import EventType, Execution, ExecutionState, MetadataStore, Where

MOST = 200
"""Most artifacts, and most executions of one, that are looked at: a few digits, and a content that every apply makes
again, could name any number.
"""


def find_artifacts(store: MetadataStore, digits: str) -> list[RecordedArtifact]:
    """The newest artifacts whose digest begins with these hexadecimal digits, newest first. One query."""
    where = Where(properties={"digest": digits}) if len(digits) == 64 else Where(begins={"digest": digits}, newest=MOST)
    return sorted((decode_artifact(found) for found in store.artifacts(where)), key=lambda artifact: -artifact.id)


def find_producer(
    store: MetadataStore, artifacts: Sequence[RecordedArtifact], project: str, workspace: str
) -> tuple[Recorded | None, int]:
    """The result that made this content, and how many others have it for an output.

    What makes it comes before what passes it on, this workspace's current results before its former ones, these before
    those of others, what ran before what was reused, and the newer before the older. Three queries.
    """
    ids = {artifact.id for artifact in artifacts}
    events = store.events(artifact_ids=sorted(ids)) if ids else []
    makers = sorted({event.execution for event in events if event.type is EventType.OUTPUT})
    passing = {event.execution for event in events if event.type is EventType.INPUT}
    # The first made it; among the newest are those that are current.
    looked_at = {*makers[:1], *makers[-MOST:]}
    key = workspace_key(project, workspace)

    def rank(execution: Execution) -> tuple[bool, bool, bool, bool, bool, int]:
        properties = execution.properties
        return (
            execution.id not in passing,
            properties.get("head") == key,
            properties.get("workspace_key") == key,
            properties.get("project") == project,
            execution.state is ExecutionState.COMPLETE,
            execution.id,
        )

    results = (ExecutionState.COMPLETE, ExecutionState.CACHED)
    found = [e for e in store.executions_by_id(sorted(looked_at)) if e.state in results]
    if not found:
        return None, 0
    best = max(found, key=rank)
    return read_recorded(store, [best])[0], len(makers) - 1
