"""Checks every reference of a configuration against what it declares, and finds the edges of its graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from zenctl.addrs import Address, BackendAddr
from zenctl.config.configuration import Configuration, NamedExpression, NodeConfig
from zenctl.config.reading import not_yet
from zenctl.config.references import (
    VALUES,
    backend_address,
    body_references,
    node_address,
    node_references,
    placement_expressions,
)
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.references import Reference, references
from zenctl.lang.syntax import Expression

ROOTS = ("var", "local", "datasource", "step")
"""Root names that have values."""

RUNNERS = ("orchestrator", "training")
"""Roles of the backends that can run a step."""

ROOTS_LATER = {"each": "for_each", "count": "count", "module": "module", "path": "path", "self": "self"}


class Checker:
    """Checks one configuration; `diagnostics` grows."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.diagnostics: list[Diagnostic] = []
        graph = local_graph(configuration)
        self.local_nodes = graph.nodes
        self.faulty_locals = {name for loop in graph.loops for name in loop}
        for loop in graph.loops:
            self.diagnostics.append(_local_cycle([configuration.locals[name] for name in loop]))

    def check(self) -> Configuration:
        """The configuration with the references of each node filled in; problems are in `diagnostics`."""
        configuration = self.configuration
        for local in configuration.locals.values():
            self._values(references(local.expression))
        for output in configuration.outputs.values():
            self._values(references(output.value))
        for backend in configuration.backends.values():
            self._static(body_references(backend.body), f"a backend ({backend.addr})")
        for provider in configuration.providers.values():
            self._static(body_references(provider.body), f"provider {provider.name}")
        for variable in configuration.variables.values():
            for rule in variable.validations:
                found = [*references(rule.condition), *references(rule.error_message)]
                self._only_variables(found, f"the validation of variable {variable.name}")
        self._defaults()
        nodes = {addr: self._node(node) for addr, node in configuration.nodes.items()}
        faulty = configuration.faulty | {f"local.{name}" for name in self.faulty_locals}
        return replace(configuration, nodes=nodes, faulty=faulty)

    def _node(self, node: NodeConfig) -> NodeConfig:
        found = node_references(node)
        self._values(found)
        for role, expression in placement_expressions(node):
            self._placement(role, expression)
        edges = self.edges(found)
        for addr in node.meta.depends_on:
            if addr in self.configuration.nodes:
                edges.add(addr)
            elif not self._left_out(addr):
                self.diagnostics.append(self._undeclared(addr, self.configuration.nodes).at(node.range))
        return replace(node, references=tuple(sorted(edges, key=str)))

    def edges(self, found: Iterable[Reference]) -> set[Address]:
        """The declared nodes that references lead to, through locals too."""
        edges: set[Address] = set()
        for reference in found:
            addr = node_address(reference)
            if addr is not None and addr in self.configuration.nodes:
                edges.add(addr)
            elif len(reference.path) > 1 and reference.path[0] == "local":
                edges |= self.local_nodes.get(str(reference.path[1]), set())
        return edges

    def _values(self, found: Iterable[Reference]) -> None:
        self.diagnostics += [d for reference in found for d in self._value(reference)]

    def _value(self, reference: Reference) -> list[Diagnostic]:
        root = str(reference.path[0])
        second = reference.path[1] if len(reference.path) > 1 else None
        if root in ("var", "local"):
            return self._named(reference, root, second)
        if root in VALUES:
            addr = node_address(reference)
            if addr is None:
                return [_incomplete(reference, root)]
            if addr in self.configuration.nodes or self._left_out(addr):
                return []
            same = {a: None for a in self.configuration.nodes if a.kind in VALUES}
            return [self._undeclared(addr, same).at(reference.range)]
        if root == "backend":
            detail = "A backend has no value; name it in the arguments `backend` and `processing` only."
            return [error("invalid_reference", "A backend cannot be used here", detail, range=reference.range)]
        if root == "endpoint":
            detail = "Only steps and datasources have values that others can use. `zenctl state show` tells its URL."
            return [error("invalid_reference", "An endpoint cannot be used here", detail, range=reference.range)]
        if root in ROOTS_LATER:
            return [not_yet(ROOTS_LATER[root], reference.range)]
        known = ", ".join(f"{name}." for name in ROOTS)
        detail = f"An expression can refer to {known}{did_you_mean(root, ROOTS)}"
        return [error("undeclared_reference", f'There is nothing named "{root}"', detail, range=reference.range)]

    def _named(self, reference: Reference, root: str, second: str | int | None) -> list[Diagnostic]:
        word = "variable" if root == "var" else "local value"
        declared: Mapping[str, object] = self.configuration.variables
        if root == "local":
            declared = self.configuration.locals
        if second is None or not isinstance(second, str):
            summary = f"A {word} is referred to as {root}.NAME, with a literal name"
            return [error("invalid_reference", summary, range=reference.range)]
        if second in declared or f"{root}.{second}" in self.configuration.faulty:
            return []
        example = f'variable "{second}" {{}}' if root == "var" else f"locals {{ {second} = ... }}"
        hint = did_you_mean(second, declared)
        detail = f"Declare it: {example}.{hint}" if not hint else hint.strip()
        summary = f"There is no {root}.{second}"
        return [error(f"undeclared_{word.replace(' ', '_')}", summary, detail, range=reference.range)]

    def _left_out(self, addr: Address) -> bool:
        """Whether its block is there but wrong, be it by the very type: one of that name explains it."""
        return any(
            text.startswith(f"{addr.kind}.") and text.rpartition(".")[2] == addr.name
            for text in self.configuration.faulty
        )

    def _undeclared(self, addr: Address, known: Iterable[Address]) -> Diagnostic:
        texts = [str(a) for a in known]
        named = [str(a) for a in known if a.name == addr.name]
        hint = did_you_mean(str(addr), texts) or (f' Did you mean "{named[0]}"?' if named else "")
        detail = hint.strip() or f'Declare it: {addr.kind} "{addr.type}" "{addr.name}" {{ ... }}'
        return error(f"undeclared_{addr.kind}", f"There is no {addr}", detail)

    def _static(self, found: Iterable[Reference], what: str) -> None:
        """References of what must be known before anything runs: variables, and locals made of them."""
        for reference in found:
            root = str(reference.path[0])
            second = str(reference.path[1]) if len(reference.path) > 1 else ""
            if root in VALUES or (root == "local" and self.local_nodes.get(second)):
                summary = f"{what[:1].upper()}{what[1:]} cannot depend on a result"
                detail = "It is needed before anything has run. Use variables and literal values."
                self.diagnostics.append(error("invalid_reference", summary, detail, range=reference.range))
            else:
                self.diagnostics += self._value(reference)

    def _only_variables(self, found: Iterable[Reference], what: str) -> None:
        for reference in found:
            if reference.path[0] == "var":
                self.diagnostics += self._value(reference)
            else:
                summary = f"{what[:1].upper()}{what[1:]} can refer to variables only"
                self.diagnostics.append(error("invalid_reference", summary, range=reference.range))

    def _placement(self, role: str, expression: Expression) -> None:
        addr = backend_address(expression)
        if addr is None:
            summary = "A backend must be named here: backend.TYPE.NAME"
            self.diagnostics.append(error("wrong_type", summary, range=expression.range))
        else:
            self._role(role, addr, expression.range)

    def _defaults(self) -> None:
        settings = self.configuration.settings
        for role, addr in settings.defaults.items():
            self._role(role, addr, settings.range)

    def _role(self, role: str, addr: BackendAddr, place: SourceRange | None) -> None:
        """A backend must be declared and able to do what it is named for."""
        backend = self.configuration.backends.get(addr)
        if backend is None:
            if not self._left_out(addr):
                self.diagnostics.append(self._undeclared(addr, self.configuration.backends).at(place))
            return
        wanted = ("processing",) if role == "processing" else ("training",) if role == "training" else RUNNERS
        if not set(wanted) & set(backend.type.roles):
            roles = " and ".join(backend.type.roles)
            summary = f'{addr} cannot be used for {role}: a backend of type "{addr.type}" is for {roles}'
            self.diagnostics.append(error("wrong_backend_role", summary, range=place))


