"""Values as people read them: as configuration would write them, so that reading the text gives the value back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zenctl.cli.views.style import Style
from zenctl.cli.views.values import value_json, value_text
from zenctl.lang import Unknown, evaluate, typed
from zenctl.lang.values import Sensitive, from_python

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('${%\n\t\r\\" \u202e\x85\x1b'), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
@example({"²": None, "a-b": 1, "-a": 2, "ünï": 3})
def test_the_text_is_the_value(data: Any) -> None:
    value = from_python(data)
    text = value_text(value)
    assert not any(c in text for c in "\x1b\x85\u202e\r")
    read = evaluate(text + "\n")
    assert read.diagnostics == []
    assert from_python(read.value) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (typed(["b"], "list(string)"), 'tolist(["b"])'),
        (typed(["b", "a", "b"], "set(string)"), 'toset(["a", "b"])'),
        (typed({"a": 1}, "map(number)"), "tomap({ a = 1 })"),
        (from_python({"for": 1, "a b": [], "c": {}}), '{ "a b" = [], c = {}, "for" = 1 }'),
        (from_python("one\ntwo ${x}\n"), "<<EOT\none\ntwo $${x}\nEOT"),
        (from_python("one\nEOT\n"), '"one\\nEOT\\n"'),
        (
            from_python({"a": Sensitive([1]), "b": Unknown("number")}),
            "{ a = (sensitive value), b = (known after apply) }",
        ),
        (from_python(Sensitive("one\ntwo\n")), "(sensitive value)"),
        (from_python(0.1), "0.1"),
    ],
)
def test_texts(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_what_is_long_stands_on_several_lines() -> None:
    value = from_python({"short": [1, 2], "a_long_name": ["x" * 40, {"y": "z" * 40}]})
    assert value_text(value).splitlines() == [
        "{",
        "  a_long_name = [",
        f'    "{"x" * 40}",',
        f'    {{ y = "{"z" * 40}" }},',
        "  ]",
        "  short       = [1, 2]",
        "}",
    ]


def test_placeholders_are_dim() -> None:
    assert value_text(from_python(Sensitive(1)), Style(True)) == "\x1b[2m(sensitive value)\x1b[0m"


def test_json_has_no_secrets() -> None:
    value = from_python({"a": Sensitive({"b": "hunter2"}), "c": [Unknown("string"), 1.5, "ü"]})
    assert json.loads(value_json(value)) == {"a": None, "c": [None, 1.5, "ü"]}
    assert "\n" not in value_json(value)
