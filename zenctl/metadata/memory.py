"""MemoryStore: a MetadataStore in memory with the semantics of ML Metadata, for tests and for what is not there yet."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, TypeVar, Union

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.store import (
    AlreadyExists,
    Artifact,
    Committed,
    Context,
    Event,
    EventType,
    Execution,
    Properties,
    StoreError,
    Transition,
    Where,
    check_transition,
    check_where,
)
from zenctl.metadata.types import TABLE, TypeTable, check_type

Node = TypeVar("Node", Execution, Artifact, Context)
AnyNode = Union[Execution, Artifact, Context]


@dataclass(slots=True)
class _Data:
    """Everything stored. A commit works on a copy and puts it in place at the end, so it lands whole or not at all."""

    executions: dict[int, Execution] = field(default_factory=dict)
    artifacts: dict[int, Artifact] = field(default_factory=dict)
    contexts: dict[int, Context] = field(default_factory=dict)
    events: dict[tuple[int, int, EventType], tuple[str, ...]] = field(default_factory=dict)
    names: dict[tuple[type, str, str], int] = field(default_factory=dict)

    def copy(self) -> _Data:
        return _Data(
            dict(self.executions), dict(self.artifacts), dict(self.contexts), dict(self.events), dict(self.names)
        )


@dataclass(slots=True)
class _Failure:
    error: Exception
    times: int
    after: bool


class MemoryStore:
    """A MetadataStore that forgets everything with the process. Thread-safe.

    `read_only` refuses every commit: that is how a store reads that does not exist. `fail` lets tests inject errors.
    """

    def __init__(self, *, read_only: bool = False, table: TypeTable = TABLE) -> None:
        self._read_only = read_only
        self._table = table
        self._lock = threading.RLock()
        self._data = _Data()
        self._failures: dict[str, _Failure] = {}
        self._closed = False
        self._newest_ms = 0

    def fail(self, method: str, error: Exception, *, times: int = 1, after: bool = False) -> None:
        """Make the next `times` calls of a method raise `error`; `after` does its work first (a lost answer)."""
        with self._lock:
            self._failures[method] = _Failure(error, times, after)

    def commit(self, transition: Transition) -> Committed:
        """Write it atomically; raises AlreadyExists or StoreError."""
        with self._lock:
            self._enter("commit")
            if self._read_only:
                raise StoreError("this metadata store was opened for reading only")
            check_transition(self._table, transition)
            data = self._data.copy()
            # No two commits of a real store share a millisecond.
            now = self._newest_ms = max(time.time_ns() // 1_000_000, self._newest_ms + 1)
            both = (*transition.create_contexts, *transition.update_contexts)
            contexts = [_put(data.contexts, data.names, c, now) for c in both]
            executions = [_put(data.executions, data.names, e, now) for e in transition.executions]
            artifacts = [_put(data.artifacts, data.names, a, now) for a in transition.artifacts]
            _put_events(data, transition.events, executions, artifacts)
            self._data = data
            self._leave("commit")
            return Committed(tuple(contexts), tuple(executions), tuple(artifacts))

    def executions(self, where: Where) -> list[Execution]:
        """Executions that match, oldest first (newest first with `newest`)."""
        with self._lock:
            self._enter("executions")
            check_where(self._table.executions, where)
            nodes: Iterable[Execution] = self._data.executions.values()
            if where.states:
                nodes = (node for node in nodes if node.state in where.states)
            return _select(nodes, where)

    def executions_by_id(self, ids: Sequence[int]) -> list[Execution]:
        """Executions by id; unknown ids are left out."""
        with self._lock:
            self._enter("executions_by_id")
            return [self._data.executions[i] for i in sorted(set(ids)) if i in self._data.executions]

    def artifacts(self, where: Where) -> list[Artifact]:
        """Artifacts that match (`where.states` is ignored)."""
        with self._lock:
            self._enter("artifacts")
            check_where(self._table.artifacts, where)
            return _select(self._data.artifacts.values(), where)

    def artifacts_by_id(self, ids: Sequence[int]) -> list[Artifact]:
        """Artifacts by id; unknown ids are left out."""
        with self._lock:
            self._enter("artifacts_by_id")
            return [self._data.artifacts[i] for i in sorted(set(ids)) if i in self._data.artifacts]

    def events(self, *, execution_ids: Sequence[int] = (), artifact_ids: Sequence[int] = ()) -> list[Event]:
        """Events of any of these executions or artifacts (with real ids), each once."""
        with self._lock:
            self._enter("events")
            executions, artifacts = set(execution_ids), set(artifact_ids)
            return [
                Event(execution, artifact, type_, key)
                for (execution, artifact, type_), keys in self._data.events.items()
                if execution in executions or artifact in artifacts
                for key in keys
            ]

    def context(self, type: str, name: str) -> Context | None:
        """One context, or None."""
        with self._lock:
            self._enter("context")
            check_type(self._table.contexts, type)
            found = self._data.names.get((Context, type, name))
            return None if found is None else self._data.contexts[found]

    def contexts(self, type: str, where: Properties, *, newest: int = 0) -> list[Context]:
        """Contexts of a type whose properties are equal to these, oldest first (newest first with `newest`)."""
        with self._lock:
            self._enter("contexts")
            wanted = Where(type=type, properties=where, newest=newest)
            check_where(self._table.contexts, wanted)
            return _select(self._data.contexts.values(), wanted)

    def close(self) -> None:
        """Let go of everything stored."""
        with self._lock:
            self._closed = True
            self._data = _Data()

    def _enter(self, method: str) -> None:
        if self._closed:
            raise StoreError("the metadata store is closed")
        failure = self._failures.get(method)
        if failure is not None and not failure.after:
            self._raise(method, failure)

    def _leave(self, method: str) -> None:
        failure = self._failures.get(method)
        if failure is not None and failure.after:
            self._raise(method, failure)

    def _raise(self, method: str, failure: _Failure) -> None:
        failure.times -= 1
        if failure.times <= 0:
            del self._failures[method]
        raise failure.error


def _put(nodes: dict[int, Node], names: dict[tuple[type, str, str], int], node: Node, now: int) -> int:
    identity = (type(node), node.type, node.name)
    if not node.id:
        if node.name and identity in names:
            raise AlreadyExists(f"{node.type} {node.name!r} exists already")
        id_ = len(nodes) + 1
        if node.name:
            names[identity] = id_
        nodes[id_] = replace(node, id=id_, properties=dict(node.properties), created_ms=now, **_updated(node, now))
        return id_
    old = nodes.get(node.id)
    if old is None or old.type != node.type:
        raise StoreError(f"there is no {node.type} with id {node.id}")
    kept: dict[str, Any] = {"name": old.name, "created_ms": old.created_ms}
    nodes[node.id] = replace(node, properties=dict(node.properties), **kept, **_updated(node, now))
    return node.id


def _updated(node: AnyNode, now: int) -> dict[str, Any]:
    return {} if isinstance(node, Artifact) else {"updated_ms": now}


def _put_events(data: _Data, events: Iterable[Event], executions: Sequence[int], artifacts: Sequence[int]) -> None:
    groups: Mapping[tuple[int, int, EventType], list[str]] = defaultdict(list)
    for event in events:
        groups[executions[event.execution], artifacts[event.artifact], event.type].append(event.key)
    for identity, keys in groups.items():
        if identity in data.events:
            execution, artifact, type_ = identity
            raise AlreadyExists(f"artifact {artifact} is recorded as {type_.value} of execution {execution} already")
        data.events[identity] = tuple(dict.fromkeys(keys))


def _select(nodes: Iterable[Node], where: Where) -> list[Node]:
    found = [
        node
        for node in nodes
        if (not where.type or node.type == where.type)
        and (not where.name or node.name == where.name)
        and all(node.properties.get(name) == value for name, value in where.properties.items())
        and all(str(node.properties.get(name, "")).startswith(digits) for name, digits in where.begins.items())
        and all(_integer(node, name, bound - 1) >= bound for name, bound in where.at_least.items())
        and all(_integer(node, name, bound + 1) <= bound for name, bound in where.at_most.items())
    ]
    found.sort(key=lambda node: node.id)
    return found[::-1][: where.newest] if where.newest else found


def _integer(node: AnyNode, name: str, absent: int) -> int:
    value = node.properties.get(name, absent)
    return value if isinstance(value, int) else absent
