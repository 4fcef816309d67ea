"""What expressions of a configuration refer to: literal paths, addresses, and names out of reach."""

from __future__ import annotations

from collections.abc import Iterator

from zenctl.addrs import Address, BackendAddr, DatasourceAddr, StepAddr
from zenctl.config.configuration import DatasourceConfig, NodeConfig, StepConfig
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


def node_address(reference: Reference) -> Address | None:
    """The step or datasource a reference leads to, or None."""
    return _address(reference.path)


def _address(path: tuple[str | int, ...]) -> Address | None:
    if len(path) < 3 or path[0] not in VALUES:
        return None
    _, type_, name = path[:3]
    if not isinstance(type_, str) or not isinstance(name, str):
        return None
    return VALUES[str(path[0])](type_, name)


def backend_address(expression: Expression) -> BackendAddr | None:
    """The backend that an expression names, or None if it is no plain `backend.TYPE.NAME`."""
    names = traversal(expression)
    if names is None or len(names) != 3 or names[0] != "backend":
        return None
    return BackendAddr(names[1], names[2])


def expressions(body: Body) -> Iterator[Expression]:
    """Every expression of a body, those of nested blocks included, in the order of the file by kind."""
    waiting = [body]
    while waiting:
        current = waiting.pop()
        for attribute in current.attributes.values():
            yield attribute.expression
        waiting.extend(block.body for block in reversed(current.blocks))


def body_references(body: Body) -> list[Reference]:
    """Every reference of a body."""
    return references(body)


def meta_expressions(node: NodeConfig) -> list[Expression]:
    """The meta-arguments that are evaluated, backends left out."""
    meta = node.meta
    return [e for e in (meta.enabled, meta.timeout, meta.retries) if e is not None]


def placement_expressions(node: NodeConfig) -> list[tuple[str, Expression]]:
    """The meta-arguments that name a backend, each with its role."""
    if not isinstance(node, (DatasourceConfig, StepConfig)):
        return []
    pairs = [("orchestrator", node.meta.backend), ("processing", node.meta.processing)]
    return [(role, expression) for role, expression in pairs if expression is not None]


def node_references(node: NodeConfig) -> list[Reference]:
    """Every reference of a node's body and evaluated meta-arguments."""
    found = body_references(node.body)
    for expression in meta_expressions(node):
        found += references(expression)
    return found
