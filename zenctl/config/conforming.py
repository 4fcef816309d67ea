"""Holds plain data against a type annotation: what does not fit, in plain words, and what is not known yet."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from zenctl.addrs import Address
from zenctl.config.reading import describe, guess
from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import ArtifactRef, BackendRef, BlockModel, OutputDecl, Unknown

Place = tuple[Union[str, int], ...]
"""A path into plain data: attribute names, keys and indexes."""

WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a text",
    ArtifactRef: "an artifact, such as step.TYPE.NAME.OUTPUT",
    BackendRef: "a backend, such as backend.TYPE.NAME",
}
LANGUAGE_TYPES: dict[Any, str] = {bool: "bool", int: "number", float: "number", str: "string", Path: "string"}
"""The language's name of each scalar, to check values whose type alone is known."""


@dataclass(frozen=True, slots=True)
class StepOutputs:
    """A step with several outputs (or none), used as one value: the user must choose one."""

    address: Address
    outputs: Mapping[str, OutputDecl] = field(hash=False)

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit. `text` continues `"path" ...`: `must be a number`.

    `given` describes the value, where that helps: `the text "many"`. It is told as `, not the text "many"`.
    """

    place: Place
    text: str
    detail: str = ""
    code: str = "wrong_type"
    given: str = ""


@dataclass(slots=True)
class Conformed:
    """The outcome: problems, and whether something that must be typed is not known yet."""

    problems: list[Problem] = field(default_factory=list)
    unknown: bool = False


@cache
def fields(model: type[BlockModel]) -> Mapping[str, FieldInfo]:
    """A model's fields by the name the user writes."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def conform(annotation: Any, value: Any, place: Place = ()) -> tuple[Any, Conformed]:
    """The value as the annotation wants it (a metric's `result` as its value), and what is wrong with it."""
    result = Conformed()
    return _conform(annotation, value, place, result), result


def plain_annotation(annotation: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        members = members_of(annotation)
        if members is None or len(members) != 1:
            return annotation
        annotation = members[0]


def words(annotation: Any) -> str:
    """What an annotation asks for, as the user would say it."""
    annotation = plain_annotation(annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    members = members_of(annotation)
    if members is not None:
        return " or ".join(dict.fromkeys(words(member) for member in members))
    choices = choices_of(annotation)
    if choices is not None:
        return "one of " + ", ".join(str(choice) for choice in choices)
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type):
        if issubclass(origin, (Mapping, BlockModel)):
            return "an object"
        if issubclass(origin, (Sequence, Set)):
            return "a list"
        return f"a {origin.__name__}"
    return "another value"


def _conform(annotation: Any, value: Any, place: Place, result: Conformed) -> Any:
    if get_origin(annotation) is Annotated:
        return _conform(get_args(annotation)[0], value, place, result)
    if annotation is Any:
        return _free(value, place, result)
    members = members_of(annotation)
    if members is not None:
        return _union(annotation, members, value, place, result)
    if isinstance(value, Unknown):
        wanted = LANGUAGE_TYPES.get(annotation)
        if wanted and value.type in LANGUAGE_TYPES.values() and value.type != wanted:
            result.problems.append(Problem(place, f"must be {words(annotation)}, not a {value.type}"))
        result.unknown = True
        return value
    if annotation in (ArtifactRef, BackendRef):
        return _capsule(annotation, value, place, result)
    if isinstance(value, ArtifactRef) and _has_value(value):
        return _conform(annotation, _value_of(value), place, result)
    if annotation in WORDS:
        return _scalar(annotation, value, place, result)
    choices = choices_of(annotation)
    if choices is not None:
        if not any(choice == value and isinstance(choice, bool) == isinstance(value, bool) for choice in choices):
            hint = did_you_mean(value, [str(c) for c in choices]).strip() if isinstance(value, str) else ""
            text = f"must be {words(annotation)}"
            result.problems.append(Problem(place, text, hint, "invalid_value", describe(value)))
        return value
    return _container(annotation, value, place, result)


def _free(value: Any, place: Place, result: Conformed) -> Any:
    """Any JSON value; an artifact is none."""
    if isinstance(value, ArtifactRef):
        if _has_value(value):
            return _value_of(value)
        detail = "Artifacts are passed in `inputs`; here only what can be written as JSON, such as one of its metrics."
        result.problems.append(Problem(place, f"is {value}, an artifact of type {value.type}", detail))
    elif isinstance(value, (StepOutputs, BackendRef)):
        result.problems.append(Problem(place, f"is {value}, which is no plain value"))
    elif isinstance(value, dict):
        return {key: _free(item, (*place, key), result) for key, item in value.items()}
    elif isinstance(value, list):
        return [_free(item, (*place, i), result) for i, item in enumerate(value)]
    return value


def _union(annotation: Any, members: list[Any], value: Any, place: Place, result: Conformed) -> Any:
    if value is None and type(None) in get_args(annotation):
        return None
    if isinstance(value, Unknown):
        result.unknown = True
        return value
    attempts = []
    for member in members:
        attempt = Conformed()
        converted = _conform(member, value, place, attempt)
        if not attempt.problems:
            result.unknown = result.unknown or attempt.unknown
            return converted
        attempts.append(attempt)
    # What went wrong deeper inside says more than that no member fits.
    deeper = [a for a in attempts if all(len(p.place) > len(place) for p in a.problems)]
    if len(members) == 1 or deeper:
        result.problems += (deeper or attempts)[0].problems
    else:
        result.problems.append(Problem(place, f"must be {words(annotation)}", given=describe(value)))
    return value


def _scalar(annotation: Any, value: Any, place: Place, result: Conformed) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and number,
        float: number,
        str: isinstance(value, str),
        Path: isinstance(value, str),
    }[annotation]
    if not fits:
        detail = ""
        if isinstance(value, str) and annotation in (int, float, bool):
            detail = f"Write {value} without quotes." if _reads_as(annotation, value) else ""
        elif isinstance(value, (StepOutputs, ArtifactRef)):
            detail = "An artifact is passed in `inputs`."
        result.problems.append(Problem(place, f"must be {words(annotation)}", detail, given=describe(value)))
    return value


