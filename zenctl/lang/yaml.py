"""Reads YAML 1.2 into the syntax tree of HCL: every string is a template whose errors point at their exact place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import yaml

from zenctl.diagnostics import Diagnostic, Position, SourceRange, error
from zenctl.lang.cursor import MAX_DEPTH
from zenctl.lang.numbers import parse_number
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

MAX_NODES = 200_000
"""How many nodes a document may have, each alias counted as what it stands for."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_NO_MEANING = frozenset((".inf", ".Inf", ".INF", "-.inf", "-.Inf", "-.INF", "+.inf", ".nan", ".NaN", ".NAN"))


class _Refused(Exception):
    """The document cannot be read further; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.summary)
        self.diagnostic = diagnostic


def parse_yaml(text: str, filename: str, shape: BlockShape) -> tuple[Body, list[Diagnostic]]:
    """A file's body. `shape.blocks` are the keys that are blocks; every other key is an attribute."""
    reader = _Reader(text, filename)
    try:
        root = reader.compose()
        if root is None:
            return Body(reader.source.range(0, 0), {}), reader.diagnostics
        return reader.body(root, shape), reader.diagnostics
    except _Refused as refused:
        return Body(reader.source.range(0, 0), {}), [*reader.diagnostics, refused.diagnostic]


def parse_yaml_value(text: str, filename: str, *, templates: bool = True) -> tuple[Expression | None, list[Diagnostic]]:
    """A whole document as one expression; None with errors. Without `templates`, strings are only text."""
    reader = _Reader(text, filename, templates)
    try:
        root = reader.compose()
        result = Literal(reader.source.range(0, 0), None) if root is None else reader.value(root)
    except _Refused as refused:
        return None, [*reader.diagnostics, refused.diagnostic]
    return (None if reader.diagnostics else result), reader.diagnostics


