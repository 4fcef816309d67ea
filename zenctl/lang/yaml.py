"""Reads YAML 1.2 into the syntax tree of HCL: every string is a template whose errors point at their exact place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from zenctl.diagnostics import Diagnostic, SourceRange
from zenctl.lang.normal_form import nfc
from zenctl.lang.numbers import negated, number_text, parse_number
from zenctl.lang.parser import parse_template_source
from zenctl.lang.source import Source
from zenctl.lang.syntax import (
    Attribute,
    Block,
    BlockShape,
    Body,
    Expression,
    Literal,
    ObjectExpr,
    ObjectItem,
    TupleExpr,
)
from zenctl.lang.yaml_nodes import Composer, Mapping, Node, Refused, Scalar, Sequence
from zenctl.lang.yaml_places import locator

MAX_NODES = 200_000
"""How many nodes a document may have, each alias counted as what it stands for."""

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_NO_MEANING = frozenset((".inf", ".Inf", ".INF", "-.inf", "-.Inf", "-.INF", "+.inf", "+.Inf", "+.INF"))
_NO_MEANING |= frozenset((".nan", ".NaN", ".NAN"))


def parse_yaml(
    text: str, filename: str, shape: BlockShape, scalars: dict[SourceRange, str] | None = None
) -> tuple[Body, list[Diagnostic]]:
    """A file's body. `shape.blocks` are the keys that are blocks; every other key is an attribute.

    `scalars` is filled with the texts of templates, as YAML's escapes and folds make them, by the range of their
    expression.
    """
    reader = _Reader(text, filename, scalars=scalars)
    body = Body(reader.source.range(0, 0), {}, broken=True)
    try:
        root = reader.compose()
        body = Body(body.range, {}) if root is None else reader.body(root, shape)
    except Refused as refused:
        reader.diagnostics.append(refused.diagnostic)
    return body, reader.problems()


def parse_yaml_value(text: str, filename: str, *, templates: bool = True) -> tuple[Expression | None, list[Diagnostic]]:
    """A whole document as one expression; None with errors. Without `templates`, strings are only text."""
    reader = _Reader(text, filename, templates)
    result: Expression | None = None
    try:
        root = reader.compose()
        result = Literal(reader.source.range(0, 0), None) if root is None else reader.value(root)
    except Refused as refused:
        reader.diagnostics.append(refused.diagnostic)
    problems = reader.problems()
    return (None if problems else result), problems


class _Reader(Composer):
    """Turns a document's nodes into the tree. What an alias stands for is read once, however often it is used."""

    def __init__(
        self, text: str, filename: str, templates: bool = True, scalars: dict[SourceRange, str] | None = None
    ) -> None:
        super().__init__(text, filename)
        self.templates = templates
        self.scalars = scalars
        self.nodes = 0
        self._values: dict[int, tuple[Expression, int]] = {}

    def problems(self) -> list[Diagnostic]:
        """What is wrong, each problem once, in the order of the file."""
        found = list(dict.fromkeys(self.diagnostics))
        return sorted(found, key=lambda problem: problem.range.start.byte if problem.range else 0)

    def place(self, node: Node) -> SourceRange:
        """Where a node stands."""
        return self.source.range(node.start, node.end)

    def count(self, node: Node, nodes: int = 1) -> None:
        """Count nodes; refuse documents that grow too large by their aliases."""
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            detail = f"The document has more than {MAX_NODES} nodes, each alias counted as what it stands for."
            raise self.refuse("too_many_nodes", "Document too large", detail, node.start, node.end)

    def pairs(self, node: Mapping, *, computed: bool = False) -> Iterator[tuple[str, Scalar, Node, SourceRange]]:
        """For each pair its name, key, value and place; doubles and keys that are no text are reported and left out.

        `computed` keys may be templates; their names are the templates as they are written.
        """
        found: dict[str, Scalar] = {}
        for (key, value), end in zip(node.pairs, node.ends, strict=True):
            self.count(node)
            name = self.name(key, computed)
            if name is None or not isinstance(key, Scalar):
                continue
            earlier = found.setdefault(name, key)
            if earlier is not key:
                detail = f'"{name}" is set on line {self.place(earlier).start.line} already. Remove one of the two.'
                self.report("duplicate_attribute", "Key set twice", detail, self.place(key))
                continue
            yield name, key, value, self.source.range(key.start, max(key.end, end))

    def name(self, key: Node, computed: bool) -> str | None:
        """What a key is called; None if it cannot be a name."""
        detail = ""
        if not isinstance(key, Scalar):
            detail = "A key must be a text."
        elif not self.templates:
            return nfc(key.text)
        elif key.text == "<<" and not key.style:
            detail = "Merge keys (<<) are not part of YAML 1.2. Write merge(...) in a template, or repeat the keys."
            self.report("invalid_key", "Merge keys are not supported", detail, self.place(key))
            return None
        elif not computed and ("${" in key.text or "%{" in key.text):
            detail = "The name of a block or an argument is a plain text, without templates."
        elif not key.style:
            detail = _not_a_text(key.text)
        if detail:
            self.report("invalid_key", "Invalid key", detail, self.place(key))
            return None
        return nfc(key.text) if isinstance(key, Scalar) else None

    def body(self, node: Node, shape: BlockShape) -> Body:
        """A mapping as a body: blocks where the shape says so, attributes elsewhere."""
        place = self.place(node)
        if is_null(node):
            return Body(place, {}, broken=bool(self.diagnostics))
        if not isinstance(node, Mapping):
            detail = "A mapping (name: value) must stand here."
            self.report("invalid_block", "Mapping expected", detail, place)
            return Body(place, {}, broken=True)
        self.count(node)
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for name, key, value, span in self.pairs(node):
            if name in shape.blocks:
                blocks += self.blocks(name, self.place(key), value, shape.blocks[name], (), ())
            else:
                attributes[name] = Attribute(span, name, self.place(key), self.value(value))
        return Body(place, attributes, tuple(blocks), broken=bool(self.diagnostics))

    def blocks(
        self,
        type: str,
        type_range: SourceRange,
        node: Node,
        shape: BlockShape,
        labels: tuple[str, ...],
        label_ranges: tuple[SourceRange, ...],
    ) -> list[Block]:
        """All blocks below a key: a mapping for each label, then the body, or a list of bodies."""
        if isinstance(node, Sequence):
            self.count(node)
            return [b for item in node.items for b in self.blocks(type, type_range, item, shape, labels, label_ranges)]
        if len(labels) == shape.labels:
            end = label_ranges[-1].end if label_ranges else type_range.end
            header = SourceRange(type_range.filename, type_range.start, max(type_range.end, end))
            body = self.body(node, shape)
            span = SourceRange(type_range.filename, type_range.start, max(header.end, body.range.end))
            return [Block(span, type, labels, label_ranges, type_range, header, body)]
        if not isinstance(node, Mapping):
            if not is_null(node):
                missing = shape.labels - len(labels)
                levels = "one more level" if missing == 1 else f"{missing} more levels"
                detail = f"There must be {levels} of names between {type} and its content."
                self.report("invalid_block", "Mapping expected", detail, self.place(node))
            return []
        self.count(node)
        found: list[Block] = []
        for name, key, value, _ in self.pairs(node):
            found += self.blocks(type, type_range, value, shape, (*labels, name), (*label_ranges, self.place(key)))
        return found

    def value(self, node: Node) -> Expression:
        """A node as an expression."""
        known = self._values.get(id(node))
        if known is not None:
            self.count(node, known[1])
            return known[0]
        before = self.nodes
        self.count(node)
        result: Expression
        if isinstance(node, Scalar):
            result = self.scalar(node)
        elif isinstance(node, Sequence):
            result = TupleExpr(self.place(node), tuple([self.value(item) for item in node.items]))
        else:
            items: list[ObjectItem] = []
            for name, key, value, span in self.pairs(node, computed=True):
                written = self.template(key) if self.templates else Literal(self.place(key), name)
                items.append(ObjectItem(span, written, self.value(value)))
            result = ObjectExpr(self.place(node), tuple(items))
        self._values[id(node)] = (result, self.nodes - before)
        return result

    def scalar(self, node: Scalar) -> Expression:
        """A scalar by the core schema of YAML 1.2."""
        if not node.style:
            try:
                known, value = plain(node.text)
            except ValueError as problem:
                self.report("invalid_number", "Invalid number", str(problem), self.place(node))
                known, value = True, None
            if known:
                return Literal(self.place(node), value)
        return self.template(node)

    def template(self, node: Scalar) -> Expression:
        """A text, which is a template."""
        text = node.text
        if not self.templates or ("${" not in text and "%{" not in text):
            return Literal(self.place(node), nfc(text))
        find = locator(self.text, node)
        source = Source(text, self.source.filename, locate=lambda offset: self.source.position(find(offset)))
        expression, found = parse_template_source(source)
        for problem in found:
            self.add(problem)
        if expression is None:
            return Literal(self.place(node), text)
        if self.scalars is not None:
            self.scalars[expression.range] = text
        return expression


