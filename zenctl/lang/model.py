"""Value: what an expression evaluates to. It has a type, may be unknown or null, and carries marks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from zenctl.lang.normal_form import nfc
from zenctl.lang.types import (
    ANY,
    BOOL,
    NUMBER,
    STRING,
    CapsuleType,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
)
from zenctl.lazy_dataclasses import dataclass

SENSITIVE = "sensitive"
"""Mark of what must not be shown."""

EPHEMERAL = "ephemeral"
"""Mark of what must not be written down: in no plan, no record, no job."""

Marks = frozenset[str]
NO_MARKS: Marks = frozenset()


class _Unknown:
    """The data of a value that is known only after apply."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


class Capsule(ABC):
    """An opaque object as a value: what it is, what can be read from it with a dot, and the object itself."""

    __slots__ = ()
    type_name: str

    @abstractmethod
    def attribute(self, name: str) -> Value | None:
        """The value of an attribute, unknown if it is known only after apply; None if there is no such attribute."""

    @abstractmethod
    def attribute_names(self) -> tuple[str, ...]:
        """The attributes there are, for did-you-mean."""

    @abstractmethod
    def unwrap(self) -> object:
        """The object."""

    @abstractmethod
    def content(self) -> Value | None:
        """The plain value it stands for where one is needed, unknown if it is known only after apply; None if none."""


@dataclass(frozen=True, slots=True)
class Value:
    """`raw` is UNKNOWN, None (null), or by type: str, Decimal, bool; a tuple of Values for list, set and tuple (a set
    in its order, without doubles); a dict from names to Values for map and object; a Capsule.
    """

    type: Type
    raw: Any
    marks: Marks = NO_MARKS

    @property
    def is_null(self) -> bool:
        """Whether it is null."""
        return self.raw is None

    @property
    def is_known(self) -> bool:
        """Whether the value itself is known; what is inside may be unknown."""
        return self.raw is not UNKNOWN

    def with_marks(self, marks: Marks) -> Value:
        """The same with these marks added."""
        return self if marks <= self.marks else Value(self.type, self.raw, self.marks | marks)

    def without_marks(self) -> Value:
        """The same without marks of its own."""
        return Value(self.type, self.raw) if self.marks else self


NULL = Value(ANY, None)
TRUE = Value(BOOL, True)
FALSE = Value(BOOL, False)
DYNAMIC = Value(ANY, UNKNOWN)
"""Nothing is known, not even the type."""


def content(value: Value) -> Value:
    """What a capsule stands for where a plain value is needed, such as what a step returned; else the value itself."""
    if not isinstance(value.type, CapsuleType) or value.raw is UNKNOWN or value.raw is None:
        return value
    inner = value.raw.content()
    return value if inner is None else inner.with_marks(value.marks)


def unknown(type: Type, marks: Marks = NO_MARKS) -> Value:
    """An unknown value of a type."""
    return Value(type, UNKNOWN, marks)


_SURROGATE = re.compile("[\ud800-\udfff]")


def string(text: str) -> Value:
    """A string, in Unicode's normal form C. Half a character, which no file can hold, becomes U+FFFD."""
    return Value(STRING, text if text.isascii() else nfc(_SURROGATE.sub("\ufffd", text)))


def number(value: Decimal | int) -> Value:
    """A number."""
    return Value(NUMBER, Decimal(value))


def boolean(value: bool) -> Value:
    """True or false."""
    return TRUE if value else FALSE


def tuple_value(items: Iterable[Value]) -> Value:
    """What `[...]` makes."""
    raw = tuple(items)
    return Value(TupleType(tuple(item.type for item in raw)), raw)


def object_value(attributes: Mapping[str, Value]) -> Value:
    """What `{...}` makes."""
    raw = dict(attributes)
    return Value(ObjectType({name: value.type for name, value in raw.items()}), raw)


def list_value(element: Type, items: Iterable[Value]) -> Value:
    """A list; the items must have the element type already."""
    return Value(ListType(element), tuple(items))


def map_value(element: Type, items: Mapping[str, Value]) -> Value:
    """A map; the values must have the element type already."""
    return Value(MapType(element), dict(items))


def set_value(element: Type, items: Iterable[Value]) -> Value:
    """A set of items of the element type. Marks of items move to the set; an unknown item makes it unknown."""
    distinct: dict[Any, Value] = {}
    marks = NO_MARKS
    known = True
    for item in items:
        item, inner = strip_marks(item)
        marks |= inner
        known = known and wholly_known(item)
        distinct.setdefault(identity(item), item)
    if not known:
        return unknown(SetType(element), marks)
    return Value(SetType(element), tuple(distinct[key] for key in sorted(distinct, key=_order)), marks)


def capsule_value(capsule: Capsule) -> Value:
    """An opaque value."""
    return Value(CapsuleType(capsule.type_name), capsule)


def children(value: Value) -> Iterable[Value]:
    """What is directly inside a known value."""
    if isinstance(value.raw, tuple):
        return value.raw
    if isinstance(value.raw, dict):
        return value.raw.values()
    return ()


def wholly_known(value: Value) -> bool:
    """Whether nothing in it is unknown."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if current.raw is UNKNOWN:
            return False
        waiting.extend(children(current))
    return True


def all_marks(value: Value) -> Marks:
    """The marks of the value and of everything in it."""
    marks = value.marks
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if not current.marks <= marks:
            marks |= current.marks
        waiting.extend(children(current))
    return marks


def strip_marks(value: Value) -> tuple[Value, Marks]:
    """The value without any marks, and the marks that were in it."""
    marks = all_marks(value)
    return (_unmarked(value), marks) if marks else (value, marks)


def _unmarked(value: Value) -> Value:
    raw = value.raw
    if isinstance(raw, tuple):
        raw = tuple(_unmarked(item) for item in raw)
    elif isinstance(raw, dict):
        raw = {name: _unmarked(item) for name, item in raw.items()}
    return Value(value.type, raw)


def identity(value: Value) -> Any:
    """Something hashable that is equal for equal known values of one type; marks do not count."""
    raw = value.raw
    if isinstance(raw, tuple):
        return ("(", *(identity(item) for item in raw))
    if isinstance(raw, dict):
        return ("{", *((name, identity(raw[name])) for name in sorted(raw)))
    if raw is None or isinstance(raw, (str, bool, Decimal)):
        return (type(raw).__name__, raw)
    return ("?", id(raw) if raw is UNKNOWN or raw.__class__.__hash__ is None else raw)


def _order(key: Any) -> tuple[Any, ...]:
    """Sets iterate numbers by size, strings by code point, false before true, the rest by their text, null last."""
    kind, raw = key[0], key[1] if len(key) > 1 else ""
    if kind in ("str", "Decimal", "bool"):
        return 0, kind, raw
    return (1, kind, repr(key)) if kind != "NoneType" else (2,)
