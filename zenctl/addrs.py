"""Addresses of configuration objects, as types. `parse(str(a)) == a` for every address."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, TypeVar, Union

from zenctl.lazy_dataclasses import dataclass

Key = Union[str, int, None]
"""An instance key: a string of `for_each`, an index of `count`, or None."""

A = TypeVar("A", bound="Address")


class _Name:
    """Finds identifiers as HCL has them: an ID_Start of Unicode or an underscore, then ID_Continues and dashes.

    `re` has no such classes: what it takes for a letter may be the fraction ¼.
    """

    _rough = re.compile(r"[^\W\d][\w-]*")

    def match(self, text: str, at: int = 0) -> str | None:
        """The longest name that begins there, or None."""
        found = self._rough.match(text, at)
        if found is None:
            return None
        rough = found.group()
        if rough.replace("-", "_").isidentifier():
            return rough
        end = next(
            i for i, char in enumerate(rough) if not (f"_{char}" if i else char).replace("-", "_").isidentifier()
        )
        return rough[:end] or None

    def fullmatch(self, text: str) -> bool:
        """Whether all of it is a name."""
        return bool(text) and self.match(text) == text


NAME = _Name()
"""An identifier: of a block, an attribute, a variable."""


class AddressError(ValueError):
    """A text is not an address; the message says why."""


def _key_text(key: Key) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f"[{json.dumps(key, ensure_ascii=False)}]"


@dataclass(frozen=True, slots=True)
class ModuleInstance:
    """One step of a module path: `module.eu["a"]`."""

    name: str
    key: Key = None

    def __str__(self) -> str:
        return f"module.{self.name}{_key_text(self.key)}"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a block with a type and a name, such as `step.python.fit`."""

    kind: ClassVar[str]
    type: str
    name: str
    key: Key = None
    module: tuple[ModuleInstance, ...] = ()

    def __str__(self) -> str:
        own = f"{self.kind}.{self.type}.{self.name}{_key_text(self.key)}"
        return ".".join([*(str(m) for m in self.module), own])

    def __lt__(self, other: Address) -> bool:
        return str(self) < str(other)

    @property
    def block(self: A) -> A:
        """The block that this is an instance of: the same without keys."""
        if self.key is None and (not self.module or all(m.key is None for m in self.module)):
            return self
        return replace(self, key=None, module=tuple(ModuleInstance(m.name) for m in self.module))

    @property
    def module_path(self) -> tuple[str, ...]:
        """The names of the modules it stands in."""
        return tuple(m.name for m in self.module)


@dataclass(frozen=True, slots=True)
class DatasourceAddr(Address):
    """`datasource.csv.penguins`"""

    kind: ClassVar[str] = "datasource"


@dataclass(frozen=True, slots=True)
class StepAddr(Address):
    """`step.python.fit`"""

    kind: ClassVar[str] = "step"


@dataclass(frozen=True, slots=True)
class EndpointAddr(Address):
    """`endpoint.local.penguins`"""

    kind: ClassVar[str] = "endpoint"


@dataclass(frozen=True, slots=True)
class BackendAddr(Address):
    """`backend.local.here`"""

    kind: ClassVar[str] = "backend"


KINDS: dict[str, Callable[..., Address]] = {c.kind: c for c in (DatasourceAddr, StepAddr, EndpointAddr, BackendAddr)}


def parse(text: str) -> Address:
    """Read an address; raises AddressError."""
    reader = _Reader(text)
    module: list[ModuleInstance] = []
    while True:
        word = reader.name()
        if word == "module":
            reader.dot()
            module.append(ModuleInstance(reader.name(), reader.key()))
            reader.dot()
            continue
        if word not in KINDS:
            raise AddressError(f"{text!r} is not an address: it must begin with one of {', '.join(sorted(KINDS))}")
        reader.dot()
        type_ = reader.name()
        reader.dot()
        address = KINDS[word](type_, reader.name(), reader.key(), tuple(module))
        reader.end()
        return address


def covers(text: str, addr: Address) -> bool:
    """Whether a text names an address: the instance itself, its block, or a module around it, with or without keys."""
    return any(full == text or full.startswith((f"{text}[", f"{text}.")) for full in (str(addr), str(addr.block)))


def without_keys(text: str) -> str:
    """The canonical text of an address or a module, without the keys in it; raises AddressError."""
    module, address = _parts(text)
    names = ".".join(f"module.{m.name}" for m in module)
    return names if address is None else str(address.block)


def canonical(text: str) -> str:
    """An address, or a module such as `module.eu["a"]`, in its canonical spelling; raises AddressError."""
    module, address = _parts(text)
    return ".".join(str(m) for m in module) if address is None else str(address)


def parse_module(text: str) -> tuple[ModuleInstance, ...]:
    """Read the path of a module, such as `module.eu["a"]`; raises AddressError."""
    module, address = _parts(text)
    if address is not None:
        raise AddressError(f"{text!r} is not the address of a module")
    return module


def _parts(text: str) -> tuple[tuple[ModuleInstance, ...], Address | None]:
    """The modules of a text that names one, or its address."""
    reader = _Reader(text)
    module: list[ModuleInstance] = []
    while reader.text.startswith("module.", reader.at):
        reader.name()
        reader.dot()
        module.append(ModuleInstance(reader.name(), reader.key()))
        if reader.at == len(text):
            return tuple(module), None
        reader.dot()
    address = parse(text)
    return address.module, address


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, wanted: str) -> AddressError:
        return AddressError(f"{self.text!r} is not an address: {wanted} expected at character {self.at + 1}")

    def name(self) -> str:
        found = NAME.match(self.text, self.at)
        if found is None:
            raise self.fail("a name")
        self.at += len(found)
        return found

    def dot(self) -> None:
        if not self.text.startswith(".", self.at):
            raise self.fail("a dot")
        self.at += 1

    def key(self) -> Key:
        if not self.text.startswith("[", self.at):
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(self.text, self.at + 1)
        except json.JSONDecodeError:
            raise self.fail("a quoted key or a number") from None
        if not self.text.startswith("]", end) or isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self.fail("a quoted key or a number in brackets")
        self.at = end + 1
        return value

    def end(self) -> None:
        if self.at != len(self.text):
            raise self.fail("the end")
