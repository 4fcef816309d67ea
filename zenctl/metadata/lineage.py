"""Where a result comes from, and what was made from it. Queries grow with the depth of a pipeline, not with history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.state import read_recorded
from zenctl.metadata.store import Event, EventType, MetadataStore, StoreError


@dataclass(slots=True)
class LineageNode:
    """An execution and those that made its inputs, by input name. An execution that is used twice is one node."""

    recorded: Recorded
    inputs: dict[str, LineageNode] = field(default_factory=dict)


@dataclass(slots=True)
class UseNode:
    """An execution and those that read its outputs, in the order they began. Each execution appears once in a tree.

    `artifact` is what it read of the one above; None at the top.
    """

    recorded: Recorded
    uses: list[UseNode] = field(default_factory=list)
    artifact: RecordedArtifact | None = None


def lineage(store: MetadataStore, execution_id: int) -> LineageNode:
    """All that an execution was made from, upward; StoreError if there is no such execution."""
    return lineages(store, [execution_id])[execution_id]


def lineages(store: MetadataStore, execution_ids: Iterable[int]) -> dict[int, LineageNode]:
    """All that these executions were made from, by id; StoreError if there is no such execution.

    An input leads to the execution that was recorded as its producer, else to the newest result before it with the same
    content, of its own workspace where there is one. An input that nothing recorded produced has no node.
    """
    wanted = set(execution_ids)
    roots = read_recorded(store, store.executions_by_id(sorted(wanted)))
    if gone := wanted - {recorded.execution_id for recorded in roots}:
        raise StoreError(f"the metadata store has no execution {min(gone)}")
    nodes = _grow(store, roots)
    return {recorded.execution_id: nodes[recorded.execution_id] for recorded in roots}


def ancestry(store: MetadataStore, execution_ids: Iterable[int]) -> list[Recorded]:
    """These executions and all that they were made from, each once: what `lineage` of any of them leads to.

    Of one that stands for another execution, that one's lineage too.
    """
    wanted, nodes = set(execution_ids), dict[int, LineageNode]()
    while wanted:
        found = read_recorded(store, store.executions_by_id(sorted(wanted)))
        nodes |= _grow(store, found)
        wanted = {node.recorded.source for node in nodes.values() if node.recorded.source} - nodes.keys()
    return [node.recorded for node in nodes.values()]


def _grow(store: MetadataStore, roots: Iterable[Recorded]) -> dict[int, LineageNode]:
    """The nodes of these executions and of all that they were made from, by id."""
    nodes = {recorded.execution_id: LineageNode(recorded) for recorded in roots}
    level = list(nodes.values())
    while level:
        producers = producers_of(store, [node.recorded for node in level])
        wanted = {p for found in producers.values() for p in found.values()} - nodes.keys()
        new = [LineageNode(recorded) for recorded in read_recorded(store, store.executions_by_id(sorted(wanted)))]
        nodes |= {node.recorded.execution_id: node for node in new}
        for node in level:
            found = producers[node.recorded.execution_id]
            node.inputs = {name: nodes[found[name]] for name in node.recorded.inputs if found.get(name) in nodes}
        level = new
    return nodes


def uses(root: Recorded, records: Iterable[Recorded]) -> UseNode:
    """What was made, directly or not, from the content of a record's outputs, downward, among `records`.

    By content: who read the same bytes from another execution is there too. Who read it from a step that passes it on
    stands below that step. Pure.
    """
    by_id = {recorded.execution_id: recorded for recorded in records}
    readers: dict[tuple[int, int], list[Recorded]] = defaultdict(list)
    for recorded in sorted(by_id.values(), key=lambda recorded: recorded.execution_id):
        given: dict[int, set[int]] = defaultdict(set)
        for name, artifact in recorded.inputs.items():
            given[artifact.id].add(recorded.producers.get(name, 0))
        for artifact_id, producers in given.items():
            passed_on = [by_id[p] for p in producers - {root.execution_id} if p in by_id]
            above = [p.execution_id for p in passed_on if any(a.id == artifact_id for a in p.inputs.values())]
            for source in above or [0]:
                readers[artifact_id, source].append(recorded)
    tree = UseNode(root)
    seen = {root.execution_id}
    level = [tree]
    while level:
        below = []
        for node in level:
            for artifact in node.recorded.outputs.values():
                direct = readers.get((artifact.id, node.recorded.execution_id), [])
                for reader in [*direct, *readers.get((artifact.id, 0), [])]:
                    if reader.execution_id not in seen:
                        seen.add(reader.execution_id)
                        node.uses.append(UseNode(reader, artifact=artifact))
            below += node.uses
        level = below
    return tree


def producers_of(store: MetadataStore, consumers: Iterable[Recorded]) -> dict[int, dict[str, int]]:
    """The execution behind each input, by consumer and input name. Up to four queries."""
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
