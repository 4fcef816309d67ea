"""What `.name` and `[key]` select from a value. Pure: problems are raised, places are the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from zenctl.diagnostics import did_you_mean
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.model import DYNAMIC, SENSITIVE, UNKNOWN, Value, content, number, string, unknown
from zenctl.lang.numbers import is_whole, number_text
from zenctl.lang.types import (
    NUMBER,
    STRING,
    AnyType,
    CapsuleType,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
    describe,
)


class AccessProblem(Exception):
    """Nothing can be selected so; a code, a summary and a detail."""

    def __init__(self, code: str, summary: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.summary = summary
        self.detail = detail


def elements(collection: Value) -> Iterator[tuple[Value, Value]]:
    """Keys and values of a known list, set, map or object, in the order of iteration; in a set both are the element."""
    if isinstance(collection.type, SetType):
        return ((item, item) for item in collection.raw)
    if isinstance(collection.raw, tuple):
        return ((number(at), item) for at, item in enumerate(collection.raw))
    return ((string(name), collection.raw[name]) for name in sorted(collection.raw))


def get_attribute(value: Value, name: str) -> Value:
    """`value.name`, with the marks of the value added. Raises AccessProblem."""
    type = value.type
    if value.raw is None:
        detail = f'It is null, so it has no attribute "{name}". Test for null before, or use try().'
        raise AccessProblem("null_value", "Attribute of a null value", detail)
    if isinstance(type, AnyType):
        return DYNAMIC.with_marks(value.marks)
    if isinstance(type, ObjectType):
        if name not in type.attributes:
            raise _no_attribute("This object", name, type.attributes)
        found = unknown(type.attributes[name]) if value.raw is UNKNOWN else value.raw[name]
        return _marked(found, value)
    if isinstance(type, MapType):
        if value.raw is UNKNOWN:
            return unknown(type.element, value.marks)
        if name not in value.raw:
            known = () if SENSITIVE in value.marks else value.raw
            detail = f'This map has no element "{name}".{_suggest(name, known)}'
            raise AccessProblem("missing_key", "Missing map element", detail)
        return _marked(value.raw[name], value)
    if isinstance(type, CapsuleType):
        return _of_capsule(value, name)
    if isinstance(type, (ListType, SetType, TupleType)):
        detail = f"This is {describe(type)}, which has no attributes. Select an element with [0], or take "
        detail += f"{name} of all of them with [*].{name}."
        raise AccessProblem("unknown_attribute", "Unknown attribute", detail)
    detail = f"This is {describe(type)}, which has no attributes."
    raise AccessProblem("unknown_attribute", "Unknown attribute", detail)


def _of_capsule(value: Value, name: str) -> Value:
    if value.raw is UNKNOWN:
        return DYNAMIC.with_marks(value.marks)
    found = value.raw.attribute(name)
    inner = content(value)
    if found is None and inner is not value:
        return get_attribute(inner, name)
    if found is None:
        raise _no_attribute(f"A {value.type}", name, value.raw.attribute_names())
    return _marked(found, value)


def _marked(found: Value, source: Value) -> Value:
    return found.with_marks(source.marks) if source.marks else found


def _no_attribute(what: str, name: str, known: Iterable[str]) -> AccessProblem:
    names = sorted(known)
    detail = f'{what} has no attribute "{name}".{_suggest(name, names)}'
    if not names:
        detail = f'{what} has no attribute "{name}": it is empty.'
    return AccessProblem("unknown_attribute", "Unknown attribute", detail)


def _suggest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    hint = did_you_mean(name, names)
    if not hint and 0 < len(names) <= 12:
        hint = f" It has: {', '.join(names)}."
    return hint


def index(collection: Value, key: Value) -> Value:
    """`collection[key]`, with the marks of both. Raises AccessProblem."""
    if isinstance(key.raw, Decimal):
        collection = content(collection)
    marks = collection.marks | key.marks
    if collection.raw is None:
        detail = "It is null, so it has no elements. Test for null before, or use try()."
        raise AccessProblem("null_value", "Index of a null value", detail)
    if key.raw is None:
        raise AccessProblem("invalid_index", "Invalid index", "The key is null.")
    type = collection.type
    if isinstance(type, AnyType) or (isinstance(key.type, AnyType) and not isinstance(type, SetType)):
        return DYNAMIC.with_marks(marks)
    if isinstance(type, (ListType, TupleType)):
        return _element(collection, _key(key, NUMBER, "number")).with_marks(marks)
    if isinstance(type, (MapType, ObjectType, CapsuleType)):
        wanted = _key(key, STRING, "name")
        if wanted.raw is UNKNOWN:
            return (unknown(type.element) if isinstance(type, MapType) else DYNAMIC).with_marks(marks)
        try:
            return get_attribute(collection, wanted.raw).with_marks(marks)
        except AccessProblem:
            if SENSITIVE in key.marks:
                raise AccessProblem("missing_key", "Invalid index", "There is no element of that name.") from None
            raise
    if isinstance(type, SetType):
        detail = "The elements of a set have no order and no keys. Turn it into a list with tolist(), or use for."
        raise AccessProblem("invalid_index", "Invalid index", detail)
    raise AccessProblem("invalid_index", "Invalid index", f"This is {describe(type)}, which has no elements.")


def _key(key: Value, wanted: Type, what: str) -> Value:
    try:
        return convert_value(key, wanted)
    except ConversionError:
        detail = f"The key must be a {what}, not {describe(key.type)}."
        raise AccessProblem("invalid_index", "Invalid index", detail) from None


def _element(collection: Value, key: Value) -> Value:
    type = collection.type
    if key.raw is UNKNOWN:
        return unknown(type.element) if isinstance(type, ListType) else DYNAMIC
    hidden = SENSITIVE in key.marks
    if not is_whole(key.raw):
        raise AccessProblem("invalid_index", "Invalid index", "The index must be a whole number.")
    if key.raw < 0:
        detail = "An index counts from 0 and cannot be negative. The last element is xs[length(xs) - 1]."
        raise AccessProblem("invalid_index", "Invalid index", detail)
    if isinstance(type, TupleType):
        length = len(type.items)
    elif collection.raw is UNKNOWN:
        return unknown(type.element) if isinstance(type, ListType) else DYNAMIC
    else:
        length = len(collection.raw)
    if key.raw >= length:
        shown = "The index" if hidden else f"The index {number_text(key.raw)}"
        detail = f"{shown} is too large: there are {length} elements, counted from 0."
        if length == 0:
            detail = "There are no elements."
        raise AccessProblem("invalid_index", "Invalid index", detail)
    at = int(key.raw)
    if collection.raw is UNKNOWN and isinstance(type, TupleType):
        return unknown(type.items[at])
    found = collection.raw[at]
    assert isinstance(found, Value)
    return found
