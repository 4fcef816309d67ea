"""Evaluates calls of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import process_time

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean
from zenctl.lang.calls import Function, FunctionProblem, call, check_count
from zenctl.lang.evaluator import Evaluator
from zenctl.lang.model import DYNAMIC, NO_MARKS, UNKNOWN, Value, content
from zenctl.lang.syntax import Call, Expression
from zenctl.lang.types import AnyType, ListType, SetType, TupleType, describe

CORE = "core::"
"""May stand before the name of any function of the standard library."""


def function_call(self: Evaluator, node: Call) -> Value:
    functions = self.scope.functions
    function = functions.get(node.name) or functions.get(node.name.removeprefix(CORE))
    if function is None:
        for argument in node.arguments:
            self.evaluate(argument)
        return self.problem("unknown_function", "Unknown function", _no_function(node.name, functions), node.name_range)
    if function.lazy:
        return _call_lazy(self, node, function)
    before = len(self.diagnostics)
    arguments = [content(self.evaluate(argument)) for argument in node.arguments]
    if len(self.diagnostics) > before:
        return DYNAMIC
    places = [argument.range for argument in node.arguments]
    marks = NO_MARKS
    if node.expand and arguments:
        last = arguments.pop()
        place = places.pop()
        marks = last.marks
        if last.raw is None or not isinstance(last.type, (ListType, SetType, TupleType, AnyType)):
            given = "null" if last.raw is None else describe(last.type)
            detail = f"Only a list can be expanded with ..., and this is {given}."
            return self.problem("invalid_argument", "Invalid expanded argument", detail, place)
        if last.raw is UNKNOWN:
            return DYNAMIC.with_marks(marks)
        # What is in a sensitive list is sensitive: a problem with it must not show it.
        arguments += [item.with_marks(marks) for item in last.raw]
        places += [place] * len(last.raw)
    problem = check_count(function, len(arguments))
    if problem:
        summary = "Missing argument" if "missing" in problem else "Too many arguments"
        return self.problem("wrong_arguments", f"{summary} of {node.name}", problem, node.range)
    start = process_time()
    self.steps += sum(len(value.raw) if isinstance(value.raw, (tuple, dict)) else 1 for value in arguments)
    try:
        result = call(function, arguments).with_marks(marks)
    except FunctionProblem as wrong:
        self.spend(None, process_time() - start, node.range)
        return _report(self, node, wrong, places)
    self.spend(result, process_time() - start, node.range)
    return result


def _no_function(name: str, functions: Mapping[str, Function]) -> str:
    """What to say of a name that no function has."""
    from zenctl.lang.functions.library import LEFT_OUT

    plain = name.removeprefix(CORE)
    if plain in LEFT_OUT:
        return f'There is no function "{name}": {LEFT_OUT[plain]}.'
    known = functions if plain == name else [CORE + other for other in functions]
    detail = f'There is no function "{name}".{did_you_mean(name, known)}'
    if "::" in plain:
        detail += f" Only {CORE} can stand before a name: providers have no functions."
    return detail


def _report(self: Evaluator, node: Call, wrong: FunctionProblem, places: list[SourceRange]) -> Value:
    if wrong.diagnostics:
        called = f"{node.name} is called for it at {node.name_range}."
        for found in wrong.diagnostics:
            self.diagnostics.append(replace(found, detail=f"{found.detail}\n{called}"))
        return DYNAMIC
    place = node.range if wrong.argument is None or wrong.argument >= len(places) else places[wrong.argument]
    return self.problem("invalid_argument", f"Error in the call of {node.name}", str(wrong), place)


def _call_lazy(self: Evaluator, node: Call, function: Function) -> Value:
    """`try` and `can` look at the problems of their arguments themselves."""
    problem = (
        "Its arguments cannot be expanded with ... ." if node.expand else check_count(function, len(node.arguments))
    )
    if problem:
        return self.problem("wrong_arguments", f"Wrong arguments of {node.name}", problem, node.range)
    thunks = [_thunk(self, argument) for argument in node.arguments]
    try:
        result = function.run(*thunks)
    except FunctionProblem as wrong:
        return self.problem("invalid_argument", f"Error in the call of {node.name}", str(wrong), node.range)
    assert isinstance(result, Value)
    return result


def _thunk(self: Evaluator, argument: Expression) -> Callable[[], tuple[Value, list[Diagnostic]]]:
    def evaluate() -> tuple[Value, list[Diagnostic]]:
        outer = self.hold()
        value = self.evaluate(argument)
        found, self.diagnostics = self.diagnostics, outer
        return value, found

    return evaluate
