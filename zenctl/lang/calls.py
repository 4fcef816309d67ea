"""Function: how a function of the language declares itself, and the one way in which all of them are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Union

from zenctl.diagnostics import Diagnostic
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.excerpts import excerpt
from zenctl.lang.model import (
    NO_MARKS,
    SENSITIVE,
    UNKNOWN,
    Marks,
    Value,
    all_marks,
    boolean,
    string,
    strip_marks,
    unknown,
    wholly_known,
)
from zenctl.lang.numbers import in_range
from zenctl.lang.types import ANY, BOOL, NUMBER, STRING, Primitive, Type
from zenctl.lazy_dataclasses import dataclass

MAX_STRING = 16 * 1024 * 1024
"""The longest text, in code points, that an expression may make."""

MAX_ELEMENTS = 1_000_000
"""The most elements that a function may make."""


class FunctionProblem(Exception):
    """A call is not possible; `argument` is the index of the argument at fault, None if it is the call as a whole.

    `hidden` is said instead of `detail` where an argument is sensitive; it must be given where the detail holds
    anything of an argument's content. `diagnostics` are what is wrong in a text that the call works on (a template's
    file), with their places in it; they are then told instead.
    """

    def __init__(
        self,
        detail: str,
        argument: int | None = None,
        *,
        hidden: str = "",
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(detail)
        self.argument = argument
        self.hidden = hidden
        self.diagnostics = tuple(diagnostics)

    @classmethod
    def of_conversion(cls, problem: ConversionError, argument: int | None, start: str = "") -> FunctionProblem:
        """What is wrong with a value inside an argument; the keys that lead to it are part of its content."""
        text, hidden = (f"{start}{words}." for words in (str(problem), problem.reason))
        return cls(text[:1].upper() + text[1:], argument, hidden=hidden[:1].upper() + hidden[1:])


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. Arguments are converted to its type; null is refused unless `null`.

    `shallow`: only the argument itself must be known and is stripped of its marks; what is inside keeps its own.
    Otherwise everything inside must be known, and the marks of all of it go to the result. `unknown`: the function
    takes unknown values. `marked`: the function takes marked values and looks after the marks itself.
    """

    name: str
    type: Type = ANY
    null: bool = False
    shallow: bool = False
    unknown: bool = False
    marked: bool = False


Returns = Union[Type, Callable[[Sequence[Value]], Type]]


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `run` takes primitive arguments as str, Decimal or bool (or None), all others as Value.

    It returns a Value, or a str, Decimal, int or bool. The `optional` parameters may be left out from the last one on;
    `rest` takes any number of further arguments. `returns`
    is the type of the result, or finds it from the arguments when these are unknown; it raises FunctionProblem where
    what is known is wrong already. `lazy` functions are called with
    one thunk an argument, each giving a value and its diagnostics.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    returns: Returns
    run: Callable[..., Any]
    optional: tuple[Parameter, ...] = ()
    rest: Parameter | None = None
    lazy: bool = False

    def parameter(self, at: int) -> Parameter:
        """The parameter that the argument at an index belongs to."""
        named = (*self.parameters, *self.optional)
        if at < len(named):
            return named[at]
        assert self.rest is not None
        return self.rest

    def signature(self) -> str:
        """How it is called: `lookup(map, key[, default])`."""
        names = [parameter.name for parameter in self.parameters]
        if self.rest:
            names.append(f"{self.rest.name}...")
        optional = "".join(f"[{', ' if names else ''}{parameter.name}" for parameter in self.optional)
        return f"{self.name}({', '.join(names)}{optional}{']' * len(self.optional)})"


def check_count(function: Function, count: int) -> str:
    """What is wrong with this number of arguments, or the empty string."""
    least = len(function.parameters)
    most = None if function.rest else least + len(function.optional)
    if count < least:
        missing = function.parameters[count].name
        return f'The argument "{missing}" is missing: it is called as {function.signature()}.'
    if most is not None and count > most:
        return f"It takes {most} argument{'' if most == 1 else 's'}, not {count}: {function.signature()}."
    return ""


