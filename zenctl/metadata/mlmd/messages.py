"""Translates the port's types to MLMD's messages and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Union

from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.metadata.mlmd.dialects import read_integer, read_text, unescape
from zenctl.metadata.mlmd.registration import Ids, Registered
from zenctl.metadata.store import (
    Artifact,
    ArtifactState,
    Context,
    Event,
    EventType,
    Execution,
    ExecutionState,
    PropertyValue,
    Transition,
    Where,
)
from zenctl.metadata.types import PREFIX

_VALUE_FIELDS = {str: "string_value", int: "int_value", float: "double_value"}
_EVENTS = {pb.Event.INPUT: EventType.INPUT, pb.Event.OUTPUT: EventType.OUTPUT}

EventEdge = tuple[int, int, Any]
"""Index of an execution, index of an artifact, MLMD's event."""


class Messages:
    """Translates with the type ids of one store, and with what it can hold."""

    def __init__(self, registered: Registered) -> None:
        self._registered = registered
        self._dialect = registered.dialect
        self._execution_types = _names(registered.executions)
        self._artifact_types = _names(registered.artifacts)
        self._context_types = _names(registered.contexts)

    def execution(self, execution: Execution) -> Any:
        """MLMD's Execution."""
        type_id = self._registered.executions[execution.type]
        state = pb.Execution.State.Value(execution.state.value)
        return self._fill(pb.Execution(type_id=type_id, last_known_state=state), execution)

    def artifact(self, artifact: Artifact) -> Any:
        """MLMD's Artifact."""
        type_id = self._registered.artifacts[artifact.type]
        state = pb.Artifact.State.Value(artifact.state.value)
        return self._fill(pb.Artifact(type_id=type_id, state=state, uri=self._dialect.escape(artifact.uri)), artifact)

    def context(self, context: Context) -> Any:
        """MLMD's Context."""
        return self._fill(pb.Context(type_id=self._registered.contexts[context.type]), context)

    def event_edges(self, transition: Transition) -> list[EventEdge]:
        """MLMD's events with the indices they join. Of a type there is one for a pair; its path has all keys."""
        same: dict[tuple[str, int], int] = {}
        first = [same.setdefault((a.type, a.id), i) if a.id else i for i, a in enumerate(transition.artifacts)]
        groups: dict[tuple[int, int, EventType], dict[str, None]] = defaultdict(dict)
        for event in transition.events:
            groups[event.execution, first[event.artifact], event.type][event.key] = None
        edges = []
        for (execution, artifact, type_), keys in groups.items():
            message = pb.Event(type=pb.Event.Type.Value(type_.value))
            for key in keys:
                message.path.steps.add().key = self._dialect.escape(key)
            edges.append((execution, artifact, message))
        return edges

    def name(self, name: str) -> str:
        """A name as it is stored."""
        return self._dialect.escape_name(name)

    def filter_query(self, where: Where) -> str | None:
        """The conditions in MLMD's query language. `where` has been checked: its strings need no quoting."""
        terms = [f"type = '{PREFIX}{where.type}'"] if where.type else []
        if where.name:
            terms.append(f"name = '{self.name(where.name)}'")
        for name, value in where.properties.items():
            text = f"'{value}'" if isinstance(value, str) else repr(value)
            terms.append(f"properties.{name}.{_VALUE_FIELDS[type(value)]} = {text}")
        for name, digits in where.begins.items():
            # A range, which an index serves; "g" is what comes after the last hexadecimal digit.
            value = f"properties.{name}.string_value"
            terms.append(f"{value} >= '{digits}' AND {value} < '{digits}g'")
        for bounds, sign in ((where.at_least, ">="), (where.at_most, "<=")):
            terms += [f"properties.{name}.int_value {sign} {bound}" for name, bound in bounds.items()]
        if where.states:
            terms.append("(" + " OR ".join(f"last_known_state = {state.value}" for state in where.states) + ")")
        return " AND ".join(terms) or None

    def read_execution(self, node: Any) -> Execution | None:
        """The port's Execution; None for one of another program."""
        type_ = self._execution_types.get(node.type_id)
        if type_ is None:
            return None
        return Execution(
            type=type_,
            name=self._dialect.unescape_name(node.name),
            state=ExecutionState(pb.Execution.State.Name(node.last_known_state)),
            properties=_properties(node),
            id=node.id,
            created_ms=node.create_time_since_epoch,
            updated_ms=node.last_update_time_since_epoch,
        )

    def read_artifact(self, node: Any) -> Artifact | None:
        """The port's Artifact; None for one of another program."""
        type_ = self._artifact_types.get(node.type_id)
        if type_ is None:
            return None
        return Artifact(
            type=type_,
            uri=unescape(node.uri),
            state=ArtifactState(pb.Artifact.State.Name(node.state)),
            properties=_properties(node),
            name=self._dialect.unescape_name(node.name),
            id=node.id,
            created_ms=node.create_time_since_epoch,
        )

    def read_context(self, node: Any) -> Context | None:
        """The port's Context; None for one of another program."""
        type_ = self._context_types.get(node.type_id)
        if type_ is None:
            return None
        return Context(
            type=type_,
            name=self._dialect.unescape_name(node.name),
            properties=_properties(node),
            id=node.id,
            created_ms=node.create_time_since_epoch,
            updated_ms=node.last_update_time_since_epoch,
        )

    def _fill(self, message: Any, node: Union[Execution, Artifact, Context]) -> Any:
        if node.id:
            message.id = node.id
        if node.name:
            message.name = self._dialect.escape_name(node.name)
        for name, value in node.properties.items():
            if isinstance(value, str):
                self._dialect.write_text(message, name, value)
            elif isinstance(value, int):
                self._dialect.write_integer(message, name, value)
            else:
                message.properties[name].double_value = value
        return message


def read_events(message: Any) -> Iterator[Event]:
    """The port's events in MLMD's one."""
    type_ = _EVENTS.get(message.type)
    if type_ is not None:
        for step in message.path.steps:
            yield Event(message.execution_id, message.artifact_id, type_, unescape(step.key))


def _names(ids: Ids) -> dict[int, str]:
    return {id_: name for name, id_ in ids.items()}


def _properties(message: Any) -> Mapping[str, PropertyValue]:
    found: dict[str, PropertyValue] = {}
    for name, value in message.properties.items():
        kind = value.WhichOneof("value")
        if kind == "string_value":
            found[name] = read_text(message, name)
        elif kind == "int_value":
            found[name] = read_integer(message, name)
        elif kind == "double_value":
            found[name] = value.double_value
    return found
