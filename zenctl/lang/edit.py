"""Edits the text of a configuration file in place: one nested block is set, and all else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from zenctl.lang.comments import hcl_comments, yaml_comments
from zenctl.lang.document import BlockData, document_of, value_of
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.source import Source
from zenctl.lang.syntax import Attribute, Block, Body, Expression, ObjectExpr, TupleExpr
from zenctl.lang.values import to_python
from zenctl.lang.write_yaml import one_line_yaml
from zenctl.lazy_dataclasses import dataclass

STEP = 2
"""Columns that each level is indented by."""


class CannotEdit(Exception):
    """The text is laid out in a way that takes a person to edit it."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Bytes from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def set_block(text: str, syntax: Literal["hcl", "yaml"], outer: Block, wanted: BlockData) -> str:
    """The text with `wanted` inside the block `outer`, which was read from it. Raises CannotEdit.

    The block of that type inside `outer` gets the wanted label and attributes: attributes that are right are not
    touched, those that are not wanted go. Without such a block one is added. `outer` has one of the type at most;
    `wanted` has one label and no blocks inside.
    """
    editor = _HclEditor(text) if syntax == "hcl" else _YamlEditor(text)
    inside = [block for block in outer.body.blocks if block.type == wanted.type]
    changes = editor.changed(inside[0], wanted) if inside else editor.added(outer, wanted)
    data = editor.text.data
    newline = "\r\n" if b"\r\n" in data else "\n"
    for change in sorted(changes, key=lambda c: c.start, reverse=True):
        data = data[: change.start] + change.text.replace("\n", newline).encode("utf-8") + data[change.end :]
    return data.decode("utf-8")


class _Text:
    """A file's bytes, and its lines."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8")

    def line_start(self, at: int) -> int:
        return self.data.rfind(b"\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """Where a line ends, before its newline."""
        found = self.data.find(b"\n", at)
        end = len(self.data) if found < 0 else found
        return end - 1 if self.data[at:end].endswith(b"\r") else end

    def margin(self, at: int) -> str:
        """The indentation of a line."""
        line = self.data[self.line_start(at) : at].decode("utf-8")
        return line[: len(line) - len(line.lstrip(" \t"))]

    def lines(self, start: int, end: int) -> _Change:
        """Take out the lines that something is on; nothing else may be on them but a comment behind it."""
        first, last = self.line_start(start), self.line_end(end)
        if self.data[first:start].strip() or self.data[end:last].strip()[:1] not in (b"", b"#", b"/"):
            raise CannotEdit
        following = self.data.find(b"\n", last) + 1
        return _Change(first, following or len(self.data), "")


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What has to happen to a body's attributes: new values, others in the place of one, removals, additions."""

    values: Sequence[tuple[Attribute, Any]]
    replaced: Sequence[tuple[Attribute, str, Any]]
    gone: Sequence[Attribute]
    new: Mapping[str, Any]


def _compare(body: Body, wanted: Mapping[str, Any]) -> _Comparison:
    values = [(found, wanted[n]) for n, found in body.attributes.items() if n in wanted and not _is(found, wanted[n])]
    gone = [found for name, found in body.attributes.items() if name not in wanted]
    new = [(name, value) for name, value in wanted.items() if name not in body.attributes]
    both = min(len(gone), len(new))
    replaced = [(found, name, value) for found, (name, value) in zip(gone, new, strict=False)]
    return _Comparison(values, replaced, gone[both:], dict(new[both:]))


def _is(attribute: Attribute, value: Any) -> bool:
    found, problems = evaluate_expression(attribute.expression, Scope({}))
    return not problems and bool(to_python(found) == value)


class _HclEditor:
    def __init__(self, text: str) -> None:
        self.text = _Text(text)
        self.comments = hcl_comments(Source(text, ""))

    def changed(self, block: Block, wanted: BlockData) -> list[_Change]:
        compared = _compare(block.body, wanted.attributes)
        changes: list[_Change] = []
        if block.labels != wanted.labels:
            place = block.label_ranges[0]
            changes.append(_Change(place.start.byte, place.end.byte, f'"{wanted.labels[0]}"'))
        for attribute, value in compared.values:
            place = attribute.expression.range
            changes.append(_Change(place.start.byte, place.end.byte, _hcl_value(value)))
        for attribute, name, value in compared.replaced:
            changes.append(_Change(attribute.range.start.byte, attribute.range.end.byte, _hcl_pair(name, value)))
        body = block.body.range
        if compared.gone and body.start.line == body.end.line:
            changes.append(_Change(body.start.byte, body.end.byte, "{}"))
        else:
            changes += [self.text.lines(a.range.start.byte, a.range.end.byte) for a in compared.gone]
        if compared.new:
            changes += self.inserted(block, [_hcl_pair(name, value) for name, value in compared.new.items()])
        return changes

    def added(self, outer: Block, wanted: BlockData) -> list[_Change]:
        return self.inserted(outer, _hcl(wanted).rstrip("\n").split("\n"), attributes=False)

    def inserted(self, block: Block, lines: list[str], *, attributes: bool = True) -> list[_Change]:
        """Put lines at the end of a block's body; one that is written on one line is opened where it has to be."""
        body = block.body.range
        opening, closing = body.start.byte, body.end.byte - 1
        margin = self.text.margin(block.range.start.byte)
        inner = f"\n{margin}{' ' * STEP}"
        if body.start.line < body.end.line:
            at = self.text.line_start(closing)
            if self.text.data[at:closing].strip():
                raise CannotEdit
            return [_Change(at, at, "".join(f"{inner[1:]}{line}\n" for line in lines))]
        if any(body.start <= comment.start < body.end for comment in self.comments):
            raise CannotEdit
        inside = self.text.data[opening + 1 : closing]
        if attributes and len(lines) == 1 and not inside.strip():
            return [_Change(opening, closing + 1, f"{{ {lines[0]} }}")]
        last = f"{''.join(inner + line for line in lines)}\n{margin}"
        if not inside.strip():
            return [_Change(opening + 1, closing, last)]
        first = opening + 1 + len(inside) - len(inside.lstrip())
        return [_Change(opening + 1, first, inner), _Change(opening + 1 + len(inside.rstrip()), closing, last)]


