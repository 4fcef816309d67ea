"""Finds what an expression refers to: the names outside it, as far as they are written out."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from zenctl.diagnostics import SourceRange
from zenctl.lang.syntax import (
    Binary,
    Block,
    Body,
    Call,
    Conditional,
    Expression,
    For,
    GetAttr,
    Index,
    Literal,
    ObjectExpr,
    Parentheses,
    Splat,
    SplatItem,
    Template,
    TemplateFor,
    TemplateIf,
    TemplateWrap,
    TupleExpr,
    Unary,
    Variable,
)
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name. `path` is the root name, then attributes and index keys up to the first that is computed.

    `dynamic` says that a computed index follows, so that any key may be meant. `key` is the expression of that index,
    unless it uses variables of a `for`.
    """

    path: tuple[str | int, ...]
    range: SourceRange
    dynamic: bool = False
    key: Expression | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        text = str(self.path[0])
        for part in self.path[1:]:
            text += f".{part}" if isinstance(part, str) else f"[{part}]"
        return text


def references(node: Expression | Body) -> list[Reference]:
    """Every reference in an expression or body, in the order of the text.

    Variables of `for` are none, nor is the iterator of a `dynamic` block in its labels and content.
    """
    found: list[Reference] = []
    waiting: list[tuple[Expression, frozenset[str]]] = []
    bodies: list[tuple[Body, frozenset[str]]] = []
    if isinstance(node, Body):
        bodies.append((node, frozenset()))
    else:
        waiting.append((node, frozenset()))
    while bodies:
        body, names = bodies.pop()
        waiting.extend((attribute.expression, names) for attribute in body.attributes.values())
        for block in body.blocks:
            if block.type == "dynamic" and len(block.labels) == 1:
                _dynamic(block, names, waiting, bodies)
            else:
                bodies.append((block.body, names))
    while waiting:
        expression, bound = waiting.pop()
        if isinstance(expression, (Variable, GetAttr, Index)):
            _traversal(expression, bound, found, waiting)
        else:
            waiting.extend(_inside(expression, bound))
    found.sort(key=lambda reference: (reference.range.filename, reference.range.start.byte, reference.range.end.byte))
    return found


def _dynamic(
    block: Block,
    bound: frozenset[str],
    waiting: list[tuple[Expression, frozenset[str]]],
    bodies: list[tuple[Body, frozenset[str]]],
) -> None:
    """Put off what is inside a `dynamic` block: `for_each` does not know the iterator, labels and content do."""
    attributes = dict(block.body.attributes)
    own = attributes.pop("iterator", None)
    named = own.expression if own is not None else None
    while isinstance(named, (TemplateWrap, Parentheses)):
        named = named.expression
    iterator = block.labels[0]
    if isinstance(named, Variable):
        iterator = named.name
    elif isinstance(named, Literal) and isinstance(named.value, str):
        iterator = named.value
    inner = bound | {iterator}
    waiting.extend((item.expression, bound if name == "for_each" else inner) for name, item in attributes.items())
    bodies.extend((content.body, inner) for content in block.body.blocks)


def _traversal(
    expression: Expression,
    bound: frozenset[str],
    found: list[Reference],
    waiting: list[tuple[Expression, frozenset[str]]],
) -> None:
    """Note the reference that a chain of `.name` and `[key]` makes, and put off what is inside computed keys."""
    steps: list[tuple[str | int | Expression, SourceRange]] = []
    node = expression
    while True:
        if isinstance(node, GetAttr):
            steps.append((node.name, node.range))
            node = node.source
        elif isinstance(node, Index):
            key = literal_key(node.key)
            if key is None:
                waiting.append((node.key, bound))
            steps.append((node.key if key is None else key, node.range))
            node = node.source
        else:
            break
    if not isinstance(node, Variable):
        waiting.append((node, bound))
        return
    if node.name in bound:
        return
    path: list[str | int] = [node.name]
    range = node.range
    computed: Expression | None = None
    for step, step_range in reversed(steps):
        if not isinstance(step, (str, int)):
            computed = step
            break
        path.append(step)
        range = step_range
    found.append(Reference(tuple(path), range, computed is not None, None if bound else computed))


def literal_key(key: Expression) -> str | int | None:
    """An index key that is written out, or None."""
    if isinstance(key, Literal):
        if isinstance(key.value, str):
            return key.value
        if isinstance(key.value, Decimal) and key.value == key.value.to_integral_value():
            return int(key.value)
    return None


def inner_expressions(node: Expression) -> list[Expression]:
    """The expressions directly inside one."""
    return [part for part, _ in _inside(node, frozenset())]


def _inside(node: Expression, bound: frozenset[str]) -> list[tuple[Expression, frozenset[str]]]:
    """The expressions directly inside one, each with the names bound there."""
    inside: list[Expression | None] = []
    if isinstance(node, (Literal, SplatItem, Variable)):
        return []
    if isinstance(node, Template):
        inside = list(node.parts)
    elif isinstance(node, (TemplateWrap, Parentheses)):
        inside = [node.expression]
    elif isinstance(node, TemplateIf):
        inside = [node.condition, node.then, node.otherwise]
    elif isinstance(node, TemplateFor):
        names = bound | {node.key, node.value}
        return [(node.collection, bound), (node.body, names)]
    elif isinstance(node, For):
        names = bound | {node.key, node.value}
        own = [part for part in (node.key_result, node.value_result, node.condition) if part is not None]
        return [(node.collection, bound), *((part, names) for part in own)]
    elif isinstance(node, Splat):
        inside = [node.source, node.each]
    elif isinstance(node, Call):
        inside = list(node.arguments)
    elif isinstance(node, Conditional):
        inside = [node.condition, node.then, node.otherwise]
    elif isinstance(node, TupleExpr):
        inside = list(node.items)
    elif isinstance(node, ObjectExpr):
        return [(part, bound) for item in node.items for part in (item.key, item.value)]
    elif isinstance(node, Binary):
        inside = [node.left, node.right]
    elif isinstance(node, Unary):
        inside = [node.operand]
    elif isinstance(node, GetAttr):
        inside = [node.source]
    elif isinstance(node, Index):
        inside = [node.source, node.key]
    return [(part, bound) for part in inside if part is not None]
