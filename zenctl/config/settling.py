"""Settles the values of a tree of modules: each is evaluated once for the nodes' values that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import field, replace
from typing import Any

from zenctl.addrs import Address, Key, ModuleInstance
from zenctl.config.conditions import check_conditions, ephemeral_output
from zenctl.config.configuration import Configuration, Item, ModuleCall
from zenctl.config.expansion import SINGLE, Expansion, Roots, expand
from zenctl.config.plain import faulty, plain_value
from zenctl.config.references import expanding_references, items, node_address, output_of, output_references
from zenctl.config.selecting import early_scope, expanding_uses, selected
from zenctl.config.variables import settle
from zenctl.diagnostics import Diagnostic, has_errors
from zenctl.lang.calls import Function
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import EPHEMERAL, object_value
from zenctl.lang.references import Reference, references
from zenctl.lang.syntax import Expression
from zenctl.lang.values import SENSITIVE, Value, from_python
from zenctl.lazy_dataclasses import dataclass

Place = tuple[ModuleInstance, ...]
"""One instance of a module: the module part of its nodes' addresses."""

NodeValue = Callable[[Address], Value]
"""The value of a declared step or datasource: a block, without a key of its own, in one instance of a module."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of the tree in one instance of its module."""

    place: Place
    item: Item


@dataclass(slots=True)
class Memo:
    """What was found for a spot, and the nodes' values it was made of: it holds as long as these are the same.

    `uses` are the instances whose results it needs: a block that has several, without a key, stands for all of them.
    """

    value: Value
    diagnostics: tuple[Diagnostic, ...]
    reads: Mapping[Address, Value]
    uses: Set[Address] = frozenset()
    expansion: Expansion = SINGLE
    checked: int = 0


@dataclass(slots=True)
class Making:
    """What a spot is being made of."""

    place: Place
    node: NodeValue
    reads: dict[Address, Value] = field(default_factory=dict)
    uses: set[Address] = field(default_factory=set)


