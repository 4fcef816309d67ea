"""Decodes a block's body into its model: evaluates, checks each value in place, and keeps what is unknown or secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import cache
from typing import Any

from pydantic import ValidationError

from zenctl.config.bodies import Reading
from zenctl.config.conforming import Conformed, Place, Problem, conform_model, fields
from zenctl.config.names import check_names, nested_model
from zenctl.config.places import Places, find_range
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.evaluate import Scope
from zenctl.lang.quoting import path_text
from zenctl.lang.syntax import Block, Body
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import BlockModel, Unknown
from zenctl.schema.block import is_sensitive


@dataclass(frozen=True, slots=True)
class Decoded:
    """A block's attributes.

    `model` is None if an attribute is wrong or known only after apply. `data` is plain data of what was given, with
    `Unknown` inside where not known and in place of what is wrong, artifacts and backends as references; attributes
    that are null are left out.
    `sensitive` are the places of secret values, `located` those that hold a storage location; `places` says where in
    the source something stands; `wrong` are the attributes with problems. What a `dynamic` block makes stands where
    its content does.
    """

    model: BlockModel | None
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sensitive: tuple[Place, ...] = ()
    located: tuple[Place, ...] = ()
    places: Places = field(default_factory=dict, hash=False)
    wrong: frozenset[str] = frozenset()

    def range(self, place: Place, *, key: bool = False) -> SourceRange | None:
        """Where the value at a place is written, as closely as the source shows it; with `key` where its name is."""
        return find_range(self.places, place, key=key)


def decode(
    model: type[BlockModel],
    body: Body,
    scope: Scope,
    *,
    what: str = "this block",
    names_checked: bool = False,
    stored: bool = True,
) -> tuple[Decoded, list[Diagnostic]]:
    """Decode a body, `dynamic` blocks expanded. `what` names the block in messages.

    What has no place of its own (a missing attribute) comes without a range: place it with `.at(block range)`.
    `names_checked` says that `check_names` has been asked already. Unless `stored` is off, what the block says is
    written into plans, jobs and records, and ephemeral values are refused.
    """
    reading = Reading(scope, stored=stored)
    given = reading.body(model, body)
    reading.sensitive += _declared_secrets(model, given)
    diagnostics = [] if names_checked else check_names(model, body, what)
    diagnostics += dict.fromkeys(reading.diagnostics)
    result = Conformed()
    data = conform_model(model, given, (), result)
    told = [problem for problem in result.problems if not _name_problem(problem, reading.places)]
    diagnostics += [_diagnostic(problem, what, reading) for problem in told]
    faults = reading.wrong | {str(p.place[0]) for p in result.problems if p.place}
    data = {name: Unknown() if name in faults else value for name, value in data.items()}
    typed = None
    wrong = bool(result.problems) or any(d.is_error for d in diagnostics)
    if not wrong and not result.unknown and not any(isinstance(value, Unknown) for value in data.values()):
        typed, found = _validate(model, data, what, reading)
        # What was misspelt, or could not be read, may be what the model as a whole misses.
        whole = not body.broken and body.attributes.keys() <= fields(model).keys()
        diagnostics += [d for d in found if whole or d.range is not None]
    sensitive, located = tuple(reading.sensitive), tuple(reading.located)
    decoded = Decoded(typed, data, sensitive, located, reading.places, frozenset(faults))
    return decoded, diagnostics


@cache
def _telling(model: type[BlockModel]) -> tuple[tuple[str, bool, tuple[str, type[BlockModel]] | None], ...]:
    """Of the fields that are secrets or may hold some: the name, whether it is one, and how it is written as blocks."""
    found = [(name, is_sensitive(info), nested_model(info)) for name, info in fields(model).items()]
    return tuple(field for field in found if field[1] or field[2] is not None)


def _declared_secrets(model: type[BlockModel], data: Mapping[str, Any], at: Place = ()) -> Iterator[Place]:
    """The places of attributes that are secrets by their declaration."""
    for name, secret, nested in _telling(model):
        value = data.get(name)
        if secret and value is not None:
            yield (*at, name)
        elif nested is not None and isinstance(value, (dict, list)):
            how, inner = nested
            parts: Iterable[tuple[Place, Any]] = [((), value)]
            if how != "one":
                pairs = value.items() if isinstance(value, dict) else enumerate(value)
                parts = [((key,), part) for key, part in pairs]
            for place, part in parts:
                if isinstance(part, dict):
                    yield from _declared_secrets(inner, part, (*at, name, *place))


def _name_problem(problem: Problem, places: Places) -> bool:
    """Whether `check_names` tells it, with the better place: it sees what is written as a block."""
    if problem.code not in ("missing_attribute", "unknown_attribute"):
        return False
    around = problem.place if problem.code == "missing_attribute" else problem.place[:-1]
    return not around or isinstance(places.get(around), Block)


def _validate(
    model: type[BlockModel], data: Mapping[str, Any], what: str, reading: Reading
) -> tuple[BlockModel | None, list[Diagnostic]]:
    try:
        return model.model_validate(data), []
    except ValidationError as problem:
        found = []
        for item in problem.errors(include_url=False):
            place = _existing(data, item["loc"])
            code = "missing_attribute" if item["type"] == "missing" else "invalid_value"
            text, summary = _pydantic_text(item["type"], item["msg"])
            if summary and reading.is_secret(place):
                text, summary = "is not allowed; why is not told, as it holds a sensitive value", not place
            if summary or not place:
                # A model that judges several attributes together begins with the name of the one that it is about.
                about = place or tuple(name for name in data if text.startswith(f"{name}:"))[:1]
                where = find_range(reading.places, about) if about else None
                subject = f"{what[:1].upper()}{what[1:]}: " if not place else ""
                if len(place) > 1:
                    subject = f'"{path_text(place)}": '
                placed = error(code, f"{subject}{text}", range=where)
                found.append(replace(placed, values=reading.values(place, where)))
            else:
                found.append(_diagnostic(Problem(place, text, code=code), what, reading))
        return None, found


def _existing(data: Any, loc: tuple[int | str, ...]) -> Place:
    """The part of pydantic's location that is in the data: it adds names of union members."""
    place: list[str | int] = []
    for part in loc:
        if _holds(data, part):
            data = data[part]
            place.append(part)
    return tuple(place)


