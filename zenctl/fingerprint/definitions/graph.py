"""The graph of where values come from: its nodes are variables, attributes, results and classes of what was reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from typing import Union

from zenctl.fingerprint.definitions.facts import Chain, FunctionFacts, Uses
from zenctl.fingerprint.definitions.names import Resolution, Target
from zenctl.fingerprint.definitions.reach import Reach
from zenctl.fingerprint.definitions.watched import GIVING
from zenctl.lazy_dataclasses import dataclass

Node = Union[str, tuple[object, str]]

OUT = "o:"
"""Code from outside of the project."""

_OWN_CALLS = frozenset(
    {"__aenter__", "__aiter__", "__anext__", "__call__", "__class_getitem__", "__enter__", "__get__", "__getattr__"}
    | {"__getitem__", "__init__", "__iter__", "__missing__", "__next__"}
)
"""Methods that have atoms of their own; what the others with two underscores give is what an operator gives."""


@dataclass(frozen=True)
class Unit:
    """A stretch of code that was reached. `key` tells it from others; `facts` are None at the top level of a module."""

    key: Target
    file: str
    uses: Uses
    facts: FunctionFacts | None = None


class Graph(ABC):
    """The graph of values. Where they go is for `targets` to tell."""

    def __init__(self, reach: Reach, entry: set[Target]) -> None:
        self.reach = reach
        self.names = reach.names
        self.into: dict[Node, set[Node]] = defaultdict(set)
        self.raw: dict[Node, list[tuple[Unit, str]]] = defaultdict(list)
        self.methods: dict[str, list[Unit]] = defaultdict(list)
        self.made: set[Node] = set()
        self.units = list(self._units())
        self._below: dict[Target, list[Target]] = {}
        for target in reach.classes:
            for ancestor in reach.lineage.of(target).ancestors:
                self._below.setdefault(ancestor, []).append(target)
        self.fields = {field for found in reach.classes.values() for facts in found for field in facts.fields}
        # Then any attribute may be set by a name that is computed.
        self.sets = any(
            "dict" in unit.uses.marks or any(call.name[-1] == "setattr" for call in unit.uses.calls)
            for unit in self.units
        )
        for unit in self.units:
            if unit.facts is not None and unit.facts.owner:
                self.methods[unit.key.name.rpartition(".")[2]].append(unit)
        for unit in self.units:
            for atom, place in unit.uses.flows:
                if place[:2] in ("n:", "G:", "a:"):
                    self.raw[self.variable(unit, place)].append((unit, atom))
                elif place[0] == ".":
                    self.raw[f"a:{place[1:].partition('|')[0]}"].append((unit, atom))
        for target in reach.classes:
            if reach.lineage.of(target).is_enum:
                # Its objects are what iterating over the class gives.
                self.into[contents((target, ""))].add((target, ""))
        for unit in self.units:
            self._unit(unit, entry)
            for atom, place in unit.uses.flows:
                self._flow(unit, atom, place)

    @abstractmethod
    def targets(self, unit: Unit, place: str) -> Iterator[Node]:
        """The nodes to which a value goes that is put to a place."""

    def reaching(self) -> set[Node]:
        """Every node from which a value gets out."""
        found: set[Node] = {OUT}
        pending: list[Node] = [OUT]
        while pending:
            for node in self.into.get(pending.pop(), ()):
                if node not in found:
                    found.add(node)
                    pending.append(node)
        return found

    def _units(self) -> Iterator[Unit]:
        for file, facts in self.reach.files.items():
            if facts is not None:
                yield Unit(Target("module", file), file, facts.top)
                if facts.main is not None and self.reach.runs_main(file):
                    yield Unit(Target("module", file, "main"), file, facts.main)
        for target, found in self.reach.functions.items():
            for function in found:
                yield Unit(target, target.file, function.uses, function)

    def edge(self, source: Node, target: Node) -> None:
        """A value goes from one node to another, and so does what it holds."""
        self.into[target].add(source)
        self.into[contents(target)].add(contents(source))

    def _unit(self, unit: Unit, entry: set[Target]) -> None:
        """What a function gives goes to its callers; its object is of its class or one below."""
        returned: Node = (unit.key, "r:")
        self._open_attributes(unit)
        if unit.facts is None or unit.key in entry:
            self.edge(returned, OUT)
        if unit.facts is None:
            return
        for chain in unit.facts.decorators:
            for decorator in self.names.resolve(unit.file, chain).targets if chain else ():
                self.edge((decorator, "r:"), returned)
        if unit.facts.owner:
            self._method(unit, unit.facts, returned)

    def _method(self, unit: Unit, facts: FunctionFacts, returned: Node) -> None:
        owner = Target("class", unit.file, facts.owner)
        name = unit.key.name.rpartition(".")[2]
        self.edge(returned, f"m:{name}")
        self.edge(returned, f"a:{name}")
        if name.startswith("__") and name not in _OWN_CALLS:
            self.edge(returned, "d:")
        if owner in self.reach.open_classes:
            self.edge(returned, OUT)
        if facts.kind != "static" and facts.parameters:
            own: Node = (unit.key, f"n:{facts.parameters[0].lstrip('*')}")
            for target in (owner, *self.below(owner)):
                self.edge((target, ""), own)

    def _open_attributes(self, unit: Unit) -> None:
        """Code from outside may read any attribute of an object of an open class."""
        names = {Target("class", unit.file, unit.facts.owner)} if unit.facts is not None else set()
        if unit.facts is None:
            # What class bodies assign; of which class is not kept.
            names = {target for target in self.reach.open_classes if target.file == unit.file}
        if names & self.reach.open_classes:
            for _, place in unit.uses.flows:
                name = place[2:] if place[:2] == "a:" else place[1:-5] if place[0] == "." else ""
                if name and (place[:2] == "a:" or place.endswith("|self")):
                    self.edge(f"a:{name}", OUT)

    def below(self, owner: Target) -> list[Target]:
        """The classes that were reached and inherit from a class."""
        return self._below.get(owner, [])

    def _flow(self, unit: Unit, atom: str, place: str) -> None:
        values, held = self._sources(unit, atom)
        if not values and not held:
            return
        for target in self.targets(unit, place):
            for source in values:
                self.into[target].add(source)
            for source in held:
                self.into[contents(target)].add(source)

    def variable(self, unit: Unit, place: str) -> Node:
        """The node of a place that is a variable or an attribute."""
        kind, name = place[:2], place[2:]
        if kind == "a:":
            return place
        return (Target("module", unit.file), f"G:{name}") if kind == "G:" else (unit.key, place)

    def _sources(self, unit: Unit, atom: str) -> tuple[list[Node], list[Node]]:
        """Where the value of an atom comes from, and where what it holds does."""
        if atom[0] in "^@":
            values, held = self._sources(unit, atom[1:])
            return (held, held) if atom[0] == "^" else ([], [*values, *held])
        found = list(self._plain_sources(unit, atom))
        return found, [contents(node) for node in found]

    def _plain_sources(self, unit: Unit, atom: str) -> Iterator[Node]:
        kind, name = atom[:2], atom[2:]
        if kind in ("a:", "m:", "d:"):
            yield atom
            if kind == "a:" and name != "*":
                self.edge(atom, "a:*")
        elif kind in ("n:", "w:"):
            yield (unit.key, atom)
        elif kind == "g:":
            yield from self.value(unit, tuple(name.split(".")))
        elif kind == "c:":
            called: Node = (unit.key, atom)
            if called not in self.made:
                self.made.add(called)
                self._called(unit, tuple(name.split(".")), called)
            yield called

    def _called(self, unit: Unit, chain: Chain, called: Node) -> None:
        """What a call of a dotted name gives."""
        for source in self.value(unit, chain):
            self.edge(source, called)
        if any(target.kind in ("variable", "unknown") for target in self.resolve(unit, chain).targets):
            self.edge("m:__call__", called)
            if len(chain) > 1:
                self.edge(f"m:{chain[-1]}", called)
                if chain[-1] in GIVING:
                    for source in self.value(unit, chain[:-1]):
                        self.edge(contents(source), called)

    def value(self, unit: Unit, chain: Chain) -> Iterator[Node]:
        """Where the value of a dotted name comes from."""
        resolution = self.resolve(unit, chain)
        for target in resolution.targets:
            if target.kind == "function":
                yield (target, "r:")
            elif target.kind == "class":
                yield (target, "")
            elif target.kind == "variable":
                yield (Target("module", target.file), f"G:{target.name}")
            if target.kind in ("unknown", "variable") and len(chain) > 1:
                yield from (f"a:{chain[-1]}", "m:__getattr__", "m:__get__")
        for passed in resolution.passed:
            if passed.kind == "class" and self.reach.lineage.of(passed).is_enum:
                yield (passed, "")

    def resolve(self, unit: Unit, chain: Chain) -> Resolution:
        """What a dotted name in a unit stands for."""
        return self.names.resolve(unit.file, chain, unit.uses.bindings)


def contents(node: Node) -> Node:
    """What is in the list, dict, set or iterator that a node's value is; what is deeper inside counts as in it."""
    if node == OUT:
        return node
    if isinstance(node, str):
        return node if node.endswith("[]") else f"{node}[]"
    return node if node[1].endswith("[]") else (node[0], f"{node[1]}[]")
