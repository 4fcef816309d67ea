"""Records as properties: what goes in comes out, and names stay apart."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.addrs import StepAddr
from zenctl.metadata.encoding import (
    address_key,
    clean_text,
    context_name,
    decode_object,
    json_text,
    present,
    workspace_key,
)
from zenctl.metadata.mlmd.dialects import DIALECTS, Dialect, unescape
from zenctl.metadata.store import PLAIN

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(st.characters()), plain))
def test_json_comes_back(value: dict[str, object]) -> None:
    text = json_text(value)
    assert decode_object(text) == value
    assert text.isascii()
    assert "\0" not in text
    assert json.loads(text) == value


@given(st.sampled_from(list(DIALECTS.values())), st.text() | st.text("a\0\x1a012~;\\"))
def test_escaped_text_has_nothing_that_a_dialect_cannot_hold_and_comes_back(dialect: Dialect, text: str) -> None:
    stored = dialect.escape(text)
    assert "\0" not in stored
    assert dialect.backslashes or "\\" not in stored
    assert unescape(stored) == text


@given(st.sampled_from(list(DIALECTS.values())), st.text() | st.text("aAbB~41; \t\x1a\0\u00e4"), st.text("aA \u00e4"))
def test_names_differ_where_they_are_stored_exactly_if_they_differ(dialect: Dialect, name: str, other: str) -> None:
    stored = dialect.escape_name(name)
    assert dialect.unescape_name(stored) == name
    if not dialect.exact_names:
        assert (stored.rstrip().lower() == dialect.escape_name(other).rstrip().lower()) is (name == other)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2), st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_names_and_keys_differ_where_workspaces_do(a: list[str], b: list[str]) -> None:
    assert (context_name(*a) == context_name(*b)) == (a == b)
    assert (workspace_key(*a) == workspace_key(*b)) == (a == b)
    assert PLAIN.fullmatch(workspace_key(*a))


def test_names_read_as_they_should() -> None:
    assert context_name("penguins", "pr-12", 3, 4) == "penguins/pr-12/3/4"
    assert context_name("a/b", "c") == "a%2Fb/c"


def test_keys_are_hex() -> None:
    assert PLAIN.fullmatch(address_key(StepAddr("python", "fit", 'it\'s \0 "odd"')))


def test_text_without_a_utf8_form_is_spelled_out() -> None:
    assert clean_text("caf\udce9 é") == "caf\\udce9 é"


def test_what_is_empty_is_left_out() -> None:
    assert present({"a": "", "b": None, "c": 0, "d": 0.0, "e": "x"}) == {"c": 0, "d": 0.0, "e": "x"}
    assert decode_object("") == {}
