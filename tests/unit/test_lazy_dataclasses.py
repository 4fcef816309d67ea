"""A lazy dataclass does what the standard library's does, whatever is asked of it first."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zenctl
from zenctl import lazy_dataclasses

OPTIONS = [
    {},
    {"frozen": True},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "repr": False},
    {"eq": False},
]


def classes(make: Callable[..., Any], options: dict[str, Any]) -> tuple[Any, Any]:
    """A class and one derived from it, by the decorator given."""

    @make(**options)
    class Base:
        a: int
        b: str = "b"
        kind: ClassVar[str] = "base"

        def double(self) -> int:
            return 2 * self.a

    @make(**options)
    class Derived(Base):
        """Has more."""

        c: list[int] = dataclasses.field(default_factory=list)
        d: int = dataclasses.field(default=4, compare=False, repr=False)
        b: str = "derived"
        kind: ClassVar[str] = "derived"

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("negative")

    return Base, Derived


def outcome(action: Callable[[], Any]) -> Any:
    """What comes of it, comparable between two classes of equal names."""
    try:
        return re.sub(" at 0x[0-9a-f]+", "", repr(action()))
    except Exception as problem:  # noqa: BLE001
        return type(problem).__mro__[:-1], str(problem)


ASKED: dict[str, Callable[[Any, Any], Any]] = {
    "repr": lambda base, derived: (repr(base(1)), repr(derived(1, "x", [2]))),
    "equal": lambda base, derived: (base(1) == base(1), base(1) == base(2), base(1) == derived(1), base(1) == 1),
    "what is not compared": lambda _, derived: derived(1, d=1) == derived(1, d=2),
    "hash": lambda base, _: len({hash(one) for one in [base(1), base(1)]}),
    "hash of a list": lambda _, derived: isinstance(hash(derived(1)), int),
    "in a set": lambda base, _: len({base(1), base(1), base(2)}),
    "fields": lambda base, derived: [[f.name for f in dataclasses.fields(cls)] for cls in (base, derived)],
    "is one": lambda base, derived: [dataclasses.is_dataclass(x) for x in (base, derived, derived(1))],
    "match": lambda base, derived: (base.__match_args__, derived.__match_args__),
    "signature": lambda base, derived: [parameters(used(cls)) for cls in (base, derived)],
    "replace": lambda _, derived: repr(dataclasses.replace(derived(1), a=2)),
    "replace what is not there": lambda _, derived: dataclasses.replace(derived(1), z=2),
    "as a dict": lambda _, derived: dataclasses.asdict(derived(1, c=[3])),
    "copies": lambda _, derived: repr(copy.copy(derived(1, c=[3]))) + repr(copy.deepcopy(derived(1, c=[3]))),
    "set": lambda base, _: setattr(base(1), "a", 2),
    "set on the derived": lambda _, derived: setattr(derived(1), "c", 2),
    "delete": lambda base, _: delattr(base(1), "a"),
    "slots": lambda base, derived: [hasattr(cls(1), "__dict__") for cls in (base, derived)],
    "default": lambda _, derived: (derived(1).b, derived(1).c, derived(1).d),
    "a default each": lambda _, derived: derived(1).c is derived(1).c,
    "class variable": lambda base, derived: (base.kind, derived(1).kind),
    "method": lambda _, derived: derived(3).double(),
    "after init": lambda _, derived: derived(-1),
    "nothing given": lambda base, _: base(),
    "too much given": lambda base, _: base(1, "b", 3),
    "unknown name": lambda base, _: base(1, z=3),
    "given twice": lambda base, _: base(1, a=3),
    "names": lambda base, derived: (base.__name__, derived.__qualname__, base.__module__, derived.__doc__),
    "class attribute": lambda base, _: getattr(base, "b", "none") if not hasattr(base, "__slots__") else None,
}


def used(cls: Any) -> Any:
    """The class, after some instances were made of it: only then its signature is known."""
    for _ in range(6):
        cls(1)
    return cls


def parameters(cls: Any) -> list[tuple[Any, ...]]:
    plain = (int, str, type)
    return [
        (given.name, given.kind, given.default if isinstance(given.default, plain) else "made")
        for given in inspect.signature(cls).parameters.values()
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("asked", ASKED)
def test_it_does_what_the_standard_one_does(asked: str, options: dict[str, Any]) -> None:
    expected = outcome(lambda: ASKED[asked](*classes(dataclasses.dataclass, options)))
    assert outcome(lambda: ASKED[asked](*classes(lazy_dataclasses.dataclass, options))) == expected


@given(st.lists(st.sampled_from(sorted(ASKED)), max_size=6), st.sampled_from(OPTIONS))
def test_the_order_of_questions_does_not_matter(asked: list[str], options: dict[str, Any]) -> None:
    lazy, standard = classes(lazy_dataclasses.dataclass, options), classes(dataclasses.dataclass, options)
    for name in asked:
        ask = ASKED[name]
        assert outcome(partial(ask, *lazy)) == outcome(partial(ask, *standard))


def test_a_derived_class_has_slots_for_what_it_adds() -> None:
    base, derived = classes(lazy_dataclasses.dataclass, {"slots": True})
    assert (base.__slots__, derived.__slots__) == (("a", "b"), ("c", "d"))


def test_what_is_rarely_used_is_left_to_the_standard_library() -> None:
    @lazy_dataclasses.dataclass(order=True)
    class Ordered:
        a: int

    @lazy_dataclasses.dataclass
    class Given:
        a: dataclasses.InitVar[int]
        b: int = dataclasses.field(init=False, default=0)
        _: dataclasses.KW_ONLY
        c: int = 1

        def __post_init__(self, a: int) -> None:
            self.b = a + 1

    assert Ordered(1) < Ordered(2)
    assert Given(1, c=3) == Given(1, c=3)
    assert Given(1).b == 2
    with pytest.raises(TypeError):
        Given(1, 2)  # type: ignore[misc]


def test_what_its_author_wrote_stays() -> None:
    @lazy_dataclasses.dataclass(frozen=True, slots=True)
    class Own:
        a: int
        b: int = 0

        def __init__(self, a: int) -> None:
            object.__setattr__(self, "a", a)
            object.__setattr__(self, "b", 7)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.a == other.a

        def __hash__(self) -> int:
            return 5

        def __repr__(self) -> str:
            return "own"

    assert (Own(1).b, Own(1) == Own(1), hash(Own(1)), repr(Own(1))) == (7, True, 5, "own")
    assert [field.name for field in dataclasses.fields(Own)] == ["a", "b"]
    assert (Own(1).b, Own(1) == Own(1), hash(Own(1)), repr(Own(1))) == (7, True, 5, "own")


@lazy_dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    a: int
    b: tuple[int, ...] = ()


def test_one_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, (2,)))) == Kept(1, (2,))


def test_nothing_is_written_before_it_is_needed() -> None:
    _, derived = classes(lazy_dataclasses.dataclass, {"frozen": True, "slots": True})

    def written() -> set[str]:
        methods = ("__init__", "__eq__", "__hash__", "__repr__")
        return {
            name for name in methods if "_later" not in (of := vars(derived)[name].__qualname__) and "_init." not in of
        }

    made = [derived(number) for number in range(3)]
    assert written() == set()
    made.append(derived(3))
    assert written() == {"__init__"}
    assert made[0] != made[1]
    assert written() == {"__init__", "__eq__", "__hash__"}
    assert repr(made[0])
    assert written() == {"__init__", "__eq__", "__hash__", "__repr__"}


def test_many_instances_are_as_the_first() -> None:
    for options in OPTIONS:
        _, derived = classes(lazy_dataclasses.dataclass, options)
        made = [derived(1, d=number) for number in range(6)]
        assert [one.d for one in made] == list(range(6))
        assert {(one.a, one.b, tuple(one.c)) for one in made} == {(1, "derived", ())}
        assert len({id(one.c) for one in made}) == 6
        for _ in range(6):
            with pytest.raises(ValueError, match="negative"):
                derived(-1)


@pytest.mark.parametrize("first", ["init", "eq", "fields"])
def test_many_threads_may_be_the_first(first: str) -> None:
    for _ in range(20):
        base, derived = classes(lazy_dataclasses.dataclass, {"frozen": True, "slots": True})
        gate, found = threading.Barrier(8), list[Any]()

        def use(
            gate: threading.Barrier = gate, found: list[Any] = found, base: Any = base, derived: Any = derived
        ) -> None:
            gate.wait()
            if first == "fields":
                found.append(len(dataclasses.fields(derived)) == 4)
            elif first == "eq":
                found.append(derived(1) == derived(1) and base(1) != base(2))
            else:
                found.append(derived(1, c=[2]).c == [2])

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 8


def lazy_classes() -> list[Any]:
    """Every lazy dataclass of zenctl that can be imported here."""
    found = {}
    for module in pkgutil.walk_packages(zenctl.__path__, "zenctl."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and "__lazy_dataclass__" in vars(value):
                found[value.__module__, value.__qualname__] = value
    return list(found.values())


def test_every_class_of_zenctl_is_a_sound_dataclass() -> None:
    """What a dataclass refuses at import, such as a mutable default, is refused here."""
    made = lazy_classes()
    assert len(made) > 250
    for cls in made:
        fields = dataclasses.fields(cls)
        lazy = vars(cls)["__lazy_dataclass__"]
        lazy.write_init()
        if "__init__" in lazy.written:
            continue
        takes = {p.name: p.default for p in inspect.signature(cls.__init__).parameters.values() if p.name != "self"}
        assert list(takes) == [field.name for field in fields], cls
        for field in fields:
            if field.default_factory is not dataclasses.MISSING:
                assert takes[field.name] is dataclasses.MISSING, cls
            elif field.default is dataclasses.MISSING:
                assert takes[field.name] is inspect.Parameter.empty, cls
            else:
                assert takes[field.name] is field.default, cls
