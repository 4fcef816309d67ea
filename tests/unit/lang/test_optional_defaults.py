"""Optional attributes: what stands in for what is missing, against a model that fills in plain data by the rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.lang.values import Sensitive, convert, from_python, to_python
from zenctl.schema import Unknown


@dataclass(frozen=True)
class Kind:
    """A type in the model: a primitive's name, or list, map or object with what is inside. `optional` holds defaults,
    None for none."""

    name: str
    element: Kind | None = None
    attributes: dict[str, Kind] = field(default_factory=dict, hash=False)
    optional: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        if self.element is not None:
            return f"{self.name}({self.element})"
        if self.name != "object":
            return self.name
        return f"object({{{', '.join(f'{name} = {self._attribute(name)}' for name in self.attributes)}}})"

    def _attribute(self, name: str) -> str:
        kind = str(self.attributes[name])
        if name not in self.optional:
            return kind
        default = self.optional[name]
        return f"optional({kind})" if default is None else f"optional({kind}, {written(default)})"


def written(data: Any) -> str:
    """Plain data as HCL."""
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, dict):
        return "{" + ", ".join(f"{name} = {written(item)}" for name, item in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(written, data)) + "]"
    return "null" if data is None else f'"{data}"' if isinstance(data, str) else str(data)


def filled(kind: Kind, data: Any) -> Any:
    """The rules: a null stays null; an optional attribute that is missing or null is its default, which is filled in
    itself, or null; everything inside is filled in; attributes that the type does not have are dropped."""
    if data is None:
        return None
    if kind.name == "list":
        assert kind.element is not None
        return [filled(kind.element, item) for item in data]
    if kind.name == "map":
        assert kind.element is not None
        return {name: filled(kind.element, item) for name, item in data.items()}
    if kind.name == "object":
        given = {name: data.get(name) for name in kind.attributes}
        missing = {name for name in kind.optional if given[name] is None}
        return {
            name: filled(inner, kind.optional[name] if name in missing else given[name])
            for name, inner in kind.attributes.items()
        }
    return data


PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.integers(-99, 99),
    "string": st.sampled_from(["", "a", "b c"]),
    "bool": st.booleans(),
}
NAMES = ["a", "b", "c"]


def kinds() -> st.SearchStrategy[Kind]:
    """Types, nested up to a few levels."""
    return st.recursive(st.sampled_from([Kind(name) for name in PRIMITIVES]), nested, max_leaves=6)


def nested(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    collections = st.builds(Kind, st.sampled_from(["list", "map"]), inner)
    return collections | objects(inner)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Kind]) -> Kind:
    attributes = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    optional = {}
    for name in attributes:
        choice = draw(st.sampled_from(["required", "optional", "default"]))
        if choice != "required":
            optional[name] = None if choice == "optional" else draw(values(attributes[name], null=False))
    return Kind("object", None, attributes, optional)


@st.composite
def values(draw: st.DrawFn, kind: Kind, null: bool = True) -> Any:
    """Plain data that fits a type: with nulls, and with optional attributes left out or superfluous ones added."""
    if null and draw(st.integers(0, 5)) == 0:
        return None
    if kind.name in PRIMITIVES:
        return draw(PRIMITIVES[kind.name])
    if kind.element is not None:
        items = draw(st.lists(values(kind.element), max_size=3))
        return items if kind.name == "list" else dict(zip(NAMES, items, strict=False))
    given = {
        name: draw(values(inner))
        for name, inner in kind.attributes.items()
        if name not in kind.optional or draw(st.booleans())
    }
    return {**given, "superfluous": 1} if draw(st.booleans()) else given


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_defaults_are_those_of_the_rules(data: st.DataObject) -> None:
    kind = data.draw(kinds())
    value = data.draw(values(kind))
    converted, problem = convert(from_python(value), str(kind))
    assert problem is None, f"{value} as {kind}"
    assert to_python(converted) == filled(kind, value)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_filled_in_stays_as_it_is(data: st.DataObject) -> None:
    kind = data.draw(kinds())
    once, problem = convert(from_python(data.draw(values(kind))), str(kind))
    assert problem is None
    assert convert(once, str(kind)) == (once, None)


CASES: list[tuple[str, Any, Any]] = [
    ("object({a=optional(number,1)})", {}, {"a": 1}),
    ("object({a=optional(number,1)})", {"a": None}, {"a": 1}),
    ("object({a=optional(number)})", {"a": None}, {"a": None}),
    ("object({a=optional(string,5)})", {}, {"a": "5"}),
    ("object({a=optional(object({b=optional(number,2)}),{})})", {}, {"a": {"b": 2}}),
    ("object({a=optional(object({b=optional(number,2)}))})", {}, {"a": None}),
    ("object({a=optional(object({b=optional(number,2)}))})", {"a": {}}, {"a": {"b": 2}}),
    ("list(object({a=optional(number,1)}))", [{}, {"a": 3}, None], [{"a": 1}, {"a": 3}, None]),
    ("set(object({a=optional(number,1)}))", [{}, {"a": 1}], [{"a": 1}]),
    ("tuple([object({a=optional(bool,true)}),string])", [{}, 1], [{"a": True}, "1"]),
    ("map(object({a=optional(set(number),[2,1])}))", {"k": {}}, {"k": {"a": [1, 2]}}),
    ("object({a=optional(any,[1])})", {}, {"a": [1]}),
    ("object({a=optional(any)})", {"a": {"x": None}}, {"a": {"x": None}}),
    ("object({a=optional(number,1)})", None, None),
    ("object({a=optional(number,1)})", {"a": Sensitive(None)}, {"a": Sensitive(1)}),
    ("object({a=optional(number,1)})", {"a": Unknown()}, {"a": Unknown("number")}),
    ("object({a=optional(number,1)})", Sensitive({}), Sensitive({"a": 1})),
]


@pytest.mark.parametrize(("type", "value", "expected"), CASES)
def test_cases(type: str, value: Any, expected: Any) -> None:
    converted, problem = convert(from_python(value), type)
    assert (to_python(converted), problem) == (expected, None)
