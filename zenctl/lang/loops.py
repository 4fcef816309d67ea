"""Evaluates what goes over the elements of a value: `for`, splats, and `%{for}` in templates."""

from __future__ import annotations

from collections.abc import Iterator

from zenctl.diagnostics import SourceRange
from zenctl.lang.access import elements
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.evaluator import Evaluator
from zenctl.lang.model import DYNAMIC, UNKNOWN, Marks, Value, content, object_value, tuple_value, unknown
from zenctl.lang.rendering import joined
from zenctl.lang.syntax import Expression, For, Splat, TemplateFor
from zenctl.lang.types import (
    ANY,
    BOOL,
    STRING,
    AnyType,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
    describe,
)


def _elements(self: Evaluator, collection: Value, range: SourceRange) -> Iterator[tuple[Value, Value]] | None:
    """Keys and values in the order of iteration; None if they are not known, or with an error."""
    if collection.raw is None:
        detail = "The value is null. To loop over nothing instead, write coalesce(x, [])."
        self.problem("invalid_for", "Loop over a null value", detail, range)
        return None
    if isinstance(collection.type, AnyType):
        return None
    if not isinstance(collection.type, (ListType, SetType, MapType, TupleType, ObjectType)):
        detail = f"A for loop needs a list, set, map or object, and this is {describe(collection.type)}."
        self.problem("invalid_for", "Loop over a value without elements", detail, range)
        return None
    if collection.raw is UNKNOWN:
        return None
    return elements(collection)


def template_for(self: Evaluator, node: TemplateFor) -> Value:
    collection = content(self.evaluate(node.collection))
    pairs = _elements(self, collection, node.collection.range)
    if pairs is None:
        return unknown(STRING, collection.marks)
    texts: list[str] = []
    marks = collection.marks
    known = True
    for key, value in pairs:
        if not self.visit(node.range):
            return unknown(STRING, marks)
        self.locals.append({node.key: key, node.value: value} if node.key else {node.value: value})
        part = self.evaluate(node.body)
        self.locals.pop()
        marks |= part.marks
        if part.raw is UNKNOWN:
            known = False
        elif isinstance(part.raw, str):
            texts.append(part.raw)
    return joined(self, texts, known, node.range).with_marks(marks)


def for_expression(self: Evaluator, node: For) -> Value:
    collection = content(self.evaluate(node.collection))
    pairs = _elements(self, collection, node.collection.range)
    if pairs is None:
        return DYNAMIC.with_marks(collection.marks)
    loop = _Loop(self, node, collection.marks)
    for key, value in pairs:
        if not self.visit(node.range):
            return DYNAMIC
        self.locals.append({node.key: key, node.value: value} if node.key else {node.value: value})
        loop.add()
        self.locals.pop()
    return loop.result()


