"""Writes HCL: makes the tree of python-hcl2 of a Document, and has it make the text, in the layout of `zenctl fmt`.

Importing this module imports python-hcl2; do that only where HCL is written.
"""

from __future__ import annotations

from collections.abc import Sequence as AbstractSequence
from dataclasses import replace
from typing import Any, TypeVar, Union

import hcl2
from hcl2.rules.base import AttributeRule, BlockRule, BodyRule, StartRule
from hcl2.rules.containers import ObjectElemKeyRule, ObjectElemRule, ObjectRule, TupleRule
from hcl2.rules.expressions import ExprTermRule
from hcl2.rules.literal_rules import IdentifierRule
from hcl2.rules.tokens import COMMA, EQ, LBRACE, LSQB, NAME, NL_OR_COMMENT, RBRACE, RSQB
from hcl2.rules.whitespace import NewLineOrCommentRule

from zenctl.lang.document import (
    Code,
    Document,
    Element,
    Field,
    Lines,
    Mapping,
    Remarks,
    Section,
    Sequence,
    Text,
    TypeName,
    Value,
)
from zenctl.lang.format import format
from zenctl.lang.notation import ends_with_heredoc, heredoc, lone_expression, quoted_template
from zenctl.lang.quoting import is_name, quote

STEP = 2
"""Columns that each level is indented by."""

WIDTH = 100
"""A list or object is kept on one line up to here."""

_WORDS = frozenset(("for", "null", "true", "false"))

Item = TypeVar("Item", Field, Union[Field, Section])
Rule = Any
"""A part of python-hcl2's tree."""


def write_hcl(document: Document) -> str:
    """The text of a document. Raises ValueError if an attribute of a body has a name that is no identifier."""
    content = document.content
    items = content.items
    if document.header and items:
        above = (*document.header, None, *items[0].remarks.above)
        items = (replace(items[0], remarks=replace(items[0].remarks, above=above)), *items[1:])
    rules, last = _items(items, 0)
    rules.append(_gap(last, content.below))
    return format(str(hcl2.reconstruct(StartRule([BodyRule(rules)]))).lstrip("\n"))


def verbatim(text: str) -> Rule:
    """A token of python-hcl2's tree that is written as it stands.

    All names, labels and values are handed over so. Left to itself python-hcl2 (8.1) spoils some of them: it parses
    expressions with a grammar that refuses valid ones, loses escaped quotes before `${`, rounds numbers, does not
    quote names that need it, and writes a heredoc in a list such that nobody can read it (decision 3 has the list).
    """
    return IdentifierRule([NAME(text)])


def _items(items: AbstractSequence[Union[Field, Section]], indent: int) -> tuple[list[Rule], Field | Section | None]:
    """The rules of a body's items, each after the space and the comments before it; and the last item."""
    rules: list[Rule] = []
    texts = [_text(item.value, indent, ends_line=True) if isinstance(item, Field) else None for item in items]
    placed = [_placed(item, text) for item, text in zip(items, texts, strict=True)]
    before: Field | Section | None = None
    for item, text in zip(placed, texts, strict=True):
        apart = indent == 0 and before is not None and (isinstance(item, Section) or isinstance(before, Section))
        rules.append(_gap(before, item.remarks.above, apart=apart))
        if isinstance(item, Section):
            rules.append(_block(item, indent))
        else:
            if not is_name(item.name):
                raise ValueError(f'"{item.name}" is no identifier')
            rules.append(AttributeRule([verbatim(item.name), EQ(), _expression(item.value, text, indent)]))
        before = item
    return rules, before


def _block(section: Section, indent: int) -> Rule:
    content = section.content
    labels = [verbatim(quote(label)) for label in section.labels]
    inner, last = _items(content.items, indent + STEP)
    space = [_gap(last, content.below)] if inner or content.below else []
    return BlockRule([verbatim(section.type), *labels, LBRACE(), BodyRule(inner), *space, RBRACE()])


def _placed(item: Item, text: str | None) -> Item:
    """The item with its comment where it can stand: nothing may follow the end mark of a heredoc."""
    remarks: Remarks = item.remarks
    if not remarks.beside or text is None or not ends_with_heredoc(text):
        return item
    return replace(item, remarks=Remarks((*remarks.above, remarks.beside)))


