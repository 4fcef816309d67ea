"""Writes HCL: lays a Document out as the tree of python-hcl2, which makes the text of it.

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
from zenctl.lang.notation import ends_with_heredoc, heredoc, is_name, quoted_template, reindented
from zenctl.lang.quoting import quote

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
    rules.append(_end(last, content.below, 0, 0))
    return str(hcl2.reconstruct(StartRule([BodyRule(rules)]))).lstrip("\n")


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
    for item, text, width in zip(placed, texts, _widths(placed, texts), strict=True):
        apart = before is not None and (isinstance(item, Section) or isinstance(before, Section))
        rules.append(_gap(before, item.remarks.above, indent, apart))
        if isinstance(item, Section):
            rules.append(_block(item, indent))
        else:
            if not is_name(item.name):
                raise ValueError(f'"{item.name}" is no identifier')
            rules.append(AttributeRule([verbatim(item.name), _equals(width), _expression(item.value, text, indent)]))
        before = item
    return rules, before


def _block(section: Section, indent: int) -> Rule:
    content = section.content
    labels = [verbatim(quote(label)) for label in section.labels]
    inner, last = _items(content.items, indent + STEP)
    space = [_end(last, content.below, indent + STEP, indent)] if inner or content.below else []
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
    names = [_placed(replace(item, name=_key(item.name)), text) for item, text in zip(value.items, texts, strict=True)]
    rules: list[Rule] = [LBRACE()]
    before: Field | None = None
    for item, text, width in zip(names, texts, _widths(names, texts), strict=True):
        rules.append(_gap(before, item.remarks.above, inner, False))
        key = ObjectElemKeyRule([verbatim(item.name)])
        rules.append(ObjectElemRule([key, _equals(width), _expression(item.value, text, inner)]))
        before = item
    return ObjectRule([*rules, _end(before, value.below, inner, indent), RBRACE()])


def _tuple(value: Value, indent: int) -> Rule:
    assert isinstance(value, Sequence)
    inner = indent + STEP
    rules: list[Rule] = [LSQB()]
    before: Element | None = None
    for item in value.items:
        text = _text(item.value, inner, ends_line=False)
        rules += [_gap(before, item.remarks.above, inner, False), _expression(item.value, text, inner)]
        if text is not None and ends_with_heredoc(text):
            rules.append(_space("\n" + " " * inner))
        rules.append(COMMA())
        before = item
    return TupleRule([*rules, _end(before, value.below, inner, indent), RSQB()])


def _text(value: Value, indent: int, *, ends_line: bool) -> str | None:
    """A value as one piece; None for a list or object that takes several lines. A heredoc must end its line."""
    if isinstance(value, Text) and ends_line:
        found = heredoc(value.template, indent + STEP)
        if found is not None:
            return found
    if isinstance(value, (Code, TypeName)):
        return reindented(value.source, more=indent)
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
    pairs = [f"{_key(item.name)} = {text}" for item, text in zip(value.items, texts, strict=True)]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def _key(name: str) -> str:
    """The name of an object's item, in quotes if it is no plain identifier, or a word with a meaning of its own."""
    return name if name.isascii() and is_name(name) and name not in _WORDS else quote(name)


def _widths(items: AbstractSequence[Union[Field, Section]], texts: list[str | None]) -> list[int]:
    """How wide the name of each item is to be, so that equals signs of neighbouring lines stand below each other."""
    widths = [len(item.name) if isinstance(item, Field) else 0 for item in items]
    run: list[int] = []
    for number, (item, text) in enumerate(zip(items, texts, strict=True)):
        alone = text is None or ("\n" in text and not text.startswith("<<"))
        if alone or item.remarks.above or (run and "\n" in str(texts[run[-1]])):
            run = []
        if not alone:
            run.append(number)
            widest = max(widths[n] for n in run)
            for n in run:
                widths[n] = max(widths[n], widest)
    return [width - len(item.name) if isinstance(item, Field) else 0 for width, item in zip(widths, items, strict=True)]


def _equals(padding: int) -> Rule:
    sign = EQ()
    sign.set_value(" " * (padding + 1) + "=")
    return sign


def _gap(before: Element | Field | Section | None, above: Lines, indent: int, apart: bool) -> Rule:
    """What stands between two items: the comment beside the first, the comments above the second."""
    if apart and above[:1] != (None,):
        above = (None, *above)
    return _space(f"{_before(before, above, indent)}{' ' * indent}")


def _end(before: Element | Field | Section | None, below: Lines, indent: int, outer: int) -> Rule:
    """What stands between the last item and the closing bracket."""
    return _space(f"{_before(before, below, indent)}{' ' * outer}")


def _before(before: Element | Field | Section | None, lines: Lines, indent: int) -> str:
    """The comment beside an item, and lines after it; no empty line follows an opening bracket."""
    beside = f" {_comment(before.remarks.beside)}" if before is not None and before.remarks.beside else ""
    kept = lines[1:] if before is None and lines[:1] == (None,) else lines
    return f"{beside}\n{''.join(_line(line, indent) for line in kept)}"


def _line(comment: str | None, indent: int) -> str:
    return "\n" if comment is None else f"{' ' * indent}{_comment(comment)}\n"


def _comment(text: str) -> str:
    return f"# {text}".rstrip()


def _space(text: str) -> Rule:
    return NewLineOrCommentRule([NL_OR_COMMENT(text)])
