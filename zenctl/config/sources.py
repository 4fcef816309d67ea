"""Takes in what is given for variables: environment, files, flags, answers. Of several values the later wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zenctl.config.configuration import VariableConfig
from zenctl.config.files import read_text
from zenctl.config.given import VariableArgument, VariableText
from zenctl.config.places import range_inside
from zenctl.config.reading import constant
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error, has_errors, warning
from zenctl.lang.constraints import parse_type
from zenctl.lang.jsontree import parse_json
from zenctl.lang.parser import parse_config, parse_expression
from zenctl.lang.syntax import Expression, Literal, ObjectExpr
from zenctl.lang.types import ANY, Primitive, Type, outline
from zenctl.lang.values import Value, convert, from_python
from zenctl.lazy_dataclasses import dataclass

ENVIRONMENT = "ZENCTL_VAR_"
FILE = "zenctl.zenvars"
SUFFIX = ".zenvars"
JSON = ".json"
AUTOMATIC = (f".auto{SUFFIX}", f".auto{SUFFIX}{JSON}")


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given. `origin` says by what, empty where `place` says enough.

    `expression` is what stands in a file of values, so that a problem inside can be pointed at.
    """

    value: Value
    origin: str = ""
    place: SourceRange | None = None
    expression: Expression | None = None

    def at(self, path: Sequence[str | int]) -> SourceRange | None:
        """Where a part of it is written, as closely as the source shows it."""
        return self.place if self.expression is None else range_inside(self.expression, path)


def automatic_files(root: Path) -> list[Path]:
    """`zenctl.zenvars`, `zenctl.zenvars.json`, then each `*.auto.zenvars` and `*.auto.zenvars.json` by name."""
    if not root.is_dir():
        return []
    found = sorted(path for path in root.iterdir() if path.name.endswith(AUTOMATIC))
    return [path for path in (root / FILE, root / f"{FILE}{JSON}") if path.exists()] + found


class Sources:
    """Takes in every source in the order of precedence; a later value replaces an earlier one, right or wrong.

    `faulty` are the addresses (`var.x`) of variables whose blocks are wrong: of these nothing is said. `given` are the
    values, `problems` what is wrong with those that cannot be read; `flagged` are the names that flags gave.
    `complete` is off once a whole file cannot be read.
    """

    def __init__(self, variables: Mapping[str, VariableConfig], faulty: Collection[str]) -> None:
        self.variables = variables
        self.faulty = faulty
        self.given: dict[str, Given] = {}
        self.problems: dict[str, list[Diagnostic]] = {}
        self.flagged: set[str] = set()
        self.complete = True
        self.diagnostics: list[Diagnostic] = []
        self._flags = False
        self._undeclared: list[tuple[str, SourceRange]] = []

    def environment(self, environment: Mapping[str, str]) -> None:
        """`ZENCTL_VAR_name`; names nobody declares are ignored, as they may be meant for another configuration."""
        for key in sorted(environment):
            name = key.removeprefix(ENVIRONMENT)
            if key.startswith(ENVIRONMENT) and name in self.variables:
                self.text(name, environment[key], f"the environment variable {key}")

    def argument(self, argument: VariableArgument, root: Path) -> None:
        """`-var name=text` or `-var-file path`."""
        self._flags = True
        if isinstance(argument, VariableText):
            self._pair(argument.name, argument.text)
        else:
            self.file(root / argument.path, argument.path)
        self._flags = False

    def _pair(self, name: str, text: str) -> None:
        if name in self.variables:
            self.text(name, text, f"-var {name}")
        elif f"var.{name}" not in self.faulty:
            detail = f'Declare it: variable "{name}" {{}}.{did_you_mean(name, self.variables)}'
            summary = f'-var: there is no variable "{name}"'
            self.diagnostics.append(error("undeclared_variable", summary, detail))

    def file(self, path: Path, name: str) -> None:
        """A file of values, in JSON if its name says so. What it refers to must be nothing: values are literal."""
        text, problem = read_text(path, name)
        if problem is not None:
            self.complete = False
            self.diagnostics.append(_unreadable(path, problem))
        elif name.endswith(JSON):
            self._json(text, name)
        else:
            self._hcl(text, name)

    def _hcl(self, text: str, name: str) -> None:
        body, found = parse_config(text, name)
        self.diagnostics += found
        self.complete = self.complete and not has_errors(found)
        for block in body.blocks:
            detail = "It holds values only: name = value. Declare variables in a *.zen.hcl file."
            if block.type == "variable":
                summary = f"{name} is a file of variables' values, so it cannot declare one"
            else:
                summary = f'{name} is a file of variables\' values, so it cannot hold the block "{block.type}"'
            self.diagnostics.append(error("unknown_block", summary, detail, range=block.type_range))
        for attribute in body.attributes.values():
            self._value(attribute.name, attribute.name_range, attribute.expression, name)

    def _json(self, text: str, name: str) -> None:
        document, found = parse_json(text, name)
        self.diagnostics += found
        self.complete = self.complete and not has_errors(found)
        if document is not None and not isinstance(document, ObjectExpr):
            detail = 'Write {"name": value, ...}.'
            summary = f"{name} must hold an object of variables' values"
            self.diagnostics.append(error("wrong_type", summary, detail, range=document.range))
        elif document is not None:
            for item in document.items:
                assert isinstance(item.key, Literal)
                if item.key.value != "//":  # what JSON files of Terraform have for a comment
                    self._value(item.key.value, item.key.range, item.value, name)

    def _value(self, name: str, place: SourceRange, expression: Expression, file: str) -> None:
        if name not in self.variables:
            if f"var.{name}" not in self.faulty:
                self._undeclared.append((name, place))
            return
        value, problems = constant(expression, f'The value of variable "{name}"')
        if not self.variables[name].stored:
            # The line itself would show the secret.
            told = "The value is not shown, as it is sensitive or ephemeral."
            problems = [replace(d, detail=f"See {d.range}. {told}", range=None, values=()) for d in problems]
        self._set(name, None if value is None else Given(value, file, expression.range, expression), problems)

    def _set(self, name: str, given: Given | None, problems: list[Diagnostic]) -> None:
        """Take in a value, or that it cannot be read, in place of what was given before."""
        self.given.pop(name, None)
        if given is not None:
            self.given[name] = given
        self.problems[name] = problems
        if self._flags:
            self.flagged.add(name)

    def text(self, name: str, text: str, origin: str) -> None:
        """A text from outside: literal where a primitive is wanted, otherwise an expression without references."""
        config = self.variables[name]
        if isinstance(type_of(config), Primitive):
            self._set(name, Given(from_python(text), origin), [])
        elif not config.typed:
            self._set(name, Given(_untyped(text, config), origin), [])
        else:
            value, problems = _read(text, name)
            given = None if value is None else Given(value, origin)
            self._set(name, given, problems if given is not None else [_no_value(config, text, origin, problems)])

    def finish(self) -> list[Diagnostic]:
        """All problems, those of values that were replaced left out; names in files that nobody declares are warnings,
        the first two in full.

        They are told without the line, which may hold a secret under a misspelt name.
        """
        for name, place in self._undeclared[:2]:
            summary = f'There is no variable "{name}", which {place} gives a value'
            detail = f'Declare it, or remove the value: variable "{name}" {{}}.{did_you_mean(name, self.variables)}'
            self.diagnostics.append(warning("undeclared_variable", summary, detail))
        rest = self._undeclared[2:]
        if rest:
            names = ", ".join(f"{name} ({place})" for name, place in rest)
            more = "1 more value is" if len(rest) == 1 else f"{len(rest)} more values are"
            summary = f"{more} given for variables that are not declared"
            self.diagnostics.append(warning("undeclared_variable", summary, names))
        return [*self.diagnostics, *(problem for found in self.problems.values() for problem in found)]


