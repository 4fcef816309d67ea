"""Functions of lists, sets, maps and objects that look into, count and choose."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from zenctl.lang.access import AccessProblem, get_attribute
from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.conversion import ConversionError, convert_value, equal, unify
from zenctl.lang.functions.bounds import whole
from zenctl.lang.functions.characters import count_characters
from zenctl.lang.functions.declaring import Group, deep, number, shallow, text
from zenctl.lang.model import UNKNOWN, Value, all_marks, boolean, list_value, string, tuple_value, unknown
from zenctl.lang.model import number as number_value
from zenctl.lang.types import (
    ANY,
    BOOL,
    NUMBER,
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

COLLECTIONS = Group()
SEQUENCES = (ListType, SetType, TupleType)
MAPPINGS = (MapType, ObjectType)


def require_sequence(type: Type, argument: int) -> None:
    """Refuse what can be no list, set or tuple, known or not. Raises FunctionProblem."""
    if not isinstance(type, (*SEQUENCES, AnyType)):
        raise FunctionProblem(f"A list is required, not {describe(type)}.", argument)


def require_mapping(type: Type, argument: int) -> None:
    """Refuse what can be no map or object, known or not. Raises FunctionProblem."""
    if not isinstance(type, (*MAPPINGS, AnyType)):
        raise FunctionProblem(f"A map or an object is required, not {describe(type)}.", argument)


def sequence(value: Value, argument: int) -> tuple[Value, ...]:
    """The elements of a known list, set or tuple. Raises FunctionProblem."""
    require_sequence(value.type, argument)
    items: tuple[Value, ...] = value.raw
    return items


def mapping(value: Value, argument: int) -> dict[str, Value]:
    """The elements of a known map or object. Raises FunctionProblem."""
    require_mapping(value.type, argument)
    items: dict[str, Value] = value.raw
    return items


def element_type(type: Type) -> Type:
    """The type of every element of a collection; `any` if they differ or it is not known."""
    if isinstance(type, (ListType, SetType, MapType)):
        return type.element
    items: Sequence[Type] = ()
    if isinstance(type, TupleType):
        items = type.items
    elif isinstance(type, ObjectType):
        items = list(type.attributes.values())
    return items[0] if items and all(item == items[0] for item in items) else ANY


def of_type(items: Sequence[Value], source: Value) -> Value:
    """A list if the source was a list or set, else a tuple."""
    if isinstance(source.type, (ListType, SetType)):
        return list_value(source.type.element, items)
    return tuple_value(items)


@COLLECTIONS.function(
    "length",
    "How many elements a collection has, or characters a text.",
    Parameter("value", shallow=True, unknown=True),
    returns=NUMBER,
)
def _length(value: Value) -> Value:
    if isinstance(value.type, TupleType):
        return number_value(len(value.type.items))
    if isinstance(value.type, ObjectType):
        return number_value(len(value.type.attributes))
    if not isinstance(value.type, (ListType, SetType, MapType, AnyType)) and value.type != STRING:
        raise FunctionProblem(f"A collection or a text is required, not {describe(value.type)}.", 0)
    if value.raw is UNKNOWN:
        return unknown(NUMBER)
    return number_value(count_characters(value.raw) if isinstance(value.raw, str) else len(value.raw))


def same_type(arguments: Sequence[Value]) -> Type:
    """The type of the first argument."""
    return arguments[0].type


def first_element(arguments: Sequence[Value]) -> Type:
    """The type of the elements of the first argument, a list. Raises FunctionProblem."""
    require_sequence(arguments[0].type, 0)
    return element_type(arguments[0].type)


@COLLECTIONS.function(
    "element",
    "An element by its index, counting round and round.",
    shallow("list"),
    number("index"),
    returns=first_element,
)
def _element(items: Value, index: Decimal) -> Value:
    elements = sequence(items, 0)
    if not elements:
        raise FunctionProblem("The list is empty.", 0)
    return elements[whole(index, 1) % len(elements)]


@COLLECTIONS.function("index", "Where an element stands in a list.", deep("list"), deep("value"), returns=NUMBER)
def _index(items: Value, wanted: Value) -> Value:
    for at, item in enumerate(sequence(items, 0)):
        if equal(item, wanted):
            return number_value(at)
    raise FunctionProblem("The list has no such element.", 1)


@COLLECTIONS.function(
    "contains", "Whether a list or set has an element.", Parameter("list", shallow=True), deep("value"), returns=BOOL
)
def _contains(items: Value, wanted: Value) -> Value:
    answers = [equal(item.without_marks(), wanted) for item in sequence(items, 0)]
    if True in answers:
        return boolean(True)
    return unknown(BOOL) if None in answers else boolean(False)


def _lookup_type(arguments: Sequence[Value]) -> Type:
    type, key = arguments[0].type, arguments[1].raw
    require_mapping(type, 0)
    if isinstance(type, ObjectType) and isinstance(key, str):
        return type.attributes.get(key, ANY)
    return type.element if isinstance(type, MapType) else ANY


@COLLECTIONS.function(
    "lookup",
    "An element of a map by its key, or the default.",
    shallow("map"),
    text("key"),
    optional=(Parameter("default", shallow=True, null=True, unknown=True),),
    returns=_lookup_type,
)
def _lookup(items: Value, key: str, *default: Value) -> Value:
    elements = mapping(items, 0)
    if key in elements:
        return elements[key]
    if not default:
        try:
            return get_attribute(items, key)
        except AccessProblem as problem:
            raise FunctionProblem(problem.detail, 1, hidden="The map has no such element.") from None
    if isinstance(items.type, MapType) and not isinstance(items.type.element, AnyType):
        try:
            return convert_value(default[0], items.type.element)
        except ConversionError as problem:
            raise FunctionProblem.of_conversion(problem, 2, "The default does not fit the map: ") from None
    return default[0]


@COLLECTIONS.function("keys", "The keys of a map, sorted.", Parameter("map", shallow=True, unknown=True), returns=ANY)
def _keys(items: Value) -> Value:
    if isinstance(items.type, ObjectType):
        return tuple_value(string(name) for name in sorted(items.type.attributes))
    require_mapping(items.type, 0)
    if items.raw is UNKNOWN:
        return unknown(ListType(STRING))
    return list_value(STRING, [string(name) for name in sorted(mapping(items, 0))])


def _values_type(arguments: Sequence[Value]) -> Type:
    type = arguments[0].type
    require_mapping(type, 0)
    if isinstance(type, MapType):
        return ListType(type.element)
    if isinstance(type, ObjectType):
        return TupleType(tuple(type.attributes[name] for name in sorted(type.attributes)))
    return ANY


@COLLECTIONS.function(
    "values", "The elements of a map, in the order of its keys.", shallow("map"), returns=_values_type
)
def _values(items: Value) -> Value:
    elements = mapping(items, 0)
    found = [elements[name] for name in sorted(elements)]
    return list_value(items.type.element, found) if isinstance(items.type, MapType) else tuple_value(found)


@COLLECTIONS.function(
    "coalesce",
    "The first of its arguments that is neither null nor an empty text.",
    Parameter("value", null=True, shallow=True, unknown=True),
    rest=Parameter("values", null=True, shallow=True, unknown=True),
    returns=ANY,
)
def _coalesce(*values: Value) -> Value:
    given = [value for value in values if value.raw is not None]
    type = unify([value.type for value in given])
    if type is None:
        raise FunctionProblem("All arguments must have a common type.")
    for value in given:
        converted = convert_value(value, type)
        if converted.raw is UNKNOWN:
            return unknown(type)
        if converted.raw != "":
            return converted
    raise FunctionProblem("All arguments are null or empty.")


@COLLECTIONS.function(
    "coalescelist",
    "The first of its arguments that is a list with elements.",
    Parameter("list", null=True, shallow=True, unknown=True),
    rest=Parameter("lists", null=True, shallow=True, unknown=True),
    returns=ANY,
)
def _coalescelist(*values: Value) -> Value:
    types = {value.type for value in values if value.raw is not None}
    for at, value in enumerate(values):
        if value.raw is not None:
            require_sequence(value.type, at)
    for at, value in enumerate(values):
        if value.raw is UNKNOWN:
            return unknown(types.pop() if len(types) == 1 else ANY)
        if value.raw is not None and sequence(value, at):
            return value
    raise FunctionProblem("All arguments are null or empty.")


@COLLECTIONS.function("one", "The only element of a list, null if it is empty.", shallow("list"), returns=first_element)
def _one(items: Value) -> Value:
    elements = sequence(items, 0)
    if len(elements) > 1:
        raise FunctionProblem(f"The list has {len(elements)} elements; it must have one, or none.", 0)
    return elements[0] if elements else Value(element_type(items.type), None)


def _any(items: Value, deciding: Sequence[object], answer: bool) -> Value:
    """The answer if an element decides it, whatever the others will be; else the opposite once all are known."""
    if items.raw is UNKNOWN:
        return unknown(BOOL, items.marks)
    marks = all_marks(items)
    if any(item.raw in deciding for item in items.raw):
        return boolean(answer).with_marks(marks)
    if any(item.raw is UNKNOWN for item in items.raw):
        return unknown(BOOL, marks)
    return boolean(not answer).with_marks(marks)


_BOOLS = Parameter("list", ListType(BOOL), unknown=True, marked=True)


@COLLECTIONS.function("alltrue", "Whether all elements are true.", _BOOLS, returns=BOOL)
def _alltrue(items: Value) -> Value:
    return _any(items, (False, None), False)


@COLLECTIONS.function("anytrue", "Whether any element is true.", _BOOLS, returns=BOOL)
def _anytrue(items: Value) -> Value:
    return _any(items, (True,), True)


@COLLECTIONS.function(
    "compact",
    "The texts of a list without those that are null or empty.",
    Parameter("list", ListType(STRING)),
    returns=ListType(STRING),
)
def _compact(items: Value) -> Value:
    return list_value(STRING, [item for item in items.raw if item.raw])


@COLLECTIONS.function(
    "sort", "The texts of a list in their order.", Parameter("list", ListType(STRING)), returns=ListType(STRING)
)
def _sort(items: Value) -> Value:
    for item in items.raw:
        if item.raw is None:
            raise FunctionProblem("An element is null.", 0)
    return list_value(STRING, sorted(items.raw, key=lambda item: item.raw))


def _reversed_type(arguments: Sequence[Value]) -> Type:
    type = arguments[0].type
    require_sequence(type, 0)
    if isinstance(type, TupleType):
        return TupleType(type.items[::-1])
    return type if isinstance(type, AnyType) else ListType(element_type(type))


@COLLECTIONS.function("reverse", "The elements of a list backwards.", shallow("list"), returns=_reversed_type)
def _reverse(items: Value) -> Value:
    return of_type(sequence(items, 0)[::-1], items)


def _slice_type(arguments: Sequence[Value]) -> Type:
    type = arguments[0].type
    require_sequence(type, 0)
    if isinstance(type, SetType):
        raise FunctionProblem("A set has no order. Turn it into a list with tolist().", 0)
    return type if isinstance(type, ListType) else ANY


@COLLECTIONS.function(
    "slice",
    "The elements of a list from one index to before another.",
    shallow("list"),
    number("start"),
    number("end"),
    returns=_slice_type,
)
def _slice(items: Value, start: Decimal, end: Decimal) -> Value:
    _slice_type((items,))
    elements = sequence(items, 0)
    first, last = whole(start, 1, least=0), whole(end, 2, least=0)
    if last > len(elements):
        raise FunctionProblem(f"The end is behind the last element: there are {len(elements)}.", 2)
    if first > last:
        raise FunctionProblem("The start is behind the end.", 1)
    return of_type(elements[first:last], items)
