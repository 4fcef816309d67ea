"""MetadataStore: the port to ML Metadata. Few methods, own frozen types; MLMD itself appears only in `mlmd`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Protocol, Union

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.types import TypeTable, UnknownType, check_properties, check_text, check_type

PropertyValue = Union[str, int, float]
"""What a property can hold. Structured values are stored as JSON text."""

Properties = Mapping[str, PropertyValue]

PLAIN = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
"""What a string in a query may be: a hex digest or a plain word."""

DIGITS = re.compile(r"[0-9a-f]{1,64}")
"""What the beginning of a digest in a query may be."""


class StoreError(Exception):
    """The store failed; the message is for the user. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class AlreadyExists(StoreError):
    """A node or event of that identity is there already; nothing of the transition was written."""


class ExecutionState(str, Enum):
    """MLMD's own states of an execution."""

    NEW = "NEW"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    CACHED = "CACHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class ArtifactState(str, Enum):
    """MLMD's own states of an artifact."""

    PENDING = "PENDING"
    LIVE = "LIVE"
    DELETED = "DELETED"
    ABANDONED = "ABANDONED"


class EventType(str, Enum):
    """Which way an artifact went."""

    INPUT = "INPUT"
    OUTPUT = "OUTPUT"


@dataclass(frozen=True, slots=True)
class Artifact:
    """An immutable result. `id` is 0 until stored; `uri` is relative to the artifact store; times are ms.

    `name`, where it is not empty, is unique within `type` (zenctl uses the content digest) and never changes.
    """

    type: str
    uri: str
    state: ArtifactState = ArtifactState.LIVE
    properties: Properties = field(default_factory=dict, hash=False)
    name: str = ""
    id: int = 0
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """One attempt to produce something. `name` is unique within `type` (zenctl uses the job id) and never changes."""

    type: str
    name: str
    state: ExecutionState
    properties: Properties = field(default_factory=dict, hash=False)
    id: int = 0
    created_ms: int = 0
    updated_ms: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """A group. The store refuses a second one of the same type and name: that is the lock and the fence."""

    type: str
    name: str
    properties: Properties = field(default_factory=dict, hash=False)
    id: int = 0
    created_ms: int = 0
    updated_ms: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Artifact `artifact` was input or output of execution `execution` under `key` (the input's or output's name).

    One artifact can be several inputs of an execution; all its events of one type must then be in one transition.
    """

    execution: int
    artifact: int
    type: EventType
    key: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One atomic change of the store: all of it lands, or nothing.

    - `create_contexts` must not exist yet (AlreadyExists otherwise); `update_contexts` have ids.
    - `executions` and `artifacts` with id 0 are created (AlreadyExists if one of that type and name is there), others
      updated: state and URI are set, and their properties become exactly those given.
    - `events` refer to `executions` and `artifacts` by index in these tuples.
    - Every execution written is associated with every context in `create_contexts` and `update_contexts`, and every
      artifact written is attributed to them, for other programs that read ML Metadata.
    """

    create_contexts: tuple[Context, ...] = ()
    update_contexts: tuple[Context, ...] = ()
    executions: tuple[Execution, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """The ids of what a transition wrote, in its order; contexts created come before contexts updated."""

    context_ids: tuple[int, ...]
    execution_ids: tuple[int, ...]
    artifact_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """A query over executions or artifacts: all conditions must hold.

    `properties` compare for equality; string values must be hex digests or plain words (`[A-Za-z0-9_.:-]`), anything
    else is refused, because MLMD passes quotes on into SQL. `begins` are the first hexadecimal digits of digests,
    `at_least` and `at_most` bounds of integers. `newest` limits to that many, newest first.
    """

    type: str = ""
    properties: Properties = field(default_factory=dict, hash=False)
    begins: Mapping[str, str] = field(default_factory=dict, hash=False)
    at_least: Mapping[str, int] = field(default_factory=dict, hash=False)
    at_most: Mapping[str, int] = field(default_factory=dict, hash=False)
    states: tuple[ExecutionState, ...] = ()
    name: str = ""
    newest: int = 0


class MetadataStore(Protocol):
    """The port. Implementations are safe to call from several threads; each method is one round trip or few.

    Every method raises StoreError where the store fails, UnknownType where a type or property is not in the table.
    """

    def commit(self, transition: Transition) -> Committed:
        """Write it atomically; raises AlreadyExists or StoreError."""
        ...

    def executions(self, where: Where) -> list[Execution]:
        """Executions that match, oldest first (newest first with `newest`)."""
        ...

    def executions_by_id(self, ids: Sequence[int]) -> list[Execution]:
        """Executions by id, in the order of their ids; unknown ids are left out."""
        ...

    def artifacts(self, where: Where) -> list[Artifact]:
        """Artifacts that match (`where.states` is ignored)."""
        ...

    def artifacts_by_id(self, ids: Sequence[int]) -> list[Artifact]:
        """Artifacts by id, in the order of their ids; unknown ids are left out."""
        ...

    def events(self, *, execution_ids: Sequence[int] = (), artifact_ids: Sequence[int] = ()) -> list[Event]:
        """Events of any of these executions or artifacts (with real ids), each once."""
        ...

    def context(self, type: str, name: str) -> Context | None:
        """One context, or None."""
        ...

    def contexts(self, type: str, where: Properties, *, newest: int = 0) -> list[Context]:
        """Contexts of a type whose properties are equal to these, oldest first (newest first with `newest`)."""
        ...

    def close(self) -> None:
        """Let go of files and connections; every later call is a StoreError. May be called twice."""
        ...


def check_transition(table: TypeTable, transition: Transition) -> None:
    """Raise UnknownType or ValueError for what no store can take: unknown types, bad indices, ids where none belong."""
    for contexts, with_id in ((transition.create_contexts, False), (transition.update_contexts, True)):
        for context in contexts:
            if bool(context.id) is not with_id or not context.name:
                raise ValueError(f"context {context.type}/{context.name} needs a name, and an id only for an update")
            check_text("a context's name", context.name)
            check_properties(table.contexts, context.type, context.properties)
    for execution in transition.executions:
        if not execution.name:
            raise ValueError(f"an execution of type {execution.type} needs a name")
        check_text("an execution's name", execution.name)
        check_properties(table.executions, execution.type, execution.properties)
    for artifact in transition.artifacts:
        check_text("an artifact's name", artifact.name)
        check_text("an artifact's URI", artifact.uri)
        check_properties(table.artifacts, artifact.type, artifact.properties)
    for event in transition.events:
        inside = 0 <= event.execution < len(transition.executions) and 0 <= event.artifact < len(transition.artifacts)
        if not inside:
            raise ValueError(f"event {event.key!r} refers to a node outside its transition")
        check_text("an event's key", event.key)


def check_where(kinds: Mapping[str, Mapping[str, type]], where: Where) -> None:
    """Raise ValueError for a query that MLMD could not be given safely, UnknownType for one that cannot match."""
    if where.type:
        check_type(kinds, where.type)
    known = [kinds[where.type]] if where.type else list(kinds.values())
    if where.name and not PLAIN.fullmatch(where.name):
        raise ValueError(f"a query's name must be a plain word, not {where.name!r}")
    for name, digits in where.begins.items():
        if not DIGITS.fullmatch(digits):
            raise ValueError(f"a digest begins with hexadecimal digits, not {digits!r} ({name})")
    compared = (where.properties, where.begins, where.at_least, where.at_most)
    for name, value in (item for group in compared for item in group.items()):
        declared = {properties[name] for properties in known if name in properties}
        if not declared:
            raise UnknownType(f"{where.type} has no property {name!r}" if where.type else f"no type has a {name!r}")
        if type(value) not in declared:
            raise UnknownType(f"property {name} does not hold {type(value).__name__}")
        if isinstance(value, str) and not PLAIN.fullmatch(value):
            raise ValueError(f"a query's values must be hex digests or plain words, not {value!r} ({name})")
        if isinstance(value, float) and value != value:
            raise ValueError(f"a query cannot compare with NaN ({name})")