@dataclass(frozen=True, slots=True)
class LocalGraph:
    """How locals depend on each other and on nodes. `order` has those used by a local before it."""

    order: list[str]
    uses: dict[str, list[str]]
    nodes: dict[str, set[Address]]
    loops: list[list[str]]


def local_graph(configuration: Configuration) -> LocalGraph:
    """The graph of the locals; only declared names and nodes count."""
    found = {name: references(item.expression) for name, item in configuration.locals.items()}
    uses = {name: [n for n in local_names(refs) if n in found] for name, refs in found.items()}
    order, loops = dependency_order(uses)
    nodes: dict[str, set[Address]] = {}
    for name in order:
        direct = {node_address(reference) for reference in found[name]}
        nodes[name] = {addr for addr in direct if addr is not None and addr in configuration.nodes}
        for other in uses[name]:
            nodes[name] |= nodes.get(other, set())
    return LocalGraph(order, uses, nodes, loops)


def local_names(found: Iterable[Reference]) -> list[str]:
    """The names of the locals referred to, each once, in order."""
    names = [str(r.path[1]) for r in found if len(r.path) > 1 and r.path[0] == "local"]
    return list(dict.fromkeys(names))


def dependency_order(uses: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The names, those used by a name before it, and the loops found on the way. Not recursive."""
    done: set[str] = set()
    order: list[str] = []
    loops: list[list[str]] = []
    for start in uses:
        path: dict[str, int] = {}
        stack = [] if start in done else [start]
        while stack:
            name = stack[-1]
            waiting = [] if name in path else [n for n in uses[name] if n not in done]
            path.setdefault(name, len(path))
            looped = [n for n in waiting if n in path]
            if looped:
                names = list(path)
                loops.append(names[path[looped[0]] :])
            deeper = [n for n in waiting if n not in path]
            if deeper:
                stack.extend(deeper)
                continue
            stack.pop()
            path.pop(name, None)
            if name not in done:
                done.add(name)
                order.append(name)
    return order, loops


def _local_cycle(items: list[NamedExpression]) -> Diagnostic:
    lines = []
    for item, following in zip(items, [*items[1:], items[0]], strict=True):
        lines.append(f"local.{item.name} ({item.range}) uses local.{following.name}")
    detail = "; ".join(lines) + ". Break the loop."
    return error("cycle", f"local.{items[0].name} depends on itself", detail, range=items[0].range)


def _incomplete(reference: Reference, root: str) -> Diagnostic:
    detail = "Type and name must be literal, so that the order of the steps is known before anything runs."
    return error("invalid_reference", f"A {root} is referred to as {root}.TYPE.NAME", detail, range=reference.range)
