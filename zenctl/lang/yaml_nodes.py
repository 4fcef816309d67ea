"""Composes a YAML document from PyYAML's events into nodes that know their exact place, and bounds what it may hold."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any, Union

import yaml

from zenctl.diagnostics import Diagnostic, SourceRange, did_you_mean, error
from zenctl.lang.cursor import MAX_DEPTH, MAX_PROBLEMS
from zenctl.lang.source import Source
from zenctl.lazy_dataclasses import dataclass

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")
_TAG = re.compile(r"(?:&\S+\s+)?(!\S*)")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text as it is meant. `style` is `|`, `>`, a quote, or empty for a plain one; `start` leaves out its anchor."""

    start: int
    end: int
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    start: int
    end: int
    items: list[Node]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file. `ends` says for each pair where its value, or an alias for it, ends."""

    start: int
    end: int
    pairs: list[tuple[Node, Node]]
    ends: list[int]


Node = Union[Scalar, Sequence, Mapping]


class Refused(Exception):
    """The document cannot be read further; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.summary)
        self.diagnostic = diagnostic


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end is not read yet; `parts` are its items, or keys and values in turn."""

    start: int
    anchor: str | None
    mapping: bool
    parts: list[Node] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    height: int = 0


class Composer:
    """Reads one document. Problems that let it go on are in `diagnostics`."""

    def __init__(self, text: str, filename: str) -> None:
        self.source = Source(text, filename)
        self.text = self.source.text
        self.diagnostics: list[Diagnostic] = [self.source.problem] if self.source.problem else []
        self._anchors: dict[str, tuple[Node, int]] = {}
        """The nodes that aliases can stand for, and how many levels are in each."""
        self._open: list[_Open] = []
        self._root: Node | None = None

    def report(self, code: str, summary: str, detail: str, range: SourceRange) -> None:
        """Record an error and go on, unless there are too many."""
        self.add(error(code, summary, detail, range=range))

    def add(self, problem: Diagnostic) -> None:
        """Record a problem and go on, unless there are too many."""
        if len(self.diagnostics) >= MAX_PROBLEMS - 1:
            raise Refused(problem)
        self.diagnostics.append(problem)

    def refuse(self, code: str, summary: str, detail: str, start: int, end: int) -> Refused:
        """The exception that gives up the document."""
        return Refused(error(code, summary, detail, range=self.source.range(start, end)))

    def compose(self) -> Node | None:
        """The document's root, None if it is empty. Raises Refused."""
        for character in ("\0", "\ufeff"):
            at = self.text.find(character)
            if at >= 0:
                detail = "This character cannot stand in YAML."
                raise self.refuse("invalid_character", "Invalid character", detail, at, at + 1)
        loader = _LOADER(self.text)
        try:
            while loader.check_event():
                self._take(loader.get_event())
        except yaml.YAMLError as problem:
            raise Refused(self._syntax_error(problem)) from None
        finally:
            loader.dispose()
        return self._root

    def _take(self, event: Any) -> None:
        start, end = self._offset(event.start_mark), self._offset(event.end_mark)
        if getattr(event, "tag", None) is not None:
            self._tag(start, end)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, start, end)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), start, end)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._check_depth(1, start, max(end, start + 1))
            self._open.append(_Open(start, event.anchor, isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._close(start, end)
        elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
            detail = "A file holds one document. Put what follows this line into a file of its own."
            raise self.refuse("invalid_yaml", "Several documents in one file", detail, start, end)

    def _check_depth(self, more: int, start: int, end: int) -> None:
        if len(self._open) + more > MAX_DEPTH:
            detail = f"Lists and mappings can nest {MAX_DEPTH} levels deep, aliases counted as what they stand for."
            raise self.refuse("nested_too_deeply", "Nested too deeply", detail, start, end)

    def _scalar(self, event: Any, start: int, end: int) -> None:
        if event.anchor is not None or event.tag is not None:
            properties = _PROPERTIES.match(self.text, start, end)
            start = properties.end() if properties else end
        while end > start and self.text[end - 1] in " \n\r\t":
            end -= 1
        self._add(Scalar(start, end, event.value, event.style or ""), end, event.anchor, 0)

    def _alias(self, name: str, start: int, end: int) -> None:
        if any(entry.anchor == name for entry in self._open):
            detail = "This alias stands for something that contains the alias itself."
            raise self.refuse("recursive_alias", "Recursive alias", detail, start, end)
        node, height = self._anchors.get(name, (Scalar(start, end, "", ""), 0))
        if name not in self._anchors:
            detail = f'There is no anchor "&{name}" before it.{did_you_mean(name, self._anchors)}'
            self.report("invalid_yaml", "Unknown alias", detail, self.source.range(start, end))
        self._check_depth(height, start, end)
        self._add(node, end, None, height)

    def _close(self, start: int, end: int) -> None:
        entry = self._open.pop()
        if start == end:  # a block's end is told where the next token begins; it ends with what is in it
            end = entry.ends[-1] if entry.ends else entry.start
        if entry.mapping:
            pairs = list(zip(entry.parts[::2], entry.parts[1::2], strict=True))
            self._add(Mapping(entry.start, end, pairs, entry.ends[1::2]), end, entry.anchor, entry.height + 1)
        else:
            self._add(Sequence(entry.start, end, entry.parts), end, entry.anchor, entry.height + 1)

    def _add(self, node: Node, end: int, anchor: str | None, height: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = node, height
        if self._open:
            self._open[-1].parts.append(node)
            self._open[-1].ends.append(end)
            self._open[-1].height = max(self._open[-1].height, height)
        else:
            self._root = node

    def _tag(self, start: int, end: int) -> None:
        found = _TAG.match(self.text, start, max(end, self.text.find("\n", start)))
        place = self.source.range(*found.span(1)) if found else self.source.range(start, end)
        detail = "Tags such as !!str are not used: quote what is a text, and leave the rest unquoted."
        self.report("invalid_tag", "Tags are not supported", detail, place)

    def _offset(self, mark: Any) -> int:
        return min(int(mark.index), len(self.text))

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
        began = getattr(problem, "context_mark", None)
        if began is not None and began.line < mark.line:
            # What is not closed is noticed only far below; its beginning is where to look.
            if "unexpected end of stream" in what or offset >= len(self.text.rstrip()):
                detail += " It begins here and never ends."
                offset = self._offset(began)
            else:
                detail += f" It begins on line {began.line + 1}."
        line = self.text[self.text.rfind("\n", 0, offset) + 1 :].split("\n", 1)[0]
        before = self.text[:offset].rstrip().rsplit("\n", 1)[-1]
        if "${" in line or "%{" in line or "${" in before or "%{" in before:
            detail += ' A text with ${...} in which ": ", " #", quotes or brackets stand must be in quotes: \'${...}\'.'
        if "\t" in line[: len(line) - len(line.lstrip())]:
            detail += " YAML is indented with spaces, not with tabs."
        end = offset + 1 if self.text[offset : offset + 1].strip() else offset
        return error("invalid_yaml", "Invalid YAML", detail, range=self.source.range(offset, end))
