"""Functions that make new lists, sets, maps and objects of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import product
from math import prod

from zenctl.lang.calls import MAX_ELEMENTS, FunctionProblem, Parameter
from zenctl.lang.conversion import convert_value, unify
from zenctl.lang.functions.bounds import bounded_elements, whole
from zenctl.lang.functions.collections import SEQUENCES, element_type, mapping, of_type, same_type, sequence
from zenctl.lang.functions.declaring import Group, deep, number, shallow
from zenctl.lang.model import (
    UNKNOWN,
    Value,
    identity,
    list_value,
    map_value,
    object_value,
    set_value,
    string,
    tuple_value,
)
from zenctl.lang.numbers import CONTEXT
from zenctl.lang.types import (
    ANY,
    NUMBER,
    STRING,
    AnyType,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
)

BUILDING = Group()


def _listed(name: str) -> Parameter:
    """A parameter that takes lists and sets, and tuples whose elements have a type in common."""
    return Parameter(name, ListType(ANY), shallow=True)


def _concat_type(arguments: Sequence[Value]) -> Type:
    types = [value.type for value in arguments]
    if all(isinstance(type, TupleType) for type in types):
        return TupleType(tuple(item for type in types if isinstance(type, TupleType) for item in type.items))
    return _common_list(types) or ANY


def _common_list(types: Sequence[Type]) -> ListType | None:
    """The type that several lists have in common; None if one is no list or they differ too much."""
    common = unify([type.element for type in types if isinstance(type, ListType)])
    return ListType(common) if common is not None and all(isinstance(type, ListType) for type in types) else None


@BUILDING.function(
    "concat",
    "The elements of several lists, one after the other.",
    shallow("list"),
    rest=shallow("lists"),
    returns=_concat_type,
)
def _concat(*lists: Value) -> Value:
    bounded_elements(sum(len(sequence(value, at)) for at, value in enumerate(lists)))
    items = [item for value in lists for item in value.raw]
    common = _common_list([value.type for value in lists])
    if common is not None:
        return list_value(common.element, [convert_value(item, common.element) for item in items])
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


def _merge_type(arguments: Sequence[Value]) -> Type:
    types = {value.type for value in arguments if value.raw is not None}
    if len(types) == 1 and isinstance(next(iter(types)), MapType):
        return types.pop()
    attributes: dict[str, Type] = {}
    for value in arguments:
        if isinstance(value.type, ObjectType):
            attributes.update(value.type.attributes)
        elif value.raw is not None:
            return ANY
    return ObjectType(attributes)


@BUILDING.function(
    "merge",
    "All attributes of several maps or objects; later ones win.",
    rest=Parameter("maps", null=True, shallow=True),
    returns=_merge_type,
)
def _merge(*maps: Value) -> Value:
    given = [value for value in maps if value.raw is not None]
    merged: dict[str, Value] = {}
    for at, value in enumerate(maps):
        if value.raw is not None:
            merged.update(mapping(value, at))
    types = {value.type for value in given}
    if len(types) == 1 and isinstance(given[0].type, MapType):
        return map_value(given[0].type.element, merged)
    return object_value(merged)


def _distinct_type(arguments: Sequence[Value]) -> Type:
    type = arguments[0].type
    common = unify(type.items) if isinstance(type, TupleType) else element_type(type)
    return ListType(common or ANY)


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
    "chunklist",
    "The elements of a list in lists of a size.",
    _listed("list"),
    number("size"),
    returns=lambda arguments: ListType(same_type(arguments)),
)
def _chunklist(items: Value, size: Decimal) -> Value:
    elements = sequence(items, 0)
    count = whole(size, 1, least=0) or max(1, len(elements))
    chunks = [of_type(elements[at : at + count], items) for at in range(0, len(elements), count)]
    return list_value(items.type, chunks)


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


def _zipmap_type(arguments: Sequence[Value]) -> Type:
    type = arguments[1].type
    return MapType(type.element) if isinstance(type, ListType) else ANY


@BUILDING.function(
    "zipmap",
    "An object of a list of keys and a list of values.",
    Parameter("keys", ListType(STRING)),
    shallow("values"),
    returns=_zipmap_type,
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
    _listed("values"),
    deep("keys"),
    deep("searchset"),
    returns=same_type,
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


def _element_types(value: Value, argument: int) -> list[Type]:
    items = sequence(value, argument)
    if isinstance(value.type, (ListType, SetType)) and not (isinstance(value.type.element, AnyType) and not items):
        return [value.type.element]
    return [item.type for item in items]


def _sets_type(arguments: Sequence[Value]) -> Type:
    """Of a combination of sets, if all are of one type already."""
    elements = {element_type(value.type) for value in arguments}
    return SetType(elements.pop() if len(elements) == 1 else ANY)


def _common_sets(sets: Sequence[Value]) -> tuple[Type, list[dict[object, Value]]]:
    """The element type of several sets, and the elements of each by what makes them the same."""
    types = [t for at, value in enumerate(sets) for t in _element_types(value, at)]
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

    BUILDING.function(name, description, deep("set"), rest=deep("sets"), returns=_sets_type)(run)


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


def _product_type(arguments: Sequence[Value]) -> Type:
    row: list[Type] = []
    for at, value in enumerate(arguments):
        if isinstance(value.type, TupleType):
            common = unify(value.type.items)
            if common is None:
                raise FunctionProblem("The elements must have a common type.", at)
            row.append(common)
        elif isinstance(value.type, SEQUENCES):
            row.append(element_type(value.type))
        else:
            return ANY
    sets = any(isinstance(value.type, SetType) for value in arguments)
    return SetType(TupleType(tuple(row))) if sets else ListType(TupleType(tuple(row)))


@BUILDING.function(
    "setproduct",
    "Every combination of an element of each of several lists or sets.",
    shallow("list"),
    rest=shallow("lists"),
    returns=_product_type,
)
def _setproduct(*lists: Value) -> Value:
    columns = [sequence(value, at) for at, value in enumerate(lists)]
    if len(lists) < 2:
        raise FunctionProblem("At least two lists are required.")
    bounded_elements(prod(len(column) for column in columns) * len(columns))
    result = _product_type(lists)
    assert isinstance(result, (SetType, ListType))
    assert isinstance(result.element, TupleType)
    typed = [
        [convert_value(item, type) for item in column]
        for column, type in zip(columns, result.element.items, strict=True)
    ]
    rows = [tuple_value(row) for row in product(*typed)]
    return set_value(result.element, rows) if isinstance(result, SetType) else list_value(result.element, rows)
