"""Functions that make new lists, sets, maps and objects of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import product
from math import prod

from zenctl.lang.calls import MAX_ELEMENTS, FunctionProblem, Parameter
from zenctl.lang.conversion import convert_value, unify
from zenctl.lang.functions.collections import SEQUENCES, element_type, mapping, of_type, sequence
from zenctl.lang.functions.library import Library, deep, number, shallow
from zenctl.lang.functions.texts import whole
from zenctl.lang.model import (
    UNKNOWN,
    Value,
    identity,
    list_value,
    map_value,
    object_value,
    set_value,
    string,
    strip_marks,
    tuple_value,
)
from zenctl.lang.numbers import CONTEXT
from zenctl.lang.types import ANY, NUMBER, STRING, ListType, MapType, SetType, TupleType, Type

BUILDING = Library()


@BUILDING.function(
    "concat", "The elements of several lists, one after the other.", shallow("list"), rest=shallow("lists"), returns=ANY
)
def _concat(*lists: Value) -> Value:
    items = [item for at, value in enumerate(lists) for item in sequence(value, at)]
    types = {value.type for value in lists}
    if len(types) == 1 and isinstance(lists[0].type, ListType):
        return list_value(lists[0].type.element, items)
    return tuple_value(items)


@BUILDING.function(
    "flatten", "The elements of a list, those of the lists in it included.", Parameter("list", marked=True), returns=ANY
)
def _flatten(items: Value) -> Value:
    marks = items.marks
    result: list[Value] = []
    waiting = list(reversed(sequence(items, 0)))
    while waiting:
        item = waiting.pop()
        if item.raw is UNKNOWN:
            return Value(ANY, UNKNOWN, marks)
        if isinstance(item.type, SEQUENCES) and item.raw is not None:
            marks |= item.marks
            waiting.extend(reversed(item.raw))
        else:
            result.append(item)
    return tuple_value(result).with_marks(marks)


@BUILDING.function(
    "merge",
    "All attributes of several maps or objects; later ones win.",
    rest=Parameter("maps", null=True, shallow=True),
    returns=ANY,
)
def _merge(*maps: Value) -> Value:
    given = [value for value in maps if value.raw is not None]
    merged: dict[str, Value] = {}
    for at, value in enumerate(given):
        merged.update(mapping(value, at))
    types = {value.type for value in given}
    if len(types) == 1 and isinstance(given[0].type, MapType):
        return map_value(given[0].type.element, merged)
    return object_value(merged)


def _distinct_type(arguments: Sequence[Value]) -> Type:
    return ListType(element_type(arguments[0]))


@BUILDING.function("distinct", "The elements of a list without doubles.", deep("list"), returns=_distinct_type)
def _distinct(items: Value) -> Value:
    element = unify([item.type for item in sequence(items, 0)])
    if element is None:
        raise FunctionProblem("The elements must have a common type.", 0)
    converted = [convert_value(item, element) for item in items.raw]
    first: dict[object, Value] = {}
    for item in converted:
        first.setdefault(identity(item), item)
    return list_value(element, list(first.values()))


@BUILDING.function(
    "chunklist", "The elements of a list in lists of a size.", shallow("list"), number("size"), returns=ANY
)
def _chunklist(items: Value, size: Decimal) -> Value:
    elements = sequence(items, 0)
    count = whole(size, 1, least=0) or max(1, len(elements))
    chunks = [of_type(elements[at : at + count], items) for at in range(0, len(elements), count)]
    if isinstance(items.type, (ListType, SetType)):
        return list_value(ListType(items.type.element), chunks)
    return tuple_value(chunks)


@BUILDING.function(
    "range",
    "Numbers from a start to before a limit, by steps.",
    number("limit"),
    rest=Parameter("step", NUMBER),
    most=3,
    returns=ListType(NUMBER),
)
def _range(*bounds: Decimal) -> Value:
    start, limit = (Decimal(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
    step = bounds[2] if len(bounds) == 3 else Decimal(1 if start <= limit else -1)
    if not step:
        raise FunctionProblem("The step must not be 0.", 2)
    if (step > 0) != (start <= limit) and start != limit:
        raise FunctionProblem("The steps lead away from the limit.", 2)
    if start != limit and abs(CONTEXT.divide(limit - start, step)) > MAX_ELEMENTS:
        raise FunctionProblem(f"There would be more than {MAX_ELEMENTS} numbers.")
    items: list[Value] = []
    while (start < limit) if step > 0 else (start > limit):
        items.append(Value(NUMBER, start))
        start = CONTEXT.add(start, step)
    return list_value(NUMBER, items)


@BUILDING.function(
    "zipmap",
    "An object of a list of keys and a list of values.",
    Parameter("keys", ListType(STRING)),
    shallow("values"),
    returns=ANY,
)
def _zipmap(keys: Value, values: Value) -> Value:
    elements = sequence(values, 1)
    if len(keys.raw) != len(elements):
        raise FunctionProblem(f"There are {len(keys.raw)} keys, but {len(elements)} values.", 1)
    if any(key.raw is None for key in keys.raw):
        raise FunctionProblem("A key is null.", 0)
    pairs = {key.raw: item for key, item in zip(keys.raw, elements, strict=True)}
    return map_value(values.type.element, pairs) if isinstance(values.type, ListType) else object_value(pairs)


@BUILDING.function(
    "matchkeys",
    "The values whose keys are in a list to search for.",
    shallow("values"),
    deep("keys"),
    deep("searchset"),
    returns=ANY,
)
def _matchkeys(values: Value, keys: Value, wanted: Value) -> Value:
    elements, names = sequence(values, 0), sequence(keys, 1)
    if len(elements) != len(names):
        raise FunctionProblem(f"There are {len(elements)} values, but {len(names)} keys.", 1)
    common = unify([item.type for item in (*names, *sequence(wanted, 2))])
    if common is None:
        raise FunctionProblem("The keys and what is searched for must have a common type.", 2)
    searched = {identity(convert_value(item, common)) for item in wanted.raw}
    pairs = zip(elements, names, strict=True)
    return of_type([value for value, key in pairs if identity(convert_value(key, common)) in searched], values)


@BUILDING.function(
    "transpose",
    "A map of lists of texts, with keys and elements changed round.",
    Parameter("map", MapType(ListType(STRING))),
    returns=MapType(ListType(STRING)),
)
def _transpose(items: Value) -> Value:
    turned: dict[str, list[Value]] = {}
    for key in sorted(items.raw):
        if items.raw[key].raw is None or any(item.raw is None for item in items.raw[key].raw):
            raise FunctionProblem("An element is null.", 0)
        for item in items.raw[key].raw:
            turned.setdefault(item.raw, []).append(string(key))
    return map_value(ListType(STRING), {name: list_value(STRING, turned[name]) for name in sorted(turned)})


def _common_sets(sets: Sequence[Value]) -> tuple[Type, list[dict[object, Value]]]:
    """The element type of several sets, and the elements of each by what makes them the same."""
    types = [item.type for at, value in enumerate(sets) for item in sequence(value, at)]
    common = unify(types)
    if common is None:
        raise FunctionProblem("The sets must have a common type of elements.")
    converted = [[convert_value(item, common) for item in value.raw] for value in sets]
    return common, [{identity(item): item for item in items} for items in converted]


def _set_function(
    name: str, description: str, combine: Callable[[list[dict[object, Value]]], dict[object, Value]]
) -> None:
    def run(*sets: Value) -> Value:
        element, contents = _common_sets(sets)
        return set_value(element, combine(contents).values())

    BUILDING.function(name, description, deep("set"), rest=deep("sets"), returns=SetType(ANY))(run)


def _union(sets: list[dict[object, Value]]) -> dict[object, Value]:
    return {key: item for items in sets for key, item in items.items()}


def _intersection(sets: list[dict[object, Value]]) -> dict[object, Value]:
    return {key: item for key, item in sets[0].items() if all(key in other for other in sets[1:])}


def _subtraction(sets: list[dict[object, Value]]) -> dict[object, Value]:
    return {key: item for key, item in sets[0].items() if not any(key in other for other in sets[1:])}


def _difference(sets: list[dict[object, Value]]) -> dict[object, Value]:
    return {key: item for key, item in _union(sets).items() if sum(key in items for items in sets) == 1}


_set_function("setunion", "The elements of any of the sets.", _union)
_set_function("setintersection", "The elements that all the sets have.", _intersection)
_set_function("setsubtract", "The elements of the first set that no other one has.", _subtraction)
_set_function("setsymmetricdifference", "The elements that only one of the sets has.", _difference)


@BUILDING.function(
    "setproduct",
    "Every combination of an element of each of several lists or sets.",
    shallow("list"),
    rest=shallow("lists"),
    returns=ANY,
)
def _setproduct(*lists: Value) -> Value:
    columns = [sequence(value, at) for at, value in enumerate(lists)]
    if len(lists) < 2:
        raise FunctionProblem("At least two lists are required.")
    if prod(len(column) for column in columns) * len(columns) > MAX_ELEMENTS:
        raise FunctionProblem(f"There would be more than {MAX_ELEMENTS} elements.")
    rows = [tuple_value(row) for row in product(*columns)]
    row_type = TupleType(tuple(element_type(value) for value in lists))
    if all(isinstance(value.type, SetType) for value in lists):
        return set_value(row_type, [strip_marks(row)[0] for row in rows])
    if all(isinstance(value.type, ListType) for value in lists):
        return list_value(row_type, rows)
    return tuple_value(rows)
