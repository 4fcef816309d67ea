"""Makes a Document of a file: its syntax tree, together with the texts and comments that the tree leaves out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as AbstractMapping
from dataclasses import replace
from decimal import Decimal
from typing import Generic, TypeVar, Union

from zenctl.diagnostics import Position, SourceRange
from zenctl.lang.comments import CommentQueue, hcl_comments, spaced, yaml_comments
from zenctl.lang.document import (
    Code,
    Content,
    Document,
    Element,
    Field,
    Lines,
    Mapping,
    Plain,
    Remarks,
    Section,
    Sequence,
    Text,
    TypeName,
    Value,
    number_spelling,
)
from zenctl.lang.notation import bare_template, dedented, interpolation, lone_expression
from zenctl.lang.numbers import number_text
from zenctl.lang.parser import parse_expression
from zenctl.lang.quoting import literal_template
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
    Parentheses,
    Template,
    TemplateWrap,
    TupleExpr,
    Unary,
)
from zenctl.lazy_dataclasses import dataclass

_COMMON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
"""Numbers that HCL, YAML 1.1 and YAML 1.2 read alike; they are kept as they are written."""

Scalars = AbstractMapping[SourceRange, str]
"""The texts of a YAML file's templates, by the range of their expression."""


def document_of_hcl(body: Body, text: str, filename: str, shape: BlockShape) -> Document:
    """The document of an HCL file without errors. `shape` says which attributes hold types."""
    source = Source(text, filename)
    return _Reader(text, CommentQueue(hcl_comments(source)), None).document(body, shape)


def document_of_yaml(body: Body, scalars: Scalars, text: str, filename: str, shape: BlockShape) -> Document:
    """The same of a YAML file; `scalars` is what `parse_yaml` filled in."""
    source = Source(text, filename)
    return _Reader(text, CommentQueue(yaml_comments(source)), scalars).document(body, shape)


Item = TypeVar("Item", bound=Union[Field, Section, Element])


@dataclass(frozen=True, slots=True)
class _Child(Generic[Item]):
    """Something that stands in a container: where it begins, and what makes an item of it and says where it ends.

    `make` is given the place where whatever follows begins, at the latest. `keys` are keys of YAML above it that it may
    share with others.
    """

    start: Position
    make: Callable[[Position], tuple[Item, Position]]
    keys: tuple[Position, ...] = ()


