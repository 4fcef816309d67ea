"""An apply that records something of a few addresses: takes the lock, settles what was left, gives it back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zenctl.addrs import Address
from zenctl.engine.events import Listener
from zenctl.engine.locking import Claim, locked_apply
from zenctl.engine.settling import settle
from zenctl.engine.world import World
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import WorkspaceState, read_state


@dataclass(slots=True)
class SingleApply:
    """What it records with, and the state it found. `outputs` are the root outputs afterwards; None leaves them."""

    recorder: Recorder
    state: WorkspaceState
    outputs: Mapping[str, Any] | None = None


@contextmanager
def single_apply(
    world: World, addresses: Collection[Address], listener: Listener, lock_timeout: float
) -> Iterator[SingleApply]:
    """Hold the lock; nothing of these addresses runs any more. An exception ends the apply as failed."""
    project, workspace = world.opened.configuration.settings.project, world.inputs.workspace
    named = sorted(map(str, addresses))
    doing = "records of " + ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    with locked_apply(world.store, world.inputs, listener, Claim(project, doing, lock_timeout)) as held:
        state = read_state(world.store, project, workspace)
        others = [other for other in state.attempts if other not in addresses]
        settled = settle(state, held.recorder, world.providers, world.storage, listener, others)
        if settled.adopted or settled.ended:
            state = read_state(world.store, project, workspace)
        made = SingleApply(held.recorder, state)
        yield made
        held.outcome, held.outputs = "complete", made.outputs
