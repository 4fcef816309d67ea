"""Finds where records stand after `moved` blocks of a configuration, or after `zenctl state mv`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from zenctl.addrs import Address, AddressError, ModuleInstance, parse, parse_module
from zenctl.config.configuration import Configuration, MovedConfig
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import WorkspaceState

Module = tuple[ModuleInstance, ...]


def moved_state(
    state: WorkspaceState, configuration: Configuration, blocks: Collection[Address]
) -> tuple[WorkspaceState, dict[Address, str], list[Diagnostic]]:
    """The state with records at their new addresses, and the former address of each that moved.

    An address that has a record already keeps it. `blocks` are the configured ones: what moves away must not be there
    any more.
    """
    declared = [moved for module in configuration.modules() for moved in module.moved]
    diagnostics = [problem for moved in declared if (problem := _still_there(moved, blocks)) is not None]
    moves = [_of(moved.source, moved.target) for moved in declared]
    results = dict(state.results)
    former: dict[Address, str] = {}
    for addr, recorded in state.results.items():
        target = _followed(addr, moves) if moves else addr
        if target != addr and target not in results:
            del results[addr]
            results[target] = replace(recorded, addr=target)
            former[target] = str(addr)
    return replace(state, results=results), former, diagnostics


def targets(recorded: Iterable[Address], source: str, target: str) -> dict[Address, Address]:
    """Where each of these addresses stands after one move; those that it does not concern are left out.

    `source` and `target` are what a `moved` block has as `from` and `to`.
    """
    move = _of(source, target)
    found = {addr: _target(addr, move) for addr in sorted(recorded, key=str)}
    return {addr: to for addr, to in found.items() if to is not None and to != addr}


@dataclass(frozen=True, slots=True)
class _Move:
    """A `moved` block: from a module, or an address in it, to another."""

    source: Module
    target: Module
    addresses: tuple[Address, Address] | None = None


def _of(source: str, target: str) -> _Move:
    try:
        addresses = parse(source), parse(target)
    except AddressError:
        return _Move(parse_module(source), parse_module(target))
    return _Move(addresses[0].module, addresses[1].module, addresses)


def _followed(addr: Address, moves: Sequence[_Move]) -> Address:
    """Where an address stands at the end. Moves may be chained, in whatever order they are written, each taken once."""
    left = list(moves)
    while True:
        for move in left:
            target = _target(addr, move)
            if target is not None:
                addr = target
                left.remove(move)
                break
        else:
            return addr


def _still_there(moved: MovedConfig, blocks: Collection[Address]) -> Diagnostic | None:
    move = _of(moved.source, moved.target)
    if move.addresses is not None:
        source, target = move.addresses
        there = source.key is None and source.block in blocks and target.block != source.block
    else:
        names, others = ([m.name for m in module] for module in (move.source, move.target))
        keyed = any(m.key is not None for m in move.source)
        there = not keyed and names != others and any(list(b.module_path[: len(names)]) == names for b in blocks)
    if not there:
        return None
    detail = "Remove its block, or the moved block: an address cannot be there and have moved away."
    summary = f"{moved.source} has moved, and is still configured"
    return error("moved_exists", summary, detail, range=moved.range)


def _target(addr: Address, move: _Move) -> Address | None:
    """Where an address moves to, or None."""
    if move.addresses is None:
        inner = _module_target(addr.module, move.source, move.target)
        return None if inner is None else replace(addr, module=inner)
    source, target = move.addresses
    if (type(source), source.type, source.name) != (type(addr), addr.type, addr.name):
        return None
    module = _module_target(addr.module, source.module, target.module)
    if module is None or len(addr.module) != len(source.module):
        return None
    if source.key is None and target.key is None:
        return replace(target, key=addr.key, module=module)
    return replace(target, module=module) if addr.key == source.key else None


def _module_target(module: Module, source: Module, target: Module) -> Module | None:
    """Where a module path that begins with `source` moves to; keys that are not named stay."""
    if len(module) < len(source):
        return None
    for own, wanted in zip(module, source, strict=False):
        if own.name != wanted.name or (wanted.key is not None and own.key != wanted.key):
            return None
    moved = []
    for depth, instance in enumerate(target):
        keep = instance.key is None and depth < len(source) and source[depth].key is None
        moved.append(replace(instance, key=module[depth].key) if keep else instance)
    return (*moved, *module[len(source) :])