def call(function: Function, arguments: Sequence[Value]) -> Value:
    """The result of a call with a number of arguments that `check_count` accepts.

    Raises FunctionProblem, with a detail that names the argument and its value, and shows nothing sensitive.
    """
    try:
        return _call(function, arguments)
    except FunctionProblem as problem:
        raise _told(problem, function, arguments) from None


def _told(problem: FunctionProblem, function: Function, arguments: Sequence[Value]) -> FunctionProblem:
    secret = any(SENSITIVE in all_marks(argument) for argument in arguments)
    detail = problem.hidden if secret and problem.hidden else str(problem)
    at = problem.argument
    if at is not None and at < len(arguments) and arguments[at].raw is not None and arguments[at].raw is not UNKNOWN:
        name = function.parameter(at).name
        subject = "It" if f'"{name}"' in detail else f'The argument "{name}"'
        detail += f" {subject} is {excerpt(arguments[at])}."
    return FunctionProblem(detail, at, diagnostics=problem.diagnostics)


def _call(function: Function, arguments: Sequence[Value]) -> Value:
    marks = NO_MARKS
    ready: list[Value] = []
    known = True
    for at, argument in enumerate(arguments):
        parameter = function.parameter(at)
        value, own = _prepare(parameter, argument, at)
        marks |= own
        if not parameter.unknown:
            known = known and (value.raw is not UNKNOWN if parameter.shallow else wholly_known(value))
        ready.append(value)
    if not known:
        return unknown(_return_type(function, ready), marks)
    plain = [
        value.raw if isinstance(function.parameter(at).type, Primitive) and value.raw is not UNKNOWN else value
        for at, value in enumerate(ready)
    ]
    return _result(function.run(*plain), marks)


def _prepare(parameter: Parameter, argument: Value, at: int) -> tuple[Value, Marks]:
    """The argument as the parameter wants it, and the marks taken from it."""
    try:
        value = convert_value(argument, parameter.type)
    except ConversionError as problem:
        raise FunctionProblem.of_conversion(problem, at, f'Invalid value for "{parameter.name}": ') from None
    if value.raw is None and not parameter.null:
        raise FunctionProblem(f'The argument "{parameter.name}" must not be null.', at)
    if parameter.marked:
        return value, NO_MARKS
    if parameter.shallow:
        return value.without_marks(), value.marks
    return strip_marks(value)


def _return_type(function: Function, arguments: Sequence[Value]) -> Type:
    return function.returns(arguments) if callable(function.returns) else function.returns


def _result(result: Any, marks: Marks) -> Value:
    """What `run` returned, as a value with the marks of the arguments."""
    if isinstance(result, Value):
        value = result
    elif isinstance(result, bool):
        value = boolean(result)
    elif isinstance(result, str):
        value = string(limited(result))
    elif isinstance(result, (int, Decimal)):
        number = Decimal(result)
        if not in_range(number):
            raise FunctionProblem("The result is out of the range of numbers.")
        value = Value(NUMBER, number)
    else:
        raise TypeError(f"a function of the language returned {result!r}")
    return value.with_marks(marks)


def limited(text: str) -> str:
    """The text, if it is not too long. Raises FunctionProblem."""
    if len(text) > MAX_STRING:
        raise FunctionProblem(f"The text would be longer than {MAX_STRING} characters.")
    return text


_RESULTS: dict[str, Type] = {"str": STRING, "int": NUMBER, "float": NUMBER, "bool": BOOL}


def plain_function(name: str, function: Callable[..., Any]) -> Function:
    """A Python callable over plain data as a function of the language; what it raises is told to the user.

    Its return annotation, if it is str, int, float or bool, is the type of its result for unknown arguments.
    """
    from zenctl.lang.values import from_python, to_python  # which builds on what this module builds on

    def run(*arguments: Value) -> Value:
        try:
            return from_python(function(*(to_python(argument) for argument in arguments)))
        except Exception as problem:
            raise FunctionProblem(f"It failed: {problem}", hidden="It failed.") from problem

    annotation = getattr(function, "__annotations__", {}).get("return")
    result = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return Function(name, "", (), _RESULTS.get(result, ANY), run, rest=Parameter("arguments", null=True))
