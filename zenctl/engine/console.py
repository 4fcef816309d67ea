"""Evaluates expressions over what is recorded: they can use all that the root module's own expressions can."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import field
from decimal import Decimal

from zenctl.config.capsules import laid_open
from zenctl.config.checking import OWN, check_expression
from zenctl.config.graph import needs
from zenctl.config.plain import FAULTY
from zenctl.config.references import VALUES
from zenctl.diagnostics import Diagnostic, DiagnosticError, Position, error, has_errors
from zenctl.engine.evaluating import Evaluator
from zenctl.engine.freshness import KnownResults
from zenctl.engine.known import recorded_results
from zenctl.engine.moving import moved_state
from zenctl.engine.opening import OpeningError, open_configuration, open_metadata
from zenctl.engine.requests import Inputs
from zenctl.lang.model import Capsule, children
from zenctl.lang.numbers import number_text
from zenctl.lang.parser import parse_expression
from zenctl.lang.quoting import is_name, quote
from zenctl.lang.references import references
from zenctl.lang.syntax import Call, Expression
from zenctl.lang.values import MAX_PLAIN_DEPTH, Value, all_marks, is_sensitive
from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.state import read_state

FILENAME = "<console>"
"""The name of what was typed, where a file's name would stand."""

_NAME = r"[^\W\d][\w-]*"
_KEY = r'\[(?:"(?:[^"\\]|\\.)*"|\d+)\]'
_BEGUN = re.compile(rf'{_NAME}(?:\.{_NAME}|{_KEY})*(?P<rest>\.|\[(?:"[^"]*|\d*))?$')
"""A reference at the end of a text, complete or with a dot or a bracket that nothing follows yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression gave. `value` is None with errors; artifacts in it are objects of their attributes.

    `is_type` says that it is the name of a type, asked for with `type(...)`. `filename` names what was typed, in the
    ranges of diagnostics.
    """

    value: Value | None
    diagnostics: tuple[Diagnostic, ...] = ()
    is_type: bool = False
    filename: str = FILENAME


@dataclass(frozen=True, slots=True)
class ConsoleOutcome:
    """A console, or only diagnostics. `sources` are the texts that diagnostics point into."""

    console: Console | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)


def open_console(inputs: Inputs) -> ConsoleOutcome:
    """Read the configuration and the records of the workspace, once. Takes no lock and keeps nothing open.

    Without a configuration, expressions that need none can be evaluated all the same.
    """
    try:
        opened = open_configuration(inputs, empty=True)
    except OpeningError as problem:
        return ConsoleOutcome(None, problem.diagnostics, problem.sources)
    configuration = opened.configuration
    try:
        with closing(open_metadata(configuration.settings, inputs, create=False)) as store:
            recorded = read_state(store, configuration.settings.project, inputs.workspace)
        state, _, unmovable = moved_state(recorded, configuration, opened.evaluator.nodes)
    except DiagnosticError as problem:
        return ConsoleOutcome(None, (*opened.diagnostics, *problem.diagnostics), opened.sources)
    console = Console(opened.evaluator, opened.variables, recorded_results(state))
    return ConsoleOutcome(console, (*opened.diagnostics, *unmovable), opened.sources)


