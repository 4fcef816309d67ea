"""Executes one job on a backend: order, submit, wait, verify. Decides nothing and records through callbacks."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from zenctl.engine.events import ChangeLog, ChangeProgress, Listener, Notice
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Stop
from zenctl.jobs.artifacts import CorruptArtifact, check_tree, code_path
from zenctl.jobs.checkpoints import CheckpointStore
from zenctl.jobs.objects import buckets
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.spec import JobSpec, job_path, log_path, progress_path, result_path
from zenctl.jobs.storage import Distant, Storage, StorageError
from zenctl.jobs.stores.opening import SOURCES
from zenctl.jobs.wire import WireError, result_from_json, spec_to_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.plan import CodeArchive
from zenctl.provider import (
    Compute,
    ErrorKind,
    JobHandle,
    JobState,
    Progressing,
    ProviderError,
    SubmitRequest,
    no_access,
)
from zenctl.sdk.snapshot import OTHER_FILES

POLL_FIRST, POLL_MOST = 0.01, 0.25
"""Seconds between two looks at a job: short at first, so that a trivial step costs little; longer as it lasts."""

PRUNE_SECONDS = 60.0
"""How often checkpoints that newer ones have made useless are deleted."""

LAST_WORDS = 4000
"""Characters of a job's log that are kept for the case that it leaves no result."""

SAID = "zenctl: "
"""What the runner's own lines in a log begin with."""

RETRIED = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.NO_CAPACITY})
"""Errors of a backend that may pass by themselves."""


@dataclass(frozen=True, slots=True)
class Services:
    """What executing needs of the world. `apply` names the apply, as `SubmitRequest.apply` says."""

    storage: Storage
    providers: Providers
    runner: Path
    listener: Listener
    stop: Stop
    preload: tuple[str, ...] = ()
    apply: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One job to run. `fresh` asks for a process that shares nothing with earlier ones."""

    spec: JobSpec
    compute: Compute
    code: CodeArchive | None
    fresh: bool = False

    def request(self, services: Services) -> SubmitRequest:
        """What its backend is told."""
        storage = services.storage
        access = storage.access if isinstance(storage, Distant) else no_access
        sources = buckets(self.spec.locations)
        if sources:
            access = partial(_with_sources, access, sources, services.providers)
        return SubmitRequest(
            self.spec, storage.uri, services.runner, services.preload, self.fresh, access, services.apply
        )

    def handle(self, services: Services) -> JobHandle:
        """How its backend will know it: to be recorded before it is executed, so that nothing of it is ever lost."""
        return self.compute.handle(self.request(services))


@dataclass(slots=True)
class Tail:
    """How far a job's log and progress have been told; `words` is the end of the log, `waiting` what it waits for."""

    log: int = 0
    words: str = ""
    waiting: str = ""
    progress: int = 0
    rest: bytes = b""
    told: dict[str, Any] = field(default_factory=dict)


class Pruner:
    """Keeps the checkpoints of a key few while their job runs; without a key there is nothing to do."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._store = CheckpointStore(storage, key, "") if key else None
        self._next = time.monotonic() + PRUNE_SECONDS

    def prune(self) -> None:
        """Delete what is of no use any more, unless that was done just now."""
        if self._store is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PRUNE_SECONDS
        # Disk space is not worth failing for; what stays is found the next time.
        with suppress(StorageError):
            self._store.prune()


def execute(order: Order, services: Services) -> JobResult:
    """Run the job to its end. What goes wrong is in the result's error; a job that vanished is an error too."""
    spec = order.spec
    try:
        if order.code is not None:
            services.storage.put(code_path(order.code.digest), order.code.data)
        services.storage.put(job_path(spec.job_id), spec_to_json(spec))
        handle = _submit(order.compute, order.request(services), services.stop)
    except ProviderError as problem:
        # What a submit that failed has made all the same, such as a machine, must not stay.
        with suppress(ProviderError):
            order.compute.release(order.handle(services))
        return _failed(spec, "backend", problem.message, problem.hint)
    except StorageError as problem:
        return _failed(spec, "storage", f"the {problem.summary}", store_hint(problem))
    key = spec.checkpoints.key if spec.checkpoints is not None else ""
    return attend(spec.job_id, spec.address, order.compute, handle, services, spec.timeout, key)


