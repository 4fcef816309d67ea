"""Where a result comes from, and what was made from it. Queries grow with the depth of a pipeline, not with history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.records import Recorded
from zenctl.metadata.state import read_recorded
from zenctl.metadata.store import Event, EventType, MetadataStore, StoreError


@dataclass(slots=True)
class LineageNode:
    """An execution and those that made its inputs, by input name. An execution that is used twice is one node."""

    recorded: Recorded
    inputs: dict[str, LineageNode] = field(default_factory=dict)


@dataclass(slots=True)
class UseNode:
    """An execution and those that read its outputs, in the order they began. Each execution appears once in a tree."""

    recorded: Recorded
    uses: list[UseNode] = field(default_factory=list)


def lineage(store: MetadataStore, execution_id: int) -> LineageNode:
    """All that an execution was made from, upward; StoreError if there is no such execution.

    An input leads to the execution that was recorded as its producer, else to the newest result before it with the same
    content, of its own workspace where there is one. An input that nothing recorded produced has no node.
    """
    root = LineageNode(_one(store, execution_id))
    nodes = {execution_id: root}
    level = [root]
    while level:
        producers = _producers(store, [node.recorded for node in level])
        wanted = {p for found in producers.values() for p in found.values()} - nodes.keys()
        new = [LineageNode(recorded) for recorded in read_recorded(store, store.executions_by_id(sorted(wanted)))]
        nodes |= {node.recorded.execution_id: node for node in new}
        for node in level:
            found = producers[node.recorded.execution_id]
            node.inputs = {name: nodes[found[name]] for name in node.recorded.inputs if found.get(name) in nodes}
        level = new
    return root


def uses(store: MetadataStore, execution_id: int) -> UseNode:
    """All that was made from the content of an execution's outputs, downward; StoreError if there is no such execution.

    By content: who read the same bytes from another execution is there too.
    """
    root = UseNode(_one(store, execution_id))
    seen = {execution_id}
    level = [root]
    while level:
        artifacts = {a.id: node for node in reversed(level) for a in node.recorded.outputs.values()}
        readers: dict[int, UseNode] = {}
        for event in store.events(artifact_ids=list(artifacts)) if artifacts else []:
            if event.type is EventType.INPUT and event.execution not in seen:
                readers.setdefault(event.execution, artifacts[event.artifact])
        seen |= readers.keys()
        below = []
        for recorded in read_recorded(store, store.executions_by_id(sorted(readers))):
            node = UseNode(recorded)
            readers[recorded.execution_id].uses.append(node)
            below.append(node)
        level = below
    return root


def _one(store: MetadataStore, execution_id: int) -> Recorded:
    found = read_recorded(store, store.executions_by_id([execution_id]))
    if not found:
        raise StoreError(f"the metadata store has no execution {execution_id}")
    return found[0]


def _producers(store: MetadataStore, consumers: Iterable[Recorded]) -> dict[int, dict[str, int]]:
    """The execution behind each input, by consumer and input name."""
    found: dict[int, dict[str, int]] = {}
    unknown: list[tuple[Recorded, str, int]] = []
    for consumer in consumers:
        own = {name: id_ for name, id_ in consumer.producers.items() if id_ < consumer.execution_id}
        found[consumer.execution_id] = own
        unknown += [(consumer, name, a.id) for name, a in consumer.inputs.items() if name not in own]
    if unknown:
        candidates = _results_by_artifact(store, {artifact for _, _, artifact in unknown})
        for consumer, name, artifact in unknown:
            best = _best(consumer, candidates.get(artifact, []))
            if best is not None:
                found[consumer.execution_id][name] = best.execution_id
    return found


def _results_by_artifact(store: MetadataStore, artifacts: Iterable[int]) -> Mapping[int, list[Recorded]]:
    outputs: list[Event] = [e for e in store.events(artifact_ids=sorted(artifacts)) if e.type is EventType.OUTPUT]
    executions = store.executions_by_id([event.execution for event in outputs])
    by_id = {recorded.execution_id: recorded for recorded in read_recorded(store, executions) if recorded.is_result}
    found: dict[int, list[Recorded]] = defaultdict(list)
    for event in outputs:
        if event.execution in by_id:
            found[event.artifact].append(by_id[event.execution])
    return found


def _best(consumer: Recorded, candidates: Iterable[Recorded]) -> Recorded | None:
    """The newest candidate before the consumer. Ids grow, so no execution can be its own ancestor."""
    place = (consumer.project, consumer.workspace)
    before = [c for c in candidates if c.execution_id < consumer.execution_id]
    return max(before, key=lambda c: ((c.project, c.workspace) == place, c.execution_id), default=None)
