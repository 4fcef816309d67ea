"""Holds the lock of a workspace for one apply: takes it, and gives it back with how the apply ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import field
from typing import Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.events import Listener, Notice
from zenctl.engine.requests import Inputs, Stop
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.held import WATCHED
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import LockHeld, LockLost, acquire
from zenctl.metadata.recording import Recorder
from zenctl.metadata.store import MetadataStore, StoreError

LEASE_SECONDS = 60.0
"""How long a lock is believed to be held without a sign of life from another host."""


class WaitEnded(DiagnosticError):
    """The user did not want to wait for the lock any longer."""


@dataclass(slots=True)
class LockedApply:
    """What is recorded under the lock, and how it ends. `outputs` are the root outputs then; None leaves them."""

    recorder: Recorder
    outcome: str = "failed"
    outputs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for the lock of a workspace, and how long it waits.

    `plan` tells those who have to wait what it does, in a few words. `renew` begins the time of a workspace that is
    meant to go anew. `timeout` is in seconds; `stop` ends the wait sooner.
    """

    project: str
    plan: str
    timeout: float
    renew: bool = True
    stop: Stop = field(default_factory=Stop)


@contextmanager
def locked_apply(store: MetadataStore, inputs: Inputs, listener: Listener, claim: Claim) -> Iterator[LockedApply]:
    """Hold the lock of the workspace: what is recorded meanwhile is one apply. Raises DiagnosticError.

    An exception ends the apply with what `outcome` is by then.
    """
    made = LockedApply(_locked(store, inputs, listener, claim))
    try:
        yield made
    except LockLost as problem:
        raise DiagnosticError(error("lock_lost", str(problem), problem.hint)) from problem
    except BaseException:
        # What went wrong first is what the user is to be told. A lock that is not given back is taken over later.
        with suppress(StoreError):
            made.recorder.finish(made.outcome, made.outputs)
        raise
    made.recorder.finish(made.outcome, made.outputs)


def _locked(store: MetadataStore, inputs: Inputs, listener: Listener, claim: Claim) -> Recorder:
    holder = Holder.here(inputs.command, inputs.environment.get("USER", ""), claim.plan)
    try:
        lock = acquire(
            store,
            claim.project,
            inputs.workspace,
            holder,
            lease_seconds=LEASE_SECONDS,
            timeout=claim.timeout,
            renew=claim.renew,
            pause=claim.stop.drain.wait,
            on_wait=lambda held: listener(Notice(_waiting(held))),
        )
    except LockHeld as held:
        if claim.stop.drain.is_set():
            raise WaitEnded(error("lock_wait_interrupted", f"Interrupted while {_waiting(held)}")) from held
        raise DiagnosticError(error("lock_held", str(held), held.hint)) from held
    for dead in lock.recovered:
        listener(Notice(f"recovered the lock of a dead apply: {dead.holder}"))
    return Recorder(store, lock)


def _waiting(held: LockHeld) -> str:
    if not held.overdue:
        return f"waiting for the lock: {held}"
    seconds = round(LEASE_SECONDS * WATCHED)
    return f"waiting for the lock: {held}; it seems dead, and is watched for {seconds} seconds for a sign of life"
