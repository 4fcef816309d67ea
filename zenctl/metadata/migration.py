"""Copies all that one store holds into another: again and again, until both say the same.

What is there already is compared and brought up to date, so that a copy that was interrupted goes on where it was, and
one that is old catches up. Ids differ between stores: nodes are known by type and name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, Union

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.encoding import context_name, decode_object, json_text
from zenctl.metadata.holder import is_dead
from zenctl.metadata.lock import ACTIVE
from zenctl.metadata.store import (
    Artifact,
    Context,
    Event,
    Execution,
    MetadataStore,
    PropertyValue,
    StoreError,
    Transition,
    Where,
)
from zenctl.metadata.types import APPLY, TRANSITION, WORKSPACE
from zenctl.metadata.workspaces import is_collection

AT_ONCE = 500
"""Nodes in one transition, and in one query by id."""

GROUPS = (WORKSPACE, APPLY, TRANSITION)
"""Contexts that are copied; what a store notes of itself is not."""

Name = tuple[str, str, str]
"""Kind, type and name of a node; an artifact without a name goes by its URI."""

Progress = Callable[[int, int], None]
"""Is told how many nodes are done, and of how many."""

Node = Union[Context, Execution, Artifact]
Numbered = TypeVar("Numbered", Execution, Artifact)


@dataclass(frozen=True, slots=True)
class Content:
    """How much a store holds, and a digest of all of it, so that two can be compared."""

    contexts: int
    executions: int
    artifacts: int
    events: int
    digest: str

    def __str__(self) -> str:
        return (
            f"{self.contexts:,} contexts, {self.executions:,} executions, {self.artifacts:,} artifacts and "
            f"{self.events:,} events (digest {self.digest[:12]})"
        )


@dataclass(frozen=True, slots=True)
class Migrated:
    """What the target holds now of the source, and how many nodes had to be written for that."""

    content: Content
    written: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything in a store, by the names that are the same in another one."""

    contexts: Mapping[Name, Context]
    executions: Mapping[Name, Execution]
    artifacts: Mapping[Name, Artifact]

    @classmethod
    def read(cls, store: MetadataStore) -> Holdings:
        """Read all nodes of a store."""
        return cls(
            {name(c): c for type_ in GROUPS for c in store.contexts(type_, {})},
            {name(e): e for e in _pages(store.executions, store.executions_by_id)},
            {name(a): a for a in _pages(store.artifacts, store.artifacts_by_id)},
        )

    def within(self, other: Holdings) -> Holdings:
        """Only what the other one has too."""
        return Holdings(
            {name: c for name, c in self.contexts.items() if name in other.contexts},
            {name: e for name, e in self.executions.items() if name in other.executions},
            {name: a for name, a in self.artifacts.items() if name in other.artifacts},
        )


def migrate(source: MetadataStore, target: MetadataStore, progress: Progress) -> Migrated:
    """Make the target hold what the source holds, beside what else it holds, and read all of it back.

    Raises StoreError where an apply is under way in the source, where the target has a history of its own of one of
    its workspaces, or where what is read back is not what was to be written.
    """
    wanted = Holdings.read(source)
    copy = _Copy(source, target, wanted, Holdings.read(target), progress)
    copy.run()
    there, here = content(target, Holdings.read(target).within(wanted)), content(source, wanted)
    if there != here:
        raise StoreError(
            f"the copy has {there} where the original has {here}",
            "Run it again: it goes on where it was, and brings what has changed meanwhile.",
        )
    return Migrated(there, copy.written)


def content(store: MetadataStore, held: Holdings) -> Content:
    """What a store holds of these nodes, and the events of these executions."""
    executions = {execution.id: key for key, execution in held.executions.items()}
    artifacts = {artifact.id: key for key, artifact in held.artifacts.items()}
    digests = [sha256_json([key, _facts(c)]) for key, c in held.contexts.items()]
    digests += [sha256_json([key, _facts(a)]) for key, a in held.artifacts.items()]
    digests += [sha256_json([key, _facts(_translated(e, executions.get))]) for key, e in held.executions.items()]
    events = 0
    for part in _chunks(list(executions), AT_ONCE):
        for event in store.events(execution_ids=part):
            ends = executions[event.execution], artifacts.get(event.artifact)
            digests.append(sha256_json([*ends, event.type.value, event.key]))
            events += 1
    counts = len(held.contexts), len(held.executions), len(held.artifacts), events
    return Content(*counts, sha256_json(sorted(digests)))


def name(node: Node) -> Name:
    """What a node is called in every store."""
    kind = type(node).__name__
    return kind, node.type, node.name or (node.uri if isinstance(node, Artifact) else "")