class Settler:
    """Evaluates what spots are asked for, and what these need first. The arguments are those of `Scopes`."""

    def __init__(
        self,
        configuration: Configuration,
        variables: Mapping[str, Value],
        context: Mapping[str, Value],
        functions: Callable[[str], Mapping[str, Function]] | None,
    ) -> None:
        self.modules = {module.path: module for module in configuration.modules()}
        self.calls = {(m.path, call.name): call for m in self.modules.values() for call in m.calls.values()}
        self.graph = configuration.graph
        self._variables = variables
        self._context = context
        self._functions = functions
        self._memos: dict[Spot, Memo] = {}
        self._needed: dict[Item, list[Reference]] = {}
        self._epoch = 0

    def renew(self) -> None:
        """Say that nodes' values may have changed since the last call."""
        self._epoch += 1

    def expansion(self, place: Place, name: str, node: NodeValue) -> tuple[Expansion, tuple[Diagnostic, ...]]:
        """The instances of a module that is called from an instance of a module."""
        spot = Spot(place, Item(_path(place), "call", name))
        self.settle([spot], node)
        memo = self._memos.get(spot)
        return (memo.expansion, memo.diagnostics) if memo is not None else (SINGLE, ())

    def spots(self, place: Place, found: Iterable[Reference], own: Roots) -> list[Spot]:
        """The spots that references of a module's instance, which has `own` root names besides, need, as far as
        instances of modules are known already.
        """
        module = self.modules[_path(place)]
        spots: dict[Spot, None] = {}
        for reference in found:
            for item in items(module, reference):
                if item.kind != "output":
                    spots[Spot(place, item)] = None
                    continue
                call = module.calls[item.module[-1]]
                memo = self._memos.get(Spot(place, Item(module.path, "call", call.name)))
                for key in self._keys(place, call, reference, memo.expansion, own) if memo is not None else ():
                    spots[Spot((*place, ModuleInstance(call.name, key)), item)] = None
        return list(spots)

    def _keys(
        self, place: Place, call: ModuleCall, reference: Reference, expansion: Expansion, own: Roots
    ) -> Collection[Key]:
        """The instances of a module that a reference reads: the one with its key where that can be told already, so
        that as many references as there are instances do not read them all; otherwise every one.
        """
        module = self.modules[_path(place)]

        def settled(kind: str, name: str) -> Value | None:
            memo = self._memos.get(Spot(place, Item(module.path, kind, name)))
            return memo.value if memo is not None else None

        scope = early_scope(reference, own, settled, self.library(module))
        key = selected(call.meta, reference, 2, scope) if scope is not None else None
        return [key] if key is not None and key in expansion.instances else expansion.instances.keys()

    def settle_all(self, place: Place, found: Iterable[Reference], node: NodeValue, own: Roots) -> None:
        """Evaluate all that references of a module's instance need: first which instances modules have, then these."""
        found = list(found)
        while True:
            stale = [spot for spot in self.spots(place, found, own) if not self._fresh(spot, node)]
            if not stale:
                return
            self.settle(stale, node)

    def settle(self, wanted: Iterable[Spot], node: NodeValue) -> None:
        """Evaluate these spots and all that they need, what is needed first. Not recursive."""
        stack = list(wanted)
        while stack:
            spot = stack[-1]
            if self._fresh(spot, node):
                stack.pop()
                continue
            waiting = [needed for needed in self._needs(spot) if not self._fresh(needed, node)]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            self._memos[spot] = self._make(spot, node)

    def _fresh(self, spot: Spot, node: NodeValue) -> bool:
        if spot.item in self.graph.looped:
            return True
        memo = self._memos.get(spot)
        if memo is None:
            return False
        if memo.checked != self._epoch:
            if any(node(addr) is not value for addr, value in memo.reads.items()):
                return False
            memo.checked = self._epoch
        return True

    def _needs(self, spot: Spot) -> list[Spot]:
        item = spot.item
        if item.kind == "var":
            if not item.module:
                return []
            outer = spot.place[:-1]
            call = Spot(outer, Item(item.module[:-1], "call", item.module[-1]))
            memo = self._memos.get(call)
            if memo is None:
                return [call]
            own = memo.expansion.instances.get(spot.place[-1].key, {})
            return [call, *self.spots(outer, self._references(item), own)]
        return self.spots(spot.place, self._references(item), {})

    def _references(self, item: Item) -> list[Reference]:
        """What a value's own expression refers to, in the module where that expression stands."""
        found = self._needed.get(item)
        if found is None:
            if item.kind == "call":
                found = expanding_references(self.calls[item.module, item.name].meta)
            elif item.kind == "output":
                found = output_references(self.modules[item.module].outputs[item.name])
            else:
                expression = self._expression(item)
                found = [] if expression is None else references(expression)
            self._needed[item] = found
        return found

    def _expression(self, item: Item) -> Expression | None:
        module = self.modules[item.module]
        if item.kind == "local":
            return module.locals[item.name].expression
        if item.kind == "output":
            return module.outputs[item.name].value
        return self.calls[item.module[:-1], item.module[-1]].arguments.get(item.name) if item.module else None

    def _make(self, spot: Spot, node: NodeValue) -> Memo:
        item = spot.item
        if item.kind == "var":
            return self._make_variable(spot, node)
        making = Making(spot.place, node)
        diagnostics: list[Diagnostic] = []
        found = self._references(item)
        scope = self.scope(found, making, diagnostics)
        if item.kind == "call":
            call = self.calls[item.module, item.name]
            expansion, problems = expand(call.meta, scope, f'module "{call.name}"')
            return Memo(faulty(), (*diagnostics, *problems), making.reads, making.uses, expansion, self._epoch)
        expression = self._expression(item)
        if expression is None:
            raise AssertionError(f"{item} has no expression")
        value, problems = evaluate_expression(expression, scope)
        if item.kind == "output":
            output = self.modules[item.module].outputs[item.name]
            problems += check_conditions(output.preconditions, scope, f'Precondition of output "{output.name}" failed')
            problems += ephemeral_output(output, plain_value(value)[1], root=not item.module)
            value = value.with_marks(frozenset({SENSITIVE})) if output.sensitive else value
            value = value.with_marks(frozenset({EPHEMERAL})) if output.ephemeral else value
        if has_errors(problems):
            value = faulty()
        return Memo(value, (*diagnostics, *problems), making.reads, making.uses, checked=self._epoch)

    def _make_variable(self, spot: Spot, node: NodeValue) -> Memo:
        item = spot.item
        if not item.module:
            return Memo(self._variables.get(item.name) or faulty(), (), {}, checked=self._epoch)
        outer = spot.place[:-1]
        variable = self.modules[item.module].variables[item.name]
        expression = self._expression(item)
        making = Making(outer, node)
        diagnostics: list[Diagnostic] = []
        given: Value | None = None
        if expression is not None:
            memo = self._memos[Spot(outer, Item(item.module[:-1], "call", item.module[-1]))]
            making.reads.update(memo.reads)
            making.uses |= self.call_uses(outer, spot.place[-1])
            own = memo.expansion.instances.get(spot.place[-1].key, {})
            scope = self.scope(self._references(item), making, diagnostics, own)
            given, problems = evaluate_expression(expression, scope)
            diagnostics += problems
            if has_errors(problems):
                return Memo(faulty(), tuple(diagnostics), making.reads, making.uses, checked=self._epoch)
        elif not variable.has_default:
            return Memo(faulty(), (), making.reads, checked=self._epoch)
        place = None if expression is None else expression.range
        value, problems = settle(variable, given, place)
        return Memo(value, (*diagnostics, *problems), making.reads, making.uses, checked=self._epoch)

    def value(self, spot: Spot, making: Making, diagnostics: list[Diagnostic]) -> Value:
        """The value of a settled spot, noted as read."""
        memo = self._memos.get(spot)
        if memo is None or spot.item in self.graph.looped:
            return faulty()
        making.reads.update(memo.reads)
        making.uses |= memo.uses
        diagnostics += [d for d in memo.diagnostics if d not in diagnostics]
        return memo.value

    def call_uses(self, place: Place, instance: ModuleInstance) -> Set[Address]:
        """The instances that decide whether an instance of a module, called from `place`, is there, and its `each`."""
        item = Item(_path(place), "call", instance.name)
        memo = self._memos.get(Spot(place, item))
        return expanding_uses(self.calls[item.module, item.name].meta, place, instance.key, memo.uses if memo else ())

    def scope(
        self, found: Iterable[Reference], making: Making, diagnostics: list[Diagnostic], own: Roots | None = None
    ) -> Scope:
        """The scope of settled spots and nodes."""
        module = self.modules[_path(making.place)]
        named: dict[str, dict[str, Any]] = {"var": {}, "local": {}}
        roots: dict[str, Value] = {**self.always(module), **(own or {})}
        for reference in found:
            root = str(reference.path[0])
            addr = node_address(reference, making.place)
            name = str(reference.path[1]) if len(reference.path) > 1 else ""
            if addr is not None:
                of_type = named.setdefault(addr.kind, {}).setdefault(addr.type, {})
                if addr.name not in of_type:
                    of_type[addr.name] = self._node(module, addr, making)
            elif root in ("var", "local") and name:
                declared = module.variables if root == "var" else module.locals
                spot = Spot(making.place, Item(module.path, root, name))
                named[root][name] = self.value(spot, making, diagnostics) if name in declared else faulty()
            elif root == "module" and name in module.calls:
                of_modules = named.setdefault("module", {})
                self._outputs(module.calls[name], reference, making, diagnostics, of_modules, own or {})
            elif root not in named and not _has(roots.get(root), name):
                # There is no such name, or it has no such attribute: the loader has said so.
                roots[root] = faulty()
        made = {root: from_python(_plain_tree(values)) for root, values in named.items()}
        scope = Scope({**roots, **made}, self.library(module))
        for reference in found:
            self._use(module, reference, scope, making)
        return scope

    def _use(self, module: Configuration, reference: Reference, scope: Scope, making: Making) -> None:
        """Note the instances that a reference to nodes, or to outputs of a module, needs: the one with its key where
        that is known, otherwise all.
        """
        addr = node_address(reference, making.place)
        if addr is not None:
            node = module.nodes.get(addr.block)
            key = None if node is None else selected(node.meta, reference, 3, scope)
            making.uses.add(addr if key is None else replace(addr, key=key))
            return
        call = module.calls.get(str(reference.path[1])) if len(reference.path) > 1 else None
        if reference.path[0] != "module" or call is None:
            return
        memo = self._memos.get(Spot(making.place, Item(module.path, "call", call.name)))
        if memo is None or not memo.expansion.known:
            return
        key = selected(call.meta, reference, 2, scope)
        wanted = output_of(call, reference)
        for own in memo.expansion.instances if key not in memo.expansion.instances else [key]:
            instance = ModuleInstance(call.name, own)
            making.uses |= self.call_uses(making.place, instance)
            for name in call.module.outputs if wanted is None else [wanted]:
                output = self._memos.get(Spot((*making.place, instance), Item(call.module.path, "output", name)))
                making.uses |= output.uses if output is not None else frozenset()

    def _node(self, module: Configuration, addr: Address, making: Making) -> Value:
        if addr.block not in module.nodes:
            return faulty()
        value = making.node(addr)
        making.reads[addr] = value
        return value

    def _outputs(
        self,
        call: ModuleCall,
        reference: Reference,
        making: Making,
        diagnostics: list[Diagnostic],
        of_modules: dict[str, Any],
        own: Roots,
    ) -> None:
        """Add the outputs that a reference needs to `of_modules`: by the call's name, then key, then output."""
        memo = self._memos.get(Spot(making.place, Item(call.module.path[:-1], "call", call.name)))
        if memo is None:
            of_modules[call.name] = faulty()
            return
        making.reads.update(memo.reads)
        diagnostics += [d for d in memo.diagnostics if d not in diagnostics]
        expansion = memo.expansion
        if not expansion.known:
            of_modules[call.name] = expansion.collect({})
            return
        wanted = output_of(call, reference)
        names = list(call.module.outputs) if wanted is None else [wanted]
        instances = of_modules.setdefault(call.name, _Instances(expansion, {}))
        # What all instances need is not noted here: one of them may be meant.
        apart = Making(making.place, making.node)
        for key in self._keys(making.place, call, reference, expansion, own):
            outputs = instances.values.setdefault(key, {})
            for name in names:
                item = Item(call.module.path, "output", name)
                spot = Spot((*making.place, ModuleInstance(call.name, key)), item)
                declared = name in call.module.outputs
                outputs[name] = self.value(spot, apart, diagnostics) if declared else faulty()
        making.reads.update(apart.reads)

    def always(self, module: Configuration) -> dict[str, Value]:
        """Root names that are there everywhere."""
        path = {"module": module.folder or ".", "root": ".", "cwd": "."}
        return {**self._context, "path": from_python(path)}

    def library(self, module: Configuration) -> Mapping[str, Function] | None:
        return None if self._functions is None else self._functions(module.folder)


@dataclass(frozen=True, slots=True)
class _Instances:
    """The outputs of those instances of a module that are read."""

    expansion: Expansion
    values: dict[Key, dict[str, Value]]

    def value(self) -> Value:
        values = {key: object_value(outputs) for key, outputs in self.values.items()}
        if self.expansion.keyed == "count":  # what is not read keeps its place
            values = {key: values.get(key) or faulty() for key in self.expansion.instances}
        return self.expansion.collect(values)


def _has(root: Value | None, name: str) -> bool:
    """Whether a root name is there and, where it is an object, has the attribute ("" for the whole)."""
    return root is not None and (not name or not isinstance(root.raw, dict) or name in root.raw)


def _plain_tree(values: dict[str, Any]) -> dict[str, Any]:
    return {name: item.value() if isinstance(item, _Instances) else item for name, item in values.items()}


def _path(place: Place) -> tuple[str, ...]:
    return tuple(instance.name for instance in place)
