"""The operations behind `zenctl state rm` and `state mv`: forget or rename what is recorded, as an apply of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from zenctl.addrs import Address, EndpointAddr, covers
from zenctl.config.lifecycle import kind_moved
from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error, raise_errors
from zenctl.engine.events import Listener
from zenctl.engine.moving import targets
from zenctl.engine.opening import OpeningError, open_configuration
from zenctl.engine.requests import Inputs
from zenctl.engine.single_apply import single_apply
from zenctl.engine.world import World, open_world
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import Recorded, WorkspaceState, read_state


@dataclass(frozen=True, slots=True)
class Left:
    """An endpoint that runs on without a record."""

    address: str
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class RemoveOutcome:
    """The addresses that were forgotten (of a dry run: would be), and under which serial; or only diagnostics."""

    removed: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    serial: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class MoveOutcome:
    """The new address of each old one that moved (of a dry run: would), and under which serial; or only diagnostics."""

    moved: Mapping[str, str] = field(default_factory=dict, hash=False)
    serial: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def remove(
    inputs: Inputs, names: Sequence[str], listener: Listener, *, dry_run: bool, lock_timeout: float = 0.0
) -> RemoveOutcome:
    """Forget all that the names cover (instances, blocks or modules); artifacts and the past stay, endpoints run on."""
    try:
        # Whatever else is wrong with the configuration: where records and jobs are is all that is needed of it.
        opened = open_configuration(inputs, values_required=False, sound=False)
    except OpeningError as problem:
        return RemoveOutcome(diagnostics=problem.diagnostics, sources=problem.sources)
    try:
        with open_world(opened, inputs, create=not dry_run) as world:
            state = _state(world)
            wanted = _covered(state, names)
            if dry_run:
                return RemoveOutcome(_texts(wanted), _left(state, wanted))
            with single_apply(world, wanted, listener, lock_timeout) as made:
                wanted = _covered(made.state, names)
                for addr in wanted:
                    made.recorder.forget(addr)
            return RemoveOutcome(_texts(wanted), _left(made.state, wanted), made.recorder.serial)
    except DiagnosticError as problem:
        return RemoveOutcome(diagnostics=problem.diagnostics, sources=opened.sources)


def move(
    inputs: Inputs, source: str, target: str, listener: Listener, *, dry_run: bool, lock_timeout: float = 0.0
) -> MoveOutcome:
    """Have what is recorded at one place (an instance, a block or a module) stand at another, as `moved` does."""
    try:
        opened = open_configuration(inputs, values_required=False, sound=False)
    except OpeningError as problem:
        return MoveOutcome(diagnostics=problem.diagnostics, sources=problem.sources)
    try:
        with open_world(opened, inputs, create=not dry_run) as world:
            moves = _moves(_state(world), source, target)
            if dry_run:
                return MoveOutcome(_pairs(moves))
            with single_apply(world, {*moves, *moves.values()}, listener, lock_timeout) as made:
                moves = _moves(made.state, source, target)
                for addr, to in moves.items():
                    made.recorder.move(made.state.results[addr], to)
            return MoveOutcome(_pairs(moves), made.recorder.serial)
    except DiagnosticError as problem:
        return MoveOutcome(diagnostics=problem.diagnostics, sources=opened.sources)


def _state(world: World) -> WorkspaceState:
    return read_state(world.store, world.opened.configuration.settings.project, world.inputs.workspace)


def _covered(state: WorkspaceState, names: Sequence[str]) -> list[Address]:
    """What is recorded at the names; raises DiagnosticError where one names nothing."""
    there = sorted({*state.results, *state.attempts}, key=str)
    raise_errors([_nothing(name, there) for name in names if not any(covers(name, addr) for addr in there)])
    return [addr for addr in there if any(covers(name, addr) for name in names)]


def _moves(state: WorkspaceState, source: str, target: str) -> dict[Address, Address]:
    """Where each recorded result goes; raises DiagnosticError if there is none, or something stands there."""
    kinds = {kind_moved(text) for text in (source, target)}
    if len(kinds) > 1 or source == target:
        detail = f"They are of different kinds: {' and '.join(sorted(kinds))}." if len(kinds) > 1 else ""
        raise DiagnosticError(error("invalid_move", f"{source} cannot move to {target}", detail))
    found = targets(state.results, source, target)
    if not found:
        failed = [addr for addr in state.attempts if covers(source, addr)]
        raise DiagnosticError(_no_result(source) if failed else _nothing(source, sorted(state.results, key=str)))
    problems = []
    for addr, to in found.items():
        if to in state.results:
            detail = f"Forget it first (`zenctl state rm {to}`), or choose another address."
            problems.append(error("occupied", f"{addr} cannot move: {to} has a result of its own", detail))
    raise_errors(problems)
    return found


def _nothing(name: str, there: Collection[Address]) -> Diagnostic:
    hint = did_you_mean(name, [*(str(addr) for addr in there), *(str(addr.block) for addr in there)])
    detail = f"`zenctl state list` lists what is recorded.{hint}"
    return error("not_recorded", f"Nothing is recorded for {name}", detail)


def _no_result(name: str) -> Diagnostic:
    detail = "A failed or interrupted attempt is all that is recorded, and that stays where it was made."
    return error("not_recorded", f"{name} has no result", detail)


def _texts(addresses: Sequence[Address]) -> tuple[str, ...]:
    return tuple(str(addr) for addr in addresses)


def _pairs(moves: Mapping[Address, Address]) -> dict[str, str]:
    return {str(addr): str(to) for addr, to in moves.items()}


def _left(state: WorkspaceState, wanted: Sequence[Address]) -> tuple[Left, ...]:
    found = [state.results[addr] for addr in wanted if isinstance(addr, EndpointAddr) and addr in state.results]
    return tuple(_endpoint(recorded) for recorded in found)


def _endpoint(recorded: Recorded) -> Left:
    attributes = recorded.attributes
    return Left(str(recorded.addr), str(attributes.get("name", "")), str(attributes.get("url", "")))