def attend(
    job_id: str,
    address: str,
    compute: Compute,
    handle: JobHandle,
    services: Services,
    timeout: float | None,
    checkpoints: str = "",
) -> JobResult:
    """Wait for a submitted job, passing on what it says, and give its verified result. Cancels it when told to.

    Of its `checkpoints`, by their key, those that nobody will need any more are deleted meanwhile: it may not itself.
    A backend that cannot be asked any more ends the waiting: the job is canceled and released as far as that goes.
    """
    pruner = Pruner(services.storage, checkpoints)
    try:
        return _attend(job_id, address, compute, handle, services, timeout, pruner)
    except ProviderError as problem:
        # What it has said goes with the release.
        for end in (compute.cancel, partial(keep_log, services.storage, compute, job_id=job_id), compute.release):
            with suppress(ProviderError):
                end(handle)
        return JobResult(job_id, error=JobError("backend_lost", problem.message, hint=problem.hint))


def _attend(
    job_id: str,
    address: str,
    compute: Compute,
    handle: JobHandle,
    services: Services,
    timeout: float | None,
    pruner: Pruner,
) -> JobResult:
    tail = Tail()
    pause = POLL_FIRST
    deadline: float | None = None
    canceled = False
    while True:
        status = compute.status(handle)
        if status.state is JobState.PENDING:
            # Waiting for a slot, a machine or an environment does not count.
            deadline = None
            _tell_waiting(address, status.reason, services, tail)
        elif deadline is None and timeout:
            # The runner keeps the time limit itself; this one is for a runner that no longer can.
            deadline = time.monotonic() + timeout * 1.1 + 60
        pruner.prune()
        _pass_on(job_id, address, compute, handle, services, tail)
        if status.state in (JobState.ENDED, JobState.LOST):
            break
        if not canceled and (services.stop.cancel.is_set() or (deadline and time.monotonic() > deadline)):
            compute.cancel(handle)
            canceled = True
        services.stop.cancel.wait(pause) if not canceled else time.sleep(pause)
        pause = min(pause * 1.3, POLL_MOST)
    _pass_on(job_id, address, compute, handle, services, tail)
    try:
        result = read_result(services.storage, job_id)
    except StorageError as problem:
        message = f"its result cannot be read from the artifact store: {problem}"
        result = JobResult(job_id, error=JobError("storage", message, hint=store_hint(problem)))
    if result is None:
        kind = "canceled" if canceled and services.stop.cancel.is_set() else "timeout" if canceled else "lost"
        reason = status.reason or (
            f"it ended with exit code {status.exit_code}" if status.exit_code is not None else ""
        )
        message = {
            "canceled": "it was canceled",
            "timeout": f"it did not end within its timeout of {timeout:g} seconds" if timeout else "",
            "lost": reason or "its backend does not know it any more",
        }[kind]
        result = JobResult(job_id, error=JobError(kind, message, hint=_last_words(tail.words)))
    # The result is there, and counts: what cannot be cleared up now is found by the next apply.
    with suppress(ProviderError):
        keep_log(services.storage, compute, handle, job_id)
        compute.release(handle)
    return verified(services.storage, result)


def keep_log(storage: Storage, compute: Compute, handle: JobHandle, job_id: str) -> None:
    """Put the log of a job that has ended into a distant store; a near one has it already."""
    if not isinstance(storage, Distant):
        return
    with tempfile.TemporaryDirectory(prefix="zenctl-log-") as folder:
        file = Path(folder, "log.txt")
        offset = 0
        with file.open("w", encoding="utf-8", newline="") as stream:
            while (chunk := compute.logs(handle, offset)).text:
                stream.write(chunk.text)
                offset = chunk.next_offset
        # The result counts, and is there; a log is not worth failing for.
        with suppress(StorageError):
            if offset:
                storage.put(log_path(job_id), file, overwrite=True)


def _last_words(text: str) -> str:
    """The last that the runner itself said in a log, such as why it could not write its result."""
    said = [line.partition(SAID)[2] for line in text.splitlines() if line.startswith(SAID)]
    return f"It said: {said[-1]}" if said else ""


def read_result(storage: Storage, job_id: str) -> JobResult | None:
    """The job's result, or None if it has written none. A damaged one is a failure that says so."""
    path = result_path(job_id)
    if storage.stat(path) is None:
        return None
    try:
        with storage.open(path) as stream:
            return result_from_json(stream.read())
    except WireError as problem:
        return JobResult(job_id, error=JobError("internal", str(problem)))


