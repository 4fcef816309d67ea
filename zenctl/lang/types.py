"""The types of values, as data: `string`, `list(number)`, `object({a=string,b=optional(bool)})`, `any`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Union

from zenctl.addrs import NAME
from zenctl.lang.quoting import quote
from zenctl.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Primitive:
    """`string`, `number` or `bool`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AnyType:
    """`any`: of a value whose type is not known, or no constraint."""

    def __str__(self) -> str:
        return "any"


@dataclass(frozen=True, slots=True)
class ListType:
    """`list(element)`"""

    element: Type

    def __str__(self) -> str:
        return f"list({self.element})"


@dataclass(frozen=True, slots=True)
class SetType:
    """`set(element)`: no doubles, iterated in the order of its values."""

    element: Type

    def __str__(self) -> str:
        return f"set({self.element})"


@dataclass(frozen=True, slots=True)
class MapType:
    """`map(element)`: any names, all of one type."""

    element: Type

    def __str__(self) -> str:
        return f"map({self.element})"


@dataclass(frozen=True, slots=True)
class TupleType:
    """`tuple([a, b])`: a fixed length, each item with its own type. What `[...]` makes."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple([{','.join(str(item) for item in self.items)}])"


@dataclass(frozen=True, slots=True)
class ObjectType:
    """`object({a=string})`: fixed names, each with its own type. What `{...}` makes.

    `optional` holds the names that may be missing with what stands in for them (a Value, or None for a null); only a
    type constraint has some, never a value's type.
    """

    attributes: Mapping[str, Type] = field(hash=False)
    optional: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        parts = []
        for name in sorted(self.attributes):
            text = str(self.attributes[name])
            parts.append(f"{_key(name)}={f'optional({text})' if name in self.optional else text}")
        return f"object({{{','.join(parts)}}})"


def _key(name: str) -> str:
    """An attribute's name as a type expression writes it."""
    return name if NAME.fullmatch(name) else quote(name)


@dataclass(frozen=True, slots=True)
class CapsuleType:
    """An opaque value, such as a reference to an artifact; equal to none but its own kind."""

    name: str

    def __str__(self) -> str:
        return self.name


Type = Union[Primitive, AnyType, ListType, SetType, MapType, TupleType, ObjectType, CapsuleType]

STRING = Primitive("string")
NUMBER = Primitive("number")
BOOL = Primitive("bool")
ANY = AnyType()

MAX_OUTLINE = 40
"""Longest type expression that an outline gives in full, in characters."""

COLLECTIONS = (ListType, SetType, MapType)


def describe(type: Type) -> str:
    """A type in words for a message: `a string`, `a list of numbers`, `an object`."""
    if isinstance(type, Primitive):
        return f"a {type.name}"
    if isinstance(type, AnyType):
        return "a value of any type"
    if isinstance(type, ListType):
        return f"a list of {_plural(type.element)}"
    if isinstance(type, SetType):
        return f"a set of {_plural(type.element)}"
    if isinstance(type, MapType):
        return f"a map of {_plural(type.element)}"
    if isinstance(type, TupleType):
        return "a list"
    if isinstance(type, ObjectType):
        return "an object"
    return f"a {type.name}"


def outline(type: Type) -> str:
    """A type expression short enough for a sentence: `list(object({...}))`."""
    text = str(type)
    if len(text) <= MAX_OUTLINE:
        return text
    if isinstance(type, (ListType, SetType, MapType)):
        return f"{text[: text.index('(')]}({outline(type.element)})"
    return "tuple([...])" if isinstance(type, TupleType) else "object({...})"


def _plural(type: Type) -> str:
    if isinstance(type, Primitive):
        return f"{type.name}s"
    if isinstance(type, AnyType):
        return "any one type"
    return str(type)


def contains_any(type: Type) -> bool:
    """Whether `any` stands somewhere in it."""
    if isinstance(type, AnyType):
        return True
    if isinstance(type, (ListType, SetType, MapType)):
        return contains_any(type.element)
    if isinstance(type, TupleType):
        return any(contains_any(item) for item in type.items)
    if isinstance(type, ObjectType):
        return any(contains_any(item) for item in type.attributes.values())
    return False


def without_optional(type: Type) -> Type:
    """The type of the values that fit a constraint."""
    if isinstance(type, (ListType, SetType, MapType)):
        element = without_optional(type.element)
        return type if element is type.element else type.__class__(element)
    if isinstance(type, TupleType):
        return TupleType(tuple(without_optional(item) for item in type.items))
    if isinstance(type, ObjectType):
        return ObjectType({name: without_optional(item) for name, item in type.attributes.items()})
    return type
