"""Executes one job on a backend: order, submit, wait, verify. Decides nothing and records through callbacks."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from zenctl.engine.events import Listener
from zenctl.engine.following import Following
from zenctl.engine.outages import OUTAGE, OUTAGE_CANCELED, Outage, Time, insist
from zenctl.engine.providers import Providers
from zenctl.engine.pruning import Pruner
from zenctl.engine.requests import Stop
from zenctl.jobs.artifacts import CorruptArtifact, archive_path, check_tree, code_path
from zenctl.jobs.objects import buckets
from zenctl.jobs.result import JobError, JobResult, JobWarning
from zenctl.jobs.secrets.references import REMOTE, split
from zenctl.jobs.spec import JobSpec, job_path, log_path, result_path
from zenctl.jobs.storage import Distant, Storage, StorageError
from zenctl.jobs.stores.opening import SECRETS, SOURCES
from zenctl.jobs.wire import WireError, result_from_json, spec_to_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.plans.plan import CodeArchive
from zenctl.provider import (
    Compute,
    ErrorKind,
    JobHandle,
    JobState,
    JobStatus,
    ProviderError,
    SubmitRequest,
    no_access,
)
from zenctl.sdk.snapshot import OTHER_FILES

POLL_FIRST, POLL_MOST = 0.01, 0.25
"""Seconds between two looks at a job: short at first, so that a trivial step costs little; longer as it lasts."""

OPEN = "The job may still run. The next apply finds it, and waits for it or ends it."
"""What to know of a job that could neither be asked nor ended."""

POLL_OUTAGE = 5.0
"""Seconds between two looks at most while the backend does not answer."""

UNSETTLED = "unsettled"
"""The kind of error of a job of which nobody knows whether it still runs: its record stays open for the next apply."""


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
    time: Time = field(default_factory=Time)


@dataclass(frozen=True, slots=True)
class Order:
    """One job to run. `fresh` asks for a process that shares nothing with earlier ones.

    `archives` are put into the store for it, by their digest: what its environment is made with on another machine.
    """

    spec: JobSpec
    compute: Compute
    code: CodeArchive | None
    fresh: bool = False
    archives: Mapping[str, bytes | Path] = field(default_factory=dict, hash=False)

    def request(self, services: Services) -> SubmitRequest:
        """What its backend is told."""
        storage = services.storage
        access = storage.access if isinstance(storage, Distant) else no_access
        sources = buckets(self.spec.locations)
        if sources:
            access = partial(_with_sources, access, sources, services.providers)
        schemes = sorted({split(reference)[0] for reference in self.spec.secrets.values()} & set(REMOTE))
        if schemes:
            access = partial(_with_secrets, access, schemes, services.providers)
        return SubmitRequest(
            self.spec, storage.uri, services.runner, services.preload, self.fresh, access, services.apply
        )

    def handle(self, services: Services) -> JobHandle:
        """How its backend will know it: to be recorded before it is executed, so that nothing of it is ever lost."""
        return self.compute.handle(self.request(services))


def execute(order: Order, services: Services) -> JobResult:
    """Run the job to its end. What goes wrong is in the result's error; a job that vanished is an error too."""
    spec = order.spec
    try:
        if order.code is not None:
            services.storage.put(code_path(order.code.digest), order.code.data)
        for digest, archive in order.archives.items():
            if services.storage.stat(archive_path(digest)) is None:
                services.storage.put(archive_path(digest), archive)
        services.storage.put(job_path(spec.job_id), spec_to_json(spec))
        request = order.request(services)
        # A submit whose answer was lost may have started the job: the same job id again starts nothing.
        handle = insist(lambda: order.compute.submit(request), services.stop.drain, services.time)
    except ProviderError as problem:
        # What a submit that failed has made all the same, such as a machine, must not stay.
        return _given_up(spec.job_id, order.compute, order.handle(services), services, "backend", problem)
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
    A backend that cannot be asked any more ends the waiting: the job is canceled and released. Where that fails too the
    error's kind is UNSETTLED: the job may go on, and its record must stay open.
    """
    pruner = Pruner(services.storage, checkpoints)
    try:
        return _attend(job_id, address, compute, handle, services, timeout, pruner)
    except ProviderError as problem:
        lost = problem
    return _given_up(job_id, compute, handle, services, "backend_lost", lost)


def _given_up(
    job_id: str, compute: Compute, handle: JobHandle, services: Services, kind: str, problem: ProviderError
) -> JobResult:
    """End a job whose backend failed for good; its result counts nevertheless if it is there."""
    result = None
    # A store that cannot be read now has no result that would count.
    with suppress(StorageError):
        result = read_result(services.storage, job_id)
    # What it has said goes with the release.
    for end in (compute.cancel, partial(keep_log, services.storage, compute, job_id=job_id)):
        with suppress(ProviderError):
            end(handle)
    try:
        insist(lambda: compute.release(handle), services.stop.cancel, services.time)
    except ProviderError:
        if result is None:
            hint = f"{problem.hint} {OPEN}".strip()
            return JobResult(job_id, error=JobError(UNSETTLED, problem.message, hint=hint))
    if result is None:
        return JobResult(job_id, error=JobError(kind, problem.message, hint=problem.hint))
    return verified(services.storage, result)


def _attend(
    job_id: str,
    address: str,
    compute: Compute,
    handle: JobHandle,
    services: Services,
    timeout: float | None,
    pruner: Pruner,
) -> JobResult:
    following = Following(job_id, address, compute, handle, services.storage, services.listener)
    status, canceled = _wait_for_end(following, services, timeout, pruner)
    following.pass_on()
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
        result = JobResult(job_id, error=JobError(kind, message, hint=following.last_words()))
    # The result is there, and counts; a log is not worth failing for.
    with suppress(ProviderError):
        keep_log(services.storage, compute, handle, job_id)
    try:
        insist(lambda: compute.release(handle), services.stop.cancel, services.time)
    except ProviderError as problem:
        kept = JobWarning(f"what its backend keeps of it cannot be removed: {problem.message}", _by_hand(handle))
        result = replace(result, warnings=(*result.warnings, kept))
    return verified(services.storage, result)


def _wait_for_end(
    following: Following, services: Services, timeout: float | None, pruner: Pruner
) -> tuple[JobStatus, bool]:
    """How the job ended, and whether it was asked to here. Raises ProviderError if its backend is silent for too long.

    A job does not need its backend to answer in order to end: meanwhile its result is looked for.
    """
    job_id, compute, handle = following.job_id, following.compute, following.handle
    asking, canceling = (Outage(following.address, services.listener, services.time) for _ in range(2))
    stop, now, pause = services.stop.cancel, services.time.now, POLL_FIRST
    deadline: float | None = None
    status, ending, canceled = JobStatus(JobState.PENDING), False, False
    while True:
        patience = OUTAGE_CANCELED if stop.is_set() else OUTAGE
        answer = asking.ask(lambda: compute.status(handle), patience)
        status = answer or (JobStatus(JobState.ENDED) if _has_result(services.storage, job_id) else status)
        if status.state is JobState.PENDING:
            # Waiting for a slot, a machine or an environment does not count.
            deadline = None
            following.waits(status.reason)
        elif deadline is None and timeout:
            # The runner keeps the time limit itself; this one is for a runner that no longer can.
            deadline = now() + timeout * 1.1 + 60
        pruner.prune()
        if answer is not None:
            following.pass_on()
        if status.state in (JobState.ENDED, JobState.LOST):
            return status, ending
        if not canceled and (stop.is_set() or (deadline and now() > deadline)):
            ending = True
            canceled = canceling.ask(lambda: _canceled(compute, handle), patience) or False
        # Once it is to end there is nothing to be woken for.
        services.time.wait(threading.Event() if stop.is_set() else stop, pause)
        pause = min(pause * 1.3, POLL_MOST if answer is not None else POLL_OUTAGE)


def _canceled(compute: Compute, handle: JobHandle) -> bool:
    compute.cancel(handle)
    return True


def _by_hand(handle: JobHandle) -> str:
    return f"Remove it by hand, or it may cost: {json.dumps(dict(handle), sort_keys=True, ensure_ascii=False)}"


def _has_result(storage: Storage, job_id: str) -> bool:
    """Whether the job has written its result, as far as the store can be asked."""
    try:
        return storage.stat(result_path(job_id)) is not None
    except StorageError:
        return False


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
                if chunk.next_offset <= offset:
                    # It is beside the log, and would come for ever from a backend that does not tell it only once.
                    break
                offset = chunk.next_offset
        # The result counts, and is there; a log is not worth failing for.
        with suppress(StorageError):
            if offset:
                storage.put(log_path(job_id), file, overwrite=True)


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


def _with_secrets(
    access: Callable[[bool], Mapping[str, Any]], schemes: list[str], providers: Providers, credentials: bool
) -> Mapping[str, Any]:
    """The same, with how to reach what keeps its secrets. Raises ProviderError for that."""
    told: dict[str, Any] = {}
    for scheme in schemes:
        try:
            told[scheme] = dict(providers.secrets_access(scheme, credentials))
        except ProviderError as problem:
            message = f"its secrets of the form {scheme}:... cannot be read: {problem.message}"
            raise ProviderError(problem.kind, message, problem.hint) from problem
    return {**access(credentials), SECRETS: told}


def _failed(spec: JobSpec, kind: str, message: str, hint: str = "") -> JobResult:
    return JobResult(spec.job_id, error=JobError(kind, message, hint=hint))
