"""The protocols a provider implements: few methods, none waits for a job, each may be repeated after a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from zenctl.jobs.resources import Resources
from zenctl.jobs.storage import Storage
from zenctl.provider.messages import (
    EndpointPlan,
    EndpointRequest,
    EndpointState,
    JobHandle,
    JobStatus,
    LogChunk,
    MachineEvent,
    MachinePool,
    MachineTemplate,
    Misfit,
    Packages,
    ProviderContext,
    SubmitRequest,
)
from zenctl.schema import ProviderSchema

SDK_VERSION = 1
"""The version of these protocols. A provider may name the one it is written for as its attribute `sdk_version`."""


class Compute(Protocol):
    """Runs jobs. What it makes is found again through the handle alone."""

    def handle(self, request: SubmitRequest) -> JobHandle:
        """How the job will be found, before there is anything of it. Pure: it follows from the request alone.

        It is recorded before `submit` is called: what a submit that was cut short has made is then found and released.
        """
        ...

    def submit(self, request: SubmitRequest) -> JobHandle:
        """Start the job and return its handle at once; the same job id again starts nothing."""
        ...

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is; LOST if the backend does not know it."""
        ...

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        """What the job printed from `offset` (bytes) on; empty text if there is nothing new."""
        ...

    def cancel(self, handle: JobHandle) -> None:
        """Ask the job to stop, and make sure that it does; a job that is gone is success."""
        ...

    def release(self, handle: JobHandle) -> None:
        """Remove whatever the job leaves behind on the backend; nothing there is success."""
        ...


@runtime_checkable
class Progressing(Protocol):
    """What a Compute can do besides, where the artifact store is too far away to be asked for a job's progress."""

    def progress(self, handle: JobHandle, offset: int) -> bytes:
        """What the job has told of its progress from `offset` (bytes) on, as `jobs.spec.progress_path` describes it."""
        ...


@runtime_checkable
class Sized(Protocol):
    """What a Compute can do besides, that knows how much there is for its jobs."""

    def misfit(self, needs: Resources) -> Misfit | None:
        """Why a job with these needs can never run here; None if it can. Asked by plan: pure, and reaches nothing."""
        ...


@runtime_checkable
class Remote(Protocol):
    """What a Compute can do besides, whose jobs run on other machines: there they find no file of this one.

    What their environments are made with is brought through the artifact store.
    """

    def packages(self) -> Packages:
        """How its jobs get what they import. Asked by plan: pure, and reaches nothing."""
        ...


@runtime_checkable
class Sweeping(Protocol):
    """What a Compute can do besides, where it makes machines that could outlive a command that was killed."""

    def sweep(self, keep: Sequence[JobHandle] | None = None) -> Sequence[str]:
        """Remove the machines of this project and workspace, and tell their names. The caller holds the lock.

        None removes every one. Else only those go that applies have made, and those of the jobs in `keep` stay: a job
        that belongs to no apply goes on.
        """
        ...


@runtime_checkable
class Provisioning(Protocol):
    """What a Compute can do besides, that makes machines for its jobs: tell which, before there are any.

    Asked by plan and by `zenctl backend show`: pure, reaches nothing, and loads no vendor SDK.
    """

    def pools(self, jobs: Sequence[Resources]) -> Sequence[MachinePool]:
        """The machines that it would make for these jobs of one apply. ProviderError(INVALID) for a faulty block."""
        ...

    def template(self) -> MachineTemplate:
        """What each of them is given."""
        ...


@runtime_checkable
class Announcing(Protocol):
    """What a Compute can do besides, that makes machines for its jobs: tell what becomes of each as it finds out.

    It looks no oftener for that than it does anyway.
    """

    def announce(self, listen: Callable[[MachineEvent], None]) -> None:
        """Call this from now on, from any thread, until the provider is closed. It returns soon and raises nothing."""
        ...

    def machine(self, handle: JobHandle) -> str:
        """The name of the machine that a job runs on, as its events have it. Pure."""
        ...


class Processing(Protocol):
    """Runs Beam pipelines: gives the options with which a job builds its pipeline."""

    def options(self) -> Mapping[str, Any]:
        """Beam pipeline options by name, such as {"runner": "DirectRunner"}."""
        ...


class Endpoint(Protocol):
    """A live serving resource. `plan` is pure: it must not look at the world."""

    def read(self, name: str) -> EndpointState | None:
        """What is there now, or None."""
        ...

    def plan(self, prior: EndpointState | None, wanted: EndpointRequest) -> EndpointPlan:
        """What it takes to get from `prior` to `wanted`."""
        ...

    def create(self, wanted: EndpointRequest) -> EndpointState:
        """Make it and wait until it is ready; what a crashed create left behind is taken over or replaced."""
        ...

    def update(self, prior: EndpointState, wanted: EndpointRequest) -> EndpointState:
        """Bring it to `wanted` without an interruption of service."""
        ...

    def delete(self, name: str) -> None:
        """Remove it and everything it had; one that is gone is success."""
        ...


@runtime_checkable
class Importable(Protocol):
    """What an Endpoint can do besides: have live endpoints taken over that nobody has a record of."""

    def find(self, id: str) -> EndpointState | None:
        """The live endpoint that a user means by its name or its URL, as `read` gives it; None if there is none."""
        ...

    def config(self, state: EndpointState) -> Mapping[str, Any]:
        """The attributes, but for `model`, of a block that asks for this endpoint as it is; defaults are left out."""
        ...


@runtime_checkable
class Vouching(Protocol):
    """What a Provider can do besides, whose schema names schemes of `secrets`: tell jobs how to reach these."""

    def secrets_access(self, scheme: str, credentials: bool) -> Mapping[str, Any]:
        """What a job is told to resolve references of the scheme, as `zenctl.jobs.secrets` takes it; plain JSON.

        With `credentials`, for a job on this machine, those of the user, which must never be written. ProviderError if
        there are none.
        """
        ...


class Provider(Protocol):
    """The entry point of a provider package. Its module imports no vendor SDK; its client module does."""

    name: str
    version: str

    def schema(self) -> ProviderSchema:
        """The block types it offers. Called by plan: must be cheap."""
        ...

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        """Take the decoded `provider` block. Must not reach the network."""
        ...

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:
        """The backend of this type with its decoded block."""
        ...

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:
        """The processing backend of this type with its decoded block."""
        ...

    def endpoint(self, type: str) -> Endpoint:
        """The endpoint type's implementation."""
        ...

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:
        """The artifact store of this type with its decoded block."""
        ...

    def close(self) -> None:
        """End what was started for this command (not what must outlive it)."""
        ...
