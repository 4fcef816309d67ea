"""Document: what a configuration file says, in a form that HCL and YAML can both be written from."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from dataclasses import field, replace
from decimal import Decimal
from typing import Any, Union

from zenctl.lang.numbers import in_range, number_text
from zenctl.lang.quoting import literal_template
from zenctl.lazy_dataclasses import dataclass

Lines = tuple[Union[str, None], ...]
"""Comments, a line each, without their sign; None is an empty line between them."""

MAX_PLAIN_DIGITS = 24
"""Numbers that take more characters than that are written with an exponent."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """The comments of an item: the lines above it, and what stands beside it on its last line."""

    above: Lines = ()
    beside: str = ""


NO_REMARKS = Remarks()


@dataclass(frozen=True, slots=True)
class Plain:
    """null, true, false or a number, in a spelling that HCL, YAML 1.1 and YAML 1.2 read alike."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string as a bare template: `${...}` and `%{...}` have their meaning, `$${` and `%%{` stand for themselves."""

    template: str


@dataclass(frozen=True, slots=True)
class Code:
    """An expression of HCL as it is written, good wherever a value may stand.

    Its lines after the first are indented from the margin of the item that it belongs to.
    """

    source: str


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type expression, `list(string)`: an expression in HCL, a plain text in YAML."""

    source: str


@dataclass(frozen=True, slots=True)
class Element:
    """An item of a list."""

    value: Value
    remarks: Remarks = NO_REMARKS


@dataclass(frozen=True, slots=True)
class Field:
    """A name with its value: an attribute of a body, or an item of an object.

    The name of an object's item may be `computed`: it is then a bare template, with sequences in it.
    """

    name: str
    value: Value
    remarks: Remarks = NO_REMARKS
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. `open` says that its items stand on lines of their own; `below` are the comments after the last."""

    items: tuple[Element, ...]
    open: bool = False
    below: Lines = ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """An object; its names are unique. `open` and `below` as with a list."""

    items: tuple[Field, ...]
    open: bool = False
    below: Lines = ()


Value = Union[Plain, Text, Code, TypeName, Sequence, Mapping]


@dataclass(frozen=True, slots=True)
class Section:
    """A block."""

    type: str
    labels: tuple[str, ...]
    content: Content
    remarks: Remarks = NO_REMARKS


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a file or a block, in its order. Names of attributes are unique."""

    items: tuple[Union[Field, Section], ...] = ()
    below: Lines = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file. `header` are the comments at its head that belong to the file and not to its first item."""

    content: Content
    header: Lines = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """In plain data, instead of a value: an expression of HCL on one line, such as `var.epochs`."""

    source: str


@dataclass(frozen=True, slots=True)
class BlockData:
    """A block as plain data: attributes by name, then blocks."""

    type: str
    labels: tuple[str, ...] = ()
    attributes: AbstractMapping[str, Any] = field(default_factory=dict, hash=False)
    blocks: tuple[BlockData, ...] = ()


def document_of(blocks: AbstractSequence[BlockData], header: Lines = ()) -> Document:
    """A document of plain data: None, bool, int, float, Decimal, str (a text, no template), list, dict and Raw.

    Raises TypeError for other data, and ValueError for numbers out of range.
    """
    return Document(Content(tuple(_section(block) for block in blocks)), header)


def _section(block: BlockData) -> Section:
    """Blocks inside stand apart from the attributes before them, and from each other."""
    items: list[Union[Field, Section]] = [Field(name, value_of(value)) for name, value in block.attributes.items()]
    for inner in block.blocks:
        above: Lines = (None,) if items else ()
        items.append(replace(_section(inner), remarks=Remarks(above)))
    return Section(block.type, block.labels, Content(tuple(items)))


def value_of(data: Any) -> Value:
    """One value of plain data, as `document_of` takes it."""
    if isinstance(data, Raw):
        return Code(data.source)
    if data is None:
        return Plain("null")
    if isinstance(data, bool):
        return Plain("true" if data else "false")
    if isinstance(data, str):
        return Text(literal_template(data))
    if isinstance(data, (int, float, Decimal)):
        number = Decimal(repr(data)) if isinstance(data, float) else Decimal(data)
        if not in_range(number):
            raise ValueError(f"{data} is out of range")
        return Plain(number_spelling(number))
    if isinstance(data, AbstractMapping):
        return Mapping(tuple(Field(str(name), value_of(value)) for name, value in data.items()))
    if isinstance(data, (list, tuple)):
        return Sequence(tuple(Element(value_of(item)) for item in data))
    raise TypeError(f"{type(data).__name__} is no plain data")


def number_spelling(value: Decimal) -> str:
    """A number, exactly, as HCL, YAML 1.1 and YAML 1.2 all read it: YAML 1.1 wants a dot and a signed exponent."""
    sign, size = "-" if value < 0 else "", value.copy_abs()  # unary minus would round
    text = number_text(size)
    if len(text) <= MAX_PLAIN_DIGITS:
        return sign + text
    mantissa, _, exponent = f"{size:e}".partition("e")
    return f"{sign}{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent}"
