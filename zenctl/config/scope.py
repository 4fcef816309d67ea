"""Scopes: what expressions of a block can refer to, and which instances modules have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from zenctl.addrs import Address, ModuleInstance
from zenctl.config.configuration import Configuration, Item, Meta, ModuleCall
from zenctl.config.expansion import Roots
from zenctl.config.graph import needs
from zenctl.config.references import expanding_references, items, node_address
from zenctl.config.settling import Making, NodeValue, Place, Settler, Spot
from zenctl.diagnostics import Diagnostic
from zenctl.lang.calls import Function
from zenctl.lang.evaluate import Scope
from zenctl.lang.references import Reference
from zenctl.lang.values import Value, from_python
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Built:
    """A scope, what is wrong with the values in it, and the nodes' values that it was made of.

    `uses` are the instances whose results its references need; a block that has several, without a key, stands for all.
    """

    scope: Scope
    diagnostics: tuple[Diagnostic, ...]
    reads: Mapping[Address, Value]
    uses: Set[Address]


class Scopes:
    """Makes scopes for one configuration. A value is evaluated once for the nodes' values it depends on.

    `variables` are the values of the root module's. `context` are root names that are there everywhere (`zenctl`).
    `functions` gives the functions of a module's folder; None stands for the standard ones.
    """

    def __init__(
        self,
        configuration: Configuration,
        variables: Mapping[str, Value],
        *,
        context: Mapping[str, Value] | None = None,
        functions: Callable[[str], Mapping[str, Function]] | None = None,
    ) -> None:
        self._values = Settler(configuration, variables, context or {}, functions)
        self._modules, self._graph = self._values.modules, self._values.graph

    def renew(self) -> None:
        """Say that nodes' values may have changed since the last call."""
        self._values.renew()

    def static(self) -> tuple[Scope, list[Diagnostic]]:
        """The root module's variables, and those of its locals that depend on no node."""
        root = self._modules[()]
        named = [
            (kind, name)
            for kind, names in (("var", root.variables), ("local", root.locals))
            for name in names
            if not self._graph.leads.get(Item((), kind, name))
        ]
        spots = [Spot((), Item((), kind, name)) for kind, name in named]
        spots = [spot for spot in spots if spot.item not in self._graph.looped]
        making = Making((), _no_node)
        self._values.settle(spots, _no_node)
        values: dict[str, dict[str, Any]] = {"var": {}, "local": {}}
        diagnostics: list[Diagnostic] = []
        for spot in spots:
            values[spot.item.kind][spot.item.name] = self._values.value(spot, making, diagnostics)
        roots = {root: from_python(of_root) for root, of_root in values.items()}
        return Scope({**self._values.always(root), **roots}, self._values.library(root)), diagnostics

    def scope(self, place: Place, found: Iterable[Reference], node: NodeValue, own: Roots | None = None) -> Built:
        """What these references need and no more. What is not declared is unknown: the loader has said so.

        `own` are root names of the block itself, such as `each`.
        """
        found = list(found)
        self._values.settle_all(place, found, node, own or {})
        diagnostics: list[Diagnostic] = []
        making = Making(place, node)
        scope = self._values.scope(found, making, diagnostics, own)
        return Built(scope, tuple(diagnostics), making.reads, making.uses)

    def problems(self, place: Place, node: NodeValue, off: Set[Address]) -> list[Diagnostic]:
        """What is wrong with the values of an instance of a module, be they used or not, and with its calls.

        Values made of blocks that are `off` are not judged: who is off too may use them. Outputs of the root are left
        out.
        """
        module = self._modules[tuple(instance.name for instance in place)]
        named: list[tuple[str, Iterable[str]]] = [("local", module.locals), ("call", module.calls)]
        named += [("var", module.variables), ("output", module.outputs)] if place else []
        items = [Item(module.path, kind, name) for kind, names in named for name in names]
        wanted = [item for item in items if item not in self._graph.looped]
        spots = [Spot(place, item) for item in wanted if off.isdisjoint(self._graph.leads.get(item, ()))]
        self._values.settle(spots, node)
        making = Making(place, node)
        diagnostics: list[Diagnostic] = []
        for spot in spots:
            self._values.value(spot, making, diagnostics)
        return diagnostics

    def place_uses(self, place: Place) -> Set[Address]:
        """The instances that decide whether an instance of a module is there, and what `each` is in its call."""
        found: set[Address] = set()
        for depth, instance in enumerate(place):
            found |= self._values.call_uses(place[:depth], instance)
        return found

    def ordered_after(self, addr: Address, meta: Meta) -> Set[Address]:
        """The blocks that `depends_on` of a block, and of the calls of the modules around it, names."""
        path = addr.module_path
        found: set[Address] = set()
        calls = [(path[:depth], self._values.calls[path[:depth], path[depth]].meta) for depth in range(len(path))]
        for module, named in [(path, meta), *calls]:
            values, nodes = needs(self._modules[module], (), named)
            found |= nodes.union(*(self._graph.leads.get(item, frozenset()) for item in values))
        return found

    def nodes(self, path: tuple[str, ...], found: Iterable[Reference]) -> set[Address]:
        """The declared blocks that references of a module lead to, through values of all modules too."""
        module = self._modules[path]
        addresses: set[Address] = set()
        for reference in found:
            addr = node_address(reference, module.prefix)
            if addr is not None and addr in module.nodes:
                addresses.add(addr)
            for item in items(module, reference):
                addresses |= self._graph.leads.get(item, frozenset())
        return addresses

    def decided_by_calls(self, path: tuple[str, ...]) -> set[Address]:
        """The nodes whose results decide which instances a module has."""
        found: set[Address] = set()
        for depth in range(len(path)):
            found |= self._graph.leads.get(Item(path[:depth], "call", path[depth]), frozenset())
        return found

    def decided_by(self, addr: Address, meta: Meta) -> set[Address]:
        """The nodes whose results decide which instances a block has."""
        return self.nodes(addr.module_path, expanding_references(meta)) | self.decided_by_calls(addr.module_path)

    def places(
        self, path: tuple[str, ...], node: NodeValue, near: Place = ()
    ) -> tuple[list[Place], list[Diagnostic], ModuleCall | None]:
        """The instances of a module; those that share the instances of the modules that `near` lies in too.

        The last is a call whose instances are known only after apply: the places then stand for all.
        """
        shared = 0
        while shared < min(len(path), len(near)) and near[shared].name == path[shared]:
            shared += 1
        found: list[Place] = [near[:shared]]
        diagnostics: list[Diagnostic] = []
        unknown: ModuleCall | None = None
        for depth in range(shared, len(path)):
            call = self._values.calls[path[:depth], path[depth]]
            below: list[Place] = []
            for place in found:
                expansion, problems = self._values.expansion(place, path[depth], node)
                diagnostics += problems
                if not expansion.known and not expansion.wrong:
                    unknown = unknown or call
                below += [(*place, ModuleInstance(call.name, key)) for key in expansion.instances]
            found = below
        return found, diagnostics, unknown


def _no_node(addr: Address) -> Value:
    raise AssertionError(f"{addr} is asked for where no node can be referred to")
