"""Functions that render templates: those in files, whose errors point into the file, and those in texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from zenctl.diagnostics import Diagnostic, did_you_mean, error
from zenctl.lang.calls import Function, FunctionProblem, Parameter
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.files import FileReader
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.functions.files import read_text
from zenctl.lang.model import SENSITIVE, UNKNOWN, Value
from zenctl.lang.parser import parse_template
from zenctl.lang.references import references
from zenctl.lang.syntax import Expression
from zenctl.lang.types import ANY, MapType, ObjectType, describe

MAX_TEMPLATE = 4 * 1024 * 1024
"""The longest template, in characters: as long as a file of the configuration may be."""

NAMES = ("templatefile", "templatestring")
_VARIABLES = Parameter("vars", unknown=True, marked=True)


def template_functions(files: FileReader | None, others: Mapping[str, Function]) -> Group:
    """`templatefile` and `templatestring`. `others` are the functions that a template may call."""
    group = Group()
    parsed: dict[str, Expression] = {}

    @group.function(
        "templatefile",
        "The text that a template in a file gives, with variables set.",
        text("path"),
        _VARIABLES,
        returns=ANY,
    )
    def _templatefile(path: str, variables: Value) -> Value:
        known = parsed.get(path)
        if known is None:
            known = parsed[path] = _parsed(read_text(files, path), files.shown(path) if files else path)
        return _render(known, variables, others)

    @group.function(
        "templatestring",
        "The text that a template gives, with variables set.",
        text("template"),
        _VARIABLES,
        returns=ANY,
    )
    def _templatestring(template: str, variables: Value) -> Value:
        try:
            return _render(_parsed(template, "the template"), variables, others)
        except FunctionProblem as problem:
            if not problem.diagnostics:
                raise
            first = problem.diagnostics[0]
            place = f"line {first.line}, column {first.column} of the template"
            detail = f"{first.summary} at {place}: {first.detail}"
            raise FunctionProblem(detail, 0, hidden=f"There is an error at {place}.") from None

    return group


def refusing_functions() -> Group:
    """What the two are within a template: an error."""

    def refuse(name: str, *_: object) -> Value:
        detail = (
            f"A template cannot call {name}: templates do not nest. Render the inner one outside, and give its text "
        )
        raise FunctionProblem(f"{detail}as a variable.")

    group = Group()
    anything = Parameter("arguments", null=True, unknown=True, marked=True)
    for name in NAMES:
        group.function(name, "Not within a template.", rest=anything, returns=ANY)(partial(refuse, name))
    return group


def _parsed(source: str, filename: str) -> Expression:
    if len(source) > MAX_TEMPLATE:
        raise FunctionProblem(f"A template can have {MAX_TEMPLATE} characters at most.", 0)
    expression, problems = parse_template(source, filename)
    if expression is None:
        raise FunctionProblem("The template has errors.", 0, diagnostics=problems)
    return expression


def _render(expression: Expression, variables: Value, functions: Mapping[str, Function]) -> Value:
    """The value of a template; what is sensitive or unknown in its variables stays so."""
    if not isinstance(variables.type, (MapType, ObjectType)):
        if variables.raw is UNKNOWN and variables.type == ANY:
            return Value(ANY, UNKNOWN, variables.marks)
        raise FunctionProblem(f"The variables are given as an object, not as {describe(variables.type)}.", 1)
    if variables.raw is UNKNOWN:
        return Value(ANY, UNKNOWN, variables.marks)
    names = {name: value.with_marks(variables.marks) for name, value in variables.raw.items()}
    for name in names:
        if not name.replace("-", "_").isidentifier():
            hidden = "A name of a variable is no identifier, so no template can use it."
            raise FunctionProblem(f'"{name}" is no identifier, so no template can use it.', 1, hidden=hidden)
    problems = _undeclared(expression, () if SENSITIVE in variables.marks else tuple(names), names)
    if not problems:
        value, problems = evaluate_expression(expression, Scope(names, functions))
    if problems:
        raise FunctionProblem("The template has errors.", 0, diagnostics=problems)
    return value.with_marks(variables.marks)


def _undeclared(expression: Expression, told: tuple[str, ...], names: Mapping[str, Value]) -> list[Diagnostic]:
    """References to variables that are not given, also where this evaluation would not come to them."""
    problems: list[Diagnostic] = []
    for reference in references(expression):
        name = str(reference.path[0])
        if name not in names:
            detail = f'No variable "{name}" is given to the template.{did_you_mean(name, told)}'
            if told:
                detail += f" It is given {', '.join(sorted(told))}."
            problems.append(error("unknown_variable", "Unknown variable in a template", detail, range=reference.range))
    return problems
