"""Settles the values of variables: conversion, defaults, marks, validation, and for the root what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from zenctl.config.configuration import Condition, Configuration, VariableConfig
from zenctl.config.given import Ask, Question, VariableArgument
from zenctl.config.plain import FAULTY
from zenctl.config.sources import ENVIRONMENT, FILE, Given, Sources, automatic_files, type_of
from zenctl.diagnostics import Diagnostic, SourceRange, Values, error, has_errors, warning
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.explaining import shown, statements
from zenctl.lang.model import EPHEMERAL, NO_MARKS, SENSITIVE, object_value
from zenctl.lang.quoting import path_text
from zenctl.lang.references import Reference, references
from zenctl.lang.types import BOOL, STRING, outline, without_optional
from zenctl.lang.values import DYNAMIC, Value, all_marks, from_python, to_python, unknown
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VariableInputs:
    """What was given for the root's variables. `arguments` are `-var` and `-var-file`, in the order typed.

    `planned` are the values that a plan was made with, plain data by name: they cannot be changed any more, and only
    variables that a plan must not hold are taken from elsewhere. `required` is off where a value may be missing
    (`validate`): what depends on it is then not judged. `ask` asks a person for a value that is missing.
    """

    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    arguments: Sequence[VariableArgument] = ()
    planned: Mapping[str, Any] | None = None
    required: bool = True
    ask: Ask | None = None


def resolve(configuration: Configuration, inputs: VariableInputs) -> tuple[dict[str, Value], list[Diagnostic]]:
    """The value of every variable of the root; wrong or missing ones are unknown and marked faulty, and reported."""
    variables = configuration.variables
    sources = Sources(variables, configuration.faulty)
    sources.environment(inputs.environment)
    for path in automatic_files(configuration.root):
        sources.file(path, path.name)
    for argument in inputs.arguments:
        sources.argument(argument, configuration.root)
    given: Mapping[str, Given] = sources.given
    diagnostics: list[Diagnostic] = []
    if inputs.planned is not None:
        given, diagnostics = _pinned(variables, inputs.planned, sources)
    if inputs.ask is not None and inputs.required and sources.complete:
        asked = [v for v in variables.values() if v.name not in {*given, *sources.problems} and not v.has_default]
        _ask(asked, inputs.ask, sources)
        given = {**given, **{v.name: sources.given[v.name] for v in asked if v.name in sources.given}}
    diagnostics += sources.finish()
    values: dict[str, Value] = {}
    for name, variable in variables.items():
        values[name], found = _converted(variable, given.get(name))
        diagnostics += found
        unread = bool(sources.problems.get(name)) and name not in given
        if unread or (name not in given and not variable.has_default):
            values[name] = _faulty(variable)
            if not unread and inputs.required and sources.complete:
                diagnostics.append(_missing(variable, planned=inputs.planned is not None))
    for name, variable in variables.items():
        diagnostics += _validated(variable, values[name], given.get(name), values)
    # What is only a warning was told when the plan was made.
    return values, [d for d in diagnostics if d.is_error or inputs.planned is None]


def settle(variable: VariableConfig, given: Value | None, place: SourceRange | None) -> tuple[Value, list[Diagnostic]]:
    """The value of a module's variable that is given `given` at `place`, or nothing (None); and what is wrong with it.

    The default stands in where nothing is given, or null and the variable is not nullable. The value is converted to
    the type, optional attributes filled in, and marked as the variable says; its validations are another question. A
    wrong value is unknown and marked faulty. A missing one without a default is unknown: to report that is for the
    caller.
    """
    return _converted(variable, None if given is None else Given(given, "", place))


def validate(
    variable: VariableConfig, value: Value, place: SourceRange | None, others: Mapping[str, Value]
) -> list[Diagnostic]:
    """What the validations of a module's variable say of the value that was given at `place`, or of its default (None).

    `others` are the values of all variables of that module by name, of which those are read that are referred to.
    """
    return _validated(variable, value, None if place is None else Given(value, "", place), others)


def _ask(missing: Sequence[VariableConfig], ask: Ask, sources: Sources) -> None:
    """Ask for each in the order of the names."""
    for variable in sorted(missing, key=lambda v: v.name):
        type_ = outline(type_of(variable)) if variable.typed else ""
        question = Question(variable.name, type_, variable.description, variable.sensitive, variable.ephemeral)
        answer = ask(question)
        if answer is not None:
            sources.text(variable.name, answer, f"the answer for var.{variable.name}")


def _pinned(
    variables: Mapping[str, VariableConfig], planned: Mapping[str, Any], sources: Sources
) -> tuple[dict[str, Given], list[Diagnostic]]:
    """The plan's values, and from elsewhere those that a plan must not hold. A flag cannot change what is planned."""
    found = {name: given for name, given in sources.given.items() if not variables[name].stored}
    for name in planned.keys() - sources.flagged:
        sources.problems.pop(name, None)
    diagnostics = []
    for name, data in planned.items():
        variable = variables.get(name)
        if variable is None:
            continue
        found[name] = Given(from_python(data), "the plan")
        other = sources.given.get(name) if name in sources.flagged else None
        before = _converted(variable, found[name])[0]
        if other is not None and to_python(before) != to_python(_converted(variable, other)[0]):
            detail = (
                f"It was made with {shown(before)}, and what was reviewed is what runs. Make a new plan to change it."
            )
            summary = f'Variable "{name}" cannot be changed when a plan is applied'
            diagnostics.append(error("planned_variable", summary, detail))
    return found, diagnostics


