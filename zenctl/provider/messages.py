"""The messages between core and providers: frozen, plain, and the same for every provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Any

from zenctl.jobs.spec import JobSpec
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider is given when it is configured.

    `data_dir` is `.zenctl` of the project: the only folder it may write (under `data_dir/providers/<name>` for its
    own files, `data_dir/endpoints` for local endpoints). `project` and `workspace` are for labels.
    """

    project: str
    workspace: str
    data_dir: Path
    root: Path


def no_access(credentials: bool) -> Mapping[str, Any]:  # noqa: ARG001 - the signature of those that have something
    """What there is to tell of a store that a job reaches by its URI alone."""
    return {}


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """Start this job. `job_id` in the spec is unique for the attempt: the same one again must not start it twice.

    `runner` is the local path of the runner's zipapp. `store_uri` is the artifact store as the job reaches it
    (`file:///...`, `gs://...`); `access` gives what it must be told of that besides, as `stores.opening.ACCESS` says.
    `access(True)` is for a job on this machine, when it starts: it may hold a token, which must never be written.
    `preload` are modules that later jobs of this apply will want. `fresh` asks for a process that shares nothing with
    earlier ones, not even the seed of its hashes. `apply` names the apply that the job belongs to, fit for a label:
    what serves several jobs of an apply is known by it. It is empty for a job on its own.
    """

    spec: JobSpec
    store_uri: str
    runner: Path
    preload: tuple[str, ...] = ()
    fresh: bool = False
    access: Callable[[bool], Mapping[str, Any]] = no_access
    apply: str = ""


JobHandle = Mapping[str, Any]
"""Plain JSON data with which a later process finds the job again; stored with the execution."""


class JobState(str, Enum):
    """Where a job is. LOST: the backend does not know it (any more), so only its result can tell."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A backend's view of a job. `exit_code` and `reason` explain a missing result (`killed by signal 9`, ...)."""

    state: JobState
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Log text from an offset, and the offset to ask for next."""

    text: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Misfit:
    """A job asks for more than a backend has. `certain`: by its block; else by the machine that plan runs on."""

    message: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Packages:
    """How jobs on other machines get the packages that they import.

    `install`: nothing is there, and each job is brought an environment of what it needs; else their image has all.
    `settings` are variables that uv and pip are given there, such as UV_DEFAULT_INDEX and PIP_INDEX_URL.
    """

    install: bool
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceEstimate:
    """What one machine costs an hour, roughly: an `amount` of `currency` (ISO 4217), None if that is not known.

    `source` says where the figure is from and `as_of` (ISO 8601) of when it is; `note` what is not in it, or why there
    is none.
    """

    amount: float | None = None
    currency: str = "USD"
    source: str = ""
    as_of: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class MachinePool:
    """Machines of one kind that a backend would make: `count` of them for an apply, or for each step (`scope`).

    `locations` are where they may be made, in order of trial; `accelerators` gives how many of which type each has.
    Pools of an apply with the same `key` are the same machines, whichever backend names them; an empty one is shared
    with none. `price` is that of one machine.
    """

    machine_type: str
    locations: tuple[str, ...]
    count: int = 1
    scope: str = "apply"
    accelerators: Mapping[str, int] = field(default_factory=dict, hash=False)
    spot: bool = False
    price: PriceEstimate = PriceEstimate(note="the backend has no prices")
    key: str = ""


@dataclass(frozen=True, slots=True)
class MachineTemplate:
    """What each machine of a backend is given. A value of `metadata` or `labels` that only an apply knows is None.

    `permissions` are those that whoever applies needs at the cloud, one a line; `identity` says whom the machine acts
    as.
    """

    startup_script: str = ""
    metadata: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    labels: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    identity: str = ""
    permissions: tuple[str, ...] = ()


class MachineChange(str, Enum):
    """What becomes of a machine.

    CREATING: it was asked for. CREATED: it is up. UNAVAILABLE: a location has no capacity for it. LOST: it is gone, and
    nobody here wanted that. DELETED: its deletion was asked for, and granted.
    """

    CREATING = "creating"
    CREATED = "created"
    UNAVAILABLE = "unavailable"
    LOST = "lost"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """Something happened to the machine of this name. `reason` says why, where that does not go without saying."""

    name: str
    change: MachineChange
    machine_type: str = ""
    location: str = ""
    reason: str = ""


class EndpointAction(str, Enum):
    """What it takes to bring an endpoint where it should be."""

    NO_OP = "no_op"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """The endpoint as it should be. `config` is the decoded block without `model`.

    `model_digest` names the artifact; `model_path` is its local folder, present for create and update only.
    `labels` go onto whatever is made, so that it can be found again.
    """

    name: str
    config: Mapping[str, Any]
    model_digest: str | None
    model_path: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """The endpoint as it is. `attributes` are plain JSON (url, pid, ...) and never hold a secret.

    `ready` says that it answers; `model_digest` is what it serves now, None if that cannot be known.
    """

    name: str
    model_digest: str | None
    ready: bool
    url: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """What a provider proposes, and why: `reasons` are one line each, in the user's words."""

    action: EndpointAction
    reasons: tuple[str, ...] = ()
