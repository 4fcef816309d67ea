"""The syntax tree, one for HCL files, YAML files, bare expressions and templates. Every node knows its byte range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, Union

from zenctl.diagnostics import SourceRange
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes."""

    range: SourceRange


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number (Decimal), string, bool or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Template(Node):
    """A quoted string, heredoc or bare template of several parts; the result is a string."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class TemplateWrap(Node):
    """A template that is one lone interpolation, `"${x}"`: the value keeps its type."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class TemplateIf(Node):
    """`%{ if c }a%{ else }b%{ endif }` inside a template."""

    condition: Expression
    then: Template
    otherwise: Template | None


@dataclass(frozen=True, slots=True)
class TemplateFor(Node):
    """`%{ for k, v in xs }...%{ endfor }` inside a template."""

    key: str
    value: str
    collection: Expression
    body: Template


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """The root name of a traversal: `var`, `step`, or a `for` variable."""

    name: str


@dataclass(frozen=True, slots=True)
class GetAttr(Node):
    """`source.name`"""

    source: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`source[key]`"""

    source: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class SplatItem(Node):
    """Stands for the current element inside a Splat's `each`."""


@dataclass(frozen=True, slots=True)
class Splat(Node):
    """`source[*].a` or `source.*.a`: `each` is applied to every element, with SplatItem as its innermost source."""

    source: Expression
    each: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(args...)`; `expand` if the last argument has `...`."""

    name: str
    arguments: tuple[Expression, ...]
    expand: bool
    name_range: SourceRange


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`condition ? then : otherwise`"""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class For(Node):
    """`[for k, v in c : v if x]` (then `key_result` is None) or `{for k, v in c : k => v... if x}`."""

    key: str
    value: str
    collection: Expression
    key_result: Expression | None
    value_result: Expression
    condition: Expression | None
    group: bool


@dataclass(frozen=True, slots=True)
class TupleExpr(Node):
    """`[a, b]`"""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectItem(Node):
    """`key = value`; a bare name as key is a Literal string."""

    key: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class ObjectExpr(Node):
    """`{ a = 1 }`"""

    items: tuple[ObjectItem, ...]


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left operator right`; operator is the token: `+ - * / % == != < <= > >= && ||`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x` or `!x`"""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Parentheses(Node):
    """`(x)`"""

    expression: Expression


Expression = Union[
    Literal,
    Template,
    TemplateWrap,
    TemplateIf,
    TemplateFor,
    Variable,
    GetAttr,
    Index,
    SplatItem,
    Splat,
    Call,
    Conditional,
    For,
    TupleExpr,
    ObjectExpr,
    Binary,
    Unary,
    Parentheses,
]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`name = expression` in a body. `range` spans the whole item."""

    name: str
    name_range: SourceRange
    expression: Expression


@dataclass(frozen=True, slots=True)
class Block(Node):
    """`type "label" { body }`. `header_range` spans type and labels."""

    type: str
    labels: tuple[str, ...]
    label_ranges: tuple[SourceRange, ...]
    type_range: SourceRange
    header_range: SourceRange
    body: Body


@dataclass(frozen=True, slots=True)
class Body(Node):
    """Attributes and blocks in the order of the file. `attributes` has each name once (doubles are diagnostics).

    `broken` says that something in it could not be read: what seems to be missing may be there.
    """

    attributes: dict[str, Attribute] = field(hash=False)
    blocks: tuple[Block, ...] = ()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class BlockShape:
    """Which keys of a YAML mapping are blocks. `labels` mappings nest below the key; a list of mappings is several
    blocks; `blocks` are the block types inside. Every other key is an attribute; `types` are those whose value is a
    type expression, which YAML writes as a text.
    """

    labels: int = 0
    blocks: Mapping[str, BlockShape] = field(default_factory=dict, hash=False)
    types: frozenset[str] = frozenset()


def same_meaning(one: object, other: object) -> bool:
    """Whether two trees say the same: all but their ranges is equal, the order of attributes included."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, Node):
            pairs += [(getattr(left, f.name), getattr(right, f.name)) for f in fields(left)]
        elif isinstance(left, (tuple, dict)) and isinstance(right, (tuple, dict)):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
            if isinstance(left, dict) and isinstance(right, dict):
                pairs += zip(left.values(), right.values(), strict=True)
        elif left != right and not isinstance(left, SourceRange):
            return False
    return True
