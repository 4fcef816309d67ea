"""Finds the classes whose objects may get into the hands of code from outside of the project.

Such code may call any method of theirs, by a name that the project does not mention. A graph is made of where values
come from and go to, variable by variable and attribute by attribute (see `zenctl.fingerprint.expressions`); calls and
attributes are told apart by name alone. What is not understood counts as handed out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

from zenctl.fingerprint.expressions import ITERATED
from zenctl.fingerprint.facts import Chain, FunctionFacts, Uses
from zenctl.fingerprint.names import Resolution, Target
from zenctl.fingerprint.reach import Reach
from zenctl.fingerprint.watched import BENIGN, COLLECTING, CONTAINING, DROPPING, GIVING, PASSING

Node = Union[str, "tuple[object, str]"]

OUT = "o:"

_OWN_CALLS = frozenset(
    {"__aenter__", "__aiter__", "__anext__", "__call__", "__class_getitem__", "__enter__", "__get__", "__getattr__"}
    | {"__getitem__", "__init__", "__iter__", "__missing__", "__next__"}
)
"""Methods that have atoms of their own; what the others with two underscores give is what an operator gives."""


@dataclass(frozen=True)
class _Unit:
    """A stretch of code that was reached. `key` tells it from others; `facts` are None at the top level of a module."""

    key: Target
    file: str
    uses: Uses
    facts: FunctionFacts | None = None


def handed_out(reach: Reach, entry: Iterable[Target]) -> set[Target]:
    """The classes that were reached, are not open yet, and whose objects code from outside may get hold of."""
    candidates = [target for target, found in reach.classes.items() if target not in reach.open_classes]
    if not any(_has_more(reach, target) for target in candidates):
        return set()
    reaching = _Graph(reach, set(entry)).reaching()
    return {target for target in candidates if (target, "") in reaching}


def _has_more(reach: Reach, target: Target) -> bool:
    """Whether a class has a method that was not reached yet."""
    return any(
        Target("function", target.file, f"{target.name}.{name}") not in reach.functions
        for found in reach.classes[target]
        for name in found.methods
    )


class _Graph:
    def __init__(self, reach: Reach, entry: set[Target]) -> None:
        self.reach = reach
        self.names = reach.names
        self.into: dict[Node, set[Node]] = defaultdict(set)
        self.raw: dict[Node, list[tuple[_Unit, str]]] = defaultdict(list)
        self.methods: dict[str, list[_Unit]] = defaultdict(list)
        self.made: set[Node] = set()
        self.units = list(self._units())
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
                    self.raw[self._variable(unit, place)].append((unit, atom))
                elif place[0] == ".":
                    self.raw[f"a:{place[1:].partition('|')[0]}"].append((unit, atom))
        for target in reach.classes:
            if reach.lineage.of(target).is_enum:
                # Its objects are what iterating over the class gives.
                self.into[_contents((target, ""))].add((target, ""))
        for unit in self.units:
            self._unit(unit, entry)
            for atom, place in unit.uses.flows:
                self._flow(unit, atom, place)

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

    def _units(self) -> Iterator[_Unit]:
        for file, facts in self.reach.files.items():
            if facts is not None:
                yield _Unit(Target("module", file), file, facts.top)
                if facts.main is not None and self.reach.runs_main(file):
                    yield _Unit(Target("module", file, "main"), file, facts.main)
        for target, found in self.reach.functions.items():
            for function in found:
                yield _Unit(target, target.file, function.uses, function)

    def _edge(self, source: Node, target: Node) -> None:
        """A value goes from one node to another, and so does what it holds."""
        self.into[target].add(source)
        self.into[_contents(target)].add(_contents(source))

    def _unit(self, unit: _Unit, entry: set[Target]) -> None:
        """What a function gives goes to its callers; its object is of its class or one below."""
        returned: Node = (unit.key, "r:")
        self._open_attributes(unit)
        if unit.facts is None or unit.key in entry:
            self._edge(returned, OUT)
        if unit.facts is None:
            return
        for chain in unit.facts.decorators:
            for decorator in self.names.resolve(unit.file, chain).targets if chain else ():
                self._edge((decorator, "r:"), returned)
        if unit.facts.owner:
            self._method(unit, unit.facts, returned)

    def _method(self, unit: _Unit, facts: FunctionFacts, returned: Node) -> None:
        owner = Target("class", unit.file, facts.owner)
        name = unit.key.name.rpartition(".")[2]
        self._edge(returned, f"m:{name}")
        self._edge(returned, f"a:{name}")
        if name.startswith("__") and name not in _OWN_CALLS:
            self._edge(returned, "d:")
        if owner in self.reach.open_classes:
            self._edge(returned, OUT)
        if facts.kind != "static" and facts.parameters:
            own: Node = (unit.key, f"n:{facts.parameters[0].lstrip('*')}")
            for target in (owner, *self._below(owner)):
                self._edge((target, ""), own)

    def _open_attributes(self, unit: _Unit) -> None:
        """Code from outside may read any attribute of an object of an open class."""
        names = {Target("class", unit.file, unit.facts.owner)} if unit.facts is not None else set()
        if unit.facts is None:
            # What class bodies assign; of which class is not kept.
            names = {target for target in self.reach.open_classes if target.file == unit.file}
        if names & self.reach.open_classes:
            for _, place in unit.uses.flows:
                name = place[2:] if place[:2] == "a:" else place[1:-5] if place[0] == "." else ""
                if name and (place[:2] == "a:" or place.endswith("|self")):
                    self._edge(f"a:{name}", OUT)

    def _below(self, owner: Target) -> list[Target]:
        """The classes that were reached and inherit from a class."""
        return [target for target in self.reach.classes if owner in self.reach.lineage.of(target).ancestors]

    def _flow(self, unit: _Unit, atom: str, place: str) -> None:
        values, held = self._sources(unit, atom)
        if not values and not held:
            return
        for target in self._targets(unit, place):
            for source in values:
                self.into[target].add(source)
            for source in held:
                self.into[_contents(target)].add(source)

    def _variable(self, unit: _Unit, place: str) -> Node:
        kind, name = place[:2], place[2:]
        if kind == "a:":
            return place
        return (Target("module", unit.file), f"G:{name}") if kind == "G:" else (unit.key, place)

    def _sources(self, unit: _Unit, atom: str) -> tuple[list[Node], list[Node]]:
        """Where the value of an atom comes from, and where what it holds does."""
        if atom[0] in "^@":
            values, held = self._sources(unit, atom[1:])
            return (held, held) if atom[0] == "^" else ([], [*values, *held])
        found = list(self._plain_sources(unit, atom))
        return found, [_contents(node) for node in found]

    def _plain_sources(self, unit: _Unit, atom: str) -> Iterator[Node]:
        kind, name = atom[:2], atom[2:]
        if kind in ("a:", "m:", "d:"):
            yield atom
            if kind == "a:" and name != "*":
                self._edge(atom, "a:*")
        elif kind in ("n:", "w:"):
            yield (unit.key, atom)
        elif kind == "g:":
            yield from self._value(unit, tuple(name.split(".")))
        elif kind == "c:":
            called: Node = (unit.key, atom)
            if called not in self.made:
                self.made.add(called)
                self._called(unit, tuple(name.split(".")), called)
            yield called

    def _called(self, unit: _Unit, chain: Chain, called: Node) -> None:
        """What a call of a dotted name gives."""
        for source in self._value(unit, chain):
            self._edge(source, called)
        if any(target.kind in ("variable", "unknown") for target in self._resolve(unit, chain).targets):
            self._edge("m:__call__", called)
            if len(chain) > 1:
                self._edge(f"m:{chain[-1]}", called)
                if chain[-1] in GIVING:
                    for source in self._value(unit, chain[:-1]):
                        self._edge(_contents(source), called)

    def _value(self, unit: _Unit, chain: Chain) -> Iterator[Node]:
        resolution = self._resolve(unit, chain)
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

    def _resolve(self, unit: _Unit, chain: Chain) -> Resolution:
        return self.names.resolve(unit.file, chain, unit.uses.bindings)

    def _targets(self, unit: _Unit, place: str) -> Iterator[Node]:
        """Where a value goes that is put to a place."""
        kind, rest = place[:2], place[2:]
        if kind in ("n:", "G:", "a:"):
            yield self._variable(unit, place)
        elif kind in ("r:", "w:") and not rest:
            yield (unit.key, place)
        elif kind == "p:":
            yield from self._argument(unit, *rest.rsplit("|", 1))
        elif kind == "q:":
            yield from self._method_argument(unit, *rest.split("|", 2))
        elif kind == "w:":
            for target in self._resolve(unit, tuple(rest.split("."))).targets:
                if not (target.kind == "outside" and target.name in BENIGN):
                    yield (target, "w:") if target.kind == "function" else OUT
        elif kind == "i:":
            yield from self._index(unit, tuple(rest.split(".")))
        elif place[0] == ".":
            name, receiver = place[1:].split("|", 1)
            yield f"a:{name}"
            if not self._is_object(unit, receiver):
                yield OUT
        elif place[0] == "+":
            yield from self._contained(unit, *place[1:].split("|", 1))
        else:
            yield OUT

    def _argument(self, unit: _Unit, name: str, place: str) -> Iterator[Node]:
        """An argument of a call of a dotted name."""
        chain = tuple(name.split("."))
        for target in self._resolve(unit, chain).targets:
            if target.kind == "function":
                yield from self._parameters(target, place, 0)
                if any(facts.decorators for facts in self.names.functions(target)):
                    yield OUT
            elif target.kind == "class":
                yield from self._construct(target, place)
            elif target.kind == "outside" and target.name in PASSING and not _drops(target.name, place):
                yield from self._passed(unit, name, target.name, place)
            elif target.kind == "outside" and (_drops(target.name, place) or target.name in BENIGN):
                continue
            elif target.kind in ("variable", "unknown") and len(chain) > 1:
                yield from self._method_argument(unit, chain[-1], place, f"g:{'.'.join(chain[:-1])}")
            else:
                yield OUT

    def _passed(self, unit: _Unit, name: str, function: str, place: str) -> Iterator[Node]:
        """An argument that a function from outside may return, or put into the list or iterator that it returns."""
        called: Node = (unit.key, f"c:{name}")
        for iterated in ITERATED:
            self._edge(iterated, _contents(called))
        if function not in COLLECTING or place[0] == "=":
            yield called
            yield _contents(called)
            return
        given: Node = (unit.key, f"x:{name}")
        self.into[_contents(called)].add(_contents(given))
        self.into[called].add(_contents(given))
        yield given

    def _construct(self, target: Target, place: str) -> Iterator[Node]:
        """An argument that an object is made with."""
        owners = (target, *self.reach.lineage.of(target).ancestors)
        for owner in owners:
            for name in ("__init__", "__new__", "__init_subclass__"):
                yield from self._parameters(Target("function", owner.file, f"{owner.name}.{name}"), place, 1)
            for found in self.names.classes(owner):
                for field in found.fields if place[0] != "=" else ():
                    yield f"a:{field}"
        yield "a:args"
        if place[0] == "=":
            yield f"a:{place[1:]}"
        if target in self.reach.open_classes or self.reach.lineage.of(target).is_noticed:
            yield OUT

    def _parameters(self, target: Target, place: str, bound: int) -> Iterator[Node]:
        """The parameters that an argument may become; `bound` of them are given by Python."""
        for facts in self.names.functions(target):
            names = facts.parameters
            plain = [name for name in names if not name.startswith("*")]
            positional = plain[: next((i for i, name in enumerate(names) if name.startswith("*")), len(names))]
            rest = [f"{name.lstrip('*')}[]" for name in names if name.startswith("*") and name != "*"]
            if place == "*":
                chosen = [*plain, *rest]
            elif place[0] == "=":
                chosen = [place[1:]] if place[1:] in plain else rest
            else:
                index = int(place) + bound
                chosen = [positional[index]] if index < len(positional) else rest
            for name in chosen:
                yield (target, f"n:{name}")

    def _method_argument(self, unit: _Unit, name: str, place: str, receiver: str) -> Iterator[Node]:
        """An argument of a method of an object that is only known by what it is called."""
        for method in self.methods.get(name, ()):
            bound = 0 if method.facts is not None and method.facts.kind == "static" else 1
            yield from self._parameters(method.key, place, bound)
            if bound:
                # `Class.method(object, ...)`
                yield from self._parameters(method.key, place, 0)
        if name in CONTAINING and self._is_display(unit, receiver):
            return
        if not self._is_ours(unit, receiver, name):
            yield OUT

    def _contained(self, unit: _Unit, name: str, receiver: str) -> Iterator[Node]:
        """Put by a method into what may be a list, dict or set."""
        node = self._place(unit, receiver)
        if node is not None:
            yield _contents(node)
        if name == "__setitem__" and not self._is_display(unit, receiver):
            yield from self._method_argument(unit, name, "*", receiver)

    def _index(self, unit: _Unit, chain: Chain) -> Iterator[Node]:
        for target in self._resolve(unit, chain).targets:
            typing = ("typing.", "typing_extensions.", "collections.abc.", "builtins.")
            is_type = target.kind == "class" or (target.kind == "outside" and target.name.startswith(typing))
            if not is_type and not self._is_display(unit, f"g:{'.'.join(chain)}"):
                yield OUT

    def _place(self, unit: _Unit, receiver: str) -> Node | None:
        """The variable or attribute that an object is known as."""
        kind, name = receiver[:2], receiver[2:]
        if kind == "n:":
            return (unit.key, receiver)
        if kind == "s:":
            return f"a:{name}"
        if kind == "g:":
            for target in self._resolve(unit, tuple(name.split("."))).targets:
                if target.kind == "variable":
                    return (Target("module", target.file), f"G:{target.name}")
        return None

    def _is_display(self, unit: _Unit, receiver: str) -> bool:
        """Whether an object is certainly a list, dict or set that the project has written out."""
        atoms = {atom for _, atom in self._assigned(unit, receiver)}
        return "l:" in atoms and not atoms & {"u:", "v:"}

    def _assigned(self, unit: _Unit, receiver: str) -> list[tuple[_Unit, str]]:
        """All that is assigned to what an object is known as; nothing if it may be given otherwise."""
        facts = unit.facts
        if facts is not None and receiver[2:] in [name.lstrip("*") for name in facts.parameters]:
            return []
        if receiver[:2] == "s:" and (self.sets or receiver[2:] in self.fields or self._is_outer(unit)):
            return []
        node = self._place(unit, receiver)
        return self.raw.get(node, []) if node is not None else []

    def _is_outer(self, unit: _Unit) -> bool:
        """Whether the class of a method is open: then code from outside may set its attributes."""
        return unit.facts is not None and Target("class", unit.file, unit.facts.owner) in self.reach.open_classes

    def _is_ours(self, unit: _Unit, receiver: str, name: str) -> bool:
        """Whether an object is certainly of a class of the project that has this method and nothing else by its name."""
        owners = self._classes_of(unit, receiver)
        return not self.raw.get(f"a:{name}") and bool(owners) and all(self._has_method(o, name) for o in owners)

    def _is_object(self, unit: _Unit, receiver: str) -> bool:
        """Whether an object is certainly of a class of the project of which code from outside has none."""
        owners = self._classes_of(unit, receiver)
        return bool(owners) and not any(
            owner in self.reach.open_classes or self.reach.lineage.of(owner).is_open for owner in owners
        )

    def _classes_of(self, unit: _Unit, receiver: str) -> list[Target]:
        """All classes that an object can be of; none if that is not certain."""
        if receiver == "self":
            if unit.facts is None or not unit.facts.owner:
                return []
            owner = Target("class", unit.file, unit.facts.owner)
            return [owner, *self._below(owner)]
        owners: list[Target] = []
        for maker, atom in self._assigned(unit, receiver):
            if atom in ("u:", "l:"):
                return []
            if atom not in ("k:", "v:"):
                found = self._resolve(maker, tuple(atom[2:].split("."))).targets if atom[:2] == "c:" else ()
                if not found or any(target.kind != "class" for target in found):
                    return []
                owners += found
        return owners

    def _has_method(self, owner: Target, name: str) -> bool:
        heritage = self.reach.lineage.of(owner)
        if heritage.is_open:
            return False
        return any(
            name in found.methods for above in (owner, *heritage.ancestors) for found in self.names.classes(above)
        )


def _contents(node: Node) -> Node:
    """What is in the list, dict, set or iterator that a node's value is; what is deeper inside counts as in it."""
    if node == OUT:
        return node
    if isinstance(node, str):
        return node if node.endswith("[]") else f"{node}[]"
    return node if node[1].endswith("[]") else (node[0], f"{node[1]}[]")


def _drops(name: str, place: str) -> bool:
    """Whether a function from outside neither keeps nor returns what it is given at a place."""
    return (name in DROPPING and place[0] != "=") or (name == "builtins.getattr" and place in ("0", "1"))
