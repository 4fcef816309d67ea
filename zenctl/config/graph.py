"""The order of a configuration's nodes: dependencies first, deterministic; a loop is shown edge by edge."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from zenctl.addrs import Address
from zenctl.config.checking import local_names
from zenctl.config.configuration import Configuration
from zenctl.config.references import node_address, node_references
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.references import Reference, references


def order(configuration: Configuration) -> tuple[list[Address], list[Diagnostic]]:
    """Every node once, after all it refers to; otherwise in the order of the files. Each loop is one error."""
    nodes = configuration.nodes
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
    first = loop[0]
    place = _edge(configuration, first, loop[1 % len(loop)])
    if len(loop) == 1:
        return error("cycle", f"{first} refers to itself", "Remove the reference.", range=place, address=str(first))
    edges = []
    for addr, needed in zip(loop, [*loop[1:], first], strict=True):
        edges.append(f"{addr} needs {needed} ({_edge(configuration, addr, needed)})")
    names = " -> ".join(str(addr) for addr in [*loop, first])
    detail = f"{'; '.join(edges)}. Remove one of these references."
    return error("cycle", f"These depend on each other in a circle: {names}", detail, range=place, address=str(first))


def _edge(configuration: Configuration, addr: Address, needed: Address) -> SourceRange:
    """Where a node refers to another: the reference itself, that to a local that leads there, or the block."""
    node = configuration.nodes[addr]
    found = node_references(node)
    for reference in found:
        if node_address(reference) == needed:
            return reference.range
    for reference in found:
        if _through_local(configuration, reference, needed):
            return reference.range
    return node.range


def _through_local(configuration: Configuration, reference: Reference, needed: Address) -> bool:
    waiting = local_names([reference])
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in configuration.locals:
            continue
        seen.add(name)
        inner = references(configuration.locals[name].expression)
        if any(node_address(r) == needed for r in inner):
            return True
        waiting += local_names(inner)
    return False