def is_null(node: Node) -> bool:
    """Whether nothing, or null, stands there."""
    return isinstance(node, Scalar) and not node.style and node.text in _NULLS


def _not_a_text(key: str) -> str:
    """What is wrong with an unquoted key if it does not mean the text that it is; else the empty string."""
    if key in _NULLS:
        return "This key is null. Quote it if it is a text."
    try:
        known, value = plain(key)
    except ValueError as problem:
        return str(problem)
    meant = number_text(value) if isinstance(value, Decimal) else str(value).lower()
    if known and meant != key:
        return f"Unquoted, this key means {meant}. Write that, or quote the key if it is a text."
    return ""


def plain(text: str) -> tuple[bool, Any]:
    """Whether an unquoted scalar is something else than a text, and what: None, a bool or a Decimal.

    Raises ValueError for a number that the language does not have.
    """
    if text in _NULLS:
        return True, None
    if text in _BOOLS:
        return True, _BOOLS[text]
    if text in _NO_MEANING:
        raise ValueError("Numbers are finite. Quote it if it is a text.")
    based = _BASED.fullmatch(text)
    if based:
        digits, base = (based[1], 8) if based[1] else (based[2], 16)
        text = str(int(digits, base)) if len(digits) < 200 else "e"
    elif _INT.fullmatch(text):
        # A leading zero has no meaning in YAML 1.2: 012 is 12.
        text = re.sub("^([-+]?)0+(?=[0-9])", r"\1", text)
    elif not _FLOAT.fullmatch(text):
        return False, None
    negative = text.startswith("-")
    digits = text.lstrip("+-")
    digits = "0" + digits if digits.startswith(".") else digits
    number = parse_number(re.sub(r"\.(?=[eE]|$)", "", digits))
    if number is None:
        raise ValueError("It is too large. Quote it if it is a text.")
    return True, negated(number) if negative else number