class _Reader:
    def __init__(self, text: str, filename: str, templates: bool = True) -> None:
        self.source = Source(text, filename)
        self.text = self.source.text
        self.templates = templates
        self.diagnostics: list[Diagnostic] = [self.source.problem] if self.source.problem else []
        self.nodes = 0
        self.open: set[int] = set()

    def refuse(self, code: str, summary: str, detail: str, range: SourceRange | None) -> _Refused:
        return _Refused(error(code, summary, detail, range=range))

    def report(self, code: str, summary: str, detail: str, range: SourceRange) -> None:
        self.diagnostics.append(error(code, summary, detail, range=range))

    def compose(self) -> Any:
        """The document's root node, or None if it is empty."""
        if "\0" in self.text or "\ufeff" in self.text:
            at = min(i for i in (self.text.find("\0"), self.text.find("\ufeff")) if i >= 0)
            raise self.refuse(
                "invalid_character",
                "Invalid character",
                "This character cannot stand in YAML.",
                self.source.range(at, at + 1),
            )
        try:
            self._guard()
            loader = _LOADER(self.text)
            try:
                return loader.get_single_node()
            finally:
                loader.dispose()
        except yaml.YAMLError as problem:
            raise _Refused(self._syntax_error(problem)) from None

    def _guard(self) -> None:
        """Look at the flat events first: composing deep nesting would overflow the C stack."""
        depth = 0
        loader = _LOADER(self.text)
        try:
            while loader.check_event():
                event = loader.get_event()
                if getattr(event, "tag", None) is not None:
                    detail = "Tags such as !!str are not used: quote what is a text, and leave the rest unquoted."
                    self.report(
                        "invalid_tag",
                        "Tags are not supported",
                        detail,
                        self._mark_range(event.start_mark, event.end_mark),
                    )
                if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                    depth += 1
                    if depth > MAX_DEPTH:
                        detail = f"Lists and mappings can nest {MAX_DEPTH} levels deep."
                        place = self._mark_range(event.start_mark, event.start_mark)
                        raise self.refuse("nested_too_deeply", "Nested too deeply", detail, place)
                elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                    depth -= 1
        finally:
            loader.dispose()

    def _syntax_error(self, problem: yaml.YAMLError) -> Diagnostic:
        mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        what = getattr(problem, "problem", None) or str(problem).split("\n")[0]
        context = getattr(problem, "context", None)
        detail = f"{context}: {what}." if context else f"{what}."
        detail = detail[:1].upper() + detail[1:]
        if mark is None:
            at = getattr(problem, "position", None)
            place = self.source.range(at, at + 1) if isinstance(at, int) and at < len(self.text) else None
            return error("invalid_yaml", "Invalid YAML", detail, range=place)
        offset = self._offset(mark)
        line = self.text[self.text.rfind("\n", 0, offset) + 1 :].split("\n", 1)[0]
        before = self.text[:offset].rstrip().rsplit("\n", 1)[-1]
        if "${" in line or "%{" in line or "${" in before or "%{" in before:
            detail += ' A text with ${...} in which ": ", " #", quotes or brackets stand must be in quotes: \'${...}\'.'
        if "\t" in line[: len(line) - len(line.lstrip())]:
            detail += " YAML is indented with spaces, not with tabs."
        return error("invalid_yaml", "Invalid YAML", detail, range=self.source.range(offset, offset))

    def _offset(self, mark: Any) -> int:
        return min(int(mark.index), len(self.text))

    def _mark_range(self, start: Any, end: Any) -> SourceRange:
        return self.source.range(self._offset(start), max(self._offset(start), self._offset(end)))

    def range(self, node: Any) -> SourceRange:
        """Where a node stands. A block's end is the next token's start, so blanks before it are left out."""
        start, end = self._offset(node.start_mark), self._offset(node.end_mark)
        while end > start and self.text[end - 1] in " \n\r\t":
            end -= 1
        return self.source.range(start, end)

    def enter(self, node: Any) -> None:
        """Count a node; refuse aliases that contain themselves, and documents that grow too large by them."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            detail = f"The document has more than {MAX_NODES} nodes, each alias counted as what it stands for."
            raise self.refuse("too_many_nodes", "Document too large", detail, self.range(node))
        if id(node) in self.open:
            detail = "This alias stands for something that contains the alias itself."
            raise self.refuse("recursive_alias", "Recursive alias", detail, self.range(node))

    def pairs(self, node: Any) -> list[tuple[str, SourceRange, Any]]:
        """A mapping's keys, with their places and values; doubles and keys that are no text are reported."""
        found: dict[str, SourceRange] = {}
        result: list[tuple[str, SourceRange, Any]] = []
        for key, value in node.value:
            place = self.range(key)
            if not isinstance(key, yaml.ScalarNode):
                self.report("invalid_key", "Invalid key", "A key must be a text.", place)
                continue
            name = key.value
            if name == "<<" and not key.style:
                detail = "Merge keys (<<) are not part of YAML 1.2. Write merge(...) in a template, or repeat the keys."
                self.report("invalid_key", "Merge keys are not supported", detail, place)
            elif name in found:
                detail = f'"{name}" is set on line {found[name].start.line} already. Remove one of the two.'
                self.report("duplicate_attribute", "Key set twice", detail, place)
            else:
                found[name] = place
                result.append((name, place, value))
        return result

    def body(self, node: Any, shape: BlockShape) -> Body:
        """A mapping as a body: blocks where the shape says so, attributes elsewhere."""
        place = self.range(node)
        if self.is_null(node):
            return Body(place, {})
        if not isinstance(node, yaml.MappingNode):
            detail = "A mapping (name: value) must stand here."
            self.report("invalid_block", "Mapping expected", detail, place)
            return Body(place, {})
        self.enter(node)
        self.open.add(id(node))
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for name, key_range, value in self.pairs(node):
            if name in shape.blocks:
                blocks += self.blocks(name, key_range, value, shape.blocks[name], (), ())
                continue
            span = SourceRange(key_range.filename, key_range.start, max(key_range.end, self.range(value).end))
            attributes[name] = Attribute(span, name, key_range, self.value(value))
        self.open.discard(id(node))
        return Body(place, attributes, tuple(blocks))

    def blocks(
        self,
        type: str,
        type_range: SourceRange,
        node: Any,
        shape: BlockShape,
        labels: tuple[str, ...],
        label_ranges: tuple[SourceRange, ...],
    ) -> list[Block]:
        """All blocks below a key: a mapping for each label, then the body, or a list of bodies."""
        if isinstance(node, yaml.SequenceNode):
            self.enter(node)
            self.open.add(id(node))
            found = [b for item in node.value for b in self.blocks(type, type_range, item, shape, labels, label_ranges)]
            self.open.discard(id(node))
            return found
        if len(labels) == shape.labels:
            end = label_ranges[-1].end if label_ranges else type_range.end
            header = SourceRange(type_range.filename, type_range.start, max(type_range.end, end))
            body = self.body(node, shape)
            span = SourceRange(type_range.filename, type_range.start, max(header.end, body.range.end))
            return [Block(span, type, labels, label_ranges, type_range, header, body)]
        if not isinstance(node, yaml.MappingNode):
            if not self.is_null(node):
                missing = shape.labels - len(labels)
                levels = "one more level" if missing == 1 else f"{missing} more levels"
                detail = f"There must be {levels} of names between {type} and its content."
                self.report("invalid_block", "Mapping expected", detail, self.range(node))
            return []
        self.enter(node)
        self.open.add(id(node))
        found = []
        for name, key_range, value in self.pairs(node):
            found += self.blocks(type, type_range, value, shape, (*labels, name), (*label_ranges, key_range))
        self.open.discard(id(node))
        return found

    def is_null(self, node: Any) -> bool:
        """Whether nothing, or null, stands there."""
        return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULLS

    def value(self, node: Any) -> Expression:
        """A node as an expression."""
        self.enter(node)
        place = self.range(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, place)
        self.open.add(id(node))
        result: Expression
        if isinstance(node, yaml.SequenceNode):
            result = TupleExpr(place, tuple(self.value(item) for item in node.value))
        else:
            items: list[ObjectItem] = []
            for name, key_range, item in self.pairs(node):
                value = self.value(item)
                span = SourceRange(key_range.filename, key_range.start, max(key_range.end, value.range.end))
                items.append(ObjectItem(span, Literal(key_range, name), value))
            result = ObjectExpr(place, tuple(items))
        self.open.discard(id(node))
        return result

    def scalar(self, node: Any, place: SourceRange) -> Expression:
        """A scalar by the core schema of YAML 1.2; a text is a template."""
        text: str = node.value
        if not node.style:
            known, value = self.plain(text, place)
            if known:
                return Literal(place, value)
        if not self.templates or ("${" not in text and "%{" not in text):
            return Literal(place, text)
        source = Source(text, self.source.filename, locate=self.locator(node, place))
        expression, found = parse_template_source(source)
        self.diagnostics += found
        return expression if expression is not None else Literal(place, text)

    def plain(self, text: str, place: SourceRange) -> tuple[bool, Any]:
        """Whether an unquoted scalar is something else than a text, and what."""
        if text in _NULLS:
            return True, None
        if text in _BOOLS:
            return True, _BOOLS[text]
        if text in _NO_MEANING:
            self.report("invalid_number", "Invalid number", "Numbers are finite. Quote it if it is a text.", place)
            return True, None
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
            self.report("invalid_number", "Invalid number", "It is too large. Quote it if it is a text.", place)
            return True, None
        return True, number.copy_negate() if negative else number

    def locator(self, node: Any, place: SourceRange) -> Callable[[int], Position] | None:
        """The way from an offset in a scalar's text to its place in the file; None falls back to the scalar's start.

        Exact where the text stands in the file as it is: plain on one line, quoted without escapes, literal blocks.
        """
        start, end = self._offset(node.start_mark), self._offset(node.end_mark)
        written = self.text[start:end]
        text = node.value
        if not node.style and written.startswith(text):
            return lambda offset: self.source.position(start + offset)
        if node.style in ("'", '"') and written[1 : 1 + len(text)] == text and len(written) == len(text) + 2:
            return lambda offset: self.source.position(start + 1 + offset)
        if node.style == "|":
            starts = self.literal_lines(start, text)
            if starts is not None:
                return lambda offset: self.in_literal(starts, offset)
        return lambda _: place.start

    def literal_lines(self, start: int, text: str) -> list[tuple[int, int]] | None:
        """For each line of a literal block: its offset in the text and in the file. None if they cannot be matched."""
        lines = text.split("\n")
        at = self.text.find("\n", start) + 1
        first = next((line for line in lines if line), None)
        if at == 0 or first is None:
            return None
        indent: int | None = None
        result: list[tuple[int, int]] = []
        offset = 0
        for number, line in enumerate(lines):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            row = self.text[at:end].removesuffix("\r")
            if line and indent is None:
                indent = len(row) - len(line)
            if line and (indent is None or indent < 0 or row[indent:] != line):
                return None
            result.append((offset, at + (min(indent, len(row)) if indent is not None else 0)))
            offset += len(line) + 1
            if end == len(self.text) and number < len(lines) - 1 and any(lines[number + 1 :]):
                return None
            at = min(end + 1, len(self.text))
        return result

    def in_literal(self, starts: list[tuple[int, int]], offset: int) -> Position:
        """The place of an offset of a literal block's text."""
        own, file = starts[bisect_right(starts, offset, key=lambda pair: pair[0]) - 1]
        return self.source.position(min(file + offset - own, len(self.text)))
