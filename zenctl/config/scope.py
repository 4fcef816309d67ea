"""Builds the scope of a block from what it refers to: variables, locals evaluated lazily, and nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zenctl.addrs import Address
from zenctl.config.checking import local_graph, local_names
from zenctl.config.configuration import Configuration
from zenctl.config.plain import FAULTY
from zenctl.config.references import node_address
from zenctl.diagnostics import Diagnostic
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import Reference, references
from zenctl.lang.values import DYNAMIC, Value, from_python

NodeValue = Callable[[Address], Value]
"""The value of a declared step or datasource."""


class Scopes:
    """Makes scopes for one configuration. A local is evaluated once for the nodes' values it depends on."""

    def __init__(self, configuration: Configuration, variables: Mapping[str, Value]) -> None:
        self._configuration = configuration
        self._variables = variables
        graph = local_graph(configuration)
        self._rank = {name: i for i, name in enumerate(graph.order)}
        self._uses = graph.uses
        self.local_nodes = graph.nodes
        self._looped = {name for loop in graph.loops for name in loop}
        self._references = {n: references(item.expression) for n, item in configuration.locals.items()}
        self._locals: dict[str, tuple[tuple[Value, ...], Value, tuple[Diagnostic, ...]]] = {}

    def static(self) -> tuple[Scope, list[Diagnostic]]:
        """Variables, and the locals that depend on no node."""
        names = [name for name, nodes in self.local_nodes.items() if not nodes and name not in self._looped]
        values, diagnostics = self._local_values(names, _no_node)
        roots = {
            "var": from_python({n: self._variable(n) for n in self._configuration.variables}),
            "local": from_python(values),
        }
        return Scope(roots), diagnostics

    def scope(self, found: Iterable[Reference], node: NodeValue) -> tuple[Scope, list[Diagnostic]]:
        """What these references need and no more. What is not declared is unknown: the loader has said so."""
        found = list(found)
        values, diagnostics = self._local_values(local_names(found), node)
        return self._scope(found, values, node), diagnostics

    def _scope(self, found: Iterable[Reference], locals_: Mapping[str, Value], node: NodeValue) -> Scope:
        named: dict[str, dict[str, Any]] = {"var": {}, "local": dict(locals_)}
        roots: dict[str, Value] = {}
        for reference in found:
            root = str(reference.path[0])
            addr = node_address(reference)
            if addr is not None:
                of_type = named.setdefault(addr.kind, {}).setdefault(addr.type, {})
                if addr.name not in of_type:
                    of_type[addr.name] = node(addr) if addr in self._configuration.nodes else faulty()
            elif root == "var" and len(reference.path) > 1:
                named["var"][str(reference.path[1])] = self._variable(str(reference.path[1]))
            elif root != "local":
                roots[root] = faulty()
        return Scope({**roots, **{root: from_python(values) for root, values in named.items()}})

    def nodes(self, found: Iterable[Reference]) -> set[Address]:
        """The declared nodes that these references lead to, through locals too."""
        addresses: set[Address] = set()
        for reference in found:
            addr = node_address(reference)
            if addr is not None and addr in self._configuration.nodes:
                addresses.add(addr)
            elif reference.path[0] == "local" and len(reference.path) > 1:
                addresses |= self.local_nodes.get(str(reference.path[1]), set())
        return addresses

    def _variable(self, name: str) -> Value:
        return self._variables.get(name) or faulty()

    def _local_values(self, wanted: Iterable[str], node: NodeValue) -> tuple[dict[str, Value], list[Diagnostic]]:
        needed: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += self._uses.get(name, [])
        values: dict[str, Value] = {}
        diagnostics: list[Diagnostic] = []
        for name in sorted(needed, key=lambda n: self._rank.get(n, -1)):
            if name not in self._configuration.locals or name in self._looped:
                values[name] = faulty()
                continue
            values[name], found = self._local(name, values, node)
            diagnostics += found
        return values, diagnostics

    def _local(self, name: str, others: Mapping[str, Value], node: NodeValue) -> tuple[Value, tuple[Diagnostic, ...]]:
        inputs = tuple(node(addr) for addr in sorted(self.local_nodes[name], key=str))
        cached = self._locals.get(name)
        if cached is not None and len(cached[0]) == len(inputs) and all(map(_same, cached[0], inputs)):
            return cached[1], cached[2]
        scope = self._scope(self._references[name], {n: others[n] for n in self._uses[name]}, node)
        value, diagnostics = evaluate_expression(self._configuration.locals[name].expression, scope)
        if any(d.is_error for d in diagnostics):
            value = faulty()
        self._locals[name] = (inputs, value, tuple(diagnostics))
        return value, tuple(diagnostics)


def faulty() -> Value:
    """The value of what is wrong and has been reported: unknown, and nothing made of it is reported again."""
    return DYNAMIC.with_marks(frozenset({FAULTY}))


def _same(a: Value, b: Value) -> bool:
    return a is b


def _no_node(addr: Address) -> Value:
    raise AssertionError(f"{addr} is asked for where no node can be referred to")
