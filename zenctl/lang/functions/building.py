"""Functions that make new lists, sets, maps and objects of others."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from zenctl.lang.calls import MAX_ELEMENTS, FunctionProblem, Parameter
from zenctl.lang.conversion import common_type, convert_value, unify
from zenctl.lang.functions.bounds import bounded_elements, whole
from zenctl.lang.functions.collections import (
    SEQUENCES,
    element_type,
    mapping,
    of_type,
    require_mapping,
    require_sequence,
    same_type,
    sequence,
)
from zenctl.lang.functions.declaring import Group, number, shallow
from zenctl.lang.model import (
    UNKNOWN,
    Value,
    identity,
    list_value,
    map_value,
    object_value,
    string,
    tuple_value,
    unknown,
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
    TupleType,
    Type,
)

BUILDING = Group()


def _listed(name: str) -> Parameter:
    """A parameter that takes lists and sets, and tuples whose elements have a type in common."""
    return Parameter(name, ListType(ANY), shallow=True)


def _concat_type(arguments: Sequence[Value]) -> Type:
    types = [value.type for value in arguments]
    for at, type in enumerate(types):
        require_sequence(type, at)
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
    "flatten",
    "The elements of a list, those of the lists in it included.",
    Parameter("list", unknown=True, marked=True),
    returns=ANY,
)
def _flatten(items: Value) -> Value:
    marks = items.marks
    require_sequence(items.type, 0)
    if items.raw is UNKNOWN:
        return unknown(ANY, marks)
    result: list[Value] = []
    waiting = list(reversed(sequence(items, 0)))
    while waiting:
        item = waiting.pop()
        if item.raw is UNKNOWN and isinstance(item.type, (*SEQUENCES, AnyType)):
            return unknown(ANY, marks)
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
    attributes: dict[str, Type] | None = {}
    for at, value in enumerate(arguments):
        if value.raw is None:
            continue
        require_mapping(value.type, at)
        if attributes is not None and isinstance(value.type, ObjectType):
            attributes.update(value.type.attributes)
        else:
            attributes = None
    return ANY if attributes is None else ObjectType(attributes)


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


@BUILDING.function(
    "distinct", "The elements of a list without doubles.", Parameter("list", ListType(ANY)), returns=same_type
)
def _distinct(items: Value) -> Value:
    first: dict[object, Value] = {}
    for item in items.raw:
        first.setdefault(identity(item), item)
    return of_type(list(first.values()), items)


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
    "Numbers from a start to before a limit, by steps of 1 or another size; a lone argument is the limit.",
    number("start"),
    optional=(number("limit"), number("step")),
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
    require_sequence(type, 1)
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


def _keys_type(arguments: Sequence[Value]) -> Type:
    """The type that the keys and what is searched for have in common."""
    common = common_type([item for value in arguments[1:3] for item in _typical(value)])
    if common is None:
        raise FunctionProblem("The keys and what is searched for must have a common type.", 2)
    return common


def _typical(value: Value) -> Sequence[Value]:
    """Elements of all types that a list may have: those it has, or an unknown one while it is not known."""
    return [unknown(element_type(value.type))] if value.raw is UNKNOWN else sequence(value, 0)


def _matches_type(arguments: Sequence[Value]) -> Type:
    _keys_type(arguments)
    return arguments[0].type


@BUILDING.function(
    "matchkeys",
    "The values whose keys are in a list to search for.",
    _listed("values"),
    Parameter("keys", ListType(ANY)),
    Parameter("searchset", ListType(ANY)),
    returns=_matches_type,
)
def _matchkeys(values: Value, keys: Value, wanted: Value) -> Value:
    elements, names = sequence(values, 0), sequence(keys, 1)
    if len(elements) != len(names):
        raise FunctionProblem(f"There are {len(elements)} values, but {len(names)} keys.", 1)
    common = _keys_type((values, keys, wanted))
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
