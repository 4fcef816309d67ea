"""Checks every reference of a module against what is declared, and finds the edges of the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from zenctl.addrs import Address, BackendAddr
from zenctl.config.configuration import Configuration, EndpointConfig, Meta, ModuleCall, NodeConfig
from zenctl.config.graph import enclosing, needs, value_graph
from zenctl.config.lifecycle import check_moves
from zenctl.config.references import (
    VALUES,
    backend_address,
    body_references,
    condition_references,
    expanding_references,
    items,
    node_address,
    node_references,
    output_of,
    output_references,
    placement_expressions,
)
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.references import Reference, references
from zenctl.lang.syntax import Expression

ROOTS = ("var", "local", "datasource", "step", "module", "path", "zenctl")
"""Root names that have values everywhere."""

OWN = {"path": ("module", "root", "cwd"), "zenctl": ("project", "workspace")}
"""Root names with attributes that are always there."""

EXPANDED = {"each": ("for_each", ("key", "value")), "count": ("count", ("index",))}
"""Root names that are there in what has the meta-argument, with their attributes."""

RUNNERS = ("orchestrator", "training")
"""Roles of the backends that can run a step."""


def check_tree(configuration: Configuration) -> tuple[Configuration, list[Diagnostic]]:
    """The tree with its graph and the references of each node filled in, and all that is wrong with references."""
    graph, diagnostics = value_graph(configuration)
    configuration = replace(configuration, graph=graph)
    checked, found = _check_module(configuration, configuration)
    moves = check_moves(moved for module in configuration.modules() for moved in module.moved)
    return replace(checked, graph=graph), [*diagnostics, *found, *moves]


def check_expression(expression: Expression, root: Configuration) -> list[Diagnostic]:
    """What is wrong with the references of an expression that stands in the root module, in none of its blocks."""
    checker = Checker(root, root)
    checker._values(references(expression))
    return checker.diagnostics


def _check_module(module: Configuration, root: Configuration) -> tuple[Configuration, list[Diagnostic]]:
    checker = Checker(module, root)
    checked = checker.check()
    calls = {}
    for name, call in checked.calls.items():
        inner, found = _check_module(call.module, root)
        calls[name] = replace(call, module=inner)
        checker.diagnostics += found
    return replace(checked, calls=calls), checker.diagnostics


class Checker:
    """Checks one module of a tree; `diagnostics` grows. `root` has the backends and the graph of the whole tree."""

    def __init__(self, configuration: Configuration, root: Configuration) -> None:
        self.configuration = configuration
        self.root = root
        self.graph = root.graph
        self.diagnostics: list[Diagnostic] = []

    def check(self) -> Configuration:
        """The module with the references of each node filled in; problems are in `diagnostics`."""
        configuration = self.configuration
        for local in configuration.locals.values():
            self._values(references(local.expression))
        for output in configuration.outputs.values():
            self._values(output_references(output))
        for backend in configuration.backends.values():
            self._static(body_references(backend.body), f"a backend ({backend.addr})")
            self._provider(backend.provider, backend.provider_range)
        for provider in configuration.providers.values():
            self._static(body_references(provider.body), f"provider {provider.name}")
        for variable in configuration.variables.values():
            for rule in variable.validations:
                found = [*references(rule.condition), *references(rule.error_message)]
                self._only_variables(found, f"the validation of variable {variable.name}")
        for call in configuration.calls.values():
            self._call(call)
        for check in configuration.checks.values():
            self._values(condition_references(check.assertions))
        self._defaults()
        nodes = {addr: self._node(node) for addr, node in configuration.nodes.items()}
        looped = {f"{i.kind}.{i.name}" for i in self.graph.looped if i.module == configuration.path}
        return replace(configuration, nodes=nodes, faulty=configuration.faulty | looped)

    def _node(self, node: NodeConfig) -> NodeConfig:
        found = node_references(node)
        self._values(found, _expanding(node.meta))
        self._expanding(node.meta)
        self._own_conditions(node)
        for role, expression in placement_expressions(node):
            self._placement(role, expression)
        self._depends_on(node.meta)
        if isinstance(node, EndpointConfig):
            self._provider(node.provider, node.range if node.meta.provider is None else node.meta.provider.range)
        values, edges = needs(self.configuration, [*found, *expanding_references(node.meta)], node.meta)
        for item in [*values, *enclosing(node.addr)]:
            edges |= self.graph.leads.get(item, frozenset())
        return replace(node, references=tuple(sorted(edges, key=str)))

    def _provider(self, name: str, place: SourceRange) -> None:
        """A provider that is named with an alias must be declared."""
        if "." in name and name not in self.root.providers and f"provider.{name}" not in self.root.faulty:
            hint = did_you_mean(name, self.root.providers).strip()
            detail = hint or f'Declare it: provider "{name.partition(".")[0]}" {{ alias = "{name.partition(".")[2]}" }}'
            self.diagnostics.append(error("undeclared_provider", f"There is no provider.{name}", detail, range=place))

    def _own_conditions(self, node: NodeConfig) -> None:
        """`self` is there in postconditions only: it is the result."""
        for condition in node.meta.lifecycle.preconditions:
            for expression in (condition.condition, condition.error_message):
                for reference in references(expression):
                    if reference.path[0] == "self":
                        detail = "A precondition is checked before it runs. Use a postcondition."
                        summary = '"self" is there only in postconditions'
                        self.diagnostics.append(error("invalid_reference", summary, detail, range=reference.range))

    def _call(self, call: ModuleCall) -> None:
        for name, expression in call.arguments.items():
            # What is given to a variable that is not there is wrong by that alone.
            if name in call.module.variables:
                self._values(references(expression), _expanding(call.meta))
        self._expanding(call.meta)
        self._depends_on(call.meta)

    def _expanding(self, meta: Meta) -> None:
        """`for_each` and `count` cannot use `each` and `count`."""
        found = expanding_references(meta)
        for reference in found:
            root = str(reference.path[0])
            if root in EXPANDED:
                summary = f'"{root}" cannot decide which instances there are'
                detail = f"for_each and count make the instances, and {root} is there in each of them."
                self.diagnostics.append(error("invalid_reference", summary, detail, range=reference.range))
        self._values(reference for reference in found if str(reference.path[0]) not in EXPANDED)

    def _depends_on(self, meta: Meta) -> None:
        for addr, place in meta.depends_on.items():
            if addr not in self.configuration.nodes and not self._left_out(addr):
                self.diagnostics.append(self._undeclared(addr, self.configuration.nodes).at(place))
        for name, place in meta.depends_on_modules.items():
            if name not in self.configuration.calls and f"module.{name}" not in self.configuration.faulty:
                hint = did_you_mean(name, self.configuration.calls).strip()
                self.diagnostics.append(error("undeclared_module", f"There is no module.{name}", hint, range=place))

    def _values(self, found: Iterable[Reference], expanded: Collection[str] = ()) -> None:
        """`expanded` are the root names that the meta-arguments of the block around make: `each` or `count`."""
        self.diagnostics += [d for reference in found for d in self._value(reference, expanded)]

    def _value(self, reference: Reference, expanded: Collection[str] = ()) -> list[Diagnostic]:
        root = str(reference.path[0])
        second = reference.path[1] if len(reference.path) > 1 else None
        if root in ("var", "local"):
            return self._named(reference, root, second)
        if root in VALUES:
            addr = node_address(reference, self.configuration.prefix)
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
        if root == "module":
            return self._module(reference, second)
        if root in EXPANDED:
            return _of_expanded(reference, root, second, expanded)
        if root in OWN:
            return _own(reference, root, second)
        if root == "self":
            detail = "It is the result of a step or datasource, in its postconditions."
            summary = '"self" is there only in postconditions'
            return [error("invalid_reference", summary, detail, range=reference.range)]
        detail = f"An expression can refer to {', '.join(ROOTS[:-1])} and {ROOTS[-1]}.{did_you_mean(root, ROOTS)}"
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

    def _module(self, reference: Reference, name: str | int | None) -> list[Diagnostic]:
        if not isinstance(name, str):
            summary = "A module's outputs are referred to as module.NAME.OUTPUT, with literal names"
            return [error("invalid_reference", summary, range=reference.range)]
        calls = self.configuration.calls
        if name not in calls:
            if f"module.{name}" in self.configuration.faulty:
                return []
            hint = did_you_mean(name, calls).strip() or f'Declare it: module "{name}" {{ source = "./..." }}'
            return [error("undeclared_module", f"There is no module.{name}", hint, range=reference.range)]
        call = calls[name]
        wanted = output_of(call, reference)
        outputs = call.module.outputs
        if wanted is None or wanted in outputs or f"output.{wanted}" in call.module.faulty:
            return []
        detail = did_you_mean(wanted, outputs).strip() or (
            f"It has: {', '.join(sorted(outputs))}." if outputs else "It has no outputs: declare one in the module."
        )
        return [error("undeclared_output", f'module.{name} has no output "{wanted}"', detail, range=reference.range)]

    def _left_out(self, addr: Address) -> bool:
        """Whether its block is there but wrong, be it by the very type: one of that name explains it."""
        return any(
            text.startswith(f"{addr.kind}.") and text.rpartition(".")[2] == addr.name
            for text in (self.root if addr.kind == "backend" else self.configuration).faulty
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
            leads = any(self.graph.leads.get(item) for item in items(self.configuration, reference))
            if root in VALUES or root == "module" or leads:
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
            self._role(role, addr, settings.default_ranges[role])

    def _role(self, role: str, addr: BackendAddr, place: SourceRange) -> None:
        """A backend must be declared and able to do what it is named for."""
        backend = self.root.backends.get(addr)
        if backend is None:
            if not self._left_out(addr):
                self.diagnostics.append(self._undeclared(addr, self.root.backends).at(place))
            return
        wanted = ("processing",) if role == "processing" else ("training",) if role == "training" else RUNNERS
        if not set(wanted) & set(backend.type.roles):
            roles = " and ".join(backend.type.roles)
            summary = f'{addr} cannot be used for {role}: a backend of type "{addr.type}" is for {roles}'
            self.diagnostics.append(error("wrong_backend_role", summary, range=place))


def _incomplete(reference: Reference, root: str) -> Diagnostic:
    detail = "Type and name must be literal, so that the order of the steps is known before anything runs."
    return error("invalid_reference", f"A {root} is referred to as {root}.TYPE.NAME", detail, range=reference.range)


def _expanding(meta: Meta) -> tuple[str, ...]:
    """The root names that a block's meta-arguments make."""
    return tuple(root for root, (name, _) in EXPANDED.items() if getattr(meta, name) is not None)


def _of_expanded(
    reference: Reference, root: str, attribute: str | int | None, expanded: Collection[str]
) -> list[Diagnostic]:
    argument, attributes = EXPANDED[root]
    if root not in expanded:
        detail = f'Give the block "{argument}", or use a value that is there: {", ".join(ROOTS)}.'
        summary = f'"{root}" is there only in blocks that have "{argument}"'
        return [error("invalid_reference", summary, detail, range=reference.range)]
    if attribute is None or attribute in attributes:
        return []
    names = " and ".join(f"{root}.{name}" for name in attributes)
    summary = f"There is no {root}.{attribute}"
    return [error("invalid_reference", summary, f"There is {names}.", range=reference.range)]


def _own(reference: Reference, root: str, attribute: str | int | None) -> list[Diagnostic]:
    if attribute is None or attribute in OWN[root]:
        return []
    hint = did_you_mean(str(attribute), OWN[root]) or f" There are: {', '.join(f'{root}.{n}' for n in OWN[root])}."
    return [error("undeclared_reference", f"There is no {root}.{attribute}", hint.strip(), range=reference.range)]
