"""Holds the lock of a workspace for one apply: takes it, and gives it back with how the apply ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.events import Listener, Notice
from zenctl.engine.requests import Inputs
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import LockHeld, LockLost, acquire
from zenctl.metadata.recording import Recorder
from zenctl.metadata.store import MetadataStore, StoreError

LEASE_SECONDS = 60.0
"""How long a lock is believed to be held without a sign of life from another host."""


@dataclass(slots=True)
class LockedApply:
    """What is recorded under the lock, and how it ends. `outputs` are the root outputs then; None leaves them."""

    recorder: Recorder
    outcome: str = "failed"
    outputs: Mapping[str, Any] | None = None


@contextmanager
def locked_apply(
    store: MetadataStore, project: str, inputs: Inputs, listener: Listener, timeout: float, *, renew: bool
) -> Iterator[LockedApply]:
    """Hold the lock of the workspace: what is recorded meanwhile is one apply. Raises DiagnosticError.

    `renew` begins the time of a workspace that is meant to go anew. An exception ends the apply with what `outcome` is
    by then.
    """
    made = LockedApply(_locked(store, project, inputs, listener, timeout, renew=renew))
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


def _locked(
    store: MetadataStore, project: str, inputs: Inputs, listener: Listener, timeout: float, *, renew: bool
) -> Recorder:
    holder = Holder.here(inputs.command, inputs.environment.get("USER", ""))
    try:
        lock = acquire(
            store,
            project,
            inputs.workspace,
            holder,
            lease_seconds=LEASE_SECONDS,
            timeout=timeout,
            renew=renew,
            on_wait=lambda held: listener(Notice(f"waiting for the lock: {held}")),
        )
    except LockHeld as held:
        raise DiagnosticError(error("lock_held", str(held), held.hint)) from held
    for dead in lock.recovered:
        listener(Notice(f"recovered the lock of a dead apply: {dead.holder}"))
    return Recorder(store, lock)
