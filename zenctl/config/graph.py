"""The graph of a configuration: what its values are made of, and its nodes with dependencies first, deterministic."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from zenctl.addrs import Address
from zenctl.config.configuration import Configuration, Graph, Item, Meta, ModuleCall
from zenctl.config.references import expanding_references, items, node_address, node_references, output_references
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.references import Reference, references

T = TypeVar("T", bound=Hashable)


def order(configuration: Configuration) -> tuple[list[Address], list[Diagnostic]]:
    """Every node of the tree once, after all it refers to; otherwise in the order of the files. Each loop is one error.

    The addresses are those of blocks, without keys.
    """
    nodes = configuration.all_nodes()
    rank = {addr: i for i, addr in enumerate(nodes)}
    needs = {addr: [a for a in node.references if a in nodes] for addr, node in nodes.items()}
    followers: dict[Address, list[Address]] = {addr: [] for addr in nodes}
    missing = {addr: len(needed) for addr, needed in needs.items()}
    for addr, needed in needs.items():
        for dependency in needed:
            followers[dependency].append(addr)
    ready = [(rank[addr], addr) for addr, count in missing.items() if count == 0]
    heapq.heapify(ready)
    found: list[Address] = []
    diagnostics: list[Diagnostic] = []
    done: set[Address] = set()
    while len(found) < len(nodes):
        if not ready:
            loop = _loop(needs, done, min((a for a in nodes if a not in done), key=rank.__getitem__))
            diagnostics.append(_cycle(configuration, loop))
            # Treating the loop as settled lets the walk find other loops too.
            ready = [(rank[addr], addr) for addr in loop]
            heapq.heapify(ready)
        _, addr = heapq.heappop(ready)
        if addr in done:
            continue
        done.add(addr)
        found.append(addr)
        for follower in followers[addr]:
            missing[follower] -= 1
            if missing[follower] == 0 and follower not in done:
                heapq.heappush(ready, (rank[follower], follower))
    return found, diagnostics


def _loop(needs: Mapping[Address, Sequence[Address]], done: set[Address], start: Address) -> list[Address]:
    """A loop that `start` leads to: every node that is left needs another one that is left."""
    path: dict[Address, int] = {}
    addr = start
    while addr not in path:
        path[addr] = len(path)
        addr = next(a for a in needs[addr] if a not in done)
    return list(path)[path[addr] :]


def _cycle(configuration: Configuration, loop: list[Address]) -> Diagnostic:
    modules = {module.path: module for module in configuration.modules()}
    first = loop[0]
    place = _edge(configuration.graph, modules, first, loop[1 % len(loop)])
    if len(loop) == 1:
        return error("cycle", f"{first} refers to itself", "Remove the reference.", range=place, address=str(first))
    edges = []
    for addr, needed in zip(loop, [*loop[1:], first], strict=True):
        edges.append(f"{addr} needs {needed} ({_edge(configuration.graph, modules, addr, needed)})")
    names = " -> ".join(str(addr) for addr in [*loop, first])
    detail = f"{'; '.join(edges)}. Remove one of these references."
    return error("cycle", f"These depend on each other in a circle: {names}", detail, range=place, address=str(first))


def _edge(
    graph: Graph, modules: Mapping[tuple[str, ...], Configuration], addr: Address, needed: Address
) -> SourceRange:
    """Where a node refers to another: the reference itself, that to a value that leads there, or the block."""
    module = modules[addr.module_path]
    node = module.nodes[addr]
    found = [*node_references(node), *expanding_references(node.meta)]
    for reference in found:
        if node_address(reference, module.prefix) == needed:
            return reference.range
    for reference in found:
        if any(needed in graph.leads.get(item, ()) for item in items(module, reference)):
            return reference.range
    return node.range


def value_graph(configuration: Configuration) -> tuple[Graph, list[Diagnostic]]:
    """What the values of a tree are made of; values that need themselves are reported."""
    uses: dict[Item, list[Item]] = {}
    direct: dict[Item, set[Address]] = {}
    places: dict[Item, SourceRange] = {}
    for module in configuration.modules():
        for name, local in module.locals.items():
            item = Item(module.path, "local", name)
            places[item] = local.range
            uses[item], direct[item] = needs(module, references(local.expression))
        for name, output in module.outputs.items():
            item = Item(module.path, "output", name)
            places[item] = output.range
            uses[item], direct[item] = needs(module, output_references(output))
        for call in module.calls.values():
            item = Item(module.path, "call", call.name)
            places[item] = call.range
            uses[item], direct[item] = needs(module, expanding_references(call.meta), call.meta)
            _arguments(module, call, item, uses, direct, places)
    for variable in configuration.variables.values():
        item = Item((), "var", variable.name)
        uses[item], direct[item], places[item] = [], set(), variable.range
    found, loops = dependency_order(uses)
    leads: dict[Item, frozenset[Address]] = {}
    for item in found:
        leads[item] = frozenset(direct[item]).union(*(leads.get(used, frozenset()) for used in uses[item]))
    looped = frozenset(item for loop in loops for item in loop)
    return Graph(leads, looped), [_value_cycle(loop, places) for loop in loops]


def _arguments(
    module: Configuration,
    call: ModuleCall,
    item: Item,
    uses: dict[Item, list[Item]],
    direct: dict[Item, set[Address]],
    places: dict[Item, SourceRange],
) -> None:
    """The variables of the module that is called: each is made of its argument, and of the call for `each`."""
    for variable in call.module.variables.values():
        inner = Item(call.module.path, "var", variable.name)
        expression = call.arguments.get(variable.name)
        found = [] if expression is None else references(expression)
        used, nodes = needs(module, found)
        uses[inner], direct[inner] = [item, *used], nodes
        places[inner] = variable.range if expression is None else expression.range


def needs(
    module: Configuration, found: Iterable[Reference], meta: Meta | None = None
) -> tuple[list[Item], set[Address]]:
    """The declared values and nodes that references of a module lead to, with those that depends_on names."""
    values: dict[Item, None] = {}
    nodes: set[Address] = set()
    for reference in found:
        values.update(dict.fromkeys(items(module, reference)))
        addr = node_address(reference, module.prefix)
        if addr is not None and addr in module.nodes:
            nodes.add(addr)
    if meta is not None:
        nodes |= {addr for addr in meta.depends_on if addr in module.nodes}
        for name in meta.depends_on_modules:
            if name in module.calls:
                values[Item(module.path, "call", name)] = None
                nodes |= module.calls[name].module.all_nodes().keys()
    return list(values), nodes


def enclosing(addr: Address) -> list[Item]:
    """The calls of the modules that a node stands in."""
    path = addr.module_path
    return [Item(path[:depth], "call", path[depth]) for depth in range(len(path))]


def dependency_order(uses: Mapping[T, Sequence[T]]) -> tuple[list[T], list[list[T]]]:
    """What is used before what uses it, and the loops found on the way. Not recursive."""
    done: set[T] = set()
    found: list[T] = []
    loops: list[list[T]] = []
    for start in uses:
        path: dict[T, int] = {}
        stack = [] if start in done else [start]
        while stack:
            item = stack[-1]
            waiting = [] if item in path else [n for n in uses[item] if n not in done]
            path.setdefault(item, len(path))
            looped = [n for n in waiting if n in path]
            if looped:
                passed = list(path)
                loops.append(passed[path[looped[0]] :])
            deeper = [n for n in waiting if n not in path]
            if deeper:
                stack.extend(deeper)
                continue
            stack.pop()
            path.pop(item, None)
            if item not in done:
                done.add(item)
                found.append(item)
    return found, loops


def _value_cycle(loop: list[Item], places: Mapping[Item, SourceRange]) -> Diagnostic:
    lines = [
        f"{item} ({places[item]}) uses {following}" for item, following in zip(loop, [*loop[1:], loop[0]], strict=True)
    ]
    detail = "; ".join(lines) + ". Break the loop."
    return error("cycle", f"{loop[0]} depends on itself", detail, range=places[loop[0]])
