"""Types as text, conversion between them, unification, and the way to plain data and back."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.lang.constraints import parse_type
from zenctl.lang.conversion import unify
from zenctl.lang.types import Type
from zenctl.lang.values import Capsule, Sensitive, Value, convert, from_python, is_unknown, to_python
from zenctl.schema import Unknown

TYPES = [
    "string",
    "number",
    "bool",
    "any",
    "list(string)",
    "set(list(number))",
    "map(any)",
    "tuple([])",
    "tuple([string,number])",
    "object({})",
    "object({a=string,b=list(bool)})",
    "object({a=optional(number)})",
    "map(object({a=string}))",
    "Dataset",
]


@pytest.mark.parametrize("text", TYPES)
def test_types_are_their_text(text: str) -> None:
    type, problems = parse_type(text)
    assert problems == []
    assert str(type) == text


WRONG_TYPES = [
    ("strin", 'Did you mean "string"?'),
    ("list", "list(string)"),
    ("list()", "one type"),
    ("list(string, number)", "one type"),
    ("tuple(string)", "list of types"),
    ("tuple", "tuple([string"),
    ("object(string)", "object({"),
    ("object({a})", "name = value"),
    ("object({(a) = string})", "plain name"),
    ("object({a = string, a = number})", "twice"),
    ("object({a = optional()})", "takes a type"),
    ('object({a = optional(number, "x")})', "does not fit"),
    ("object({a = optional(number, var.x)})", "literal"),
    ("optional(number)", "object({"),
    ("string(1)", "no arguments"),
    ("1", "A type is written"),
    ("list(strin)", 'Did you mean "string"?'),
    ("lst(string)", 'Did you mean "list"?'),
    ("list(", "value or an expression"),
]


@pytest.mark.parametrize(("text", "told"), WRONG_TYPES, ids=[text for text, _ in WRONG_TYPES])
def test_wrong_types_are_told(text: str, told: str) -> None:
    type, problems = parse_type(text)
    assert type is None
    assert told in problems[0].detail


CONVERSIONS: list[tuple[Any, str, Any]] = [
    (1, "string", "1"),
    (1.5, "string", "1.5"),
    (1e21, "string", "1000000000000000000000"),
    (True, "string", "true"),
    ("12", "number", 12),
    ("-1.5e1", "number", -15),
    (".5", "number", 0.5),
    ("5.", "number", 5),
    ("true", "bool", True),
    ("0", "bool", False),
    (None, "string", None),
    ([1, "a"], "list(string)", ["1", "a"]),
    ([1, "a"], "list(any)", ["1", "a"]),
    (["b", "a", "b"], "set(string)", ["a", "b"]),
    ([10, 9, 1], "set(number)", [1, 9, 10]),
    ([], "list(number)", []),
    ({"a": 1, "b": "2"}, "map(number)", {"a": 1, "b": 2}),
    ({"a": 1, "b": "x"}, "map(any)", {"a": "1", "b": "x"}),
    ({"a": 1, "b": 2}, "object({a=string})", {"a": "1"}),
    ({"a": None}, "object({a=number})", {"a": None}),
    ({}, "object({a=optional(number)})", {"a": None}),
    ({}, "object({a=optional(number, 5)})", {"a": 5}),
    ({"a": None}, "object({a=optional(number, 5)})", {"a": 5}),
    ({"b": {}}, "object({b=object({c=optional(list(string), [1])})})", {"b": {"c": ["1"]}}),
    ([1, "x"], "tuple([string, string])", ["1", "x"]),
    ([{"a": 1}, {"a": "b"}], "list(object({a=string}))", [{"a": "1"}, {"a": "b"}]),
    (5, "any", 5),
]


@pytest.mark.parametrize(("value", "type", "wanted"), CONVERSIONS, ids=lambda x: str(x)[:40])
def test_conversions(value: Any, type: str, wanted: Any) -> None:
    converted, problem = convert(from_python(value), type)
    assert problem is None
    assert to_python(converted) == wanted
    again, problem = convert(converted, type)
    assert problem is None
    assert again == converted


REFUSED = [
    ("x", "number", "a number is required"),
    ("1_000", "number", "a number is required"),
    ("nan", "number", "a number is required"),
    ("yes", "bool", "a bool is required: true or false"),
    (1, "bool", "a bool is required, not a number"),
    (True, "number", "a number is required, not a bool"),
    ([], "string", "a string is required, not a list"),
    ("x", "list(string)", "a list of strings is required, not a string"),
    ({}, "list(string)", "a list of strings is required, not an object"),
    ([], "map(string)", "a map of strings is required, not a list"),
    ([1, "x"], "list(number)", "element 1: a number is required"),
    ({"k": "x"}, "map(number)", 'element "k": a number is required'),
    (
        {"k": {"n": ["x"]}},
        "map(object({n=list(number)}))",
        'element "k": attribute "n": element 0: a number is required',
    ),
    ({}, "object({a=string})", 'attribute "a" is required'),
    ([1], "tuple([number, number])", "2 elements are required, not 1"),
    ([1, True], "list(any)", "all elements must have the same type"),
    ("x", "Dataset", "a Dataset is required, not a string"),
]


@pytest.mark.parametrize(("value", "type", "told"), REFUSED, ids=lambda x: str(x)[:40])
def test_what_does_not_convert(value: Any, type: str, told: str) -> None:
    converted, problem = convert(from_python(value), type)
    assert problem == told
    assert is_unknown(converted)


UNIFIED = [
    (["string", "number"], "string"),
    (["string", "bool"], "string"),
    (["number", "bool"], None),
    (["number", "number"], "number"),
    (["any", "number"], "number"),
    (["any", "any"], "any"),
    (["any", "list(number)", "list(string)"], "list(string)"),
    (["any", "object({a=string})"], "any"),
    (["any", "tuple([string])"], "any"),
    (["any", "number", "bool"], None),
    (["set(string)", "tuple([number])"], "set(string)"),
    (["set(string)", "list(number)"], "list(string)"),
    (["tuple([number])", "tuple([string])"], "tuple([string])"),
    (["tuple([])", "tuple([number,string])"], "list(string)"),
    (["list(number)", "tuple([string])"], "list(string)"),
    (["list(number)", "list(string)"], "list(string)"),
    (["set(number)", "set(string)"], "set(string)"),
    (["object({a=number})", "object({a=string})"], "object({a=string})"),
    (["object({a=number})", "object({b=string})"], "map(string)"),
    (["object({a=number})", "object({a=bool})"], None),
    (["map(number)", "object({b=string})"], "map(string)"),
    (["object({})", "tuple([])"], None),
    (["string", "list(string)"], None),
    (["Dataset", "Dataset"], "Dataset"),
    (["Dataset", "Model"], None),
    ([], "any"),
]


@pytest.mark.parametrize(("types", "wanted"), UNIFIED, ids=str)
def test_unification(types: list[str], wanted: str | None) -> None:
    read: list[Type] = []
    for text in types:
        type, _ = parse_type(text)
        assert type is not None
        read.append(type)
    for order in (read, read[::-1]):
        common = unify(order)
        assert (None if common is None else str(common)) == wanted


ascii_text = st.text(st.characters(codec="ascii"))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(-(2.0**53), 2.0**53)  # beyond, a whole float stands for more than one integer
    | ascii_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_text, inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_plain_data_comes_back(data: Any) -> None:
    assert to_python(from_python(data)) == data


@given(plain, st.sampled_from(TYPES))
def test_conversion_ends_and_settles(data: Any, type: str) -> None:
    converted, problem = convert(from_python(data), type)
    if problem is None:
        again, second = convert(converted, type)
        assert second is None
        assert again == converted
        from_unknown, third = convert(from_python(Unknown(str(from_python(data).type))), type)
        assert third is None, "an unknown value of the type must be allowed to become this one"
        assert is_unknown(from_unknown) or data is None


def test_other_plain_data() -> None:
    assert to_python(from_python(datetime.date(2024, 2, 3))) == "2024-02-03"
    assert to_python(from_python({1, 2})) == [1, 2]
    assert str(from_python({"b", "a"}).type) == "set(string)"
    assert to_python(from_python((1, 2))) == [1, 2]
    assert to_python(from_python(Decimal("1.10"))) == 1.1
    assert to_python(from_python(Sensitive([1]))) == Sensitive([1])
    assert from_python("e\u0301").raw == "é"


@pytest.mark.parametrize(
    "data", [object(), {1: 2}, b"x", lambda: None, float("nan"), float("inf"), 10**1001, [{"a": object()}]]
)
def test_what_is_no_plain_data(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_python(data)


def test_deep_plain_data_is_refused() -> None:
    data: Any = []
    for _ in range(5000):
        data = [data]
    with pytest.raises(ValueError, match="levels"):
        from_python(data)


class Snapshot(Capsule):
    """A capsule as another package would define it."""

    type_name = "Dataset"

    def attribute(self, name: str) -> Value | None:
        return {"digest": from_python("abc"), "rows": from_python(Unknown("number"))}.get(name)

    def attribute_names(self) -> tuple[str, ...]:
        return ("digest", "rows")

    def content(self) -> Value | None:
        return None

    def unwrap(self) -> object:
        return self


def test_capsules() -> None:
    from zenctl.lang import evaluate

    snapshot = Snapshot()
    variables = {"d": snapshot}
    assert evaluate("d", variables).value is snapshot
    assert evaluate("d", variables).type == "Dataset"
    assert evaluate("{x = d}.x.digest", variables).value == "abc"
    assert evaluate('d["digest"]', variables).value == "abc"
    assert evaluate("d.rows + 1", variables).value == Unknown("number")
    assert evaluate("true ? d : d", variables).value is snapshot
    assert evaluate("d == d", variables).value is True
    assert 'Did you mean "digest"?' in evaluate("d.digset", variables).diagnostics[0].detail
    assert evaluate('"${d}!"', variables).diagnostics[0].code == "invalid_template"
    assert "attributes" in evaluate("jsonencode([d])", variables).diagnostics[0].detail
