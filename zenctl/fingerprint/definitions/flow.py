"""Finds the classes whose objects may get into the hands of code from outside of the project.

Such code may call any method of theirs, by a name that the project does not mention. A graph is made of where values
come from and go to, variable by variable and attribute by attribute (see `zenctl.fingerprint.definitions.atoms`); calls
and attributes are told apart by name alone. What is not understood counts as handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zenctl.fingerprint.definitions.atoms import ITERATED
from zenctl.fingerprint.definitions.facts import Chain
from zenctl.fingerprint.definitions.graph import OUT, Graph, Node, Unit, contents
from zenctl.fingerprint.definitions.names import Target
from zenctl.fingerprint.definitions.reach import Reach
from zenctl.fingerprint.definitions.watched import BENIGN, COLLECTING, CONTAINING, DROPPING, PASSING


def handed_out(reach: Reach, entry: Iterable[Target]) -> set[Target]:
    """The classes that were reached, are not open yet, and whose objects code from outside may get hold of."""
    candidates = [target for target, found in reach.classes.items() if target not in reach.open_classes]
    if not any(_has_more(reach, target) for target in candidates):
        return set()
    reaching = _Flow(reach, set(entry)).reaching()
    return {target for target in candidates if (target, "") in reaching}


def _has_more(reach: Reach, target: Target) -> bool:
    """Whether a class has a method that was not reached yet."""
    return any(
        Target("function", target.file, f"{target.name}.{name}") not in reach.functions
        for found in reach.classes[target]
        for name in found.methods
    )


class _Flow(Graph):
    """The graph with where values go."""

    def __init__(self, reach: Reach, entry: set[Target]) -> None:
        # Many classes have attributes of the same names: what is known of one is looked up once.
        self._displays: dict[Node, bool] = {}
        self._owners: dict[Node, list[Target]] = {}
        super().__init__(reach, entry)

    def targets(self, unit: Unit, place: str) -> Iterator[Node]:
        """Where a value goes that is put to a place."""
        kind, rest = place[:2], place[2:]
        if kind in ("n:", "G:", "a:"):
            yield self.variable(unit, place)
        elif kind in ("r:", "w:") and not rest:
            yield (unit.key, place)
        elif kind == "p:":
            yield from self._argument(unit, *rest.rsplit("|", 1))
        elif kind == "q:":
            yield from self._method_argument(unit, *rest.split("|", 2))
        elif kind == "w:":
            for target in self.resolve(unit, tuple(rest.split("."))).targets:
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

    def _argument(self, unit: Unit, name: str, place: str) -> Iterator[Node]:
        """An argument of a call of a dotted name."""
        chain = tuple(name.split("."))
        for target in self.resolve(unit, chain).targets:
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

    def _passed(self, unit: Unit, name: str, function: str, place: str) -> Iterator[Node]:
        """An argument that a function from outside may return, or put into the list or iterator that it returns."""
        called: Node = (unit.key, f"c:{name}")
        for iterated in ITERATED:
            self.edge(iterated, contents(called))
        if function == "dataclasses.replace" and place[0] == "=":
            yield f"a:{place[1:]}"
        # `next` and `sum` may return their second argument as it is.
        if (
            function not in COLLECTING
            or place[0] == "="
            or (place == "1" and function in ("builtins.next", "builtins.sum"))
        ):
            yield called
            yield contents(called)
            return
        given: Node = (unit.key, f"x:{name}")
        self.into[contents(called)].add(contents(given))
        self.into[called].add(contents(given))
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
        # An object that is iterated over may give what it was made with, as a NamedTuple does.
        yield contents((target, ""))
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

    def _method_argument(self, unit: Unit, name: str, place: str, receiver: str) -> Iterator[Node]:
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

    def _contained(self, unit: Unit, name: str, receiver: str) -> Iterator[Node]:
        """Put by a method into what may be a list, dict or set."""
        node = self._place(unit, receiver)
        if node is not None:
            yield contents(node)
        if name == "__setitem__" and not self._is_display(unit, receiver):
            yield from self._method_argument(unit, name, "*", receiver)

    def _index(self, unit: Unit, chain: Chain) -> Iterator[Node]:
        for target in self.resolve(unit, chain).targets:
            typing = ("typing.", "typing_extensions.", "collections.abc.", "builtins.")
            is_type = target.kind == "class" or (target.kind == "outside" and target.name.startswith(typing))
            if not is_type and not self._is_display(unit, f"g:{'.'.join(chain)}"):
                yield OUT

    def _place(self, unit: Unit, receiver: str) -> Node | None:
        """The variable or attribute that an object is known as."""
        kind, name = receiver[:2], receiver[2:]
        if kind == "n:":
            return (unit.key, receiver)
        if kind == "s:":
            return f"a:{name}"
        if kind == "g:":
            for target in self.resolve(unit, tuple(name.split("."))).targets:
                if target.kind == "variable":
                    return (Target("module", target.file), f"G:{target.name}")
        return None

    def _is_display(self, unit: Unit, receiver: str) -> bool:
        """Whether an object is certainly a list, dict or set that the project has written out."""
        node = self._assigned(unit, receiver)
        if node is None:
            return False
        if node not in self._displays:
            atoms = {atom for _, atom in self.raw.get(node, ())}
            self._displays[node] = "l:" in atoms and not atoms & {"u:", "v:"}
        return self._displays[node]

    def _assigned(self, unit: Unit, receiver: str) -> Node | None:
        """The variable or attribute that an object is known as, if it gets its value by assignments alone."""
        facts = unit.facts
        if facts is not None and receiver[2:] in [name.lstrip("*") for name in facts.parameters]:
            return None
        if receiver[:2] == "s:" and (self.sets or receiver[2:] in self.fields or self._is_outer(unit)):
            return None
        return self._place(unit, receiver)

    def _is_outer(self, unit: Unit) -> bool:
        """Whether the class of a method is open: then code from outside may set its attributes."""
        return unit.facts is not None and Target("class", unit.file, unit.facts.owner) in self.reach.open_classes

    def _is_ours(self, unit: Unit, receiver: str, name: str) -> bool:
        """Whether an object is certainly of a class of the project that has this method, and no attribute called so."""
        owners = self._classes_of(unit, receiver)
        return not self.raw.get(f"a:{name}") and bool(owners) and all(self._has_method(o, name) for o in owners)

    def _is_object(self, unit: Unit, receiver: str) -> bool:
        """Whether an object is certainly of a class of the project of which code from outside has none."""
        owners = self._classes_of(unit, receiver)
        return bool(owners) and not any(
            owner in self.reach.open_classes or self.reach.lineage.of(owner).is_open for owner in owners
        )

    def _classes_of(self, unit: Unit, receiver: str) -> list[Target]:
        """All classes that an object can be of; none if that is not certain."""
        if receiver == "self":
            if unit.facts is None or not unit.facts.owner:
                return []
            owner = Target("class", unit.file, unit.facts.owner)
            return [owner, *self.below(owner)]
        node = self._assigned(unit, receiver)
        if node is None:
            return []
        if node not in self._owners:
            self._owners[node] = self._made_of(node)
        return self._owners[node]

    def _made_of(self, node: Node) -> list[Target]:
        """The classes of all that is assigned to a variable or attribute; none if one of them is not certain."""
        owners: dict[Target, None] = {}
        for maker, atom in self.raw.get(node, ()):
            if atom in ("u:", "l:"):
                return []
            if atom not in ("k:", "v:"):
                found = self.resolve(maker, tuple(atom[2:].split("."))).targets if atom[:2] == "c:" else ()
                if not found or any(target.kind != "class" for target in found):
                    return []
                owners.update(dict.fromkeys(found))
        return list(owners)

    def _has_method(self, owner: Target, name: str) -> bool:
        heritage = self.reach.lineage.of(owner)
        if heritage.is_open:
            return False
        return any(
            name in found.methods for above in (owner, *heritage.ancestors) for found in self.names.classes(above)
        )


def _drops(name: str, place: str) -> bool:
    """Whether a function from outside neither keeps nor returns what it is given at a place."""
    return (name in DROPPING and place[0] != "=") or (name == "builtins.getattr" and place in ("0", "1"))