class _YamlEditor:
    def __init__(self, text: str) -> None:
        self.text = _Text(text)
        self.comments = yaml_comments(Source(text, ""))

    def changed(self, block: Block, wanted: BlockData) -> list[_Change]:
        compared = _compare(block.body, wanted.attributes)
        changes: list[_Change] = []
        label = block.label_ranges[0]
        if block.labels != wanted.labels:
            changes.append(_Change(label.start.byte, label.end.byte, wanted.labels[0]))
        if compared.gone and self.is_flow(block.body):
            place = block.body.range
            return [*changes, _Change(place.start.byte, place.end.byte, one_line_yaml(value_of(wanted.attributes)))]
        for attribute, value in compared.values:
            place = attribute.expression.range
            text = _yaml_pair("x", value).partition(": ")[2]
            # A value of null may be no text at all, right behind the colon.
            space = " " if self.text.data[: place.start.byte].endswith(b":") else ""
            changes.append(_Change(place.start.byte, self.end(attribute), space + text))
        for attribute, name, value in compared.replaced:
            changes.append(_Change(attribute.range.start.byte, self.end(attribute), _yaml_pair(name, value)))
        changes += [self.text.lines(a.range.start.byte, self.end(a)) for a in compared.gone]
        if compared.new:
            pairs = [_yaml_pair(name, value) for name, value in compared.new.items()]
            changes.append(self.inserted(block.body, pairs, label.end.byte))
        return changes

    def added(self, outer: Block, wanted: BlockData) -> list[_Change]:
        pair = _yaml_pair(wanted.type, {wanted.labels[0]: dict(wanted.attributes)})
        return [self.inserted(outer.body, [pair], outer.type_range.end.byte)]

    def inserted(self, body: Body, pairs: list[str], key_end: int) -> _Change:
        """Put `key: value` pairs at the end of a mapping; `key_end` is where the key ends that it belongs to."""
        data = self.text.data
        place = body.range
        if self.is_flow(body):
            closing = place.end.byte - 1
            before = data[:closing].rstrip()
            comma = "" if before.endswith((b"{", b",")) else ", "
            space = " " if before.endswith(b",") else ""
            return _Change(len(before), closing, comma + space + ", ".join(pairs))
        if not body.attributes and not body.blocks:
            at = data.index(b":", key_end) + 1
            return _Change(at, max(at, place.end.byte), f" {{{', '.join(pairs)}}}")
        last = self.text.line_end(self.body_end(body))
        margin = "\n" + " " * (place.start.column - 1)
        return _Change(last, last, "".join(margin + pair for pair in pairs))

    def is_flow(self, body: Body) -> bool:
        """Whether a mapping is written in braces; with comments in it nobody but a person edits it."""
        place = body.range
        flow = self.text.data[place.start.byte : place.start.byte + 1] == b"{"
        if flow and any(place.start <= comment.start < place.end for comment in self.comments):
            raise CannotEdit
        return flow

    def end(self, attribute: Attribute) -> int:
        return max(attribute.name_range.end.byte, self.value_end(attribute.expression))

    def value_end(self, node: Expression) -> int:
        """Where a value ends; the range of a list or mapping without brackets goes on to what follows it."""
        inner: Sequence[Expression] = ()
        if isinstance(node, TupleExpr):
            inner = node.items
        elif isinstance(node, ObjectExpr):
            inner = [item.value for item in node.items]
        start = node.range.start.byte
        if not inner or self.text.data[start : start + 1] in (b"{", b"["):
            return node.range.end.byte
        return max(self.value_end(item) for item in inner)

    def body_end(self, body: Body) -> int:
        ends = [self.end(attribute) for attribute in body.attributes.values()]
        for block in body.blocks:
            ends += [place.end.byte for place in block.label_ranges]
            start = block.body.range.start.byte
            flow = self.text.data[start : start + 1] == b"{"
            ends.append(block.body.range.end.byte if flow else self.body_end(block.body))
        return max(ends, default=body.range.end.byte)


def _hcl(block: BlockData) -> str:
    from zenctl.lang.write import write_hcl  # loads python-hcl2

    return write_hcl(document_of([block]))


def _hcl_value(value: Any) -> str:
    from zenctl.lang.write import one_line  # loads python-hcl2

    return str(one_line(value_of(value)))


def _hcl_pair(name: str, value: Any) -> str:
    return f"{name} = {_hcl_value(value)}"


def _yaml_pair(name: str, value: Any) -> str:
    """A key and its value on one line, good in braces as well."""
    return one_line_yaml(value_of({name: value})).removeprefix("{").removesuffix("}")