def _expression(value: Value, text: str | None, indent: int) -> Rule:
    """A value; `text` is what it is on one line or as one piece, None for a list or object over several lines."""
    if text is not None:
        return ExprTermRule([verbatim(text)])
    return ExprTermRule([_object(value, indent) if isinstance(value, Mapping) else _tuple(value, indent)])


def _object(value: Mapping, indent: int) -> Rule:
    inner = indent + STEP
    texts = [_text(item.value, inner, ends_line=True) for item in value.items]
    placed = [_placed(item, text) for item, text in zip(value.items, texts, strict=True)]
    rules: list[Rule] = [LBRACE()]
    before: Field | None = None
    for item, text in zip(placed, texts, strict=True):
        rules.append(_gap(before, item.remarks.above))
        key = ObjectElemKeyRule([verbatim(_key(item))])
        rules.append(ObjectElemRule([key, EQ(), _expression(item.value, text, inner)]))
        before = item
    return ObjectRule([*rules, _gap(before, value.below), RBRACE()])


def _tuple(value: Value, indent: int) -> Rule:
    assert isinstance(value, Sequence)
    inner = indent + STEP
    rules: list[Rule] = [LSQB()]
    before: Element | None = None
    for item in value.items:
        text = _text(item.value, inner, ends_line=False)
        rules += [_gap(before, item.remarks.above), _expression(item.value, text, inner)]
        if text is not None and ends_with_heredoc(text):
            rules.append(_space("\n"))
        rules.append(COMMA())
        before = item
    return TupleRule([*rules, _gap(before, value.below), RSQB()])


def _text(value: Value, indent: int, *, ends_line: bool) -> str | None:
    """A value as one piece; None for a list or object that takes several lines. A heredoc must end its line."""
    if isinstance(value, Text) and ends_line:
        found = heredoc(value.template, indent + STEP)
        if found is not None:
            return found
    if isinstance(value, (Code, TypeName)):
        return value.source
    text = one_line(value)
    if text is None or (isinstance(value, (Sequence, Mapping)) and value.items and len(text) + indent > WIDTH):
        return None
    return text


def one_line(value: Value) -> str | None:
    """A value on one line; None for a list or object whose items stand, or must stand, on lines of their own."""
    if isinstance(value, Text):
        return quoted_template(value.template)
    if isinstance(value, (Code, TypeName)):
        return value.source
    if not isinstance(value, (Sequence, Mapping)):
        return value.text
    if value.below or (value.open and value.items):
        return None
    texts = [one_line(item.value) for item in value.items]
    if any(text is None or "\n" in text for text in texts):
        return None
    if isinstance(value, Sequence):
        return f"[{', '.join(map(str, texts))}]"
    pairs = [f"{_key(item)} = {text}" for item, text in zip(value.items, texts, strict=True)]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def _key(item: Field) -> str:
    """The name of an object's item, in quotes if it is no plain identifier, or a word with a meaning of its own."""
    name = item.name
    if item.computed:
        source = lone_expression(name)
        return f"({source})" if source is not None else quoted_template(name)
    return name if name.isascii() and is_name(name) and name not in _WORDS else quote(name)


def _gap(before: Element | Field | Section | None, lines: Lines, *, apart: bool = False) -> Rule:
    """What stands between two items, or an item and a bracket: the comment beside the first, and lines of comments.

    `before` is None behind the opening bracket, which no empty line follows. Indentation comes with the layout.
    """
    if apart and lines[:1] != (None,):
        lines = (None, *lines)
    beside = f" {_comment(before.remarks.beside)}" if before is not None and before.remarks.beside else ""
    kept = lines[1:] if before is None and lines[:1] == (None,) else lines
    return _space(f"{beside}\n" + "".join(_comment(line) + "\n" for line in kept))


def _comment(text: str | None) -> str:
    return "" if text is None else f"# {text}".rstrip()


def _space(text: str) -> Rule:
    return NewLineOrCommentRule([NL_OR_COMMENT(text)])
