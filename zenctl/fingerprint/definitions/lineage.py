"""Tells what a class inherits from, in the project and outside of it, and what decorators hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zenctl.fingerprint.definitions.facts import Chain
from zenctl.fingerprint.definitions.names import Names, Target
from zenctl.fingerprint.definitions.watched import BENIGN, BENIGN_BASES, EXCEPTIONS, MORE_EXCEPTIONS

_HOOKS = frozenset({"__init_subclass__", "__prepare__", "mro"})


@dataclass(frozen=True)
class Heritage:
    """`ancestors` are the classes of the project that a class inherits from, itself left out.

    `is_open`: code from outside may call any of its methods, as one of its bases is from outside or not known.
    `is_noticed`: to define it has an effect (a metaclass, `__init_subclass__`), so that it needs no name to be used.
    `is_enum`: its attributes may be its objects. `touched` are the names that its bases were found by.
    """

    ancestors: tuple[Target, ...]
    is_open: bool
    is_noticed: bool
    is_enum: bool
    touched: frozenset[tuple[str, str]]


class Lineage:
    """Looks up the heritage of classes, each once."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[Target, Heritage] = {}

    def of(self, target: Target) -> Heritage:
        """The heritage of a class."""
        if target not in self._known:
            # A class that inherits from itself by way of others cannot run; it ends here.
            self._known[target] = Heritage((), False, False, False, frozenset())
            self._known[target] = self._heritage(target)
        return self._known[target]

    def _heritage(self, target: Target) -> Heritage:
        ancestors: dict[Target, None] = {}
        touched: set[tuple[str, str]] = set()
        is_open = is_enum = False
        is_noticed = any(found.keywords for found in self._names.classes(target))
        for base in self._bases(target, touched):
            if base.kind == "class":
                above = self.of(base)
                ancestors.update(dict.fromkeys((base, *above.ancestors)))
                touched |= above.touched
                is_open |= above.is_open
                is_noticed |= above.is_noticed or self._hooks(base)
                is_enum |= above.is_enum
            elif base.kind == "outside" and base.name.startswith("enum."):
                is_enum = True
            elif not (base.kind == "outside" and is_benign_base(base.name)):
                is_open = is_noticed = True
        return Heritage(tuple(ancestors), is_open, is_noticed, is_enum, frozenset(touched))

    def _bases(self, target: Target, touched: set[tuple[str, str]]) -> Iterator[Target]:
        for found in self._names.classes(target):
            for chain in found.bases:
                if not chain:
                    yield Target("unknown")
                    continue
                resolution = self._names.resolve(target.file, chain)
                touched |= resolution.touched
                yield from resolution.targets

    def _hooks(self, target: Target) -> bool:
        return any(_HOOKS & set(found.methods) for found in self._names.classes(target))


def is_benign_base(name: str) -> bool:
    """Whether a base from outside calls no method of its subclasses but those with two underscores."""
    name = name.replace("typing_extensions.", "typing.", 1)
    if name in BENIGN_BASES:
        return True
    module, _, last = name.rpartition(".")
    return module == "builtins" and (last.endswith(EXCEPTIONS) or last in MORE_EXCEPTIONS)


def is_held(names: Names, file: str, decorators: Iterable[Chain]) -> bool:
    """Whether a decorator in a file may hand what it decorates to somebody who does not name it."""
    for chain in decorators:
        for target in names.resolve(file, chain).targets if chain else (Target("unknown"),):
            name = target.name.replace("typing_extensions.", "typing.", 1)
            if target.kind != "outside" or name not in BENIGN:
                return True
    return False