def _holds(data: Any, part: int | str) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, Mapping) and part in data


def _pydantic_text(kind: str, message: str) -> tuple[str, bool]:
    """The message in plain words, and whether it is a sentence of the model's own."""
    if kind in ("value_error", "assertion_error"):
        return message.removeprefix("Value error, ").removeprefix("Assertion failed, "), True
    for prefix in ("Input should be ", "String should ", "Input should "):
        if message.startswith(prefix):
            rest = message.removeprefix(prefix)
            return f"must be {rest}" if prefix == "Input should be " else f"must {rest}", False
    for prefix in ("List should ", "Dictionary should ", "Tuple should ", "Set should "):
        if message.startswith(prefix):
            return "must " + message.removeprefix(prefix).replace(" after validation", ""), False
    return f"is wrong: {message[:1].lower()}{message[1:]}", False


def _diagnostic(problem: Problem, what: str, reading: Reading) -> Diagnostic:
    """A problem of the data at its place, with the values that led to it; what is secret is not told."""
    subject = f'"{path_text(problem.place)}"' if problem.place else what
    secret = reading.is_secret(problem.place)
    given = f", not {'a sensitive value' if secret else problem.given}" if problem.given else ""
    summary = f"{subject} {problem.text}{given}"
    place = find_range(reading.places, problem.place, key=problem.code == "unknown_attribute")
    found = error(problem.code, summary[:1].upper() + summary[1:], "" if secret else problem.detail, range=place)
    return replace(found, values=reading.values(problem.place, place))


text_of = path_text
"""A place as it reads in an expression: `gates.accuracy.min`, `layers[0]`, `by["a b"]`."""