class Console:
    """Expressions in the root module of a configuration; `known` are the results they see."""

    def __init__(self, evaluator: Evaluator, variables: Mapping[str, Value], known: KnownResults) -> None:
        self._configuration = evaluator.configuration
        self._evaluator = evaluator
        self._variables = variables
        self._known = known

    def evaluate(self, text: str, line: int = 1) -> Answer:
        """The value of one expression, over several lines if need be. Never raises for what a user may have typed.

        `line` is where it begins in the whole of what was typed: its diagnostics are placed there.
        """
        # The line that ends a heredoc must end, too.
        whole = f"{text}\n" if "\n" in text else text
        expression, problems = parse_expression(whole, FILENAME, Position(line, 1, 0))
        if expression is None:
            return Answer(None, tuple(problems))
        problems += check_expression(expression, self._configuration)
        if has_errors(problems):
            return Answer(None, tuple(problems))
        value, found = self._evaluator.value(expression, self._known)
        if FAULTY in all_marks(value):
            found += self._faults(expression)
        problems = list(dict.fromkeys([*problems, *found]))
        if has_errors(problems):
            return Answer(None, tuple(problems))
        if _too_deep(value):
            detail = f"Values can be shown that nest up to {MAX_PLAIN_DEPTH} levels deep. Ask for a part of it."
            return Answer(None, (error("nested_too_deeply", "Nested too deeply", detail, range=expression.range),))
        is_type = isinstance(expression, Call) and expression.name == "type"
        return Answer(laid_open(value), tuple(problems), is_type)

    def completions(self, word: str) -> list[str]:
        """What a word that was begun (`step.train.pen`, `[local.shares[`, `ma`) can become, sorted."""
        begun = _BEGUN.search(word)
        if begun is None:
            return sorted(f"{word}{root}" for root in self._roots()) if not word.strip("[") else []
        before, reference, rest = word[: begun.start()], begun.group(), begun["rest"] or ""
        head, dot, _ = reference.rpartition(".")
        if rest.startswith("["):
            head = reference[: -len(rest)]
            found = [f"{head}[{key}]" for key in self._keys(head)]
        else:
            found = [f"{head}.{name}" for name in self._names(head)] if dot else self._roots()
        return sorted(f"{before}{candidate}" for candidate in found if candidate.startswith(reference))

    def secrets(self) -> tuple[str, ...]:
        """The texts and numbers in sensitive variables, which must not be written anywhere."""
        found: dict[str, None] = {}
        waiting = [value for value in self._variables.values() if is_sensitive(value)]
        while waiting:
            value = waiting.pop()
            waiting.extend(children(value))
            if isinstance(value.raw, Decimal):
                found[number_text(value.raw)] = None
            elif isinstance(value.raw, str) and value.raw:
                found[value.raw] = None
        return tuple(found)

    def _faults(self, expression: Expression) -> list[Diagnostic]:
        """What is wrong with the blocks that an expression needs, and so with its value."""
        values, blocks = needs(self._configuration, references(expression))
        for item in values:
            blocks |= self._configuration.graph.leads.get(item, frozenset())
        waiting = sorted(blocks, key=str)
        found: list[Diagnostic] = []
        while waiting:
            block = waiting.pop()
            instances = self._evaluator.instances(block, self._known)
            # Instances that are known only after apply are no mistake, just not known.
            found += [d for d in instances.diagnostics if d.code != "unknown_for_each"]
            for addr in instances.addresses:
                found += self._evaluator.node(addr, self._known)[1]
            new = [addr for addr in self._evaluator.nodes[block].references if addr not in blocks]
            blocks |= set(new)
            waiting += new
        return found

    def _roots(self) -> list[str]:
        """What an expression can begin with: a root name with the dot that must follow, or a function."""
        module = self._configuration
        kinds = {addr.kind for addr in module.nodes if addr.kind in VALUES}
        roots = [
            *(["var"] if module.variables else []),
            *(["local"] if module.locals else []),
            *(["module"] if module.calls else []),
            *kinds,
            *OWN,
        ]
        return [*(f"{root}." for root in roots), *(f"{name}(" for name in self._evaluator.scope.functions)]

    def _names(self, head: str) -> Iterable[str]:
        """What can stand after `head` and a dot."""
        module = self._configuration
        declared: Mapping[str, Iterable[str]] = {
            "var": module.variables,
            "local": module.locals,
            "module": module.calls,
            **OWN,
        }
        if head in declared:
            return declared[head]
        parts = head.split(".")
        if parts[0] in VALUES and len(parts) < 3:
            blocks = [addr for addr in module.nodes if addr.kind == parts[0]]
            if len(parts) == 1:
                return {addr.type for addr in blocks}
            return {addr.name for addr in blocks if addr.type == parts[1]}
        value = self._value(head)
        if value is not None and isinstance(value.raw, Capsule):
            return value.raw.attribute_names()
        names = value.raw if value is not None and isinstance(value.raw, dict) else ()
        return [name for name in names if is_name(name)]

    def _keys(self, head: str) -> Iterable[str]:
        """What can stand in brackets after `head`."""
        value = self._value(head)
        if value is not None and isinstance(value.raw, tuple):
            return [str(index) for index in range(len(value.raw))]
        return [quote(name) for name in value.raw] if value is not None and isinstance(value.raw, dict) else []

    def _value(self, text: str) -> Value | None:
        """The value of what was typed so far, if it has one that may be shown."""
        expression, problems = parse_expression(text, FILENAME)
        if expression is None or has_errors([*problems, *check_expression(expression, self._configuration)]):
            return None
        value, found = self._evaluator.value(expression, self._known)
        return None if has_errors(found) or is_sensitive(value) else value


def _too_deep(value: Value) -> bool:
    level = [value]
    for _ in range(MAX_PLAIN_DEPTH):
        level = [inner for outer in level for inner in children(outer)]
        if not level:
            return False
    return True