def verified(storage: Storage, result: JobResult) -> JobResult:
    """The result itself if every output is in the store, else a failed one."""
    if not result.ok:
        return result
    try:
        for output in result.outputs.values():
            check_tree(storage, output.digest)
    except (CorruptArtifact, StorageError) as problem:
        error = JobError("storage", f"an output that the job reported is not in the artifact store: {problem}")
        return replace(result, outputs={}, error=error)
    return result


def note(result: JobResult) -> str:
    """A few words on what came out: rows of data sets and how much was known of them, a few numbers of metrics."""
    parts = []
    shards = reused = 0
    for name, output in result.outputs.items():
        rows = output.properties.get("rows")
        if output.type == "Dataset" and isinstance(rows, int):
            parts.append(f"{rows:,} rows" if name == "data" else f"{name} {rows:,} rows")
            shards, reused = shards + output.files - OTHER_FILES, reused + output.reused
        elif output.type == "Metrics":
            numbers = [(k, v) for k, v in output.properties.items() if isinstance(v, (int, float))][:3]
            parts += [f"{key} {value:.4g}" for key, value in numbers]
    if result.resumed:
        parts.append("resumed from a checkpoint")
    if reused:
        parts.append(f"{reused:,} of {shards:,} shards reused")
    return ", ".join(parts)


def store_hint(problem: StorageError) -> str:
    """What to do about a store that refuses."""
    return problem.hint or {
        "NO_SPACE": "Free disk space where the artifacts lie, then apply again: completed steps are kept.",
        "UNAUTHORIZED": "Check the permissions of the artifact store.",
        "TRANSIENT": "Apply again: completed steps are kept.",
    }.get(problem.kind, "")


def _with_sources(
    access: Callable[[bool], Mapping[str, Any]], sources: list[str], providers: Providers, credentials: bool
) -> Mapping[str, Any]:
    """What a job is told of its store, and of the buckets that its source lies in. Raises ProviderError for these."""
    told: dict[str, Any] = {}
    for uri in sources:
        storage = providers.bucket(uri)
        try:
            told[uri] = storage.access(credentials) if isinstance(storage, Distant) else {}
        except StorageError as problem:
            raise ProviderError(
                ErrorKind.UNAUTHORIZED, f"its source cannot be read: {problem}", problem.hint
            ) from problem
    return {**access(credentials), SOURCES: told}


def _submit(compute: Compute, request: SubmitRequest, stop: Stop) -> JobHandle:
    pause = 0.5
    for attempt in range(5):
        try:
            return compute.submit(request)
        except ProviderError as problem:
            if problem.kind not in RETRIED or attempt == 4 or stop.drain.is_set():
                raise
            stop.drain.wait(pause)
            pause *= 2
    raise AssertionError("the last attempt returns or raises")


def _tell_waiting(address: str, reason: str, services: Services, tail: Tail) -> None:
    """Say once what a job that has not begun is waiting for, if its backend tells."""
    if reason and reason != tail.waiting:
        services.listener(Notice(f"{address}: {reason}"))
    tail.waiting = reason or tail.waiting


def _pass_on(job_id: str, address: str, compute: Compute, handle: JobHandle, services: Services, tail: Tail) -> None:
    chunk = compute.logs(handle, tail.log)
    if chunk.text:
        services.listener(ChangeLog(address, chunk.text))
        tail.words = (tail.words + chunk.text)[-LAST_WORDS:]
    tail.log = chunk.next_offset
    data = _progress(job_id, compute, handle, services.storage, tail.progress)
    if not data:
        return
    tail.progress += len(data)
    *lines, tail.rest = (tail.rest + data).split(b"\n")
    latest = _last_progress(lines)
    if latest is not None and latest != tail.told:
        tail.told = dict(latest)
        services.listener(
            ChangeProgress(address, latest.get("done", 0), latest.get("total", 0), str(latest.get("unit", "")))
        )


def _progress(job_id: str, compute: Compute, handle: JobHandle, storage: Storage, offset: int) -> bytes:
    """What the job has told of its progress since; a distant store is not asked several times a second."""
    if isinstance(storage, Distant):
        return compute.progress(handle, offset) if isinstance(compute, Progressing) else b""
    path = progress_path(job_id)
    info = storage.stat(path)
    if info is None or info.size <= offset:
        return b""
    with storage.open(path, offset) as stream:
        return stream.read()


def _last_progress(lines: list[bytes]) -> Mapping[str, Any] | None:
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "done" in record:
            return record
    return None


def _failed(spec: JobSpec, kind: str, message: str, hint: str = "") -> JobResult:
    return JobResult(spec.job_id, error=JobError(kind, message, hint=hint))
