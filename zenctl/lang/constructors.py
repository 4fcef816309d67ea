"""Reads what makes lists and objects: `[...]`, `{...}` and `for`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from zenctl.diagnostics import SourceRange
from zenctl.lang.normal_form import nfc
from zenctl.lang.syntax import Expression, For, Literal, ObjectExpr, ObjectItem, TupleExpr, Variable

if TYPE_CHECKING:
    from zenctl.lang.expressions import ExpressionParser


def parse_tuple(parser: ExpressionParser) -> Expression:
    start, opening, outer = parser.start, parser.here(), parser.newlines
    parser.newlines = False
    parser.advance()
    if parser.is_word("for"):
        return _for(parser, start, outer, "]")
    items: list[Expression] = []
    height = 0
    while parser.kind != "]":
        items.append(parser.expression())
        height = max(height, parser.height)
        if parser.kind == ",":
            parser.advance()
        elif parser.kind == "eof":
            parser.fail("missing_bracket", "Unclosed list", 'This "[" is never closed.', opening)
        elif parser.kind != "]":
            detail = 'The items of a list are separated by commas, and a "]" ends it.'
            parser.fail("missing_comma", "Missing item separator", detail, missing=True)
    parser.newlines = outer
    parser.advance()
    parser.grow(height + 1, start)
    return TupleExpr(parser.since(start), tuple(items))


def parse_object(parser: ExpressionParser) -> Expression:
    start, opening, outer = parser.start, parser.here(), parser.newlines
    parser.newlines = False
    parser.advance()
    if parser.is_word("for"):
        return _for(parser, start, outer, "}")
    # Newlines separate items, so go back to the first one.
    parser.newlines = True
    items: list[ObjectItem] = []
    height = 0
    while True:
        while parser.kind == "newline":
            parser.advance()
        if parser.kind == "}":
            break
        if parser.kind == "eof":
            parser.fail("missing_bracket", "Unclosed object", 'This "{" is never closed.', opening)
        item_start = parser.start
        key = _key(parser)
        height = max(height, parser.height)
        if parser.kind != "=" and parser.kind != ":":
            _missing_separator(parser, opening)
        parser.advance()
        value = parser.expression()
        height = max(height, parser.height)
        items.append(ObjectItem(parser.since(item_start), key, value))
        if parser.kind == "," or parser.kind == "newline":
            parser.advance()
        elif parser.kind == "eof":
            parser.fail("missing_bracket", "Unclosed object", 'This "{" is never closed.', opening)
        elif parser.kind != "}":
            parser.fail(
                "missing_comma",
                "Missing attribute separator",
                "The attributes of an object are separated by newlines or commas.",
                missing=True,
            )
    parser.newlines = outer
    parser.advance()
    parser.grow(height + 2, start)
    return ObjectExpr(parser.since(start), tuple(items))


def _key(parser: ExpressionParser) -> Expression:
    """A bare name stands for itself; anything else is an expression."""
    parser.height = 1
    if parser.kind == "ident" and parser.kinds[parser.at + 1] in ("=", ":"):
        start, word = parser.start, parser.word()
        parser.advance()
        return Literal(parser.since(start), nfc(word))
    key = parser.expression()
    return Literal(key.range, key.name) if isinstance(key, Variable) else key


def _missing_separator(parser: ExpressionParser, opening: SourceRange) -> NoReturn:
    if parser.kind == "eof":
        parser.fail("missing_bracket", "Unclosed object", 'This "{" is never closed.', opening)
    if parser.kind in ("newline", ",", "}"):
        parser.fail("missing_value", "Missing attribute value", "An attribute of an object is written name = value.")
    parser.fail(
        "missing_equals",
        "Missing key/value separator",
        'An equals sign "=" must follow the attribute\'s name. A name with dots or spaces is written in quotes.',
        missing=True,
    )


def _for(parser: ExpressionParser, start: int, outer: bool, close: str) -> Expression:
    """`for` is the current token; newlines are skipped."""
    parser.advance()
    key, value = "", _for_name(parser, "after for")
    if parser.kind == ",":
        parser.advance()
        key, value = value, _for_name(parser, "after the comma")
    if not parser.is_word("in"):
        _for_problem(parser, 'The word "in" must follow the names: for x in xs : ...')
    parser.advance()
    collection = parser.expression()
    height = parser.height
    if parser.kind != ":":
        _for_problem(parser, "A colon must follow the collection: for x in xs : ...")
    parser.advance()
    result = parser.expression()
    height = max(height, parser.height)
    key_result: Expression | None = None
    if parser.kind == "=>":
        if close == "]":
            _for_problem(parser, "A key with => makes an object, which is written in braces: {for ... : key => value}")
        parser.advance()
        key_result, result = result, parser.expression()
        height = max(height, parser.height)
    elif close == "}":
        _for_problem(parser, "An object needs a key: {for ... : key => value}. A list is written [for ...]")
    group = parser.kind == "..."
    if group:
        if close == "]":
            _for_problem(parser, "The ... groups values by key, so it needs an object: {for ... : key => value...}")
        parser.advance()
    condition: Expression | None = None
    if parser.is_word("if"):
        parser.advance()
        condition = parser.expression()
        height = max(height, parser.height)
    if parser.kind != close:
        _for_problem(parser, f'A "{close}" must follow here to close the for expression.')
    parser.newlines = outer
    parser.advance()
    parser.grow(height + 1, start)
    return For(parser.since(start), key, value, collection, key_result, result, condition, group)


def _for_name(parser: ExpressionParser, where: str) -> str:
    if parser.kind != "ident":
        _for_problem(parser, f"The name of a variable must stand {where}: for x in xs : ...")
    word = nfc(parser.word())
    parser.advance()
    return word


def _for_problem(parser: ExpressionParser, detail: str) -> NoReturn:
    parser.fail("invalid_for", "Invalid for expression", detail, missing=True)
