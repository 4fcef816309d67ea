"""MetadataStore: the port to ML Metadata. Few methods, own frozen types; MLMD itself appears only in `mlmd`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, Union

PropertyValue = Union[str, int, float]
"""What a property can hold. Structured values are stored as JSON text."""

Properties = Mapping[str, PropertyValue]


class StoreError(Exception):
    """The store failed; the message is for the user. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class AlreadyExists(StoreError):
    """A context or execution of that type and name is there already; nothing of the transition was written."""


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
    """An immutable result. `id` is 0 until stored; `uri` is relative to the artifact store; times are ms."""

    type: str
    uri: str
    state: ArtifactState = ArtifactState.LIVE
    properties: Properties = field(default_factory=dict, hash=False)
    name: str = ""
    id: int = 0
    created_ms: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """One attempt to produce something. `name` is unique within `type` (zenctl uses the job id)."""

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
    """Artifact `artifact` was input or output of execution `execution` under `key` (the input's or output's name)."""

    execution: int
    artifact: int
    type: EventType
    key: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One atomic change of the store: all of it lands, or nothing.

    - `create_contexts` must not exist yet (AlreadyExists otherwise); `update_contexts` have ids.
    - `executions` and `artifacts` with id 0 are created, others updated (their properties replaced as given).
    - `events` refer to `executions` and `artifacts` by index in these tuples.
    - Every execution written is associated with every context in `create_contexts`, `update_contexts` and `members_of`
      (context ids), and every artifact created is attributed to them.
    """

    create_contexts: tuple[Context, ...] = ()
    update_contexts: tuple[Context, ...] = ()
    members_of: tuple[int, ...] = ()
    executions: tuple[Execution, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """The ids of what a transition wrote, in its order."""

    context_ids: tuple[int, ...]
    execution_ids: tuple[int, ...]
    artifact_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """A query over executions or artifacts: all conditions must hold.

    `properties` compare for equality; string values must be hex digests or plain words (`[A-Za-z0-9_.:-]`), anything
    else is refused, because MLMD passes quotes on into SQL. `newest` limits to that many, newest first.
    """

    type: str = ""
    properties: Properties = field(default_factory=dict, hash=False)
    states: tuple[ExecutionState, ...] = ()
    name: str = ""
    newest: int = 0


class MetadataStore(Protocol):
    """The port. Implementations are safe to call from several threads; each method is one round trip or few."""

    def commit(self, transition: Transition) -> Committed:
        """Write it atomically; raises AlreadyExists or StoreError."""
        ...

    def executions(self, where: Where) -> list[Execution]:
        """Executions that match, oldest first (newest first with `newest`)."""
        ...

    def executions_by_id(self, ids: Sequence[int]) -> list[Execution]:
        """Executions by id; unknown ids are left out."""
        ...

    def artifacts(self, where: Where) -> list[Artifact]:
        """Artifacts that match (`where.states` is ignored)."""
        ...

    def artifacts_by_id(self, ids: Sequence[int]) -> list[Artifact]:
        """Artifacts by id; unknown ids are left out."""
        ...

    def events(self, *, execution_ids: Sequence[int] = (), artifact_ids: Sequence[int] = ()) -> list[Event]:
        """Events of any of these executions or artifacts (with real ids)."""
        ...

    def context(self, type: str, name: str) -> Context | None:
        """One context, or None."""
        ...

    def contexts(self, type: str, where: Properties, *, newest: int = 0) -> list[Context]:
        """Contexts of a type whose properties are equal to these, oldest first (newest first with `newest`)."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
