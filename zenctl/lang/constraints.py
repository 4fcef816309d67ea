"""Reads type expressions: `string`, `list(number)`, `object({a=optional(number, 1)})`."""

from __future__ import annotations

from functools import lru_cache

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.model import Value
from zenctl.lang.parser import parse_expression
from zenctl.lang.syntax import Call, Expression, Literal, ObjectExpr, Parentheses, TemplateWrap, TupleExpr, Variable
from zenctl.lang.types import (
    ANY,
    BOOL,
    NUMBER,
    STRING,
    CapsuleType,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
)

_PLAIN: dict[str, Type] = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": ANY}
_COLLECTIONS = ("list", "set", "map")
_NAMES = (*_PLAIN, *_COLLECTIONS, "tuple", "object", "optional")
ARTIFACTS = frozenset(
    [
        "Dataset",
        "Model",
        "Metrics",
        "Statistics",
        "Schema",
        "Transform",
        "Anomalies",
        "History",
        "Predictions",
        "Artifact",
        "Backend",
    ]
)
"""The types of opaque values that a type expression may name."""


class _TypeProblem(Exception):
    def __init__(self, detail: str, range: SourceRange) -> None:
        super().__init__(detail)
        self.diagnostic = error("invalid_type", "Invalid type", detail, range=range)


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Type | None, tuple[Diagnostic, ...]]:
    expression, diagnostics = parse_expression(text, "<type>")
    if expression is None:
        return None, tuple(diagnostics)
    type, found = type_from_expression(expression)
    return type, tuple(found)


def parse_type(text: str) -> tuple[Type | None, list[Diagnostic]]:
    """The type that a text names; None with errors."""
    type, diagnostics = _parsed(text)
    return type, list(diagnostics)


def type_from_expression(expression: Expression) -> tuple[Type | None, list[Diagnostic]]:
    """The type that an expression names; None with errors. A literal string is read as what it says (for YAML)."""
    try:
        return _read(expression), []
    except _TypeProblem as problem:
        return None, [problem.diagnostic]


def _read(node: Expression) -> Type:
    if isinstance(node, (Parentheses, TemplateWrap)):
        return _read(node.expression)
    if isinstance(node, Literal) and isinstance(node.value, str):
        inner, diagnostics = parse_type(node.value)
        if inner is None:
            raise _TypeProblem(diagnostics[0].detail, node.range)
        return inner
    if isinstance(node, Variable):
        return _named(node)
    if isinstance(node, Call):
        return _constructed(node)
    raise _TypeProblem(
        "A type is written string, number, bool, any, list(...), map(...), object({...}) or so.", node.range
    )


def _named(node: Variable) -> Type:
    if node.name in _PLAIN:
        return _PLAIN[node.name]
    if node.name in ARTIFACTS:
        return CapsuleType(node.name)
    if node.name in _COLLECTIONS:
        raise _TypeProblem(
            f"The type of the elements is missing: {node.name}(string), or {node.name}(any).", node.range
        )
    if node.name == "tuple":
        raise _TypeProblem("The types of the elements are missing: tuple([string, number]).", node.range)
    if node.name == "object":
        raise _TypeProblem("The types of the attributes are missing: object({name = string}).", node.range)
    if node.name == "optional":
        raise _TypeProblem("optional(...) belongs around the type of an attribute of object({...}).", node.range)
    raise _TypeProblem(f'There is no type "{node.name}".{did_you_mean(node.name, _NAMES)}', node.range)


def _constructed(node: Call) -> Type:
    if node.expand:
        raise _TypeProblem("A type expression cannot use ... .", node.range)
    if node.name in _COLLECTIONS:
        if len(node.arguments) != 1:
            raise _TypeProblem(f"{node.name}(...) takes one type, that of its elements.", node.range)
        element = _read(node.arguments[0])
        if node.name == "list":
            return ListType(element)
        return SetType(element) if node.name == "set" else MapType(element)
    if node.name == "tuple":
        if len(node.arguments) != 1 or not isinstance(node.arguments[0], TupleExpr):
            raise _TypeProblem("tuple(...) takes a list of types: tuple([string, number]).", node.range)
        return TupleType(tuple(_read(item) for item in node.arguments[0].items))
    if node.name == "object":
        return _object(node)
    if node.name in _PLAIN:
        raise _TypeProblem(f"{node.name} takes no arguments.", node.range)
    if node.name == "optional":
        raise _TypeProblem("optional(...) belongs around the type of an attribute of object({...}).", node.range)
    raise _TypeProblem(f'There is no type "{node.name}".{did_you_mean(node.name, _NAMES)}', node.name_range)


def _object(node: Call) -> Type:
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], ObjectExpr):
        raise _TypeProblem("object(...) takes the types of its attributes: object({name = string}).", node.range)
    attributes: dict[str, Type] = {}
    optional: dict[str, Value | None] = {}
    for item in node.arguments[0].items:
        if not isinstance(item.key, Literal) or not isinstance(item.key.value, str):
            raise _TypeProblem("The name of an attribute must be a plain name.", item.key.range)
        name = item.key.value
        if name in attributes:
            raise _TypeProblem(f'The attribute "{name}" is declared twice.', item.key.range)
        if isinstance(item.value, Call) and item.value.name == "optional":
            attributes[name], optional[name] = _optional(item.value)
        else:
            attributes[name] = _read(item.value)
    return ObjectType(attributes, optional)


def _optional(node: Call) -> tuple[Type, Value | None]:
    if len(node.arguments) not in (1, 2) or node.expand:
        raise _TypeProblem("optional(...) takes a type and, if need be, a default.", node.range)
    type = _read(node.arguments[0])
    if len(node.arguments) == 1:
        return type, None
    from zenctl.lang.evaluate import Scope, evaluate_expression  # which imports this module's neighbours

    default, diagnostics = evaluate_expression(node.arguments[1], Scope({}))
    if diagnostics:
        raise _TypeProblem(f"The default must be a literal value. {diagnostics[0].detail}", node.arguments[1].range)
    try:
        return type, convert_value(default, type)
    except ConversionError as problem:
        raise _TypeProblem(f"The default does not fit its type: {problem}.", node.arguments[1].range) from None
