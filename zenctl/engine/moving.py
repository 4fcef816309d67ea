"""Finds where records stand after the `moved` blocks of a configuration. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from zenctl.addrs import Address, AddressError, ModuleInstance, parse, parse_module
from zenctl.config.configuration import Configuration, MovedConfig
from zenctl.diagnostics import Diagnostic, error
from zenctl.metadata.state import WorkspaceState

Module = tuple[ModuleInstance, ...]


def moved_state(
    state: WorkspaceState, configuration: Configuration, blocks: Collection[Address]
) -> tuple[WorkspaceState, dict[Address, str], list[Diagnostic]]:
    """The state with records at their new addresses, and the former address of each that moved.

    An address that has a record already keeps it. `blocks` are the configured ones: what moves away must not be there
    any more.
    """
    moves = [moved for module in configuration.modules() for moved in module.moved]
    diagnostics = [problem for moved in moves if (problem := _still_there(moved, blocks)) is not None]
    results = dict(state.results)
    former: dict[Address, str] = {}
    for addr, recorded in state.results.items():
        target = addr
        # Moves may be chained (a to b, b to c), each at most once.
        for moved in moves:
            target = _target(target, moved) or target
        if target != addr and target not in results:
            del results[addr]
            results[target] = replace(recorded, addr=target)
            former[target] = str(addr)
    return replace(state, results=results), former, diagnostics


def _still_there(moved: MovedConfig, blocks: Collection[Address]) -> Diagnostic | None:
    try:
        source = parse(moved.source)
    except AddressError:
        return None
    if source.key is not None or source.block not in blocks or parse(moved.target).block == source.block:
        return None
    detail = "Remove its block, or the moved block: an address cannot be there and have moved away."
    summary = f"{moved.source} has moved, and is still configured"
    return error("moved_exists", summary, detail, range=moved.range)


def _target(addr: Address, moved: MovedConfig) -> Address | None:
    """Where an address moves to, or None."""
    try:
        source, target = parse(moved.source), parse(moved.target)
    except AddressError:
        inner = _module_target(addr.module, parse_module(moved.source), parse_module(moved.target))
        return None if inner is None else replace(addr, module=inner)
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