class _Loop:
    """Collects what a `for` makes; each problem is told once, for the first element that has it."""

    def __init__(self, evaluator: Evaluator, node: For, marks: Marks) -> None:
        self.evaluator = evaluator
        self.node = node
        self.marks = marks
        self.known = True
        self.list: list[Value] = []
        self.object: dict[str, Value] = {}
        self.groups: dict[str, list[Value]] = {}

    def add(self) -> None:
        """Take in the element whose variables are set."""
        node, evaluator = self.node, self.evaluator
        if node.condition is not None:
            included = self._included(node.condition)
            if not included:
                return
        if node.key_result is None:
            self.list.append(evaluator.evaluate(node.value_result))
            return
        key = self._key(node.key_result)
        if key is None:
            return
        value = evaluator.evaluate(node.value_result)
        if node.group:
            self.groups.setdefault(key, []).append(value)
        elif key in self.object:
            shown = "the same key" if self.marks else f'the key "{key}"'
            detail = f"Two elements have {shown}. To keep both in a list, write ... after the value."
            evaluator.problem("duplicate_key", "Duplicate key", detail, node.key_result.range)
            self.known = False
        else:
            self.object[key] = value

    def _included(self, condition: Expression) -> bool:
        value = self.evaluator.evaluate(condition)
        self.marks |= value.marks
        if value.raw is None:
            return self._wrong("invalid_for", "Invalid for condition", "The condition is null.", condition)
        try:
            value = convert_value(value, BOOL)
        except ConversionError as problem:
            return self._wrong("invalid_for", "Invalid for condition", f"After if, {problem}.", condition)
        if value.raw is UNKNOWN:
            self.known = False
            return False
        return bool(value.raw)

    def _key(self, expression: Expression) -> str | None:
        value = self.evaluator.evaluate(expression)
        self.marks |= value.marks
        if value.raw is None:
            self._wrong("invalid_key", "Invalid object key", "The key is null.", expression)
            return None
        try:
            value = convert_value(value, STRING)
        except ConversionError as problem:
            self._wrong("invalid_key", "Invalid object key", f"As a key, {problem}.", expression)
            return None
        if value.raw is UNKNOWN:
            self.known = False
            return None
        return str(value.raw)

    def _wrong(self, code: str, summary: str, detail: str, at: Expression) -> bool:
        if self.known:
            self.evaluator.problem(code, summary, detail, at.range)
        self.known = False
        return False

    def result(self) -> Value:
        """The list or object made, unknown if any key or condition was."""
        if not self.known:
            return DYNAMIC.with_marks(self.marks)
        if self.node.key_result is None:
            return tuple_value(self.list).with_marks(self.marks)
        if self.node.group:
            return object_value({key: tuple_value(group) for key, group in self.groups.items()}).with_marks(self.marks)
        return object_value(self.object).with_marks(self.marks)


def splat(self: Evaluator, node: Splat) -> Value:
    before = len(self.diagnostics)
    source = content(self.evaluate(node.source))
    if len(self.diagnostics) > before:
        return DYNAMIC
    sequence = isinstance(source.type, (ListType, SetType, TupleType))
    if source.raw is None:
        if not sequence:
            return tuple_value(()).with_marks(source.marks)
        detail = "A splat goes over a list, and this one is null."
        return self.problem("null_value", "Splat of a null value", detail, node.source.range)
    if isinstance(source.type, AnyType):
        return DYNAMIC.with_marks(source.marks)
    if not sequence:
        # A single value counts as a list of one; it may turn out to be null, and so no element at all.
        result = _splat_over(self, node, (source,))
        return (
            DYNAMIC.with_marks(source.marks) if source.raw is UNKNOWN else tuple_value(result).with_marks(source.marks)
        )
    if source.raw is UNKNOWN:
        return unknown(_splat_type(self, node, source.type), source.marks)
    results = _splat_over(self, node, source.raw)
    if len(self.diagnostics) > before:
        return DYNAMIC.with_marks(source.marks)
    if isinstance(source.type, TupleType):
        return tuple_value(results).with_marks(source.marks)
    if not results:
        return Value(_splat_type(self, node, source.type), (), source.marks)
    if any(result.type != results[0].type for result in results):
        detail = "What is selected is not of one type for all elements of the list. Use a for expression instead."
        return self.problem("inconsistent_types", "Inconsistent types in a splat", detail, node.each.range)
    return Value(ListType(results[0].type), tuple(results), source.marks)


def _splat_over(self: Evaluator, node: Splat, items: tuple[Value, ...]) -> list[Value]:
    results: list[Value] = []
    for item in items:
        if not self.visit(node.range):
            break
        self.items.append(item)
        results.append(self.evaluate(node.each))
        self.items.pop()
    return results


def _splat_type(self: Evaluator, node: Splat, source: Type) -> Type:
    """The type of a splat over a list whose elements are not known."""
    if isinstance(source, TupleType):
        return TupleType(tuple(value.type for value in _splat_over(self, node, tuple(map(unknown, source.items)))))
    element = source.element if isinstance(source, (ListType, SetType)) else ANY
    results = _splat_over(self, node, (unknown(element),))
    return ListType(results[0].type if results else ANY)
