"""Settles what an interrupted apply left: keeps results that were finished, ends the records of jobs that are gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field

from zenctl.addrs import Address, AddressError, BackendAddr, EndpointAddr, parse
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.events import Listener, Notice
from zenctl.engine.execution import keep_log, read_result, verified
from zenctl.engine.job_records import discard_checkpoints, record_result
from zenctl.engine.providers import Providers, provider_diagnostic
from zenctl.jobs.checkpoints import checkpoint_key
from zenctl.jobs.storage import Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.provider import Compute, JobState, ProviderError, Sweeping


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
) -> Settled:
    """Go through the attempts that are recorded as running; the lock says that no apply is looking after them.

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
                _settle_job(found, attempt, recorder, providers.compute(backend_of(attempt)), storage, listener, wanted)
        except ProviderError as problem:
            raise DiagnosticError(provider_diagnostic(problem, str(addr), address=str(addr))) from problem
    return found


def _settle_job(
    found: Settled,
    attempt: Recorded,
    recorder: Recorder,
    compute: Compute,
    storage: Storage,
    listener: Listener,
    wanted: Collection[Address],
) -> None:
    """Keep what a job has finished, leave it running if it is wanted, else end it."""
    addr = attempt.addr
    result = read_result(storage, attempt.job_id)
    if result is not None and not attempt.repeated and verified(storage, result).ok:
        record_result(recorder, attempt.execution_id, result)
        key = checkpoint_key(attempt.project, attempt.workspace, attempt.fingerprint)
        discard_checkpoints(storage, key, result)
        if attempt.handle:
            keep_log(storage, compute, attempt.handle, attempt.job_id)
            compute.release(attempt.handle)
        found.adopted.append(addr)
        listener(Notice(f"{addr}: finished in apply {attempt.serial} before that was interrupted; its result is kept"))
        return
    if attempt.handle and compute.status(attempt.handle).state in (JobState.PENDING, JobState.RUNNING):
        if addr in wanted and not attempt.repeated:
            found.running[addr] = attempt
            return
        compute.cancel(attempt.handle)
    if attempt.handle:
        keep_log(storage, compute, attempt.handle, attempt.job_id)
        compute.release(attempt.handle)
    recorder.fail(attempt.execution_id, "its apply was interrupted", canceled=True)
    found.ended.append(addr)
    listener(Notice(f"{addr}: was interrupted in apply {attempt.serial}"))


def sweep(providers: Providers, listener: Listener) -> None:
    """Remove the machines that applies of this workspace which were killed have left. Raises DiagnosticError."""
    for addr in providers.backends():
        compute = providers.compute(addr)
        if not isinstance(compute, Sweeping):
            continue
        try:
            removed = compute.sweep()
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
