"""BodyReader: reads what is static in a block, and reports every name in it that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from zenctl.addrs import NAME
from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.references import inner_expressions, references
from zenctl.lang.syntax import Block, Body, Call, Expression
from zenctl.lang.values import Value, is_unknown, to_python

ISSUE = "It belongs to a later version of zenctl; remove it for now."
"""What to do about a feature that is designed but not there."""

EMPTY = Scope({})


class BodyReader:
    """One block's body. `what` names the block in messages (`variable "epochs"`); problems go to `diagnostics`."""

    def __init__(
        self,
        body: Body,
        what: str,
        diagnostics: list[Diagnostic],
        *,
        attributes: Collection[str],
        blocks: Collection[str] = (),
    ) -> None:
        self.body = body
        self.what = what
        self.diagnostics = diagnostics
        self._unknown: list[str] = []
        for attribute in body.attributes.values():
            if attribute.name not in attributes:
                self._unknown.append(attribute.name)
                problem = unknown_attribute(attribute.name, what, attributes, blocks)
                diagnostics.append(problem.at(attribute.name_range))
        for block in body.blocks:
            if block.type not in blocks:
                self._unknown.append(block.type)
                diagnostics.append(unknown_block(block.type, what, blocks, attributes).at(block.type_range))

    def blocks(self, type: str) -> list[Block]:
        """The nested blocks of a type."""
        return [block for block in self.body.blocks if block.type == type]

    def expression(self, name: str) -> Expression | None:
        """An attribute's expression, unevaluated."""
        attribute = self.body.attributes.get(name)
        return attribute.expression if attribute is not None else None

    def missing(self, name: str, problem: Diagnostic) -> None:
        """Report that a name is not there, unless it may be misspelt, or in a part of the body that was not read."""
        if not self.body.broken and not any(did_you_mean(wrong, [name]) for wrong in self._unknown):
            self.diagnostics.append(problem)

    def string(self, name: str, default: str = "") -> str:
        """A literal text."""
        value = self.data(name)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self._wrong(name, "a text in quotes", value)
        return default

    def boolean(self, name: str, default: bool = False) -> bool:
        """A literal true or false."""
        value = self.data(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._wrong(name, "true or false", value)
        return default

    def data(self, name: str) -> Any:
        """Literal plain data; None if it is not there, null, or wrong (then that is reported)."""
        expression = self.expression(name)
        if expression is None:
            return None
        value, found = static_value(expression, f'"{name}" of {self.what}')
        self.diagnostics += found
        return value

    def _wrong(self, name: str, wanted: str, value: Any) -> None:
        expression = self.body.attributes[name].expression
        self.diagnostics.append(
            error("wrong_type", f'"{name}" must be {wanted}, not {describe(value)}', range=expression.range)
        )


def static_value(expression: Expression, what: str) -> tuple[Any, list[Diagnostic]]:
    """A literal's plain data; None with errors."""
    value, found = constant(expression, what)
    return (None if value is None else to_python(value)), found


def constant(expression: Expression, what: str) -> tuple[Value | None, list[Diagnostic]]:
    """A literal's value. What refers to anything or calls a function is an error: nothing is known when it is read."""
    problem = not_literal(expression, what)
    if problem is not None:
        return None, [problem]
    value, found = evaluate_expression(expression, EMPTY)
    if any(d.is_error for d in found) or is_unknown(value):
        return None, found
    return value, found


def not_literal(expression: Expression, what: str) -> Diagnostic | None:
    """That an expression refers to something or calls a function, where it does."""
    summary = f"{what} must be a literal value"
    for reference in references(expression):
        name = ".".join(str(part) for part in reference.path[:3])
        detail = f"It is read before anything else is known, so it cannot refer to {name}."
        if len(reference.path) == 1:
            detail += f' If a text is meant, write it in quotes: "{name}".'
        return error("not_literal", summary, detail, range=reference.range)
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Call):
            detail = f"Functions cannot be called here. Write the result of {part.name}(), or call it in a local value."
            return error("not_literal", summary, detail, range=part.name_range)
        waiting += inner_expressions(part)
    return None


def check_labels(block: Block, wanted: tuple[str, ...], diagnostics: list[Diagnostic]) -> bool:
    """Whether a block has these labels and each is a name; `wanted` names them for the message (`type`, `name`)."""
    example = " ".join([block.type, *(f'"{label.upper()}"' for label in wanted), "{ ... }"])
    if len(block.labels) != len(wanted):
        few = len(block.labels) < len(wanted)
        place = block.header_range if few else block.label_ranges[len(wanted)]
        missing = " and ".join(wanted[len(block.labels) :])
        summary = (
            f"This {block.type} block needs a {missing}" if few else f"This {block.type} block has a label too many"
        )
        diagnostics.append(error("wrong_labels", summary, f"Write {example}", range=place))
        return False
    good = True
    for label, place in zip(block.labels, block.label_ranges, strict=True):
        if not NAME.fullmatch(label):
            detail = "A name begins with a letter or underscore; letters, digits, underscores and dashes may follow."
            diagnostics.append(error("invalid_name", f'"{label}" is not a name', detail, range=place))
            good = False
    return good


def guess(name: str, known: Iterable[str], rest: str) -> str:
    """`Did you mean "x"?` if a known name is near, then the rest."""
    return f"{did_you_mean(name, known)} {rest}".strip()


def unknown_attribute(name: str, what: str, attributes: Collection[str], blocks: Collection[str] = ()) -> Diagnostic:
    """An attribute that the block does not have."""
    if name in blocks:
        detail = f"Write it as a block, without the equals sign: {name} {{ ... }}"
        return error("unknown_attribute", f'"{name}" of {what} is a block', detail)
    known = ", ".join(sorted(attributes))
    detail = guess(name, attributes, f"It has: {known}." if attributes else "It has no attributes.")
    return error("unknown_attribute", f'{_capital(what)} has no attribute "{name}"', detail)


def unknown_block(name: str, what: str, blocks: Collection[str], attributes: Collection[str] = ()) -> Diagnostic:
    """A nested block that the block does not have."""
    if name in attributes:
        detail = f"Write it as an attribute, with an equals sign: {name} = ..."
        return error("unknown_block", f'"{name}" of {what} is an attribute', detail)
    known = ", ".join(sorted(blocks))
    detail = guess(name, [*blocks, *attributes], f"It has: {known}." if blocks else "It has no blocks inside.")
    return error("unknown_block", f'{_capital(what)} has no block "{name}"', detail)


def not_yet(feature: str, range: SourceRange) -> Diagnostic:
    """A feature that is designed but not there."""
    return error("not_supported_yet", f"{feature} is not supported yet", ISSUE, range=range)


def describe(value: Any) -> str:
    """What kind of value something is, with it where that is short: `the text "many"`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 40 and "\n" not in value else "a text"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
