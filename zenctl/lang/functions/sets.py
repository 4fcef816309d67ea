"""Functions of sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod

from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.conversion import common_type, convert_value
from zenctl.lang.functions.bounds import bounded_elements
from zenctl.lang.functions.collections import element_type, require_sequence, sequence
from zenctl.lang.functions.declaring import Group, shallow
from zenctl.lang.model import UNKNOWN, Value, identity, list_value, set_value, tuple_value, unknown
from zenctl.lang.types import ANY, AnyType, ListType, SetType, TupleType, Type

SETS = Group()
_Contents = dict[object, Value]
"""The elements of a set by what makes them the same."""


def _set(name: str) -> Parameter:
    """A parameter that takes sets, lists, and tuples whose elements have a type in common."""
    return Parameter(name, SetType(ANY))


def _combined_type(sets: Sequence[Value]) -> SetType:
    """The type of a set with elements of all the sets. Raises FunctionProblem."""
    elements = [unknown(element_type(value.type)) for value in sets if not _says_nothing(value)]
    common = common_type(elements)
    if common is None:
        raise FunctionProblem("The sets must have a common type of elements.")
    return SetType(common)


def _says_nothing(value: Value) -> bool:
    """Whether it is an empty set of no type, as [] is."""
    return value.raw == () and isinstance(element_type(value.type), AnyType)


def _add(
    name: str,
    description: str,
    combine: Callable[[list[_Contents]], _Contents],
    second: Parameter | None = None,
    rest: Parameter | None = None,
) -> None:
    def run(*sets: Value) -> Value:
        element = _combined_type(sets).element
        converted = [[convert_value(item, element) for item in value.raw] for value in sets]
        return set_value(element, combine([{identity(item): item for item in items} for items in converted]).values())

    parameters = (_set("set"), second) if second else (_set("set"),)
    SETS.function(name, description, *parameters, rest=rest, returns=_combined_type)(run)


def _union(sets: list[_Contents]) -> _Contents:
    return {key: item for items in sets for key, item in items.items()}


def _intersection(sets: list[_Contents]) -> _Contents:
    return {key: item for key, item in sets[0].items() if all(key in other for other in sets[1:])}


def _subtraction(sets: list[_Contents]) -> _Contents:
    return {key: item for key, item in sets[0].items() if key not in sets[1]}


def _difference(sets: list[_Contents]) -> _Contents:
    return {key: item for key, item in _union(sets).items() if sum(key in items for items in sets) == 1}


_add("setunion", "The elements of any of the sets.", _union, rest=_set("sets"))
_add("setintersection", "The elements that all the sets have.", _intersection, rest=_set("sets"))
_add("setsubtract", "The elements of a set that another one does not have.", _subtraction, second=_set("subtracted"))
_add("setsymmetricdifference", "The elements that only one of the sets has.", _difference, rest=_set("sets"))


def _product_type(arguments: Sequence[Value]) -> Type:
    row: list[Type] = []
    for at, value in enumerate(arguments):
        require_sequence(value.type, at)
        if isinstance(value.type, TupleType):
            items = [unknown(item) for item in value.type.items] if value.raw is UNKNOWN else value.raw
            common = common_type(items)
            if common is None:
                raise FunctionProblem("The elements must have a common type.", at)
            row.append(common)
        elif isinstance(value.type, AnyType):
            return ANY
        else:
            row.append(element_type(value.type))
    sets = any(isinstance(value.type, SetType) for value in arguments)
    return SetType(TupleType(tuple(row))) if sets else ListType(TupleType(tuple(row)))


@SETS.function(
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
