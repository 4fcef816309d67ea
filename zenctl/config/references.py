"""What expressions of a configuration refer to: literal paths, addresses, and names out of reach."""

from __future__ import annotations

from collections.abc import Iterable

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, ModuleInstance, StepAddr
from zenctl.config.configuration import (
    Condition,
    Configuration,
    DatasourceConfig,
    Item,
    Meta,
    ModuleCall,
    NodeConfig,
    OutputConfig,
    StepConfig,
)
from zenctl.diagnostics import Diagnostic, error
from zenctl.lang.references import Reference, references
from zenctl.lang.syntax import (
    Body,
    Expression,
    GetAttr,
    Index,
    Literal,
    Parentheses,
    TemplateWrap,
    Variable,
)

VALUES = {"datasource": DatasourceAddr, "step": StepAddr}
"""Root names whose blocks have values, by the address they make."""


def traversal(expression: Expression) -> tuple[str, ...] | None:
    """The names of a plain traversal such as `backend.local.here`; None if the expression is anything else.

    A literal text counts as what it says, so that YAML needs no `${}` where only an address can stand.
    """
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        return tuple(expression.value.split("."))
    names: list[str] = []
    node: Expression = expression
    while True:
        if isinstance(node, (Parentheses, TemplateWrap)):
            node = node.expression
        elif isinstance(node, GetAttr):
            names.append(node.name)
            node = node.source
        elif isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
            names.append(node.key.value)
            node = node.source
        elif isinstance(node, Variable):
            names.append(node.name)
            return tuple(reversed(names))
        else:
            return None


def whole_reference(expression: Expression) -> Reference | None:
    """The reference that an expression is, up to the first computed key; None if it is anything else."""
    while isinstance(expression, (Parentheses, TemplateWrap)):
        expression = expression.expression
    node: Expression = expression
    while isinstance(node, (GetAttr, Index)):
        node = node.source
    return references(expression)[0] if isinstance(node, Variable) else None


def node_address(reference: Reference, module: tuple[ModuleInstance, ...] = ()) -> Address | None:
    """The block of a step or datasource, of this module, that a reference leads to, or None."""
    path = reference.path
    if len(path) < 3 or path[0] not in VALUES:
        return None
    _, type_, name = path[:3]
    if not isinstance(type_, str) or not isinstance(name, str):
        return None
    return VALUES[str(path[0])](type_, name, None, module)


def items(module: Configuration, reference: Reference) -> list[Item]:
    """The values that a reference needs: of a module call its instances and the outputs that are meant."""
    root, *rest = reference.path
    if not rest or not isinstance(rest[0], str):
        return []
    name = rest[0]
    if root == "local":
        return [Item(module.path, "local", name)] if name in module.locals else []
    if root == "var":
        return [Item(module.path, "var", name)] if name in module.variables else []
    if root != "module" or name not in module.calls:
        return []
    call = module.calls[name]
    wanted = output_of(call, reference)
    names = call.module.outputs if wanted is None else [wanted]
    return [
        Item(module.path, "call", name),
        *(Item(call.module.path, "output", n) for n in names if n in call.module.outputs),
    ]


def output_of(call: ModuleCall, reference: Reference) -> str | None:
    """The name of the output that `module.NAME...` selects; None if it is computed, or the whole module is meant."""
    at = 2 if call.meta.for_each is None and call.meta.count is None else 3
    found = reference.path[at] if len(reference.path) > at else None
    return found if isinstance(found, str) else None


def backend_address(expression: Expression) -> BackendAddr | None:
    """The backend that an expression names, or None if it is no plain `backend.TYPE.NAME`."""
    names = traversal(expression)
    if names is None or len(names) != 3 or names[0] != "backend":
        return None
    return BackendAddr(names[1], names[2])


def chosen_provider(expression: Expression | None, offered: str) -> tuple[str, Diagnostic | None]:
    """The provider that a block names: `gcp` or `gcp.eu`. `offered` is the one that offers its type."""
    if expression is None:
        return offered, None
    names = traversal(expression)
    if names is None or names[0] != "provider" or len(names) not in (2, 3):
        detail = f"Write provider = provider.{offered}.ALIAS"
        return offered, error("wrong_type", "A provider must be named here", detail, range=expression.range)
    if names[1] != offered:
        summary = f"provider.{names[1]} does not offer this: it is of provider {offered}"
        return offered, error("wrong_provider", summary, range=expression.range)
    return ".".join(names[1:]), None


def body_references(body: Body) -> list[Reference]:
    """Every reference of a body."""
    return references(body)


def meta_expressions(node: NodeConfig) -> list[Expression]:
    """The meta-arguments that are evaluated, backends left out."""
    meta = node.meta
    when = (meta.enabled, meta.cache, meta.reproducible, meta.triggers_replace)
    found = (*when, meta.timeout, meta.retries, meta.resources)
    return [e for e in found if e is not None]


def expanding_expressions(meta: Meta) -> list[Expression]:
    """The meta-arguments that decide how many instances there are."""
    return [e for e in (meta.for_each, meta.count) if e is not None]


def placement_expressions(node: NodeConfig) -> list[tuple[str, Expression]]:
    """The meta-arguments that name a backend, each with its role."""
    if not isinstance(node, (DatasourceConfig, StepConfig)):
        return []
    pairs = [("orchestrator", node.meta.backend), ("processing", node.meta.processing)]
    return [(role, expression) for role, expression in pairs if expression is not None]


def condition_references(conditions: Iterable[Condition]) -> list[Reference]:
    """Every reference of conditions and their messages, but for `self`."""
    found = [r for c in conditions for e in (c.condition, c.error_message) for r in references(e)]
    return [reference for reference in found if reference.path[0] != "self"]


def output_references(output: OutputConfig) -> list[Reference]:
    """Every reference of an output's value and preconditions."""
    return [*references(output.value), *condition_references(output.preconditions)]


def node_references(node: NodeConfig) -> list[Reference]:
    """Every reference of a node but for those that decide its instances: of body, meta-arguments and conditions."""
    found = body_references(node.body)
    lifecycle = node.meta.lifecycle
    for expression in (*meta_expressions(node), *lifecycle.replace_triggered_by):
        found += references(expression)
    return [*found, *condition_references((*lifecycle.preconditions, *lifecycle.postconditions))]


def expanding_references(meta: Meta) -> list[Reference]:
    """The references of what decides how many instances there are."""
    return [reference for expression in expanding_expressions(meta) for reference in references(expression)]