def _missing(variable: VariableConfig, *, planned: bool) -> Diagnostic:
    purpose = f"{variable.description.rstrip('.')}. " if variable.description else ""
    again, default = "", "; or add a default"
    if planned:
        kind = "sensitive" if variable.sensitive else "ephemeral"
        again, default = f"The plan does not hold it, as it is {kind}: it must be given again. ", ""
    detail = (
        f"{purpose}{again}Give it with -var '{variable.name}=...', in {FILE}, or in the environment as "
        f"{ENVIRONMENT}{variable.name}{default}."
    )
    return error("missing_variable", f'Variable "{variable.name}" has no value', detail, range=variable.range)


def _converted(variable: VariableConfig, given: Given | None) -> tuple[Value, list[Diagnostic]]:
    """The value as the variable's type wants it, marked; without a value and a default it is unknown."""
    type_ = type_of(variable)
    if given is None or (given.value.raw is None and not variable.nullable):
        if variable.has_default:
            return _marked(convert_value(from_python(variable.default), type_), variable), []
        if given is None:
            return _marked(unknown(without_optional(type_)), variable), []
        summary = f'Variable "{variable.name}" is null, but it is not nullable'
        return _faulty(variable), [_wrong(variable, given, (), summary, "A value must be given.")]
    diagnostics = []
    if variable.deprecated:
        summary = f'Variable "{variable.name}" is deprecated'
        place = (given.place if variable.stored else None) or variable.range
        diagnostics.append(warning("deprecated_variable", summary, variable.deprecated, range=place))
    if EPHEMERAL in all_marks(given.value) and not variable.ephemeral:
        summary = f'An ephemeral value is given to variable "{variable.name}", which is not ephemeral'
        detail = "Add `ephemeral = true` to the variable, so that its value is written down nowhere."
        return _faulty(variable), [*diagnostics, _wrong(variable, given, (), summary, detail)]
    try:
        return _marked(convert_value(given.value, type_), variable), diagnostics
    except ConversionError as problem:
        return _faulty(variable), [*diagnostics, _unfit(variable, given, problem)]


def _unfit(variable: VariableConfig, given: Given, problem: ConversionError) -> Diagnostic:
    summary = f'Variable "{variable.name}" does not fit its type {outline(type_of(variable))}'
    reason = f"{problem.reason[:1].upper()}{problem.reason[1:]}"
    at = path_text(problem.path)
    if at:
        reason = f"At {at}: {problem.reason}"
    return _wrong(variable, given, problem.path, summary, f"{reason}.")