class _Copy:
    """One way from a store to another. `written` counts what was not there yet, or was different."""

    def __init__(
        self, source: MetadataStore, target: MetadataStore, wanted: Holdings, there: Holdings, progress: Progress
    ) -> None:
        self._source, self._target = source, target
        self._wanted, self._there = wanted, there
        self._progress = progress
        self._all = len(wanted.contexts) + len(wanted.executions) + len(wanted.artifacts)
        self._done = self.written = 0
        self._contexts = {key: context.id for key, context in there.contexts.items()}
        self._artifacts = {a.id: there.artifacts[k].id for k, a in wanted.artifacts.items() if k in there.artifacts}
        self._executions = {e.id: there.executions[k].id for k, e in wanted.executions.items() if k in there.executions}
        self._artifact_of = {artifact.id: artifact for artifact in wanted.artifacts.values()}

    def run(self) -> None:
        """Write what is missing or different."""
        self._check()
        self._copy_contexts()
        stale = [e for key, e in self._wanted.executions.items() if key in self._there.executions]
        self._update_executions(stale)
        self._create_executions([e for key, e in self._wanted.executions.items() if key not in self._there.executions])
        self._copy_artifacts()

    def _check(self) -> None:
        for key, context in self._wanted.contexts.items():
            if context.type != APPLY:
                continue
            which = f"apply {context.properties['serial']} of workspace {context.properties['workspace']}"
            if context.properties.get("state") == ACTIVE and is_collection(context.properties):
                # A dead one holds up nobody, there as here.
                if not is_dead(context.properties, time.time_ns() // 1_000_000):
                    raise StoreError("garbage is being collected from the store", "Wait for it, then run this again.")
            elif context.properties.get("state") == ACTIVE:
                raise StoreError(
                    f"{which} is under way, or ended without giving its lock back",
                    "Wait for it, or run `zenctl force-unlock` if it is dead; then run this again.",
                )
            other = self._there.contexts.get(key)
            if other is not None and other.properties.get("token") != context.properties.get("token"):
                raise StoreError(
                    f"the other store has an {which} that is another one",
                    "Two histories of a workspace cannot be made one. Take an empty store, or another project name.",
                )

    def _copy_contexts(self) -> None:
        creating, updating = [], []
        for key, context in self._wanted.contexts.items():
            other = self._there.contexts.get(key)
            if other is None:
                creating.append(replace(context, id=0))
            elif _facts(other) != _facts(context):
                updating.append(replace(context, id=other.id))
        for part in _chunks(creating, AT_ONCE):
            made = self._target.commit(Transition(create_contexts=tuple(part)))
            self._contexts |= {name(c): id_ for c, id_ in zip(part, made.context_ids, strict=True)}
            self._count(len(part), len(part))
        for part in _chunks(updating, AT_ONCE):
            self._target.commit(Transition(update_contexts=tuple(part)))
            self._count(len(part), len(part))
        self._count(len(self._wanted.contexts) - len(creating) - len(updating), 0)

    def _create_executions(self, executions: Sequence[Execution]) -> None:
        for part in _together(executions):
            self._write(part, self._source.events(execution_ids=[e.id for e in part]), new=True)

    def _update_executions(self, executions: Sequence[Execution]) -> None:
        for part in _chunks(executions, AT_ONCE):
            events = self._missing_events(part)
            with_events = {event.execution for event in events}
            changed = [
                e
                for e in part
                if e.id in with_events
                or _facts(_translated(e, self._executions.get)) != _facts(self._there.executions[name(e)])
            ]
            for group in _together(changed):
                here = {execution.id for execution in group}
                self._write(group, [event for event in events if event.execution in here], new=False)
            self._count(len(part) - len(changed), 0)

    def _missing_events(self, executions: Sequence[Execution]) -> list[Event]:
        ids = {self._executions[e.id]: e.id for e in executions}
        artifacts = {theirs: ours for ours, theirs in self._artifacts.items()}
        there = {
            (ids[event.execution], artifacts.get(event.artifact), event.type)
            for event in self._target.events(execution_ids=list(ids))
        }
        ours = self._source.events(execution_ids=[e.id for e in executions])
        return [event for event in ours if (event.execution, event.artifact, event.type) not in there]

    def _write(self, executions: Sequence[Execution], events: Sequence[Event], *, new: bool) -> None:
        """Executions of one apply, the artifacts of their events, and the events."""
        place = {execution.id: index for index, execution in enumerate(executions)}
        used = list(dict.fromkeys(event.artifact for event in events))
        at = {id_: index for index, id_ in enumerate(used)}
        made = self._target.commit(
            Transition(
                update_contexts=tuple(self._groups(executions[0])) if executions else (),
                executions=tuple(
                    replace(_translated(e, self._executions.get), id=0 if new else self._executions[e.id])
                    for e in executions
                ),
                artifacts=tuple(replace(self._artifact_of[id_], id=self._artifacts.get(id_, 0)) for id_ in used),
                events=tuple(Event(place[e.execution], at[e.artifact], e.type, e.key) for e in events),
            )
        )
        self._executions |= {e.id: id_ for e, id_ in zip(executions, made.execution_ids, strict=True)}
        fresh = sum(id_ not in self._artifacts for id_ in used)
        self._artifacts |= dict(zip(used, made.artifact_ids, strict=True))
        self._count(len(executions) + fresh, len(executions) + fresh)

    def _groups(self, execution: Execution) -> Iterator[Context]:
        """The workspace and the apply of an execution, as the target has them."""
        parts = [str(execution.properties.get(key, "")) for key in ("project", "workspace")]
        serial = int(execution.properties.get("serial", 0))
        for type_, called in ((WORKSPACE, context_name(*parts)), (APPLY, context_name(*parts, serial))):
            key = ("Context", type_, called)
            if key in self._contexts:
                yield replace(self._wanted.contexts[key], id=self._contexts[key])

    def _copy_artifacts(self) -> None:
        """Those that no execution has brought, and those that changed since."""
        for part in _chunks(list(self._wanted.artifacts.items()), AT_ONCE):
            different = [
                replace(artifact, id=self._artifacts.get(artifact.id, 0))
                for key, artifact in part
                if artifact.id not in self._artifacts
                or (key in self._there.artifacts and _facts(self._there.artifacts[key]) != _facts(artifact))
            ]
            if different:
                self._target.commit(Transition(artifacts=tuple(different)))
            seen = sum(key in self._there.artifacts for key, _ in part)
            self._count(min(seen + len(different), len(part)), len(different))

    def _count(self, done: int, written: int) -> None:
        self._done += done
        self.written += written
        if done:
            self._progress(min(self._done, self._all), self._all)


def _facts(node: Node) -> list[Any]:
    """What a node says, but for ids and the times that the store itself notes."""
    facts: list[Any] = [sorted(node.properties.items())]
    if isinstance(node, Context):
        return facts
    return [*facts, node.state.value, node.uri if isinstance(node, Artifact) else ""]


def _mentioned(execution: Execution) -> set[int]:
    """Ids of executions that an execution's properties name."""
    properties = execution.properties
    found = set(_numbers(properties.get("producers", "")).values())
    return found | ({int(properties["source"])} if properties.get("source") else set())


def _numbers(text: PropertyValue) -> dict[str, int]:
    return {key: int(value) for key, value in decode_object(str(text)).items()}


def _translated(execution: Execution, called: Callable[[int], Any]) -> Execution:
    """The execution with what `called` gives for each execution that it names by id, 0 for one that is not there."""
    properties = dict(execution.properties)
    if properties.get("source"):
        properties["source"] = called(int(properties["source"])) or 0
    if properties.get("producers"):
        producers = {key: called(id_) or 0 for key, id_ in _numbers(properties["producers"]).items()}
        properties["producers"] = json_text(producers)
    return replace(execution, properties=properties)


def _together(executions: Sequence[Execution]) -> Iterator[list[Execution]]:
    """Executions that can be written at once, in the order of their ids: of one apply, none of which names another.

    What is written first gets the lower id, and lineage takes a lower id for the earlier execution.
    """
    part: list[Execution] = []
    here: set[int] = set()
    for execution in sorted(executions, key=lambda execution: execution.id):
        if part and (len(part) == AT_ONCE or _apply(execution) != _apply(part[0]) or _mentioned(execution) & here):
            yield part
            part, here = [], set()
        part.append(execution)
        here.add(execution.id)
    if part:
        yield part


def _apply(execution: Execution) -> tuple[PropertyValue, ...]:
    return tuple(execution.properties.get(key, "") for key in ("project", "workspace", "serial"))


def _pages(
    query: Callable[[Where], list[Numbered]], by_id: Callable[[Sequence[int]], list[Numbered]]
) -> Iterator[Numbered]:
    newest = query(Where(newest=1))
    for first in range(1, newest[0].id + 1 if newest else 1, AT_ONCE):
        yield from by_id(range(first, first + AT_ONCE))


def _chunks(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