def _capsule(annotation: Any, value: Any, place: Place, result: Conformed) -> Any:
    if isinstance(value, StepOutputs):
        names = ", ".join(value.outputs)
        text = f"is {value}, which has {'several outputs' if names else 'no output'}"
        detail = f"Choose one of them: {names}." if names else ""
        result.problems.append(Problem(place, text, detail, "several_outputs"))
    elif not isinstance(value, annotation):
        result.problems.append(Problem(place, f"must be {words(annotation)}", given=describe(value)))
    return value


def _container(annotation: Any, value: Any, place: Place, result: Conformed) -> Any:
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if not isinstance(origin, type):
        return value
    if issubclass(origin, BlockModel):
        if isinstance(value, dict):
            return conform_model(origin, value, place, result)
    elif issubclass(origin, Mapping):
        if isinstance(value, dict):
            inner = arguments[1] if len(arguments) == 2 else Any
            # An input that is null is one that is not given: `eval = var.check ? step.split.x.eval : null`.
            given = {k: v for k, v in value.items() if v is not None or plain_annotation(inner) is not ArtifactRef}
            return {key: _conform(inner, item, (*place, key), result) for key, item in given.items()}
    elif issubclass(origin, (Sequence, Set)):
        if isinstance(value, list):
            inners = _item_annotations(origin, arguments, len(value))
            return [_conform(a, v, (*place, i), result) for i, (a, v) in enumerate(zip(inners, value, strict=False))]
    else:
        return value
    result.problems.append(Problem(place, f"must be {words(annotation)}", given=describe(value)))
    return value


def conform_model(model: type[BlockModel], value: Mapping[str, Any], place: Place, result: Conformed) -> dict[str, Any]:
    """An object with a model's attributes. A null attribute counts as one that is not given."""
    known = fields(model)
    found: dict[str, Any] = {}
    for name, item in value.items():
        if name not in known:
            detail = guess(name, known, f"It has: {', '.join(sorted(known))}.")
            result.problems.append(Problem((*place, name), "is no attribute here", detail, "unknown_attribute"))
        elif item is not None:
            found[name] = _conform(known[name].annotation, item, (*place, name), result)
    for name, info in known.items():
        if info.is_required() and name not in found and name not in value:
            detail = f"{name}: {info.description}" if info.description else ""
            result.problems.append(Problem(place, f'has no "{name}"', detail, "missing_attribute"))
        elif info.is_required() and value.get(name, 0) is None:
            result.problems.append(Problem((*place, name), "is null, but it must be given", "", "missing_attribute"))
    return found


def _item_annotations(origin: type, arguments: tuple[Any, ...], count: int) -> Iterable[Any]:
    if issubclass(origin, tuple) and arguments and arguments[-1] is not Ellipsis:
        return [*arguments, *[Any] * (count - len(arguments))]
    return [arguments[0] if arguments else Any] * count


def members_of(annotation: Any) -> list[Any] | None:
    """The members of a union without None; None if it is no union."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for a in get_args(annotation) if a is not type(None)]
    return None


def choices_of(annotation: Any) -> Collection[Any] | None:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [member.value for member in annotation]
    return None


def _has_value(ref: ArtifactRef) -> bool:
    """Whether the artifact is a plain value that a function returned."""
    return ref.output == RESULT


def _value_of(ref: ArtifactRef) -> Any:
    return Unknown() if ref.values is None else ref.values.get("value")


RESULT = "result"
"""The output that is a function's return value: it may be used as the value itself."""


def _reads_as(annotation: Any, text: str) -> bool:
    if annotation is bool:
        return text in ("true", "false")
    try:
        annotation(text)
    except ValueError:
        return False
    return True
