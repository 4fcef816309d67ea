"""Functions that convert, and those that look at problems and marks: `try`, `can`, `sensitive`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zenctl.diagnostics import Diagnostic
from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.functions.declaring import Group
from zenctl.lang.model import DYNAMIC, EPHEMERAL, SENSITIVE, Value, all_marks, boolean, string, unknown, wholly_known
from zenctl.lang.types import ANY, BOOL, NUMBER, STRING, ListType, MapType, SetType, Type

CONVERTING = Group()
_VALUE = Parameter("value", null=True, unknown=True, marked=True)
Thunk = Callable[[], tuple[Value, list[Diagnostic]]]


def _converts(name: str, description: str, type: Type) -> None:
    def run(value: Value) -> Value:
        try:
            return convert_value(value, type)
        except ConversionError as problem:
            raise FunctionProblem.of_conversion(problem, 0) from None

    CONVERTING.function(name, description, _VALUE, returns=type)(run)


def _same(arguments: Sequence[Value]) -> Type:
    return arguments[0].type


_converts("tostring", "The value as a string.", STRING)
_converts("tonumber", "The value as a number.", NUMBER)
_converts("tobool", "The value as a bool.", BOOL)
_converts("tolist", "The elements as a list, all of one type.", ListType(ANY))
_converts("toset", "The elements as a set: no doubles, no order.", SetType(ANY))
_converts("tomap", "The attributes as a map, all of one type.", MapType(ANY))


@CONVERTING.function(
    "try",
    "The first of its arguments that can be computed without an error.",
    Parameter("expression"),
    rest=Parameter("expressions"),
    returns=ANY,
    lazy=True,
)
def _try(*thunks: Thunk) -> Value:
    problems: list[Diagnostic] = []
    for thunk in thunks:
        value, found = thunk()
        if not found:
            # What is unknown in a value may still turn out to be a problem, and then another argument counts.
            return value if wholly_known(value) else DYNAMIC.with_marks(all_marks(value))
        problems += found
    details = " ".join(dict.fromkeys(f"{problem.summary}: {problem.detail}" for problem in problems))
    raise FunctionProblem(f"None of its arguments can be computed. {details}")


@CONVERTING.function(
    "can",
    "Whether its argument can be computed without an error.",
    Parameter("expression"),
    returns=BOOL,
    lazy=True,
)
def _can(thunk: Thunk) -> Value:
    value, found = thunk()
    if found:
        return boolean(False)
    # An unknown value may still turn out to have problems.
    return boolean(True) if wholly_known(value) else unknown(BOOL)


@CONVERTING.function("sensitive", "The value, marked so that it is not shown.", _VALUE, returns=ANY)
def _sensitive(value: Value) -> Value:
    return value.with_marks(frozenset({SENSITIVE}))


@CONVERTING.function("nonsensitive", "The value without the mark that hides it.", _VALUE, returns=ANY)
def _nonsensitive(value: Value) -> Value:
    return Value(value.type, value.raw, value.marks - {SENSITIVE})


@CONVERTING.function("issensitive", "Whether the value is marked so that it is not shown.", _VALUE, returns=BOOL)
def _issensitive(value: Value) -> Value:
    return boolean(SENSITIVE in value.marks)


@CONVERTING.function(
    "ephemeralasnull", "The value with null in place of what is ephemeral in it.", _VALUE, returns=_same
)
def _ephemeralasnull(value: Value) -> Value:
    if EPHEMERAL in value.marks:
        return Value(value.type, None, value.marks - {EPHEMERAL})
    raw = value.raw
    if isinstance(raw, tuple):
        raw = tuple(_ephemeralasnull(item) for item in raw)
    elif isinstance(raw, dict):
        raw = {name: _ephemeralasnull(item) for name, item in raw.items()}
    return Value(value.type, raw, value.marks)


@CONVERTING.function("type", "The name of the value's type, for use in the console.", _VALUE, returns=STRING)
def _type(value: Value) -> Value:
    name = string(str(value.type))
    # The names of attributes are part of what a sensitive object hides.
    return name.with_marks(all_marks(value)) if "object({" in name.raw else name
