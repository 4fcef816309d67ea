"""Names and texts are in Unicode's normal form C, and bringing them there takes linear time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.measuring import peer_seconds
from zenctl.lang import evaluate, parse, references
from zenctl.lang.normal_form import nfc

MARKS = "\u0301\u0323\u0344\u0f73\u0f71\u0f72\u093c\u05b0\u1dfa\U0001d165"
characters = st.sampled_from(MARKS + MARKS + "eaU\u1100\u1161\u11a8가é日\u0958") | st.characters()


@given(st.text(characters, max_size=90))
def test_it_is_the_normal_form_of_unicode(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0f73\u0301", "\u0323\u0344", "日"])
def test_it_is_linear(marks: str) -> None:
    text = "e" + marks * 100_000
    began = time.process_time()
    nfc(text)
    assert time.process_time() - began < 10 * peer_seconds()
    assert parse(f'a = "{text}"\n').ok


def test_names_are_the_same_however_they_are_written() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    variables = {composed: {composed: 1}}
    for name in (composed, decomposed):
        assert evaluate(f"{name}.{name}", variables).value == 1
        assert evaluate(f'{name}["{name}"]', variables).value == 1
        assert evaluate(f"[for {name} in [1] : {composed}]").value == [1]
        assert evaluate(f'"%{{ for {name} in [1] }}${{{composed}}}%{{ endfor }}"').value == "1"
        assert [r.path for r in references(f"{name}.{name}")] == [(composed, composed)]
        body = parse(f'{name} {name} "{name}" {{\n}}\n').body
        assert body is not None
        assert (body.blocks[0].type, body.blocks[0].labels) == (composed, (composed, composed))
    assert not parse(f"{composed} = 1\n{decomposed} = 2\n").ok


@pytest.mark.parametrize(
    "name", ["ünï_x-y", "𝒜", "\u0e33", "\u309b", "\uff9e", "a\u0301", "a\u00b7b", "a\u0661", "Ⅷ", "_", "a-"]
)
def test_letters_of_all_scripts_make_names(name: str) -> None:
    assert parse(f"{name} = 1\n").ok
    assert evaluate(name, {name: 1}).value == 1


@pytest.mark.parametrize("text", ["\u0301a", "\u00b7a", "\u0661", "a😀", "a\u200db", "a\u00a0b", "a\u30fb"])
def test_what_makes_no_name(text: str) -> None:
    assert [p.code for p in parse(f"{text} = 1\n").diagnostics] == ["invalid_character"]
