"""An apply that records the result of one address: takes the lock, settles what was left there, and gives it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from zenctl.addrs import Address
from zenctl.diagnostics import DiagnosticError, error
from zenctl.engine.events import Listener
from zenctl.engine.session import locked
from zenctl.engine.settling import settle
from zenctl.engine.world import World
from zenctl.metadata.lock import LockLost
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import WorkspaceState, read_state
from zenctl.metadata.store import StoreError


@dataclass(slots=True)
class SingleApply:
    """What it records with, and the state it found. `outputs` are the root outputs afterwards; None leaves them."""

    recorder: Recorder
    state: WorkspaceState
    outputs: Mapping[str, Any] | None = None


@contextmanager
def single_apply(world: World, addr: Address, listener: Listener, lock_timeout: float) -> Iterator[SingleApply]:
    """Hold the lock; nothing of the address runs any more. An exception ends the apply as failed."""
    project, workspace = world.opened.configuration.settings.project, world.inputs.workspace
    recorder = locked(world, listener, lock_timeout, renew=True)
    try:
        state = read_state(world.store, project, workspace)
        others = [other for other in state.attempts if other != addr]
        settled = settle(state, recorder, world.providers, world.storage, listener, others)
        if settled.adopted or settled.ended:
            state = read_state(world.store, project, workspace)
        made = SingleApply(recorder, state)
        yield made
    except LockLost as problem:
        raise DiagnosticError(error("lock_lost", str(problem), problem.hint)) from problem
    except BaseException:
        # What went wrong first is what the user is to be told. A lock that is not given back is taken over later.
        with suppress(StoreError):
            recorder.finish("failed")
        raise
    recorder.finish("complete", made.outputs)
