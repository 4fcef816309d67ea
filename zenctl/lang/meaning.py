"""Says whether two syntax trees mean the same, wherever and in whichever syntax they were written."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from zenctl.lang.numbers import number_text
from zenctl.lang.parser import parse_expression
from zenctl.lang.syntax import (
    BlockShape,
    Body,
    Expression,
    Literal,
    Node,
    ObjectItem,
    Parentheses,
    Template,
    TemplateWrap,
    Unary,
)

_PLACES = frozenset(("range", "name_range"))
"""Fields that say where something stands."""


def same_body(first: Body, second: Body, shape: BlockShape) -> bool:
    """Whether two bodies have the same attributes, and the same blocks in the same order within type and labels."""
    return bool(_body(first, shape) == _body(second, shape))


def same_expression(first: Expression, second: Expression) -> bool:
    """Whether two expressions are the same but for what has no meaning: `"${x}"` and `x`, `-1` as a sign and number."""
    return bool(_normal(first) == _normal(second))


def _body(body: Body, shape: BlockShape) -> Any:
    attributes = {
        name: _type(attribute.expression) if name in shape.types else _normal(attribute.expression)
        for name, attribute in body.attributes.items()
    }
    blocks: dict[tuple[str, ...], list[Any]] = {}
    for block in body.blocks:
        inner = _body(block.body, shape.blocks.get(block.type, BlockShape()))
        blocks.setdefault((block.type, *block.labels), []).append(inner)
    return attributes, blocks


def _type(expression: Expression) -> Any:
    """A type expression may be written as a text that holds it."""
    if isinstance(expression, Literal) and isinstance(expression.value, str):
        read, _ = parse_expression(expression.value, "")
        expression = read or expression
    return _normal(expression)


def _normal(node: Any) -> Any:
    """The tree as nested tuples, each with the kind of its node."""
    if isinstance(node, TemplateWrap):
        return _normal(node.expression)
    if isinstance(node, Literal):
        return _literal(node.value)
    if isinstance(node, Template):
        return _template(node)
    if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Literal):
        value = node.operand.value
        if isinstance(value, Decimal):
            return _literal(value.copy_negate())
    if isinstance(node, ObjectItem):
        key = node.key
        while isinstance(key, (Parentheses, TemplateWrap)):
            key = key.expression
        if isinstance(key, Literal) and isinstance(key.value, Decimal):
            return "item", _literal(number_text(key.value)), _normal(node.value)
        return "item", _normal(key), _normal(node.value)
    if isinstance(node, Node):
        return (type(node), *[_normal(getattr(node, f.name)) for f in fields(node) if f.name not in _PLACES])
    if isinstance(node, tuple):
        return tuple([_normal(item) for item in node])
    return node


def _literal(value: Any) -> Any:
    return "literal", type(value), value


def _template(node: Template) -> Any:
    """Neighbouring texts are one; empty ones do not count."""
    parts: list[Any] = []
    for part in node.parts:
        if isinstance(part, Literal) and isinstance(part.value, str):
            if parts and isinstance(parts[-1], str):
                parts[-1] += part.value
            elif part.value:
                parts.append(part.value)
        else:
            parts.append(_normal(part))
    if all(isinstance(part, str) for part in parts):
        return _literal("".join(parts))
    return "template", tuple(parts)