def type_of(variable: VariableConfig) -> Type:
    """The type that a variable declares."""
    return parse_type(variable.type)[0] or ANY


def _no_value(config: VariableConfig, text: str, origin: str, problems: Sequence[Diagnostic]) -> Diagnostic:
    """A text that is no expression, or refers to something."""
    reason = "; ".join(dict.fromkeys(d.summary for d in problems)) or "it is no expression"
    shown = f"It is {text!r}. " if config.stored else ""
    detail = f'{shown}It is read as an expression, in which a text is in quotes, for example: ["a", "b"]'
    summary = f"The value given by {origin} is not of type {outline(type_of(config))}: {reason}"
    return error("invalid_variable", summary, detail)


def _read(text: str, name: str) -> tuple[Value | None, list[Diagnostic]]:
    """The value of a text that is an expression without references; None with errors."""
    expression, problems = parse_expression(text, "<value>")
    if expression is None or has_errors(problems):
        return None, problems
    return constant(expression, f'The value of variable "{name}"')


def _untyped(text: str, config: VariableConfig) -> Value:
    """Without a declared type the default tells how to read a text: as a number, a bool, a collection, or as it is."""
    default = config.default
    if isinstance(default, (bool, int, float)):
        value, problem = convert(from_python(text), "bool" if isinstance(default, bool) else "number")
        return value if problem is None else from_python(text)
    if isinstance(default, (list, dict)):
        found, _ = _read(text, config.name)
        if found is not None:
            return found
    return from_python(text)


def _unreadable(path: Path, problem: Diagnostic) -> Diagnostic:
    """A file that cannot be opened has no line to show; one that is misspelt is guessed."""
    if problem.code != "unreadable_file":
        return problem
    try:
        near = [p.name for p in path.parent.iterdir() if p.name.endswith((SUFFIX, f"{SUFFIX}{JSON}"))]
    except OSError:
        near = []
    hint = "" if path.exists() else did_you_mean(path.name, near)
    return replace(problem, detail=f"{problem.detail}{hint}", range=None)
