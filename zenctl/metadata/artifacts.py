"""Finds the one artifact of a type and content in a store, or makes it, and joins executions to artifacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import json_text, present
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.store import (
    AlreadyExists,
    Artifact,
    ArtifactState,
    Committed,
    Event,
    EventType,
    Execution,
    MetadataStore,
    PropertyValue,
    StoreError,
    Transition,
    Where,
)

Identity = tuple[str, str]
"""Artifact type and content digest."""

RACES = 10
"""How often another apply may record the same artifact first before that is taken for a fault."""


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """An output to record: its artifact type, content digest, URI relative to the artifact store, size in bytes."""

    type: str
    digest: str
    uri: str
    bytes: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False)


def recorded_outputs(recorded: Recorded) -> dict[str, OutputRecord]:
    """What a record has written, to be recorded of another."""
    found = recorded.outputs.items()
    return {name: OutputRecord(a.type, a.digest, a.uri, a.bytes, a.properties) for name, a in found}


@dataclass(frozen=True, slots=True)
class Joined:
    """The artifacts of an execution's inputs and outputs, each once, and the events that join them to it.

    The execution is the first of its transition.
    """

    artifacts: tuple[Artifact, ...] = ()
    events: tuple[Event, ...] = ()
    output_index: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> tuple[int, ...]:
        """Their ids, 0 where one is not recorded yet."""
        return tuple(artifact.id for artifact in self.artifacts)


def join(store: MetadataStore, inputs: Mapping[str, RecordedArtifact], outputs: Mapping[str, OutputRecord]) -> Joined:
    """Find or make the artifacts; one query for each content.

    A content that is recorded keeps its artifact. One that is an output is LIVE at the place where it was just written;
    an input that was never recorded is recorded with its use.
    """
    artifacts: dict[Identity, Artifact] = {}
    for output in outputs.values():
        identity = (output.type, output.digest)
        if identity not in artifacts:
            known, wanted = _known(store, *identity), _artifact(output)
            artifacts[identity] = replace(wanted, id=known.id) if known else wanted
    for given in inputs.values():
        identity = (given.type, given.digest)
        if identity not in artifacts:
            wanted = _artifact(OutputRecord(given.type, given.digest, given.uri, given.bytes, given.properties))
            artifacts[identity] = _known(store, *identity) or wanted
    index = {identity: position for position, identity in enumerate(artifacts)}
    events = [Event(0, index[a.type, a.digest], EventType.INPUT, name) for name, a in inputs.items()]
    events += [Event(0, index[o.type, o.digest], EventType.OUTPUT, name) for name, o in outputs.items()]
    output_index = {name: index[output.type, output.digest] for name, output in outputs.items()}
    return Joined(tuple(artifacts.values()), tuple(events), output_index)


def _known(store: MetadataStore, type_: str, digest: str) -> Artifact | None:
    found = store.artifacts(Where(type=type_, properties={"digest": digest}))
    return found[0] if found else None


def _artifact(output: OutputRecord) -> Artifact:
    # The digest as the name makes the store itself refuse a second artifact of the same type and content.
    properties: dict[str, PropertyValue | None] = {
        "digest": output.digest,
        "bytes": output.bytes,
        "properties": json_text(output.properties) if output.properties else None,
    }
    return Artifact(output.type, output.uri, ArtifactState.LIVE, present(properties), output.digest)


def put_joined(
    store: MetadataStore,
    commit: Callable[[Transition], Committed],
    executions: tuple[Execution, ...],
    inputs: Mapping[str, RecordedArtifact],
    outputs: Mapping[str, OutputRecord],
) -> tuple[Committed, Joined]:
    """Put executions in one transition, the first with its artifacts. Raises what `commit` raises."""
    joined = join(store, inputs, outputs)
    for _ in range(RACES):
        try:
            transition = Transition(executions=executions, artifacts=joined.artifacts, events=joined.events)
            return commit(transition), joined
        except AlreadyExists:
            # Another workspace's apply may have recorded an artifact of the same content just now: use that one.
            before, joined = joined, join(store, inputs, outputs)
            if joined.known == before.known:
                raise
    raise StoreError("the metadata store does not keep the artifacts of other applies")
