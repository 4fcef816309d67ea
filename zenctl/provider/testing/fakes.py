"""Fakes for tests: a store in memory, and a backend whose jobs do what the test says, without a process."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from zenctl.jobs.storage import ObjectInfo, StorageError, check_path
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.messages import JobHandle, JobState, JobStatus, LogChunk, SubmitRequest

Fault = Callable[[str, str], None]
"""Called with a method's name and a path before the method works; raises what is to go wrong."""


class FakeStorage:
    """A store in memory. `fault` lets a test make any call fail."""

    def __init__(self, name: str = "fake", fault: Fault | None = None) -> None:
        self.uri = f"memory://{name}"
        self.objects: dict[str, bytes] = {}
        self.fault = fault
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        self._before("open", path)
        with self._lock:
            if path not in self.objects:
                raise StorageError("NOT_FOUND", f"{path} is not there")
            return io.BytesIO(self.objects[path][offset:])

    def put(self, path: str, source: bytes | Path, *, overwrite: bool = False) -> bool:
        self._before("put", path)
        try:
            data = source if isinstance(source, bytes) else source.read_bytes()
        except OSError as error:
            raise StorageError("NOT_FOUND", f"{path}: {error.strerror}") from error
        with self._lock:
            if path in self.objects and not overwrite:
                return False
            self.objects[path] = data
            self._times[path] = time.time()
            return True

    def stat(self, path: str) -> ObjectInfo | None:
        self._before("stat", path)
        with self._lock:
            return self._info(path) if path in self.objects else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        if self.fault is not None:
            self.fault("list", prefix)
        with self._lock:
            return iter([self._info(path) for path in sorted(self.objects) if path.startswith(prefix)])

    def delete(self, path: str) -> None:
        self._before("delete", path)
        with self._lock:
            self.objects.pop(path, None)

    def _before(self, method: str, path: str) -> None:
        check_path(path)
        if self.fault is not None:
            self.fault(method, path)

    def _info(self, path: str) -> ObjectInfo:
        return ObjectInfo(path, len(self.objects[path]), self._times[path])


@dataclass(frozen=True)
class FakeRun:
    """What a fake job does: what it prints, how many looks it takes until it ends, and how it ends.

    `looks` None: it runs until it is canceled. `ending` is called when it ends by itself, to write its result.
    """

    log: str = ""
    looks: int | None = 2
    status: JobStatus = field(default_factory=lambda: JobStatus(JobState.ENDED, 0))
    ending: Callable[[SubmitRequest], None] | None = None


@dataclass
class _FakeJob:
    request: SubmitRequest
    run: FakeRun
    looks: int = 0
    status: JobStatus | None = None


class FakeBackend:
    """The machines behind FakeCompute: what one FakeCompute submits, another finds. `submitted` keeps every order."""

    def __init__(self, behave: Callable[[SubmitRequest], FakeRun]) -> None:
        self.behave = behave
        self.jobs: dict[str, _FakeJob] = {}
        self.submitted: list[SubmitRequest] = []
        self.lock = threading.RLock()


class FakeCompute:
    """A backend in memory; its jobs advance when they are looked at."""

    def __init__(self, backend: FakeBackend) -> None:
        self._backend = backend

    def handle(self, request: SubmitRequest) -> JobHandle:
        return {"job_id": request.spec.job_id}

    def submit(self, request: SubmitRequest) -> JobHandle:
        with self._backend.lock:
            self._backend.submitted.append(request)
            job_id = request.spec.job_id
            if job_id not in self._backend.jobs:
                self._backend.jobs[job_id] = _FakeJob(request, self._backend.behave(request))
            return self.handle(request)

    def status(self, handle: JobHandle) -> JobStatus:
        with self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            if job is None:
                return JobStatus(JobState.LOST)
            if job.status is None:
                job.looks += 1
                if job.run.looks is None or job.looks <= job.run.looks:
                    return JobStatus(JobState.PENDING if job.looks == 1 else JobState.RUNNING)
                if job.run.ending is not None:
                    job.run.ending(job.request)
                job.status = job.run.status
            return job.status

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        with self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            text = job.run.log.encode()[offset:] if job else b""
            return LogChunk(text.decode("utf-8", "replace"), offset + len(text))

    def cancel(self, handle: JobHandle) -> None:
        with self._backend.lock:
            job = self._backend.jobs.get(handle["job_id"])
            if job is not None and job.status is None:
                job.status = JobStatus(JobState.ENDED, None, "canceled")

    def release(self, handle: JobHandle) -> None:
        with self._backend.lock:
            self._backend.jobs.pop(handle["job_id"], None)
