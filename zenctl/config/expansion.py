"""Expansion: which instances `for_each` and `count` make of a block, and what `each` and `count` are in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from zenctl.addrs import Key
from zenctl.config.configuration import Meta
from zenctl.config.plain import FAULTY, faulty
from zenctl.config.reading import describe
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import object_value, tuple_value
from zenctl.lang.syntax import Expression
from zenctl.lang.types import MapType, ObjectType, SetType
from zenctl.lang.values import Value, convert, from_python, is_unknown, to_python
from zenctl.lazy_dataclasses import dataclass

Roots = Mapping[str, Value]
"""Root names that a block has besides those of its module: `each` or `count`."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instances of one block by key, each with its own root names.

    `known` is off where the keys are known only after apply: there is then one instance that stands for all, with None
    for its key, whose values are faulty, so that nobody complains of them. `wrong` says that this is so because of an
    error that has been reported.
    """

    instances: Mapping[Key, Roots] = field(hash=False)
    known: bool = True
    wrong: bool = False
    keyed: str = ""

    def collect(self, values: Mapping[Key, Value]) -> Value:
        """The values of the instances as the block's value: itself, an object by key, or a tuple."""
        if not self.known:
            return faulty()
        if self.keyed == "for_each":
            return object_value({str(key): value for key, value in values.items()})
        if self.keyed == "count":
            return tuple_value(values.values())
        return values[None]


SINGLE = Expansion({None: {}})
"""A block with neither `for_each` nor `count`."""

MAX_COUNT = 100_000
"""More instances than anybody plans: a mistake in the expression."""


def expand(meta: Meta, scope: Scope, what: str) -> tuple[Expansion, list[Diagnostic]]:
    """The instances that a block's meta-arguments make. `what` names the block in messages."""
    if meta.for_each is not None:
        return _for_each(meta.for_each, scope, what)
    if meta.count is not None:
        return _count(meta.count, scope, what)
    return SINGLE, []


def _for_each(expression: Expression, scope: Scope, what: str) -> tuple[Expansion, list[Diagnostic]]:
    value, diagnostics = evaluate_expression(expression, scope)
    if has_errors(diagnostics) or FAULTY in value.marks:
        return _open("for_each", wrong=True), diagnostics
    problem = _unusable(value, "for_each", "Loop over the names, and look up the secret by `each.key`.")
    if problem is None and is_unknown(value):
        return _open("for_each"), diagnostics
    of_set = isinstance(value.type, SetType)
    if problem is None and not of_set and not isinstance(value.type, (MapType, ObjectType)):
        detail = f"It is {describe(to_python(value))}. Wrap a list of texts with toset(...)."
        problem = "must be a map, an object or a set of texts", detail
    if problem is None and of_set:
        if any(is_unknown(item) for item in value.raw):
            return _open("for_each"), diagnostics
        if any(not isinstance(item.raw, str) for item in value.raw):
            problem = "must be a set of texts", "Each element becomes a key of an instance."
    if problem is not None:
        summary = f'"for_each" of {what} {problem[0]}'
        diagnostics.append(error("invalid_for_each", summary, problem[1], range=expression.range))
        return _open("for_each", wrong=True), diagnostics
    pairs = {item.raw: item for item in value.raw} if of_set else value.raw
    instances = {key: {"each": object_value({"key": from_python(key), "value": item})} for key, item in pairs.items()}
    return Expansion(instances, keyed="for_each"), diagnostics


def _count(expression: Expression, scope: Scope, what: str) -> tuple[Expansion, list[Diagnostic]]:
    value, diagnostics = evaluate_expression(expression, scope)
    if has_errors(diagnostics) or FAULTY in value.marks:
        return _open("count", wrong=True), diagnostics
    problem = _unusable(value, "count", "Count something that is no secret.")
    if problem is None and is_unknown(value):
        return _open("count"), diagnostics
    number = None
    if problem is None:
        converted, failed = convert(value, "number")
        number = None if failed is not None else to_python(converted)
        if not isinstance(number, int) or not 0 <= number <= MAX_COUNT:
            given = describe(to_python(value))
            problem = f"must be a whole number from 0 to {MAX_COUNT:,}", f"It is {given}."
    if problem is not None or number is None:
        text, detail = problem or ("", "")
        diagnostics.append(error("invalid_count", f'"count" of {what} {text}', detail, range=expression.range))
        return _open("count", wrong=True), diagnostics
    instances: dict[Key, Roots] = {i: {"count": object_value({"index": from_python(i)})} for i in range(number)}
    return Expansion(instances, keyed="count"), diagnostics


def _unusable(value: Value, name: str, hint: str) -> tuple[str, str] | None:
    """What forbids making addresses of a value."""
    if "sensitive" in value.marks:
        return "holds a sensitive value", f"Keys become part of addresses, which everybody sees. {hint}"
    if value.is_null:
        return "is null", f"Leave {name} out for one instance; to have none, use an empty map or 0."
    return None


def _open(keyed: str, *, wrong: bool = False) -> Expansion:
    root = "each" if keyed == "for_each" else keyed
    return Expansion({None: {root: faulty()}}, known=False, wrong=wrong, keyed=keyed)
