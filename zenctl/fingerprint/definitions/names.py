"""Resolves dotted names across the files of a project: to functions, classes, variables, modules, or outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zenctl.fingerprint.definitions.facts import Binding, Chain, ClassFacts, FileFacts, FunctionFacts
from zenctl.fingerprint.modules import ModuleRef, Modules
from zenctl.lazy_dataclasses import dataclass

Bindings = Mapping[str, "tuple[Binding, ...]"]


@dataclass(frozen=True)
class Target:
    """What a name stands for.

    `kind` is "function", "class", "variable", "module", "outside" or "unknown". `file` and `name` say which; of a
    module `folders` too; of what is outside `name` is its full dotted name.
    """

    kind: str
    file: str = ""
    name: str = ""
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resolution:
    """What a dotted name may stand for.

    `passed` are functions and classes on the way there, `attributes` the names that are looked up in objects, `touched`
    the (file, name) that were looked up in modules, `missing` those that a module does not bind.
    """

    targets: tuple[Target, ...]
    passed: tuple[Target, ...] = ()
    attributes: tuple[str, ...] = ()
    touched: frozenset[tuple[str, str]] = frozenset()
    missing: tuple[tuple[str, str], ...] = ()


class Names:
    """Resolves names in the files that `facts` gives (None for one that is not Python)."""

    def __init__(self, modules: Modules, facts: Callable[[str], FileFacts | None]) -> None:
        self._modules = modules
        self._facts = facts
        self._resolved: dict[tuple[str, Chain], Resolution] = {}
        self._active: set[tuple[str, str]] = set()

    def resolve(self, file: str, chain: Chain, local: Bindings | None = None) -> Resolution:
        """What a dotted name in a file stands for. `local` are imports inside of the function that uses it."""
        if local and chain[0] in local:
            # Another function inside of the same one may mean the module's.
            return self._resolve(file, chain, local[chain[0]])
        key = (file, chain)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(file, chain, None)
        return self._resolved[key]

    def lookup(self, file: str, name: str) -> list[Target]:
        """What a name of a module stands for."""
        return self._lookup(file, name, set())

    def functions(self, target: Target) -> tuple[FunctionFacts, ...]:
        """The definitions of a function."""
        facts = self._facts(target.file)
        return facts.functions.get(target.name, ()) if facts is not None else ()

    def classes(self, target: Target) -> tuple[ClassFacts, ...]:
        """The definitions of a class."""
        facts = self._facts(target.file)
        return facts.classes.get(target.name, ()) if facts is not None else ()

    def _resolve(self, file: str, chain: Chain, local: Iterable[Binding] | None) -> Resolution:
        touched: set[tuple[str, str]] = set()
        current = self._lookup(file, chain[0], touched)
        current += [target for binding in local or () for target in self._bound(file, binding, touched)]
        if not current:
            current = [Target("outside", name=f"builtins.{chain[0]}")]
        attributes: list[str] = []
        passed: list[Target] = []
        missing: list[tuple[str, str]] = []
        for name in chain[1:]:
            following: list[Target] = []
            for target in current:
                if target.kind == "module":
                    found = self._member(target, name, touched)
                    if not found:
                        attributes.append(name)
                        missing.append((target.file, name))
                    following += found or [Target("unknown", name=name)]
                elif target.kind == "outside":
                    following.append(Target("outside", name=f"{target.name}.{name}"))
                else:
                    passed.append(target)
                    attributes.append(name)
                    following.append(self._attribute(target, name))
            current = following
        return Resolution(
            tuple(dict.fromkeys(current)),
            tuple(dict.fromkeys(passed)),
            tuple(dict.fromkeys(attributes)),
            frozenset(touched),
            tuple(missing),
        )

    def _attribute(self, target: Target, name: str) -> Target:
        """A class inside of a class is known by its name; any other attribute is not."""
        if target.kind == "class" and any(name in found.inner for found in self.classes(target)):
            return Target("class", target.file, f"{target.name}.{name}")
        return Target("unknown", name=name)

    def _member(self, module: Target, name: str, touched: set[tuple[str, str]]) -> list[Target]:
        """An attribute of a module: what it binds, else a submodule, else what its `__getattr__` may give."""
        found = self._lookup(module.file, name, touched) if module.file else []
        if all(target.kind in ("outside", "unknown") for target in found):
            inner = self._modules.child(ModuleRef(module.file, module.folders), name)
            if inner is not None:
                found = [*found, _module(inner)]
        facts = self._facts(module.file) if module.file and not found else None
        return [Target("unknown")] if facts is not None and "__getattr__" in facts.functions else found

    def _lookup(self, file: str, name: str, touched: set[tuple[str, str]]) -> list[Target]:
        facts = self._facts(file)
        if facts is None:
            return [Target("unknown")]
        touched.add((file, name))
        if (file, name) in self._active:
            # Two modules that import a name from each other.
            return []
        self._active.add((file, name))
        try:
            found = [t for binding in facts.bindings.get(name, ()) for t in self._bound(file, binding, touched)]
            if not found:
                found = self._by_star(file, facts, name, touched)
        finally:
            self._active.discard((file, name))
        return found

    def _by_star(self, file: str, facts: FileFacts, name: str, touched: set[tuple[str, str]]) -> list[Target]:
        found: list[Target] = []
        for star in facts.stars:
            refs, outside = self._modules.references(star.module, star.level, file)
            for ref in refs:
                found += self._member(_module(ref), name, touched)
            if outside:
                found.append(Target("unknown"))
        return found

    def _bound(self, file: str, binding: Binding, touched: set[tuple[str, str]]) -> list[Target]:
        if binding.kind in ("function", "class"):
            return [Target(binding.kind, file, binding.target)]
        if binding.kind != "import":
            return [Target("variable", file, binding.target)]
        refs, outside = self._modules.references(binding.module, binding.level, file)
        full = ".".join(filter(None, (binding.module, binding.target)))
        found: list[Target] = [Target("outside", name=full)] if outside else []
        for ref in refs:
            if binding.target:
                members = self._member(_module(ref), binding.target, touched)
                found += members or ([] if outside else [Target("unknown")])
            else:
                found.append(_module(ref))
        return found or [Target("unknown")]


def _module(ref: ModuleRef) -> Target:
    return Target("module", ref.file, "", ref.folders)
