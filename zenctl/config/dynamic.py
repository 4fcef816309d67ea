"""Dynamic blocks: `dynamic "NAME" { for_each, iterator, labels, content {} }` makes a block NAME for each element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from zenctl.config.reading import BodyReader
from zenctl.config.references import traversal
from zenctl.diagnostics import Diagnostic, error, has_errors
from zenctl.lang.access import elements
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.model import NO_MARKS, UNKNOWN, Marks, object_value
from zenctl.lang.syntax import Block, Body, Expression
from zenctl.lang.types import COLLECTIONS, STRING, AnyType, ListType, ObjectType, TupleType, describe
from zenctl.lang.values import DYNAMIC, Value
from zenctl.lazy_dataclasses import dataclass

BLOCK = "dynamic"
ATTRIBUTES = ("for_each", "iterator", "labels")

_CONTENT = "What each {} holds stands in one block: content {{ ... }}"

MAX_BLOCKS = 10_000
"""How many blocks the dynamic blocks of one body may make."""


@dataclass(frozen=True, slots=True)
class DynamicBlock:
    """What was written. `name` is the type of the blocks that it makes, `iterator` the name that `labels` and
    `content` know the element by (its `key` and `value`).
    """

    name: str
    iterator: str
    for_each: Expression
    labels: Expression | None
    content: Body
    block: Block


@dataclass(slots=True)
class Expansion:
    """The blocks that were made: the scope of each one's content, and its label if it has one.

    With `unknown`, which blocks there will be is known only after apply; `marks` are those of what decides it.
    """

    made: list[tuple[Scope, str | None]] = field(default_factory=list)
    unknown: bool = False
    marks: Marks = NO_MARKS
    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether there is an error, which leaves the blocks undecided."""
        return has_errors(self.diagnostics)


def is_dynamic(block: Block, known: Mapping[str, Any]) -> bool:
    """Whether a block makes others; `known` are the names that the body's type declares itself."""
    return block.type == BLOCK and BLOCK not in known


def read_dynamic(block: Block, what: str) -> tuple[DynamicBlock | None, list[Diagnostic]]:
    """What a dynamic block says, unevaluated; None with errors. `what` names the block around it."""
    diagnostics: list[Diagnostic] = []
    if len(block.labels) != 1:
        detail = f'Write {BLOCK} "NAME" {{ ... }}, where NAME is the type of the blocks to make.'
        summary = f"A {BLOCK} block has one label"
        return None, [error("wrong_labels", summary, detail, range=block.header_range)]
    name = block.labels[0]
    inside = f'{BLOCK} "{name}" of {what}'
    reader = BodyReader(block.body, inside, diagnostics, attributes=ATTRIBUTES, blocks=("content",))
    for_each, contents = reader.expression("for_each"), reader.blocks("content")
    if for_each is None:
        detail = "Give it the list, set, map or object to go over: for_each = var.gates"
        problem = error("missing_attribute", f'{_capital(inside)} has no "for_each"', detail)
        reader.missing("for_each", problem.at(block.header_range))
    if not contents:
        summary = f'{_capital(inside)} has no block "content"'
        reader.missing("content", error("missing_block", summary, _CONTENT.format(name), range=block.header_range))
    elif len(contents) > 1:
        summary = f'{_capital(inside)} has more than one block "content"'
        diagnostics.append(error("duplicate", summary, _CONTENT.format(name), range=contents[1].header_range))
    iterator, problems = _iterator(reader.expression("iterator"), name)
    diagnostics += problems
    if for_each is None or not contents or has_errors(diagnostics):
        return None, diagnostics
    labels = reader.expression("labels")
    return DynamicBlock(name, iterator, for_each, labels, contents[0].body, block), diagnostics


def _iterator(expression: Expression | None, name: str) -> tuple[str, list[Diagnostic]]:
    if expression is None:
        return name, []
    names = traversal(expression)
    if names is not None and len(names) == 1:
        return names[0], []
    detail = "Write it without quotes or dots: iterator = gate"
    return name, [error("wrong_type", '"iterator" must be a plain name', detail, range=expression.range)]


def expand(dynamic: DynamicBlock, scope: Scope, *, labelled: bool, room: int = MAX_BLOCKS) -> Expansion:
    """One block for each element, at most `room`.

    `labelled` says that each block has a label, which is the element's key unless given.
    """
    result = Expansion()
    collection, result.diagnostics = evaluate_expression(dynamic.for_each, scope)
    result.marks = collection.marks
    if result.wrong or not _iterable(dynamic, collection, result):
        return result
    if collection.raw is UNKNOWN:
        result.unknown = True
        return result
    for key, value in elements(collection):
        if len(result.made) >= room:
            summary = f"Dynamic blocks make more than {MAX_BLOCKS:,} blocks here"
            result.diagnostics.append(error("too_many_blocks", summary, range=dynamic.for_each.range))
            return result
        item = object_value({"key": key, "value": value.with_marks(collection.marks)})
        inner = scope.with_names({dynamic.iterator: item})
        label = _label(dynamic, key, inner, result) if labelled else None
        if labelled and label is None:
            return result
        result.made.append((inner, label))
    return result


def unknown_scope(dynamic: DynamicBlock, scope: Scope) -> Scope:
    """The scope of the content while no element is known, in which it can be checked all the same."""
    return scope.with_names({dynamic.iterator: object_value({"key": DYNAMIC, "value": DYNAMIC})})


def _iterable(dynamic: DynamicBlock, collection: Value, result: Expansion) -> bool:
    if collection.raw is not None and isinstance(collection.type, (AnyType, *COLLECTIONS, TupleType, ObjectType)):
        return True
    given = "null" if collection.raw is None else describe(collection.type)
    detail = f'"for_each" needs a list, set, map or object, and this is {given}.'
    result.diagnostics.append(
        error("invalid_for_each", "Nothing to make blocks for", detail, range=dynamic.for_each.range)
    )
    return False


def _label(dynamic: DynamicBlock, key: Value, scope: Scope, result: Expansion) -> str | None:
    """The label of one block; None if it is not known, or wrong."""
    place = dynamic.block.header_range if dynamic.labels is None else dynamic.labels.range
    given = key
    if dynamic.labels is not None:
        value, found = evaluate_expression(dynamic.labels, scope)
        result.diagnostics += found
        result.marks |= value.marks
        if result.wrong:
            return None
        given = value
        if isinstance(value.type, (TupleType, ListType)) and isinstance(value.raw, tuple) and len(value.raw) == 1:
            given = value.raw[0]
        elif value.raw is not UNKNOWN:
            detail = f"Write one label in brackets: labels = [{dynamic.iterator}.key]"
            summary = f'"labels" of a {dynamic.name} block is a list of one text'
            result.diagnostics.append(error("wrong_labels", summary, detail, range=place))
            return None
        result.marks |= given.marks
    elif key.type != STRING and key.raw is not UNKNOWN:
        detail = f"The elements of a list have no names. Give each a label: labels = [{dynamic.iterator}.value.name]"
        summary = f"Each {dynamic.name} block needs a label"
        result.diagnostics.append(error("wrong_labels", summary, detail, range=place))
        return None
    try:
        text = convert_value(given, STRING)
    except ConversionError as problem:
        summary = f"The label of a {dynamic.name} block is wrong: {problem}"
        result.diagnostics.append(error("wrong_labels", summary, range=place))
        return None
    if text.raw is UNKNOWN:
        result.unknown = True
        return None
    if not isinstance(text.raw, str):
        summary = f"The label of a {dynamic.name} block is null"
        result.diagnostics.append(error("wrong_labels", summary, range=place))
        return None
    return text.raw


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
