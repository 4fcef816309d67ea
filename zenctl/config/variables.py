"""Finds the value of every variable: environment, variable files, command line, with Terraform's precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zenctl.config.configuration import Configuration, VariableConfig
from zenctl.config.files import read_text
from zenctl.config.plain import plain_value
from zenctl.config.reading import EMPTY, describe, static_value
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error, has_errors, warning
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.parser import parse_config, parse_expression
from zenctl.lang.values import Value, convert, from_python
from zenctl.schema import Unknown

ENVIRONMENT = "ZENCTL_VAR_"
FILE = "zenctl.zenvars"
AUTOMATIC = ".auto.zenvars"
PRIMITIVE = frozenset({"string", "number", "bool"})
"""Types whose values on the command line are taken literally; others are read as expressions."""


@dataclass(frozen=True, slots=True)
class VariableInputs:
    """What was given. `files` are `-var-file` paths (relative to the configuration, as with
    Terraform's -chdir), then `pairs` are `-var name=text`; the later wins.

    `planned` are the values that a plan was made with, plain data by name: they win over everything and no file is
    read. `required` is off where a value may be missing (`validate`): it is then unknown.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()
    pairs: Sequence[tuple[str, str]] = ()
    planned: Mapping[str, Any] | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was given, and where."""

    value: Value
    origin: str
    place: SourceRange | None = None


def resolve(configuration: Configuration, given: VariableInputs) -> tuple[dict[str, Value], list[Diagnostic]]:
    """The value of every variable; wrong or missing ones are unknown, and reported."""
    collector = _Collector(configuration)
    collector.environment(given.environment)
    if given.planned is None:
        for path in _automatic_files(configuration.root):
            collector.file(path, path.name)
        for name in given.files:
            collector.file(configuration.root / name, name)
        for name, text in given.pairs:
            collector.pair(name, text)
    else:
        for name, value in given.planned.items():
            if name in configuration.variables:
                collector.given[name] = _Given(from_python(value), "the plan")
    values: dict[str, Value] = {}
    diagnostics = collector.finish()
    for name, config in configuration.variables.items():
        values[name], found = _value(config, collector.given.get(name), given.required)
        diagnostics += found
    diagnostics += _validate(configuration, values)
    return values, diagnostics


def _automatic_files(root: Path) -> list[Path]:
    """`zenctl.zenvars`, then each `*.auto.zenvars` by name."""
    if not root.is_dir():
        return []
    found = sorted(p for p in root.iterdir() if p.name.endswith(AUTOMATIC))
    return ([root / FILE] if (root / FILE).exists() else []) + found


class _Collector:
    """Takes in every source in the order of precedence; a later value replaces an earlier one as a whole."""

    def __init__(self, configuration: Configuration) -> None:
        self.variables = configuration.variables
        self.faulty = configuration.faulty
        self.given: dict[str, _Given] = {}
        self.diagnostics: list[Diagnostic] = []
        self._undeclared: list[tuple[str, SourceRange]] = []

    def environment(self, environment: Mapping[str, str]) -> None:
        """`ZENCTL_VAR_name`; names nobody declares are ignored, as they may be meant for another configuration."""
        for key in sorted(environment):
            name = key.removeprefix(ENVIRONMENT)
            if key.startswith(ENVIRONMENT) and name in self.variables:
                self._text(name, environment[key], f"environment variable {key}")

    def pair(self, name: str, text: str) -> None:
        """`-var name=text`."""
        if name in self.variables:
            self._text(name, text, f"-var {name}")
        elif f"var.{name}" not in self.faulty:
            if name.strip() != name:
                detail = f'Write it without spaces around the equals sign: -var "{name.strip()}={text.strip()}"'
            else:
                detail = f'Declare it: variable "{name}" {{}}.{did_you_mean(name, self.variables)}'
            summary = f'-var: there is no variable "{name}"'
            self.diagnostics.append(error("undeclared_variable", summary, detail))

    def file(self, path: Path, name: str) -> None:
        """A file of `name = value` lines. What it refers to must be nothing: values are literal."""
        text, problem = read_text(path, name)
        if problem is not None:
            self.diagnostics.append(problem)
            return
        body, found = parse_config(text, name)
        self.diagnostics += found
        for block in body.blocks:
            detail = "It holds values only: name = value. Declare variables in a *.zen.hcl file."
            if block.type == "variable":
                summary = f"{name} is a file of variables' values, so it cannot declare one"
            else:
                summary = f'{name} is a file of variables\' values, so it cannot hold the block "{block.type}"'
            self.diagnostics.append(error("unknown_block", summary, detail, range=block.type_range))
        for attribute in body.attributes.values():
            if attribute.name not in self.variables:
                if f"var.{attribute.name}" not in self.faulty:
                    self._undeclared.append((attribute.name, attribute.name_range))
                continue
            value, problems = static_value(attribute.expression, f'The value of variable "{attribute.name}"')
            self.diagnostics += problems
            if not has_errors(problems):
                self.given[attribute.name] = _Given(from_python(value), name, attribute.expression.range)

    def finish(self) -> list[Diagnostic]:
        """All problems; names in files that nobody declares are warnings, the first two in full."""
        for name, place in self._undeclared[:2]:
            summary = f'There is no variable "{name}"'
            detail = f'Declare it, or remove the value: variable "{name}" {{}}.{did_you_mean(name, self.variables)}'
            self.diagnostics.append(warning("undeclared_variable", summary, detail, range=place))
        rest = self._undeclared[2:]
        if rest:
            names = ", ".join(name for name, _ in rest)
            summary = f"{len(rest)} more values are given for variables that are not declared"
            self.diagnostics.append(warning("undeclared_variable", summary, names))
        return self.diagnostics

    def _text(self, name: str, text: str, origin: str) -> None:
        """A text from outside: literal where a primitive is wanted, otherwise an expression without references."""
        config = self.variables[name]
        if config.type in PRIMITIVE:
            self.given[name] = _Given(from_python(text), origin)
        elif config.type.strip() == "any":
            self.given[name] = _Given(_untyped(text, config), origin)
        else:
            expression, problems = parse_expression(text, f"<{origin}>")
            value = None
            if expression is not None and not has_errors(problems):
                value, problems = static_value(expression, f'The value of variable "{name}"')
            if expression is None or has_errors(problems):
                reason = "; ".join(d.summary for d in problems) or "it is no expression"
                summary = f"{origin} is not a value of type {config.type}: {reason}"
                self.diagnostics.append(error("invalid_variable", summary, f"It is {text!r}."))
                return
            self.given[name] = _Given(from_python(value), origin)


def _untyped(text: str, config: VariableConfig) -> Value:
    """Without a declared type the default tells how to read a text: as a number, a bool, a collection, or as it is."""
    default = config.default
    if isinstance(default, (bool, int, float)):
        value, problem = convert(from_python(text), "bool" if isinstance(default, bool) else "number")
        return value if problem is None else from_python(text)
    if isinstance(default, (list, dict)):
        expression, problems = parse_expression(text, "<value>")
        if expression is not None and not has_errors(problems):
            found, problems = static_value(expression, "a value")
            if not has_errors(problems):
                return from_python(found)
    return from_python(text)


def _value(config: VariableConfig, given: _Given | None, required: bool) -> tuple[Value, list[Diagnostic]]:
    diagnostics: list[Diagnostic] = []
    value: Value | None = None
    if given is not None:
        value = given.value
        if plain_value(value)[0] is None and not config.nullable:
            value = None
            if not config.has_default:
                summary = f'Variable "{config.name}" is null in {given.origin}, but it is not nullable'
                diagnostics.append(error("invalid_variable", summary, range=given.place or config.range))
                return _marked(from_python(Unknown(config.type)), config), diagnostics
        else:
            converted, problem = convert(value, config.type)
            if problem is not None:
                summary = f'Variable "{config.name}" does not fit its type {config.type}: {problem}'
                # The value itself is not shown where it is secret.
                shown = "" if config.sensitive else f"{given.origin} gives {describe(plain_value(value)[0])}."
                diagnostics.append(error("invalid_variable", summary, shown, range=given.place or config.range))
                converted = from_python(Unknown(config.type))
            value = converted
    if value is None and config.has_default:
        value = convert(from_python(config.default), config.type)[0]
    if value is None:
        value = from_python(Unknown(config.type))
        if required:
            diagnostics.append(_missing(config))
    return _marked(value, config), diagnostics


def settle(
    variable: VariableConfig,
    given: Value | None,
    place: SourceRange | None,
    others: Mapping[str, Value],  # noqa: ARG001
) -> tuple[Value, list[Diagnostic]]:
    """The value of a module's variable from its argument."""
    return _value(variable, None if given is None else _Given(given, "the call", place), False)


def _marked(value: Value, config: VariableConfig) -> Value:
    return replace(value, marks=value.marks | {"sensitive"}) if config.sensitive else value


def _missing(config: VariableConfig) -> Diagnostic:
    purpose = f"{config.description.rstrip('.')}. " if config.description else ""
    detail = (
        f"{purpose}Give it with -var '{config.name}=...', in {FILE}, in the environment as "
        f"{ENVIRONMENT}{config.name}, or add a default."
    )
    return error("missing_variable", f'Variable "{config.name}" has no value', detail, range=config.range)


def _validate(configuration: Configuration, values: Mapping[str, Value]) -> list[Diagnostic]:
    """Run the validation blocks; a condition that is not known passes."""
    scope: Scope = EMPTY
    rules = [(config, rule) for config in configuration.variables.values() for rule in config.validations]
    if rules:
        scope = Scope({"var": from_python(dict(values))})
    diagnostics: list[Diagnostic] = []
    for config, rule in rules:
        value, found = evaluate_expression(rule.condition, scope)
        diagnostics += found
        passed = plain_value(value)[0]
        if has_errors(found) or isinstance(passed, Unknown) or passed is True:
            continue
        if passed is not False:
            summary = f'The condition of variable "{config.name}" must be true or false, not {describe(passed)}'
            diagnostics.append(error("wrong_type", summary, range=rule.condition.range))
            continue
        message, found = evaluate_expression(rule.error_message, scope)
        diagnostics += found
        text, marks = plain_value(message)
        if not isinstance(text, str) or any("sensitive" in names for _, names in marks):
            text = "It does not meet its validation (the message is not a text that may be shown)."
        summary = f'Variable "{config.name}" has a value that is not allowed'
        diagnostics.append(error("invalid_variable", summary, text, range=rule.condition.range))
    return diagnostics
