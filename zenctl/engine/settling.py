"""Settles what an interrupted apply left: keeps results that were finished, ends the records of jobs that are gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import field
from typing import TypeVar

from zenctl.addrs import Address, AddressError, BackendAddr, EndpointAddr, parse
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.events import Listener, Notice
from zenctl.engine.execution import keep_log, read_result, verified
from zenctl.engine.job_records import discard_checkpoints, record_result
from zenctl.engine.outages import Time, insist
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.jobs.checkpoints import checkpoint_key
from zenctl.jobs.storage import Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.provider import Compute, JobHandle, JobState, ProviderError, Sweeping

T = TypeVar("T")

LAST_LOOKS, LAST_PAUSE = 60, 0.25
"""How often, and after how many seconds, a job that has its result is looked at until it has ended, too."""


@dataclass(slots=True)
class Settled:
    """What was found: addresses whose finished results were kept, jobs that still run, and those given up."""

    adopted: list[Address] = field(default_factory=list)
    running: dict[Address, Recorded] = field(default_factory=dict)
    ended: list[Address] = field(default_factory=list)


def settle(
    state: WorkspaceState,
    recorder: Recorder,
    providers: Providers,
    storage: Storage,
    listener: Listener,
    wanted: Collection[Address],
    time: Time | None = None,
) -> Settled:
    """Go through the attempts that are recorded as running; the lock says that no apply is looking after them.

    Where the apply before has not completed, machines that it left without an attempt are removed.

    A job that still runs is left to be waited for if its address is `wanted` by the plan, else canceled. One of two
    runs that were to be compared proves nothing: it is not kept. Raises DiagnosticError.
    """
    found = Settled()
    for addr, attempt in state.attempts.items():
        if attempt.state is not ExecutionState.RUNNING:
            continue
        try:
            if isinstance(addr, EndpointAddr):
                _remove_half_made(state, addr, attempt, providers, wanted)
                recorder.fail(attempt.execution_id, "its apply was interrupted", canceled=True)
                found.ended.append(addr)
            else:
                job = _Job(attempt, providers.compute(backend_of(attempt)), storage, time or Time())
                _settle_job(found, job, recorder, listener, wanted)
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
    if recorder.after_unfinished:
        # It may have ended between two steps, or while its machine was deleted: no attempt tells of that.
        sweep(providers, listener, [attempt.handle for attempt in found.running.values()])
    return found


@dataclass(frozen=True, slots=True)
class _Job:
    """A job that an apply before left, and its backend, which is asked again where what it fails for may pass."""

    attempt: Recorded
    compute: Compute
    storage: Storage
    time: Time

    def runs(self) -> bool:
        status = self._insist(lambda: self.compute.status(self.attempt.handle))
        return status.state in (JobState.PENDING, JobState.RUNNING)

    def cancel(self) -> None:
        self._insist(lambda: self.compute.cancel(self.attempt.handle))

    def see_out(self) -> None:
        """Wait a little for a job that has written its result to end: what it printed is passed on until then."""
        for _ in range(LAST_LOOKS):
            if not self.runs():
                return
            self.time.wait(threading.Event(), LAST_PAUSE)

    def release(self) -> None:
        # A log is not worth failing for.
        with suppress(ProviderError):
            keep_log(self.storage, self.compute, self.attempt.handle, self.attempt.job_id)
        self._insist(lambda: self.compute.release(self.attempt.handle))

    def _insist(self, call: Callable[[], T]) -> T:
        return insist(call, threading.Event(), self.time)


def _settle_job(found: Settled, job: _Job, recorder: Recorder, listener: Listener, wanted: Collection[Address]) -> None:
    """Keep what a job has finished, leave it running if it is wanted, else end it."""
    attempt, storage = job.attempt, job.storage
    addr = attempt.addr
    result = read_result(storage, attempt.job_id)
    if result is not None and not attempt.repeated and verified(storage, result).ok:
        if attempt.handle:
            job.see_out()
        record_result(recorder, attempt.execution_id, result)
        key = checkpoint_key(attempt.project, attempt.workspace, attempt.fingerprint)
        discard_checkpoints(storage, key, result)
        if attempt.handle:
            job.release()
        found.adopted.append(addr)
        listener(Notice(f"{addr}: finished in apply {attempt.serial} before that was interrupted; its result is kept"))
        return
    if attempt.handle and job.runs():
        if addr in wanted and not attempt.repeated:
            found.running[addr] = attempt
            return
        job.cancel()
    if attempt.handle:
        job.release()
    recorder.fail(attempt.execution_id, "its apply was interrupted", canceled=True)
    found.ended.append(addr)
    listener(Notice(f"{addr}: was interrupted in apply {attempt.serial}"))


def sweep(providers: Providers, listener: Listener, keep: Sequence[JobHandle] | None = None) -> None:
    """Remove machines of this workspace that were left, as `Sweeping.sweep` says. Raises DiagnosticError."""
    for addr in providers.backends():
        compute = providers.compute(addr)
        if not isinstance(compute, Sweeping):
            continue
        try:
            removed = compute.sweep(keep)
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
        for name in removed:
            listener(Notice(f"{addr}: removed the machine {name}, which an interrupted apply had left"))


def _remove_half_made(
    state: WorkspaceState, addr: EndpointAddr, attempt: Recorded, providers: Providers, wanted: Collection[Address]
) -> None:
    """Delete an endpoint that is not the recorded one, but for a first one that is wanted: it is taken over."""
    name, head = attempt.handle.get("name"), state.results.get(addr)
    if not name or (head is None and addr in wanted) or (head is not None and head.attributes.get("name") == name):
        return
    providers.endpoint(addr.type, str(attempt.handle["provider"])).delete(str(name))


def backend_of(attempt: Recorded) -> BackendAddr | None:
    """Where an attempt was submitted to; None for the default."""
    try:
        addr = parse(attempt.backend)
    except AddressError:
        return None
    return addr if isinstance(addr, BackendAddr) else None
