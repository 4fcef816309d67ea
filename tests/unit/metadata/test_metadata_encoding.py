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
from zenctl.metadata.mlmd.messages import _escape, _unescape
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


@given(st.text(st.characters() | st.sampled_from("\0\x1a01")))
def test_escaped_text_has_no_nul_and_comes_back(text: str) -> None:
    assert "\0" not in _escape(text)
    assert _unescape(_escape(text)) == text


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
