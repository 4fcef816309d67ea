"""Fakes for tests: a store in memory, a backend whose jobs do what the test says, and a provider of both."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, BinaryIO

from zenctl.jobs.storage import ObjectInfo, Storage, StorageError, check_path
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.errors import ErrorKind, ProviderError
from zenctl.provider.messages import JobHandle, JobState, JobStatus, LogChunk, ProviderContext, SubmitRequest
from zenctl.provider.protocol import Compute, Endpoint, Processing
from zenctl.provider.testing.endpoint import FakeEndpoint, FakeServers
from zenctl.provider.testing.faults import Clock, Faults
from zenctl.schema import (
    ArtifactRef,
    BackendType,
    BlockModel,
    EndpointType,
    ProviderSchema,
    StoreType,
    attribute,
)


class FakeStorage:
    """A store in memory. `faults` let a test make any call fail, `clock` says when an object is written."""

    def __init__(
        self, name: str = "fake", faults: Faults | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.uri = f"memory://{name}"
        self.objects: dict[str, bytes] = {}
        self.faults = faults or Faults()
        self._clock = clock
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        check_path(path)
        with self.faults.during("open", path), self._lock:
            if path not in self.objects:
                raise StorageError("NOT_FOUND", f"{path} is not there")
            return io.BytesIO(self.objects[path][offset:])

    def put(self, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        check_path(path)
        with self.faults.during("put", path):
            try:
                data = source if isinstance(source, bytes) else source.read_bytes()
            except OSError as error:
                raise StorageError("NOT_FOUND", f"{path}: {error.strerror}") from error
            with self._lock:
                if path in self.objects and not overwrite:
                    return False
                self.objects[path] = data
                self._times[path] = self._clock()
                return True

    def stat(self, path: str) -> ObjectInfo | None:
        check_path(path)
        with self.faults.during("stat", path), self._lock:
            return self._info(path) if path in self.objects else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self.faults.during("list", prefix), self._lock:
            return iter([self._info(path) for path in sorted(self.objects) if path.startswith(prefix)])

    def delete(self, path: str) -> None:
        check_path(path)
        with self.faults.during("delete", path), self._lock:
            self.objects.pop(path, None)

    def _info(self, path: str) -> ObjectInfo:
        return ObjectInfo(path, len(self.objects[path]), self._times[path])


@dataclass(frozen=True)
class FakeRun:
    """What a fake job does: what it prints, how long it waits and works by the backend's clock, and how it ends.

    `seconds` None: it works until it is canceled. `ending` is called when it ends by itself, to write its result.
    """

    log: str = ""
    queued: float = 1.0
    seconds: float | None = 1.0
    status: JobStatus = field(default_factory=lambda: JobStatus(JobState.ENDED, 0))
    ending: Callable[[SubmitRequest], None] | None = None


@dataclass
class _FakeJob:
    request: SubmitRequest
    run: FakeRun
    since: float
    status: JobStatus | None = None


class FakeBackend:
    """The machines behind FakeCompute: what one FakeCompute submits, another finds.

    `jobs` are those that have not been released, by job id; `submitted` keeps every order. By default a second passes
    whenever a job is looked at.
    """

    def __init__(
        self,
        behave: Callable[[SubmitRequest], FakeRun],
        faults: Faults | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.behave = behave
        self.faults = faults or Faults()
        self.clock = clock or Clock(tick=1.0)
        self.jobs: dict[str, _FakeJob] = {}
        self.submitted: list[SubmitRequest] = []
        self.lock = threading.RLock()


class FakeCompute:
    """A backend in memory; its jobs advance by its clock, and are brought up to date when they are looked at."""

    def __init__(self, backend: FakeBackend) -> None:
        self._backend = backend

    def handle(self, request: SubmitRequest) -> JobHandle:
        with self._backend.faults.during("handle", request.spec.job_id):
            return {"job_id": request.spec.job_id}

    def submit(self, request: SubmitRequest) -> JobHandle:
        job_id = request.spec.job_id
        backend = self._backend
        with backend.faults.during("submit", job_id), backend.lock:
            backend.submitted.append(request)
            if job_id not in backend.jobs:
                backend.jobs[job_id] = _FakeJob(request, backend.behave(request), backend.clock())
            return {"job_id": job_id}

    def status(self, handle: JobHandle) -> JobStatus:
        with self._backend.faults.during("status", handle["job_id"]), self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            return self._now(job) if job is not None else JobStatus(JobState.LOST)

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        with self._backend.faults.during("logs", handle["job_id"]), self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            text = job.run.log.encode()[offset:] if job else b""
            return LogChunk(text.decode("utf-8", "replace"), offset + len(text))

    def cancel(self, handle: JobHandle) -> None:
        with self._backend.faults.during("cancel", handle["job_id"]), self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            if job is not None and job.status is None:
                job.status = JobStatus(JobState.ENDED, None, "canceled")

    def release(self, handle: JobHandle) -> None:
        with self._backend.faults.during("release", handle["job_id"]), self._backend.lock:
            self._backend.jobs.pop(handle["job_id"], None)

    def _now(self, job: _FakeJob) -> JobStatus:
        if job.status is not None:
            return job.status
        worked = self._backend.clock() - job.since - job.run.queued
        if worked <= 0:
            return JobStatus(JobState.PENDING, reason="waiting for a machine")
        if job.run.seconds is None or worked <= job.run.seconds:
            return JobStatus(JobState.RUNNING)
        if job.run.ending is not None:
            job.run.ending(job.request)
        job.status = job.run.status
        return job.status


class FakeProcessing:
    """A processing backend whose options are what the test says."""

    def __init__(self, options: Mapping[str, Any] | None = None, faults: Faults | None = None) -> None:
        self._options = dict(options or {"runner": "DirectRunner"})
        self.faults = faults or Faults()

    def options(self) -> Mapping[str, Any]:
        with self.faults.during("options", str(self._options.get("runner", ""))):
            return dict(self._options)


class _Nothing(BlockModel):
    pass


class _Serving(BlockModel):
    model: ArtifactRef = attribute("What is served.")


FAKE_SCHEMA = ProviderSchema(
    name="fake",
    config=_Nothing,
    backends={"fake": BackendType("fake", "Jobs in memory.", _Nothing, ("orchestrator", "processing"))},
    endpoints={"fake": EndpointType("fake", "Servers in memory.", _Serving)},
    stores={"fake": StoreType("fake", "Objects in memory.", _Nothing, "memory")},
)
"""What FakeProvider offers: a type `fake` of everything."""


class FakeProvider:
    """A provider of all the fakes. `faults` strike its own methods; those of what it offers have theirs."""

    name = "fake"
    version = "1.0"

    def __init__(
        self,
        backend: FakeBackend | None = None,
        servers: FakeServers | None = None,
        store: Storage | None = None,
        processing: FakeProcessing | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.backend = backend or FakeBackend(lambda _: FakeRun())
        self.servers = servers or FakeServers()
        self.store = store or FakeStorage()
        self.beam = processing or FakeProcessing()
        self.faults = faults or Faults()
        self.configured: list[tuple[Mapping[str, Any], ProviderContext]] = []

    def schema(self) -> ProviderSchema:
        with self.faults.during("schema", ""):
            return FAKE_SCHEMA

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        with self.faults.during("configure", ""):
            self.configured.append((config, context))

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:  # noqa: ARG002 - its block has no attributes
        with self.faults.during("compute", type):
            self._known("backend", type)
            return FakeCompute(self.backend)

    def processing(self, type: str, config: Mapping[str, Any]) -> Processing:  # noqa: ARG002 - its block has none
        with self.faults.during("processing", type):
            self._known("processing backend", type)
            return self.beam

    def endpoint(self, type: str) -> Endpoint:
        with self.faults.during("endpoint", type):
            self._known("endpoint", type)
            return FakeEndpoint(self.servers)

    def storage(self, type: str, config: Mapping[str, Any]) -> Storage:  # noqa: ARG002 - its block has no attributes
        with self.faults.during("storage", type):
            self._known("artifact store", type)
            return self.store

    def close(self) -> None:
        with self.faults.during("close", ""):
            """Nothing of it outlives the test."""

    def _known(self, what: str, type: str) -> None:
        if type != self.name:
            raise ProviderError(ErrorKind.INVALID, f'the {self.name} provider has no {what} of type "{type}"')