class _Reader:
    def __init__(self, text: str, comments: CommentQueue, scalars: Scalars | None) -> None:
        self.data = text.encode("utf-8", "surrogatepass")
        self.comments = comments
        self.scalars = scalars
        self.end = Position(text.count("\n") + 2, 1, len(self.data) + 1)

    def document(self, body: Body, shape: BlockShape) -> Document:
        items, below, _ = self.items(self.body(body, shape), Position(0, 1, 0), self.end, 0)
        content = Content(items, below)
        if not items:
            return Document(content)
        above = items[0].remarks.above
        cut = max((n for n, line in enumerate(above) if line is None), default=-1)
        first = replace(items[0], remarks=replace(items[0].remarks, above=above[cut + 1 :]))
        return Document(Content((first, *items[1:]), below), above[: max(cut, 0)])

    def items(
        self, children: list[_Child[Item]], start: Position, limit: Position, column: int
    ) -> tuple[tuple[Item, ...], Lines, Position]:
        """Children with the comments that belong to them, the comments after the last, and where the last ends.

        `limit` is where the container ends or, in YAML, what follows begins; `column` is how far in its comments are.
        """
        children.sort(key=lambda child: child.start.byte)
        found: list[Item] = []
        at: Position = start
        line = 0
        for number, child in enumerate(children):
            following: Position = limit
            begin = child.start
            keys = (*child.keys, begin)
            for after in children[number + 1 : number + 2]:
                following = min([key for key in after.keys if key > begin], default=after.start)
            comments = self.comments.between(at, begin)
            last = comments[-1].end if comments else at
            head = min(key for key in keys if key >= last or key == begin)
            above = spaced(comments, line, head.line)
            item, end = child.make(following)
            beside = self.comments.beside(end, following)
            # What stands within the item and belongs to no part of it goes above it.
            within = [text for comment in self.comments.between(begin, end) for text in comment.lines]
            found.append(replace(item, remarks=Remarks((*above, *within), beside)))
            at, line = end, end.line
        below = self.comments.indented(at, limit, column) if column else self.comments.between(at, limit)
        return tuple(found), spaced(below, line, 0), at

    def body(self, body: Body, shape: BlockShape) -> list[_Child[Union[Field, Section]]]:
        """The attributes and blocks of a body."""
        heads = Counter((block.type, block.labels) for block in body.blocks)
        children: list[_Child[Union[Field, Section]]] = []
        for attribute in body.attributes.values():
            children.append(self.attribute(attribute, attribute.name in shape.types))
        for block in body.blocks:
            inner = shape.blocks.get(block.type, BlockShape())
            if self.scalars is None:
                children.append(self.block(block, inner, block.range.start, ()))
                continue
            # In YAML blocks share the keys of their type and labels, and those of a list share all of them.
            keys = tuple(place.start for place in (block.type_range, *block.label_ranges))
            listed = heads[(block.type, block.labels)] > 1
            children.append(self.block(block, inner, block.body.range.start if listed else keys[-1], keys))
        return children

    def block(
        self, block: Block, shape: BlockShape, start: Position, keys: tuple[Position, ...]
    ) -> _Child[Union[Field, Section]]:
        def make(limit: Position) -> tuple[Section, Position]:
            children = self.body(block.body, shape)
            end = block.range.end
            if self.scalars is None:
                items, below, _ = self.items(children, block.header_range.end, end, 0)
            else:
                head = max(start, block.header_range.end)
                items, below, end = self.inside(children, block.body.range, head, limit)
            return Section(block.type, block.labels, Content(items, below)), end

        return _Child(start, make, keys)

    def inside(
        self, children: list[_Child[Item]], place: SourceRange, start: Position, limit: Position
    ) -> tuple[tuple[Item, ...], Lines, Position]:
        """The items of a mapping or list of YAML that stands at `place` and begins after `start`."""
        if self.written(place)[:1] in ("{", "["):
            items, below, _ = self.items(children, start, place.end, 0)
            return items, below, place.end
        return self.items(children, start, limit if children else start, place.start.column)

    def attribute(self, attribute: Attribute, is_type: bool) -> _Child[Union[Field, Section]]:
        def make(limit: Position) -> tuple[Field, Position]:
            value, end = self.value(attribute.expression, attribute.name_range.end, limit)
            typed = self.type(attribute.expression, value) if is_type else value
            return Field(attribute.name, typed), end

        return _Child(attribute.range.start, make)

    # Values

    def value(self, node: Expression, at: Position, limit: Position) -> tuple[Value, Position]:
        """An expression that stands after `at`, or is an alias of YAML to one that stands elsewhere; and its end."""
        place = node.range
        end = max(at, place.end)
        if isinstance(node, TupleExpr):
            elements, below, last = self.collection(self.elements(node, at), place, at, limit)
            return Sequence(elements, self.is_open(place, at, last, elements, below), below), max(at, last)
        if isinstance(node, ObjectExpr):
            fields = self.fields(node)
            if fields is not None:
                found, below, last = self.collection(fields, place, at, limit)
                return Mapping(found, self.is_open(place, at, last, found, below), below), max(at, last)
        if isinstance(node, Literal) and not isinstance(node.value, str):
            return self.plain(node.value, place), end
        if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Literal):
            number = node.operand.value
            if isinstance(number, Decimal):
                return self.plain(number.copy_negate(), place), end
        return (self.hcl_text(node) if self.scalars is None else self.yaml_text(node, self.scalars)), end

    def collection(
        self, children: list[_Child[Item]], place: SourceRange, at: Position, limit: Position
    ) -> tuple[tuple[Item, ...], Lines, Position]:
        if self.scalars is None:
            items, below, _ = self.items(children, place.start, place.end, 0)
            return items, below, place.end
        return self.inside(children, place, at, limit)

    def is_open(self, place: SourceRange, at: Position, end: Position, items: tuple[Item, ...], below: Lines) -> bool:
        remarked = bool(below) or any(item.remarks.beside or any(item.remarks.above) for item in items)
        # In YAML a single item may stand on a line of its own, below its name.
        return remarked or end.line > place.start.line or (self.scalars is not None and at.line < place.start.line)

    def elements(self, node: TupleExpr, at: Position) -> list[_Child[Element]]:
        children: list[_Child[Element]] = []
        for item in node.items:
            at = max(at, item.range.start)
            children.append(self.element(item, at))
        return children

    def element(self, node: Expression, start: Position) -> _Child[Element]:
        def make(limit: Position) -> tuple[Element, Position]:
            value, end = self.value(node, start, limit)
            return Element(value), end

        return _Child(start, make)

    def fields(self, node: ObjectExpr) -> list[_Child[Field]] | None:
        """The items of an object; None if a name occurs twice, which only HCL can say."""
        children: dict[tuple[str, bool], _Child[Field]] = {}
        for item in node.items:
            name = self.name(item.key)
            if name in children:
                return None
            children[name] = self.field(*name, item)
        return list(children.values())

    def name(self, key: Expression) -> tuple[str, bool]:
        """The name of an object's item; if it is computed, as a template, and True."""
        if isinstance(key, Literal) and isinstance(key.value, str):
            return key.value, False
        if isinstance(key, Literal) and isinstance(key.value, Decimal):
            return number_text(key.value), False
        if self.scalars is not None:
            return self.scalars[key.range], True
        value = self.hcl_text(key.expression if isinstance(key, Parentheses) else key)
        return (value.template if isinstance(value, Text) else interpolation(value.source)), True

    def field(self, name: str, computed: bool, item: ObjectItem) -> _Child[Field]:
        def make(limit: Position) -> tuple[Field, Position]:
            value, end = self.value(item.value, item.key.range.end, limit)
            return Field(name, value, computed=computed), end

        return _Child(item.range.start, make)

    def plain(self, value: bool | Decimal | None, place: SourceRange) -> Plain:
        if isinstance(value, Decimal):
            written = self.written(place)
            return Plain(written if _COMMON_NUMBER.fullmatch(written) else number_spelling(value))
        return Plain({None: "null", True: "true", False: "false"}[value])

    def hcl_text(self, node: Expression) -> Text | Code:
        """A text, a template or any other expression of an HCL file."""
        if isinstance(node, Literal) and isinstance(node.value, str):
            return Text(literal_template(node.value))
        written = self.written(node.range)
        self.comments.keep(node.range.start, node.range.end)
        bare = bare_template(written) if isinstance(node, (Template, TemplateWrap)) else None
        if bare is not None:
            return Text(bare)
        return Code(dedented(written, self.margin(node.range.start)))

    def yaml_text(self, node: Expression, scalars: Scalars) -> Value:
        """A text of a YAML file."""
        template = scalars.get(node.range)
        if template is None:
            assert isinstance(node, Literal)
            return Text(literal_template(node.value))
        source = lone_expression(template)
        return Text(template) if source is None else Code(source)

    def type(self, node: Expression, value: Value) -> Value:
        """A value that is to be a type expression; what is none stays as it is."""
        if isinstance(node, Literal) and isinstance(node.value, str):
            source = lone_expression(interpolation(node.value))
            read, problems = parse_expression(node.value, "")
            return value if source is None or read is None or problems else TypeName(source)
        return TypeName(value.source) if isinstance(value, Code) else value

    # The text

    def written(self, place: SourceRange) -> str:
        return self.data[place.start.byte : place.end.byte].decode("utf-8", "surrogatepass")

    def margin(self, at: Position) -> int:
        """How far the line of a position is indented."""
        start = self.data.rfind(b"\n", 0, at.byte) + 1
        line = self.data[start : at.byte]
        return len(line) - len(line.lstrip(b" \t"))
