"""MlmdStore: a MetadataStore on any connection to ML Metadata."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ml_metadata.metadata_store import metadata_store

from zenctl.metadata.mlmd.connection import Connection
from zenctl.metadata.mlmd.messages import Messages, read_events
from zenctl.metadata.mlmd.registration import read, register
from zenctl.metadata.store import (
    Artifact,
    Committed,
    Context,
    Event,
    Execution,
    Properties,
    StoreError,
    Transition,
    Where,
    check_transition,
    check_where,
)
from zenctl.metadata.types import PREFIX, TABLE, TypeTable, check_type

IDS_AT_ONCE = 100
"""Ids in one request. From 200 on MySQL and MariaDB guess by their statistics how many rows the ids have, instead of
looking into the index; where these are old they read whole tables, which grow with all that was ever recorded.
"""

LOOKS = 3
"""How often marks that move on meanwhile are looked for before MLMD is asked, which takes longer."""

Node = TypeVar("Node", Execution, Artifact, Context)


class MlmdStore:
    """A store of ML Metadata. Thread-safe by one lock; any number of processes may use it.

    A connection that may write gets the types where they are missing; one that may not writes nothing. Takes charge of
    the connection. Raises StoreError for a store that cannot be read, or that a newer zenctl wrote.
    """

    def __init__(self, connection: Connection, *, table: TypeTable = TABLE) -> None:
        self._lock = threading.RLock()
        self._connection = connection
        registered = read(connection)
        if not connection.read_only and not registered.table.covers(table):
            registered = register(connection, table)
        self._table = registered.table.union(table)
        self._messages = Messages(registered)

    def commit(self, transition: Transition) -> Committed:
        """Write it atomically; raises AlreadyExists or StoreError."""
        with self._lock:
            if self._connection.read_only:
                raise StoreError(f"{self._connection.name} was opened for reading only")
            check_transition(self._table, transition)
            messages = self._messages
            contexts = [messages.context(c) for c in (*transition.create_contexts, *transition.update_contexts)]
            executions = [messages.execution(e) for e in transition.executions]
            artifacts = [messages.artifact(a) for a in transition.artifacts]
            edges = messages.event_edges(transition)
            with self._connection.turn():
                execution_ids, artifact_ids, context_ids = self._connection.ask(
                    lambda mlmd: mlmd.put_lineage_subgraph(executions, artifacts, contexts, edges)
                )
            return Committed(tuple(context_ids), tuple(execution_ids), tuple(artifact_ids))

    def executions(self, where: Where) -> list[Execution]:
        """Executions that match, oldest first (newest first with `newest`)."""
        with self._lock:
            check_where(self._table.executions, where)
            found = self._marked(where)
            return found if found is not None else self._query("get_executions", where, self._messages.read_execution)

    def executions_by_id(self, ids: Sequence[int]) -> list[Execution]:
        """Executions by id, in the order of their ids; unknown ids are left out."""
        with self._lock:
            return self._by_id("get_executions_by_id", ids, self._messages.read_execution)

    def artifacts(self, where: Where) -> list[Artifact]:
        """Artifacts that match (`where.states` is ignored)."""
        with self._lock:
            check_where(self._table.artifacts, where)
            return self._query("get_artifacts", replace(where, states=()), self._messages.read_artifact)

    def artifacts_by_id(self, ids: Sequence[int]) -> list[Artifact]:
        """Artifacts by id, in the order of their ids; unknown ids are left out."""
        with self._lock:
            return self._by_id("get_artifacts_by_id", ids, self._messages.read_artifact)

    def events(self, *, execution_ids: Sequence[int] = (), artifact_ids: Sequence[int] = ()) -> list[Event]:
        """Events of any of these executions or artifacts (with real ids), each once."""
        with self._lock:
            found: dict[Event, None] = {}
            for message in (
                *self._in_parts("get_events_by_execution_ids", execution_ids),
                *self._in_parts("get_events_by_artifact_ids", artifact_ids),
            ):
                found.update(dict.fromkeys(read_events(message)))
            return list(found)

    def context(self, type: str, name: str) -> Context | None:
        """One context, or None."""
        with self._lock:
            check_type(self._table.contexts, type)
            stored = self._messages.name(name)
            found = self._connection.ask(lambda mlmd: mlmd.get_context_by_type_and_name(PREFIX + type, stored))
            return None if found is None else self._messages.read_context(found)

    def contexts(self, type: str, where: Properties, *, newest: int = 0) -> list[Context]:
        """Contexts of a type whose properties are equal to these, oldest first (newest first with `newest`)."""
        with self._lock:
            wanted = Where(type=type, properties=where, newest=newest)
            check_where(self._table.contexts, wanted)
            return self._query("get_contexts", wanted, self._messages.read_context)

    def close(self) -> None:
        """Let go of files and connections; every later call is a StoreError. May be called twice."""
        with self._lock:
            self._connection.close()

    def _query(self, get: str, where: Where, translate: Callable[[Any], Node | None]) -> list[Node]:
        options = metadata_store.ListOptions(
            limit=where.newest or None,
            order_by=metadata_store.OrderByField.ID,
            is_asc=not where.newest,
            filter_query=self._messages.filter_query(where),
        )
        found = map(translate, self._connection.ask(lambda mlmd: getattr(mlmd, get)(options)))
        return [node for node in found if node is not None]

    def _marked(self, where: Where) -> list[Execution] | None:
        """Executions that match where one text is all that is asked; None where MLMD is to be asked."""
        if len(where.properties) != 1 or where != Where(properties=where.properties):
            return None
        [(name, value)] = where.properties.items()
        for _ in range(LOOKS if isinstance(value, str) else 0):
            ids = self._connection.execution_ids(name, str(value))
            if ids is None:
                return None
            found = self._by_id("get_executions_by_id", ids, self._messages.read_execution)
            # Another process may have moved the mark on between the two: then it is looked at again.
            if all(execution.properties.get(name) == value for execution in found):
                return found
        return None

    def _by_id(self, get: str, ids: Sequence[int], translate: Callable[[Any], Node | None]) -> list[Node]:
        found = (node for node in map(translate, self._in_parts(get, ids)) if node is not None)
        return sorted(found, key=lambda node: node.id)

    def _in_parts(self, get: str, ids: Sequence[int]) -> Iterator[Any]:
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), IDS_AT_ONCE):
            part = wanted[start : start + IDS_AT_ONCE]
            yield from self._connection.ask(lambda mlmd, part=part: getattr(mlmd, get)(part))  # type: ignore[misc]
