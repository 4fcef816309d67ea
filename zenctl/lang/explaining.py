"""Says what the references involved in a problem stand for: `var.epochs is -1`. What is secret is never shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from zenctl.addrs import NAME
from zenctl.diagnostics import SourceRange, Values
from zenctl.lang.access import AccessProblem, get_attribute, index
from zenctl.lang.model import EPHEMERAL, SENSITIVE, UNKNOWN, Value, children, number, string
from zenctl.lang.numbers import number_text
from zenctl.lang.quoting import quote
from zenctl.lang.references import Reference, inner_expressions, references
from zenctl.lang.syntax import Expression, SplatItem
from zenctl.lang.types import CapsuleType, MapType, ObjectType

LIMIT = 72
"""Longest value that is shown whole, in characters."""

MOST = 8
"""How many references are told of one problem."""


def statement(value: Value) -> str:
    """What may be said of a value: `is 3`, `is known only after apply`; empty for what says nothing to a person.

    A mark that the language does not know (the value of something faulty, the place of an artifact) forbids it.
    """
    if value.marks - {SENSITIVE, EPHEMERAL} or isinstance(value.type, CapsuleType):
        return ""
    if SENSITIVE in value.marks:
        return "is (sensitive value)"
    if EPHEMERAL in value.marks:
        return "is (ephemeral value)"
    if value.raw is UNKNOWN:
        return "is known only after apply"
    return f"is {shown(value)}"


def shown(value: Value, limit: int = LIMIT) -> str:
    """A value as an expression writes it, shortened with `...`; what is secret or not known in it is only named."""
    return "".join(_Pieces(limit).of(value))


class _Pieces:
    """Writes a value until there is no room left; then every open list and object is ended with `...`."""

    def __init__(self, room: int) -> None:
        self.room = room

    def of(self, value: Value) -> list[str]:
        """The value in pieces, which take their room."""
        raw = value.raw
        if isinstance(raw, tuple) and not value.marks:
            return self._inside("[]", len(raw), (("", item) for item in raw))
        if isinstance(raw, dict) and not value.marks:
            return self._inside("{}", len(raw), ((f"{_key(name)} = ", item) for name, item in raw.items()))
        text = self._scalar(value)
        self.room -= len(text)
        return [text]

    def _scalar(self, value: Value) -> str:
        raw = value.raw
        if value.marks - {SENSITIVE, EPHEMERAL}:
            return "(not shown)"
        if value.marks:
            return "(sensitive value)" if SENSITIVE in value.marks else "(ephemeral value)"
        if raw is UNKNOWN:
            return "(known after apply)"
        if raw is None:
            return "null"
        if isinstance(raw, bool):
            return "true" if raw else "false"
        most = max(self.room, 12)
        if isinstance(raw, Decimal):
            text = number_text(raw)
            return text if len(text) <= most else f"{text[:most]}... ({len(text):,} digits)"
        if isinstance(raw, str):
            return quote(raw) if len(raw) <= most else f"{quote(raw[:most])}... ({len(raw):,} characters)"
        return f"a {value.type}"

    def _inside(self, brackets: str, count: int, items: Iterable[tuple[str, Value]]) -> list[str]:
        pieces = [brackets[0]]
        self.room -= 2
        for at, (key, item) in enumerate(items):
            if self.room < 4:
                pieces.append(f"{', ' if at else ''}... {count - at:,} {'more' if at else 'elements'}")
                break
            pieces.append(f"{', ' if at else ''}{key}")
            self.room -= len(pieces[-1])
            pieces += self.of(item)
        return [*pieces, brackets[1]]


def _key(name: str) -> str:
    """A name as an object writes it, shortened."""
    short = name if len(name) <= LIMIT // 2 else f"{name[: LIMIT // 2]}..."
    return short if NAME.fullmatch(short) else quote(short)


def involved(
    root: Expression, place: SourceRange, names: Mapping[str, Value], local: Mapping[str, Value] | None = None
) -> Values:
    """The references of the part of `root` that `place` lies in, each with a statement about its value.

    `names` are those of the scope, `local` the variables of the `for`s around. A reference that leads nowhere is told
    as far as it leads.
    """
    return statements(references_at(root, place), names, local)


def statements(found: list[Reference], names: Mapping[str, Value], local: Mapping[str, Value] | None = None) -> Values:
    """Each of these references, once, with a statement about its value."""
    told: dict[str, str] = {}
    for reference in found:
        text, value = _resolved(reference, names, local or {})
        said = statement(value) if value is not None else ""
        if said:
            told.setdefault(text, said)
    return tuple(told.items())[:MOST]


def references_at(root: Expression, place: SourceRange) -> list[Reference]:
    """The references of the smallest part of an expression that holds a place; in a splat, of the whole splat."""
    around = [root]
    while True:
        inner = [part for part in inner_expressions(around[-1]) if _holds(part.range, place)]
        if not inner:
            break
        around.append(inner[0])
    for part in reversed(around):
        found = references(part)
        if found or not _of_splat(part):
            return found
    return []


def _of_splat(node: Expression) -> bool:
    """Whether it stands for something of a splat's element."""
    return isinstance(node, SplatItem) or any(_of_splat(part) for part in inner_expressions(node))


def _holds(outer: SourceRange, inner: SourceRange) -> bool:
    return (
        outer.filename == inner.filename and outer.start.byte <= inner.start.byte and inner.end.byte <= outer.end.byte
    )


def _resolved(reference: Reference, names: Mapping[str, Value], local: Mapping[str, Value]) -> tuple[str, Value | None]:
    """The reference as far as it leads, and the value there; None where that is only a group of things."""
    root, *steps = reference.path
    bound = str(root) in local
    value = local.get(str(root)) if bound else names.get(str(root))
    if value is None:
        return "", None
    path = [root]
    for step in steps:
        try:
            value = _selected(value, step)
        except AccessProblem:
            break
        path.append(step)
        if value.raw is UNKNOWN:
            # What is inside is unknown too; the whole says it once.
            break
    if _is_group(value) or (len(path) == 1 and steps and not bound):
        return "", None
    return str(Reference(tuple(path), reference.range)), value


def _selected(value: Value, step: str | int) -> Value:
    if isinstance(step, str) and isinstance(value.type, (ObjectType, MapType, CapsuleType)):
        return get_attribute(value, step)
    return index(value, string(step) if isinstance(step, str) else number(step))


def _is_group(value: Value, depth: int = 2) -> bool:
    """Whether it only gathers steps or datasources, such as `step` and `step.python`."""
    return isinstance(value.raw, dict) and any(
        isinstance(item.type, CapsuleType) or (depth > 1 and _is_group(item, depth - 1)) for item in children(value)
    )
