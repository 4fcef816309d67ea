"""Decodes a block's body into its model: evaluates, checks each value in place, and keeps what is unknown or secret."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from zenctl.config.conforming import Conformed, Place, Problem, conform_model, fields, plain_annotation
from zenctl.config.plain import LOCATION, plain_value
from zenctl.config.reading import check_labels, unknown_attribute, unknown_block
from zenctl.diagnostics import Diagnostic, SourceRange, error
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.syntax import Block, Body, Expression, Literal, ObjectExpr, Parentheses, TupleExpr
from zenctl.schema import BlockModel, Unknown

Places = Mapping[Place, Union[Expression, Block]]
"""What stands where: the expression of each attribute, and each nested block."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A block's attributes.

    `model` is None if an attribute is wrong or known only after apply. `data` is plain data of what was given, with
    `Unknown` inside where not known and in place of what is wrong, artifacts and backends as references; attributes
    that are null are left out.
    `sensitive` are the places of secret values, `located` those that hold a storage location; `places` says where in
    the source something stands; `wrong` are the attributes with problems.
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
    model: type[BlockModel], body: Body, scope: Scope, *, what: str = "this block", names_checked: bool = False
) -> tuple[Decoded, list[Diagnostic]]:
    """Decode a body. `what` names the block in messages.

    What has no place of its own (a missing attribute) comes without a range: place it with `.at(block range)`.
    `names_checked` says that `check_names` has been asked already.
    """
    reading = _Reading(scope)
    given = reading.body(model, body, ())
    diagnostics = [] if names_checked else check_names(model, body, what)
    diagnostics += reading.diagnostics
    result = Conformed()
    data = conform_model(model, given, (), result)
    problems = [p for p in result.problems if not _name_problem(p)]
    diagnostics += [_diagnostic(problem, what, reading.places) for problem in problems]
    faults = reading.wrong | {str(p.place[0]) for p in result.problems if p.place}
    data = {name: Unknown() if name in faults else value for name, value in data.items()}
    typed = None
    wrong = bool(result.problems) or any(d.is_error for d in diagnostics)
    if not wrong and not result.unknown and not any(isinstance(value, Unknown) for value in data.values()):
        typed, found = _validate(model, data, what, reading.places)
        diagnostics += found
    sensitive, located = tuple(reading.sensitive), tuple(reading.located)
    decoded = Decoded(typed, data, sensitive, located, reading.places, frozenset(faults))
    return decoded, diagnostics


def _name_problem(problem: Problem) -> bool:
    """Whether `check_names` tells it, with the better place."""
    if problem.code == "missing_attribute":
        return not problem.place
    return problem.code == "unknown_attribute" and len(problem.place) == 1


def check_names(model: type[BlockModel], body: Body, what: str, others: Collection[str] = ()) -> list[Diagnostic]:
    """What can be said of a body without evaluating it: unknown names, missing attributes (without range), doubles.

    What stands inside nested blocks is checked where they are decoded.

    `others` are attributes that somebody else reads; they are offered as corrections.
    """
    known = fields(model)
    diagnostics = []
    for attribute in body.attributes.values():
        if attribute.name not in known:
            problem = unknown_attribute(attribute.name, what, [*known, *others])
            diagnostics.append(problem.at(attribute.name_range))
    blocks: dict[str, Block] = {}
    for block in body.blocks:
        info = known.get(block.type)
        nested = nested_model(info) if info is not None else None
        if info is None or nested is None:
            names = [name for name, i in known.items() if nested_model(i) is not None]
            others_ = [*(name for name in known if name not in names), *others]
            diagnostics.append(unknown_block(block.type, what, names, others_).at(block.type_range))
            continue
        if block.type in body.attributes or (block.type in blocks and nested[0] == "one"):
            first = blocks[block.type].header_range if block.type in blocks else body.attributes[block.type].range
            summary = f'"{block.type}" of {what} is given twice'
            diagnostics.append(error("duplicate", summary, f"It is given first at {first}.", range=block.header_range))
        blocks.setdefault(block.type, block)
        if nested[0] == "map":
            check_labels(block, ("name",), diagnostics)
    for name, info in known.items():
        if info.is_required() and name not in body.attributes and name not in blocks:
            detail = f"{name}: {info.description}" if info.description else ""
            diagnostics.append(error("missing_attribute", f'{what[:1].upper()}{what[1:]} has no "{name}"', detail))
    return diagnostics


