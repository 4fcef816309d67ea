"""Writes YAML: makes PyYAML's nodes of a Document, lets PyYAML write them, and puts comments and empty lines between.

Blocks nest as `type: {label: {name: body}}`; strings are templates, and expressions are `"${...}"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence as AbstractSequence
from dataclasses import field
from typing import Any, Union

import yaml

from zenctl.lang.document import (
    NO_REMARKS,
    Code,
    Document,
    Field,
    Lines,
    Mapping,
    Plain,
    Remarks,
    Section,
    Sequence,
    TypeName,
    Value,
)
from zenctl.lang.notation import interpolation
from zenctl.lang.quoting import literal_template
from zenctl.lazy_dataclasses import dataclass

WIDTH = 100
"""A list or object is kept on one line up to here."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()

_PLAIN_TEXT = re.compile(r"(?:\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")
"""Texts that look like nothing else, whatever the YAML version, and need no quotes in lists either."""

_MISREAD = re.compile(r"y|n|yes|no|on|off|true|false|null|[.](?:inf|nan)", re.IGNORECASE)
"""Texts that readers of YAML 1.1 or 1.2 take for something else."""

_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffe]")
"""What stands in YAML only escaped."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with the items of a list indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's
        super().increase_indent(flow, False)


@dataclass(slots=True)
class _Notes:
    """What goes between the lines, by the identity of nodes: comments, and which keys an empty line precedes."""

    remarks: dict[int, Remarks] = field(default_factory=dict)
    below: dict[int, Lines] = field(default_factory=dict)
    apart: set[int] = field(default_factory=set)


def write_yaml(document: Document) -> str:
    """The text of a document. Raises ValueError if an attribute has the name of a block beside it."""
    notes = _Notes()
    root = _Maker(notes).content(document.content.items, top=True)
    lines = _Annotator(notes).lines(root) if root.value else []
    head = [_comment(line) for line in document.header]
    below = [_comment(line) for line in document.content.below]
    parts = ["\n".join(part).strip("\n") for part in (head, lines, below)]
    return "\n\n".join(part for part in parts if part) + "\n"


def one_line_yaml(value: Value) -> str:
    """A value as it can stand in braces."""
    node = _Maker(_Notes()).value(value)
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = True
    return _serialized(node).removesuffix("...\n").rstrip("\n")


def _serialized(root: yaml.Node) -> str:
    text: str = yaml.serialize(root, Dumper=_Dumper, allow_unicode=True, width=1 << 30)
    return text


class _Maker:
    """Makes nodes, and notes what belongs between their lines."""

    def __init__(self, notes: _Notes) -> None:
        self.notes = notes

    def content(self, items: AbstractSequence[Union[Field, Section]], *, top: bool) -> yaml.MappingNode:
        """A body: attributes, and blocks below the keys of their type and labels, each key once."""
        tree: dict[str, Any] = {}
        attributes = {item.name for item in items if isinstance(item, Field)}
        for item in items:
            if isinstance(item, Section) and item.type in attributes:
                raise ValueError(f'"{item.type}" is an attribute and a block')
            level, path = tree, (item.name,) if isinstance(item, Field) else (item.type, *item.labels)
            for name in path[:-1]:
                level = level.setdefault(name, {})
            level.setdefault(path[-1], []).append(item)
        return self.group(tree, apart=top, first=top)

    def group(self, tree: dict[str, Any], *, apart: bool, first: bool) -> yaml.MappingNode:
        """Keys with what stands below each. With `apart` empty lines go between them."""
        node = _mapping(flow=not tree)
        for name, entry in tree.items():
            key = _key(name)
            if apart and (node.value or first):
                self.notes.apart.add(id(key))
            if isinstance(entry, dict):
                if node.value and _stands_apart(entry):
                    self.notes.apart.add(id(key))
                value: yaml.Node = self.group(entry, apart=apart, first=False)
            elif len(entry) == 1:
                value = self.item(entry[0])
                self.notes.remarks[id(key)] = entry[0].remarks
            else:
                value = yaml.SequenceNode(_tag("seq"), [self.item(item) for item in entry], flow_style=False)
                self.notes.remarks |= {id(n): item.remarks for n, item in zip(value.value, entry, strict=True)}
            node.value.append((key, value))
        return node

    def item(self, item: Field | Section) -> yaml.Node:
        if isinstance(item, Field):
            return self.value(item.value)
        node = self.content(item.content.items, top=False)
        self.notes.below[id(node)] = item.content.below
        return node

    def value(self, value: Value) -> yaml.Node:
        if isinstance(value, Plain):
            return _plain(value.text)
        if isinstance(value, Code):
            return _scalar(interpolation(value.source))
        if isinstance(value, TypeName):
            return _scalar(value.source)
        if isinstance(value, Sequence):
            items = [self.value(element.value) for element in value.items]
            node: yaml.CollectionNode = yaml.SequenceNode(_tag("seq"), items)
            self.notes.remarks |= {id(n): item.remarks for n, item in zip(items, value.items, strict=True)}
        elif isinstance(value, Mapping):
            # Keys inside values are templates.
            names = [item.name if item.computed else literal_template(item.name) for item in value.items]
            pairs = [(_key(n), self.value(item.value)) for n, item in zip(names, value.items, strict=True)]
            node = yaml.MappingNode(_tag("map"), pairs)
            self.notes.remarks |= {id(k): item.remarks for (k, _), item in zip(pairs, value.items, strict=True)}
        else:
            return _scalar(value.template)
        self.notes.below[id(node)] = value.below
        node.flow_style = not value.items or not (value.open or value.below)
        if node.flow_style and value.items:
            node.flow_style = len(_serialized(node)) <= WIDTH
        return node


class _Annotator:
    """Puts comments and empty lines into what PyYAML has written."""

    def __init__(self, notes: _Notes) -> None:
        self.notes = notes
        self.rows: list[str] = []
        self.above: dict[int, list[str]] = {}
        self.beside: dict[int, str] = {}
        self.after: dict[int, list[str]] = {}

    def lines(self, root: yaml.MappingNode) -> list[str]:
        """The lines of a document, annotated."""
        text = _serialized(root)
        self.rows = text.rstrip("\n").split("\n")
        again = yaml.compose(text, Loader=_LOADER)
        assert again is not None
        self.walk(root, again)
        result: list[str] = []
        for row, line in enumerate(self.rows):
            result += [*self.above.get(row, []), line + self.beside.get(row, ""), *self.after.get(row, [])]
        return result

    def walk(self, made: yaml.Node, read: yaml.Node) -> int:
        """Note what belongs to the parts of a node, as made and as read back; gives the row of its last line."""
        last = int(read.end_mark.line) - (read.end_mark.column == 0 and read.end_mark.line > read.start_mark.line)
        indent = int(read.start_mark.column)
        if not isinstance(made, yaml.CollectionNode) or made.flow_style:
            indent = self.indent(last) + 2
        else:
            parts = zip(made.value, read.value, strict=True)
            first = True
            for (owner, value), (start, end) in parts if isinstance(made, yaml.MappingNode) else _doubled(parts):
                last = self.walk(value, end)
                self.annotate(owner, start.start_mark.line, last, first=first)
                first = False
        below = self.notes.below.get(id(made), ())
        self.after.setdefault(last, []).extend(_comment(line, indent) for line in below)
        return last

    def annotate(self, owner: yaml.Node, row: int, last: int, *, first: bool) -> None:
        """Note the comments of a key or item that stands on rows `row` to `last`."""
        remarks = self.notes.remarks.get(id(owner), NO_REMARKS)
        apart = id(owner) in self.notes.apart
        above = remarks.above[1:] if (first or apart) and remarks.above[:1] == (None,) else remarks.above
        # As far in as the line is: further in, the comment would be part of a text above it.
        indent = self.indent(row)
        lines = [""] if apart else []
        lines += [_comment(line, indent) for line in above]
        if remarks.beside and last == row and row not in self.beside:
            self.beside[row] = f"  {_comment(remarks.beside)}"
        elif remarks.beside:
            lines.append(_comment(remarks.beside, indent))
        # The first key of a list's item stands on the line of the item, whose comments come first.
        self.above[row] = [*lines, *self.above.get(row, [])]

    def indent(self, row: int) -> int:
        return len(self.rows[row]) - len(self.rows[row].lstrip(" "))


def _stands_apart(entry: Any) -> bool:
    """Whether an empty line precedes the first block below a key."""
    while isinstance(entry, dict):
        entry = next(iter(entry.values()))
    return bool(entry[0].remarks.above[:1] == (None,))


def _doubled(parts: Iterator[tuple[Any, Any]]) -> Iterator[tuple[tuple[Any, Any], tuple[Any, Any]]]:
    """The items of a list as if they were keys as well."""
    for made, read in parts:
        yield (made, made), (read, read)


def _comment(text: str | None, indent: int = 0) -> str:
    return "" if text is None else f"{' ' * indent}# {_UNPRINTABLE.sub('?', text)}".rstrip()


def _mapping(*, flow: bool) -> yaml.MappingNode:
    return yaml.MappingNode(_tag("map"), [], flow_style=flow)


def _plain(text: str) -> yaml.ScalarNode:
    """A scalar that is no text: its tag is what PyYAML sees in it, so that none is written."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return yaml.ScalarNode(tag, text)


def _key(name: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(_tag("str"), name, style=None if _is_plain(name) else _quotes(name))


def _quotes(text: str) -> str:
    """The quotes in which a text needs the fewest escapes."""
    escaped = '"' in text or "\\" in text
    return "'" if escaped and "'" not in text and not _UNPRINTABLE.search(text) else '"'


def _is_plain(text: str) -> bool:
    """Whether a text needs no quotes anywhere."""
    return bool(_PLAIN_TEXT.fullmatch(text)) and not _MISREAD.fullmatch(text)


def _scalar(template: str) -> yaml.ScalarNode:
    """A text in the style that needs the fewest escapes."""
    lines = template.replace("\n", "")
    if _is_plain(template):
        style = None
    elif lines != template and lines.strip() and not template.endswith("\n\n") and not _UNPRINTABLE.search(lines):
        # More than one newline at the end would have to be kept apart from the empty lines that follow.
        style = "|"
    else:
        style = _quotes(template)
    return yaml.ScalarNode(_tag("str"), template, style=style)


def _tag(name: str) -> str:
    return f"tag:yaml.org,2002:{name}"