def _wrong(variable: VariableConfig, given: Given, path: Sequence[str | int], summary: str, detail: str) -> Diagnostic:
    """A problem of a given value, at its place or else at the variable's block; a secret is neither told nor shown."""
    place = given.at(path)
    if variable.stored:
        by = f", given by {given.origin}" if given.origin else ""
        said = f"It is {shown(_part(given.value, path))}{by}."
    else:
        by = f", given by {given.origin}," if given.origin else ""
        if given.expression is not None:
            # The line in the file of values would show it.
            by, place = f", given at {place},", None
        said = f"The value{by} is not shown, as the variable is {'sensitive' if variable.sensitive else 'ephemeral'}."
    return error("invalid_variable", summary, f"{detail} {said}", range=place or variable.range)


def _part(value: Value, path: Sequence[str | int]) -> Value:
    """What is inside at a path, with the marks of all that is around it."""
    marks = value.marks
    for part in path:
        inside: Any = value.raw
        value = inside[part]
        marks |= value.marks
    return value.with_marks(marks)


def _marked(value: Value, variable: VariableConfig) -> Value:
    marks = frozenset({SENSITIVE}) if variable.sensitive else NO_MARKS
    return value.with_marks(marks | {EPHEMERAL} if variable.ephemeral else marks)


def _faulty(variable: VariableConfig) -> Value:
    """Stands for a value that is wrong or missing, which is reported: nothing made of it is reported again."""
    type_ = type_of(variable)
    return _marked(unknown(without_optional(type_), frozenset({FAULTY})), variable)


def _validated(
    variable: VariableConfig, value: Value, given: Given | None, others: Mapping[str, Value]
) -> list[Diagnostic]:
    """Run the validation blocks; a condition that is not known passes."""
    diagnostics: list[Diagnostic] = []
    for rule in variable.validations:
        found = [*references(rule.condition), *references(rule.error_message)]
        scope = Scope({"var": object_value({**_referred(found, others), variable.name: value})})
        diagnostics += _check(variable, rule, given, scope)
    return diagnostics


def _referred(found: Sequence[Reference], others: Mapping[str, Value]) -> dict[str, Value]:
    """The variables that these references lead to; what is not declared is faulty, as the loader has said so."""
    if any(len(r.path) == 1 for r in found if r.path[0] == "var"):
        return dict(others)
    names = [str(r.path[1]) for r in found if r.path[0] == "var"]
    return {name: others.get(name) or DYNAMIC.with_marks(frozenset({FAULTY})) for name in names}


def _check(variable: VariableConfig, rule: Condition, given: Given | None, scope: Scope) -> list[Diagnostic]:
    condition, diagnostics = evaluate_expression(rule.condition, scope)
    if has_errors(diagnostics):
        return diagnostics
    values = statements(references(rule.condition), scope.variables)
    try:
        passed = convert_value(condition, BOOL)
        if passed.raw is None:
            raise ConversionError("not null")
    except ConversionError as problem:
        summary = f'The condition of variable "{variable.name}" must be true or false'
        detail = f"{problem.reason[:1].upper()}{problem.reason[1:]}."
        return [*diagnostics, error("wrong_type", summary, detail, range=rule.condition.range, values=values)]
    if passed.raw is not False:
        return diagnostics
    message, found = evaluate_expression(rule.error_message, scope)
    return [*diagnostics, *found, _refused(variable, rule, given, message, values)]


def _refused(
    variable: VariableConfig, rule: Condition, given: Given | None, message: Value, values: Values
) -> Diagnostic:
    """A value that a validation forbids: told where it is given, with the place of the rule; else at the rule."""
    try:
        text = convert_value(message, STRING).raw
    except ConversionError:
        text = None
    if not isinstance(text, str) or message.marks:
        text = "It does not meet its validation (the message is not a text that may be shown)."
    place = given.place if given is not None and variable.stored else None
    if place is not None:
        text = f"{text}\n\nThis was checked by the validation at {rule.condition.range}."
    summary = f'Variable "{variable.name}" has a value that is not allowed'
    return error("invalid_variable", summary, text, range=place or rule.condition.range, values=values)
