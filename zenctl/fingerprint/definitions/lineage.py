"""Tells what a class inherits from, in the project and outside of it, and what decorators hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zenctl.fingerprint.definitions.facts import Chain
from zenctl.fingerprint.definitions.names import Names, Target
from zenctl.fingerprint.definitions.watched import BENIGN, BENIGN_BASES, EXCEPTIONS, MORE_EXCEPTIONS, QUIET_METACLASSES
from zenctl.lazy_dataclasses import dataclass

_HOOKS = frozenset({"__init_subclass__", "__prepare__", "mro"})
_GIVEN = frozenset({"__init__", "__new__", "__prepare__"})
"""Methods of a metaclass that are given what stands in a class."""


@dataclass(frozen=True)
class Heritage:
    """`ancestors` are the classes of the project that a class inherits from, itself left out.

    `is_open`: code from outside may call any of its methods, as one of its bases is from outside or not known.
    `is_noticed`: to define it has an effect (a metaclass, `__init_subclass__`), so that it needs no name to be used.
    `is_listed`: a metaclass is given what stands in the class, in its order, and may do with it what it likes.
    `is_enum`: its attributes may be its objects. `touched` are the names that its bases were found by.
    """

    ancestors: tuple[Target, ...]
    is_open: bool
    is_noticed: bool
    is_listed: bool
    is_enum: bool
    touched: frozenset[tuple[str, str]]


class Lineage:
    """Looks up the heritage of classes, each once."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[Target, Heritage] = {}

    def of(self, target: Target) -> Heritage:
        """The heritage of a class."""
        known = self._known.get(target)
        if known is None:
            # A class that inherits from itself by way of others cannot run; it ends here.
            self._known[target] = Heritage((), False, False, False, False, frozenset())
            known = self._known[target] = self._heritage(target)
        return known

    def _heritage(self, target: Target) -> Heritage:
        ancestors: dict[Target, None] = {}
        touched: set[tuple[str, str]] = set()
        is_open = is_enum = False
        is_noticed = any(found.keywords for found in self._names.classes(target))
        is_listed = self._is_given_on(target)
        for base in self._bases(target, touched):
            if base.kind == "class":
                above = self.of(base)
                ancestors.update(dict.fromkeys((base, *above.ancestors)))
                touched |= above.touched
                is_open |= above.is_open
                is_noticed |= above.is_noticed or self._hooks(base)
                is_listed |= above.is_listed
                is_enum |= above.is_enum
            elif base.kind == "outside" and base.name.startswith("enum."):
                is_enum = True
            elif not (base.kind == "outside" and is_benign_base(base.name)):
                is_open = is_noticed = True
        is_open |= is_listed
        return Heritage(tuple(ancestors), is_open, is_noticed, is_listed, is_enum, frozenset(touched))

    def _is_given_on(self, target: Target) -> bool:
        """Whether a class has a metaclass of its own that is given what stands in it."""
        chains = [found.metaclass for found in self._names.classes(target) if found.metaclass is not None]
        return any(not self._is_quiet(target.file, chain) for chain in chains)

    def _is_quiet(self, file: str, chain: Chain) -> bool:
        """Whether a metaclass does not look at what stands in a class."""
        for meta in self._names.resolve(file, chain).targets if chain else (Target("unknown"),):
            if meta.kind == "outside" and meta.name in QUIET_METACLASSES:
                continue
            found = self._names.classes(meta) if meta.kind == "class" else ()
            if not found or any(_GIVEN & set(facts.methods) or facts.metaclass is not None for facts in found):
                return False
            if not all(self._is_quiet(meta.file, base) for facts in found for base in facts.bases):
                return False
        return True

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
