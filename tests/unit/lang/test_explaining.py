"""What is said of the values behind a problem: shortened, and never a secret."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.lang import Sensitive, Unknown, evaluate
from zenctl.lang.explaining import LIMIT, MOST, shown, statement
from zenctl.lang.model import EPHEMERAL, capsule_value
from zenctl.lang.values import Capsule, from_python

VALUES: list[tuple[Any, str]] = [
    (-1, "is -1"),
    (2.50, "is 2.5"),
    (True, "is true"),
    (None, "is null"),
    ('a "b"\n${c}', 'is "a \\"b\\"\\n$${c}"'),
    ([], "is []"),
    ([1, "a", [True]], 'is [1, "a", [true]]'),
    ({"a": 1, "b c": {}}, 'is {a = 1, "b c" = {}}'),
    (Unknown("number"), "is known only after apply"),
    ([Unknown(), 1], "is [(known after apply), 1]"),
    ({"k" * 99: 1}, "is {" + f'"{"k" * 36}..." = 1}}'),
    (Sensitive("hunter2"), "is (sensitive value)"),
    ({"a": Sensitive(["hunter2"]), "b": [Sensitive(Unknown())]}, "is {a = (sensitive value), b = [(sensitive value)]}"),
    ("x" * 100, f'is "{"x" * LIMIT}"... (100 characters)'),
    (10**100, f"is 1{'0' * (LIMIT - 1)}... (101 digits)"),
    (list(range(1000)), "is [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ... 980 more]"),
    ([["y" * 80], 2], 'is [["' + "y" * 68 + '"... (80 characters)], ... 1 more]'),
]


@pytest.mark.parametrize(("value", "said"), VALUES)
def test_statements(value: Any, said: str) -> None:
    assert statement(from_python(value)) == said


def test_a_secret_list_is_not_shown() -> None:
    assert shown(from_python(Sensitive(["hunter2"]))) == "(sensitive value)"
    assert shown(from_python({"a": Sensitive({"b": "hunter2"})})) == "{a = (sensitive value)}"


def test_other_marks() -> None:
    brief = from_python("t").with_marks(frozenset({EPHEMERAL}))
    assert statement(brief) == "is (ephemeral value)"
    assert statement(from_python([brief])) == "is [(ephemeral value)]"
    faulty = from_python("t").with_marks(frozenset({"faulty"}))
    assert statement(faulty) == ""
    assert shown(from_python([faulty])) == "[(not shown)]"


class Thing(Capsule):
    type_name = "Thing"

    def attribute(self, name: str) -> Any:
        return from_python(Unknown("number")) if name == "size" else None

    def attribute_names(self) -> tuple[str, ...]:
        return ("size",)

    def content(self) -> None:
        return None

    def unwrap(self) -> object:
        return self


VARIABLES: dict[str, Any] = {
    "var": {
        "n": 0,
        "xs": [1, 2],
        "o": {"k": {"v": "deep"}},
        "key": "none",
        "secret": Sensitive("hunter2"),
        "later": Unknown("string"),
        "rows": [{"a": 1}, {"a": "x"}],
    },
    "step": {"python": {"fit": capsule_value(Thing())}},
    "alone": 3,
}
PROBLEMS: list[tuple[str, list[tuple[str, str]]]] = [
    ("1 / var.n", [("var.n", "is 0")]),
    ("var.xs[5] + var.n", [("var.xs", "is [1, 2]")]),
    ("var.xs[var.key]", [("var.xs", "is [1, 2]"), ("var.key", 'is "none"')]),
    ("var.o.k.w", [("var.o.k", 'is {v = "deep"}')]),
    ('var.o["k"].w', [("var.o.k", 'is {v = "deep"}')]),
    ("upper(var.xs)", [("var.xs", "is [1, 2]")]),
    ("-var.secret", [("var.secret", "is (sensitive value)")]),
    ("var.later - [1]", []),
    ("substr(var.later, alone, var.xs)", [("var.xs", "is [1, 2]")]),
    ("[for r in var.rows : r.a + 1]", [("r.a", 'is "x"')]),
    ("[for i, r in var.rows : r.b]", [("r", "is {a = 1}")]),
    ("{for i, r in var.rows : i => r[alone]}", [("r", "is {a = 1}"), ("alone", "is 3")]),
    ("var.rows[*].b", [("var.rows", 'is [{a = 1}, {a = "x"}]')]),
    ('"a${var.xs}"', [("var.xs", "is [1, 2]")]),
    ('"%{ if var.key }%{ endif }"', [("var.key", 'is "none"')]),
    ("var.key ? alone : var.n", [("var.key", 'is "none"')]),
    ("step.python.fit.sise", []),
    ("step.python.fit.size + step", []),
    ("var.nope", []),
    ("nope(var.n)", []),
    ("alone.x", []),
    ("upper(var.n, alone)", []),
    ('"${"${upper([var.n])}"}"', [("var.n", "is 0")]),
]


@pytest.mark.parametrize(("source", "values"), PROBLEMS)
def test_the_values_involved_are_told(source: str, values: list[tuple[str, str]]) -> None:
    [found] = evaluate(source, VARIABLES).diagnostics
    assert list(found.values) == values


def test_values_make_no_other_problem_of_it() -> None:
    [found] = evaluate("[for x in xs : x.a]", {"xs": [{"b": n} for n in range(50)]}).diagnostics
    assert found.values == (("x", "is {b = 0}"),)


def test_only_so_many_are_told() -> None:
    names = [f"v{i}" for i in range(20)]
    [found] = evaluate(f"upper([{', '.join(names)}])", dict.fromkeys(names, 1)).diagnostics
    assert len(found.values) == MOST


def test_a_problem_that_is_dropped_costs_little() -> None:
    rows = [{"a": n} for n in range(5_000)]
    began = time.process_time()
    result = evaluate("[for x in xs : try(x.b, can(x.a.c))]", {"xs": rows, "other": ["y" * 1000] * 1000})
    spent = time.process_time() - began
    assert result.value == [False] * 5_000
    assert spent < 3


data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=99) | st.builds(Sensitive, st.just("hunter2")),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=30), inner, max_size=9),
    max_leaves=30,
)


@given(data)
@settings(max_examples=100, deadline=None)
def test_whatever_the_value_it_is_short_and_holds_no_secret(value: Any) -> None:
    text = shown(from_python(value))
    assert "hunter2" not in text
    assert "\n" not in text
    assert len(text) <= 4 * LIMIT + 60