def nested_model(info: FieldInfo) -> tuple[str, type[BlockModel]] | None:
    """How a field may be written as blocks (`one`, `list`, or `map` by label), and their model; None if it may not."""
    annotation = plain_annotation(info.annotation)
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, BlockModel):
        return "one", origin
    inner = plain_annotation(arguments[-1] if arguments and arguments[-1] is not Ellipsis else (arguments or [None])[0])
    if isinstance(inner, type) and issubclass(inner, BlockModel) and isinstance(origin, type):
        return ("map" if issubclass(origin, Mapping) else "list"), inner
    return None


class _Reading:
    """Evaluates a body, with its nested blocks, into plain data."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.diagnostics: list[Diagnostic] = []
        self.sensitive: list[Place] = []
        self.located: list[Place] = []
        self.places: dict[Place, Union[Expression, Block]] = {}
        self.wrong: set[str] = set()

    def body(self, model: type[BlockModel], body: Body, at: Place) -> dict[str, Any]:
        known = fields(model)
        data: dict[str, Any] = {}
        for attribute in body.attributes.values():
            place = (*at, attribute.name)
            self.places[place] = attribute.expression
            value, found = evaluate_expression(attribute.expression, self.scope)
            self.diagnostics += found
            data[attribute.name], marks = plain_value(value)
            if any(d.is_error for d in found):
                data[attribute.name] = Unknown()
                self.wrong.add(str(place[0]))
            for inner, names in marks:
                if "sensitive" in names:
                    self.sensitive.append((*place, *inner))
                if LOCATION in names:
                    self.located.append((*place, *inner))
        for block in body.blocks:
            nested = nested_model(known[block.type]) if block.type in known else None
            if nested is None or block.type in body.attributes:
                continue
            how, inner_model = nested
            if how == "list":
                items = data.setdefault(block.type, [])
                items.append(self._nested(inner_model, block, (*at, block.type, len(items))))
            elif how == "map" and len(block.labels) == 1:
                label = block.labels[0]
                named = data.setdefault(block.type, {})
                named[label] = self._nested(inner_model, block, (*at, block.type, label))
            elif how == "one":
                data[block.type] = self._nested(inner_model, block, (*at, block.type))
        return data

    def _nested(self, model: type[BlockModel], block: Block, place: Place) -> dict[str, Any]:
        self.places[place] = block
        return self.body(model, block.body, place)


def _validate(
    model: type[BlockModel], data: Mapping[str, Any], what: str, places: Places
) -> tuple[BlockModel | None, list[Diagnostic]]:
    try:
        return model.model_validate(data), []
    except ValidationError as problem:
        found = []
        for item in problem.errors(include_url=False):
            place = _existing(data, item["loc"])
            code = "missing_attribute" if item["type"] == "missing" else "invalid_value"
            text, summary = _pydantic_text(item["type"], item["msg"])
            if summary or not place:
                placed = error(code, f"{what[:1].upper()}{what[1:]}: {text}" if not place else text)
                found.append(placed.at(find_range(places, place) if place else None))
            else:
                found.append(_diagnostic(Problem(place, text, code=code), what, places))
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


def _diagnostic(problem: Problem, what: str, places: Places) -> Diagnostic:
    subject = f'"{text_of(problem.place)}"' if problem.place else what
    summary = f"{subject} {problem.text}"
    place = find_range(places, problem.place, key=problem.code == "unknown_attribute")
    return error(problem.code, summary[:1].upper() + summary[1:], problem.detail, range=place)


def text_of(place: Place) -> str:
    """A place as it reads in an expression: `gates.accuracy.min`, `layers[0]`, `by["a b"]`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("-", "_").isidentifier():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def find_range(places: Places, place: Place, *, key: bool = False) -> SourceRange | None:
    """Where the value at a place is written; with `key` where its name is. Else the nearest place around it."""
    for length in range(len(place), 0, -1):
        expression = places.get(place[:length])
        if expression is not None:
            return _inside(expression, place[length:], key)
    return None


def _inside(expression: Expression | Block, rest: Place, key: bool) -> SourceRange:
    if isinstance(expression, Block):
        return expression.header_range
    for depth, part in enumerate(rest):
        while isinstance(expression, Parentheses):
            expression = expression.expression
        if isinstance(expression, ObjectExpr):
            items = [i for i in expression.items if isinstance(i.key, Literal) and i.key.value == part]
            if not items:
                break
            if key and depth == len(rest) - 1:
                return items[-1].key.range
            expression = items[-1].value
        elif isinstance(expression, TupleExpr) and isinstance(part, int) and part < len(expression.items):
            expression = expression.items[part]
        else:
            break
    return expression.range
