"""Reads JSON into the syntax tree of HCL, positions kept; its strings are texts as they stand, never templates."""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder

from zenctl.diagnostics import Diagnostic, error
from zenctl.lang.cursor import MAX_DEPTH
from zenctl.lang.model import string
from zenctl.lang.numbers import parse_number
from zenctl.lang.source import Source
from zenctl.lang.syntax import Expression, Literal, ObjectExpr, ObjectItem, TupleExpr

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_STRINGS = JSONDecoder()
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


class _Refused(Exception):
    """The text cannot be read further; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.summary)
        self.diagnostic = diagnostic


def parse_json(text: str, filename: str) -> tuple[Expression | None, list[Diagnostic]]:
    """The document as an expression of literals, objects and lists; None with errors."""
    reader = _Reader(text, filename)
    try:
        found = reader.document()
    except _Refused as refused:
        return None, [*reader.diagnostics, refused.diagnostic]
    return (None if reader.diagnostics else found), reader.diagnostics


class _Reader:
    def __init__(self, text: str, filename: str) -> None:
        self.source = Source(text, filename)
        self.text = self.source.text
        self.at = 0
        self.diagnostics: list[Diagnostic] = [self.source.problem] if self.source.problem else []

    def document(self) -> Expression:
        """The one value of the text."""
        self.space()
        found = self.value(0)
        self.space()
        if self.at < len(self.text):
            raise self.refuse("Something stands after the end of the JSON value.")
        return found

    def refuse(self, detail: str, at: int | None = None) -> _Refused:
        start = min(self.at if at is None else at, len(self.text))
        range = self.source.range(start, min(start + 1, len(self.text)))
        return _Refused(error("invalid_json", "Invalid JSON", detail, range=range))

    def space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def next(self) -> str:
        """The character to come, after any space; empty at the end."""
        self.space()
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Expression:
        """The value that begins here."""
        if depth > MAX_DEPTH:
            raise self.refuse(f"Lists and objects can nest {MAX_DEPTH} levels deep.")
        start = self.at
        begin = self.text[start : start + 1]
        if begin == "{":
            return self.object(depth)
        if begin == "[":
            return self.list(depth)
        if begin == '"':
            text = self.string()
            return Literal(self.source.range(start, self.at), text)
        number = _NUMBER.match(self.text, start)
        if number is not None:
            self.at = number.end()
            return self.number(number.group(), start)
        word = _WORD.match(self.text, start)
        if word is not None and word.group() in _WORDS:
            self.at = word.end()
            return Literal(self.source.range(start, self.at), _WORDS[word.group()])
        raise self.refuse('A value is expected here: a text in "...", a number, true, false, null, [...] or {...}.')

    def number(self, text: str, start: int) -> Expression:
        found = parse_number(text.removeprefix("-"))
        if found is None:
            raise self.refuse("The number is too large.", start)
        return Literal(self.source.range(start, self.at), found.copy_negate() if text.startswith("-") else found)

    def string(self) -> str:
        start = self.at
        try:
            text, self.at = _STRINGS.raw_decode(self.text, start)
        except JSONDecodeError as problem:
            raise self.refuse(f"{problem.msg}.", problem.pos) from None
        # Half a surrogate pair is no character.
        whole = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
        return str(string(whole).raw)

    def list(self, depth: int) -> Expression:
        start = self.at
        self.at += 1
        items: list[Expression] = []
        if self.next() != "]":
            self.space()
            items.append(self.value(depth + 1))
            while self.next() == ",":
                self.at += 1
                self.space()
                items.append(self.value(depth + 1))
        self.close("]", "The list is not closed: after an element, a comma or ] must follow.")
        return TupleExpr(self.source.range(start, self.at), tuple(items))

    def object(self, depth: int) -> Expression:
        start = self.at
        self.at += 1
        items: dict[str, ObjectItem] = {}
        if self.next() != "}":
            self.item(items, depth)
            while self.next() == ",":
                self.at += 1
                self.item(items, depth)
        self.close("}", "The object is not closed: after an element, a comma or } must follow.")
        return ObjectExpr(self.source.range(start, self.at), tuple(items.values()))

    def item(self, items: dict[str, ObjectItem], depth: int) -> None:
        if self.next() != '"':
            raise self.refuse('A name in double quotes is expected here: "name": value.')
        start = self.at
        name = self.string()
        key = Literal(self.source.range(start, self.at), name)
        if self.next() != ":":
            raise self.refuse("A colon must follow the name.")
        self.at += 1
        self.space()
        value = self.value(depth + 1)
        if name in items:
            first = items[name].key.range.start.line
            detail = f'"{name}" is set on line {first} already. Remove one of the two.'
            self.diagnostics.append(error("duplicate_attribute", "Key set twice", detail, range=key.range))
            return
        items[name] = ObjectItem(self.source.range(start, self.at), key, value)

    def close(self, bracket: str, detail: str) -> None:
        if self.next() != bracket:
            raise self.refuse(detail)
        self.at += 1
