"""JSON as a tree with positions: it reads what the standard library reads, and points at what that refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.jsontree import parse_json
from zenctl.lang.syntax import ObjectExpr, TupleExpr
from zenctl.lang.values import from_python, to_python

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=20,
)


@given(documents, st.booleans(), st.sampled_from([None, 2, "\t"]))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(document: Any, ascii_only: bool, indent: Any) -> None:
    expression, problems = parse_json(json.dumps(document, ensure_ascii=ascii_only, indent=indent), "x.json")
    assert problems == []
    assert expression is not None
    value, found = evaluate_expression(expression, Scope({}))
    assert found == []
    assert to_python(value) == to_python(from_python(document)), "texts are in Unicode's normal form C"


PIECES = [
    *'{}[]:,"\\ \n\t',
    "1",
    "-",
    "1e5",
    "0",
    ".",
    "true",
    "null",
    "nul",
    '"a"',
    '"a":',
    "\\u00e9",
    "\\ud83d",
    "NaN",
    "é",
]


@given(st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
@example("\ud800")
@example('{"a": 1, "a": 2}')
def test_it_never_raises_and_agrees_on_what_is_valid(text: str) -> None:
    expression, problems = parse_json(text, "x.json")
    assert (expression is None) == bool(problems)
    assert all(problem.range is not None for problem in problems)
    doubled = [problem.code for problem in problems] and {problem.code for problem in problems} <= {
        "duplicate_attribute",
        "invalid_character",
    }
    try:
        json.loads(text, parse_constant=lambda name: name.missing)
        valid = True
    except (ValueError, AttributeError):
        valid = False
    assert (expression is not None or doubled) == valid


REFUSED = [
    ("", "1:1", "A value is expected here"),
    ("[1, 2", "1:6", "The list is not closed"),
    ("{'a': 1}", "1:2", "A name in double quotes"),
    ('{"a" 1}', "1:6", "A colon must follow"),
    ('{"a": 1 "b": 2}', "1:9", "The object is not closed"),
    ('{"a": 1} x', "1:10", "Something stands after the end"),
    ("[01]", "1:3", "The list is not closed"),
    ('"a\nb"', "1:3", "Invalid control character"),
    ('\n  "a', "2:3", "Unterminated string"),
    ("[" * 5000, "1:102", "Lists and objects can nest 100 levels deep"),
    ("1e99999", "1:1", "The number is too large"),
    ("[NaN]", "1:2", "A value is expected here"),
]


@pytest.mark.parametrize(("text", "place", "told"), REFUSED)
def test_what_is_refused_is_pointed_at(text: str, place: str, told: str) -> None:
    expression, [problem] = parse_json(text, "x.json")
    assert expression is None
    assert str(problem.range) == f"x.json:{place}"
    assert problem.detail.startswith(told)


def test_every_value_has_its_place() -> None:
    expression, _ = parse_json('{\n  "é": [1, "x"],\n  "b": {"c": null}\n}', "x.json")
    assert isinstance(expression, ObjectExpr)
    first, second = expression.items
    assert [str(node.range)[7:] for node in (expression, first.key, first.value, second.value)] == [
        "1:1",
        "2:3",
        "2:8",
        "3:8",
    ]
    assert isinstance(first.value, TupleExpr)
    inner = first.value.items[1].range
    assert (str(inner), inner.end.column, inner.start.byte) == ("x.json:2:12", 15, 14)
