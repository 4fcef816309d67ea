"""The public functions of the language: plain Python data in and out, problems as diagnostics, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Union

from zenctl.diagnostics import Diagnostic
from zenctl.lang.calls import Function, plain_function
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import DYNAMIC, Value
from zenctl.lang.normal_form import nfc
from zenctl.lang.parser import parse_config, parse_expression, parse_template
from zenctl.lang.references import Reference
from zenctl.lang.references import references as references_in
from zenctl.lang.syntax import BlockShape, Body, Expression
from zenctl.lang.values import from_python, to_python
from zenctl.lazy_dataclasses import dataclass

Functions = Mapping[str, Union[Callable[..., Any], Function]]


@dataclass(frozen=True, slots=True)
class EvalResult:
    """What an evaluation gave. `value` is plain data with `Unknown` and `Sensitive` in it; `type` a type expression."""

    value: Any
    type: str
    diagnostics: list[Diagnostic]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(problem.is_error for problem in self.diagnostics)


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What a text says: `body` for a configuration, `expression` for an expression or template."""

    body: Body | None
    expression: Expression | None
    diagnostics: list[Diagnostic]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(problem.is_error for problem in self.diagnostics)


def evaluate(
    source: str,
    variables: Mapping[str, Any] | None = None,
    *,
    mode: Literal["expression", "template"] = "expression",
    syntax: Literal["hcl", "yaml"] = "hcl",
    functions: Functions | None = None,
    filename: str = "<input>",
) -> EvalResult:
    """Compute an expression, a template, or (with `syntax="yaml"`) a whole YAML document.

    `variables` are plain data as `from_python` takes it. `functions` replace the standard library: callables over
    plain data; what they raise is a diagnostic. Raises TypeError for variables that are no plain data or a source that
    is no text, and ValueError for numbers out of range or a mode or syntax that there is not.
    """
    _one_of("mode", mode, ("expression", "template"))
    expression, problems = _expression(source, mode, syntax, filename)
    known = {nfc(name): from_python(value) for name, value in (variables or {}).items()}
    own = None
    if functions is not None:
        own = {name: f if isinstance(f, Function) else plain_function(name, f) for name, f in functions.items()}
    value: Value = DYNAMIC
    if expression is not None:
        value, found = evaluate_expression(expression, Scope(known, own))
        problems = [*problems, *found]
    return EvalResult(to_python(value), str(value.type), problems)


def parse(
    source: str,
    *,
    mode: Literal["config", "expression", "template"] = "config",
    syntax: Literal["hcl", "yaml"] = "hcl",
    shape: BlockShape | None = None,
    filename: str = "<input>",
) -> ParseResult:
    """Read a text without evaluating it. For YAML, `shape` says which keys are blocks (none, unless given).

    Raises TypeError for a source that is no text, and ValueError for a mode or syntax that there is not.
    """
    _one_of("mode", mode, ("config", "expression", "template"))
    if mode == "config":
        _checked(source, syntax)
        if syntax == "yaml":
            from zenctl.lang.yaml import parse_yaml

            body, problems = parse_yaml(source, filename, shape or BlockShape())
        else:
            body, problems = parse_config(source, filename)
        return ParseResult(body, None, problems)
    expression, problems = _expression(source, mode, syntax, filename)
    return ParseResult(None, expression, problems)


def _expression(source: str, mode: str, syntax: str, filename: str) -> tuple[Expression | None, list[Diagnostic]]:
    _checked(source, syntax)
    if syntax == "yaml":
        from zenctl.lang.yaml import parse_yaml_value  # PyYAML costs time that most commands can spare

        return parse_yaml_value(source, filename)
    return parse_template(source, filename) if mode == "template" else parse_expression(source, filename)


def _checked(source: str, syntax: str) -> None:
    if not isinstance(source, str):
        raise TypeError(f"the source must be a text, not {type(source).__name__}")
    _one_of("syntax", syntax, ("hcl", "yaml"))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"there is no {name} {value!r}; there are {', '.join(known)}")


def references(source: str, *, mode: Literal["expression", "template", "config"] = "expression") -> list[Reference]:
    """What a text refers to, in its order; nothing if it cannot be read."""
    result = parse(source, mode=mode)
    tree = result.body if mode == "config" else result.expression
    return [] if tree is None else references_in(tree)


def typed(value: Any, type: str) -> Value:
    """Plain data as a value of a type, for `variables`: a list as `list(string)`, say, and not as a tuple.

    Raises ValueError if it does not fit.
    """
    return from_python(value, type)
