"""When an expression that is typed line by line is complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.lang.continuation import Continuation


def follow(text: str) -> list[bool]:
    following = Continuation()
    found = []
    for line in text.split("\n"):
        following.feed(line)
        found.append(following.goes_on)
    return found


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("1", [False]),
        ("max(1,\n2)", [True, False]),
        ("[\n1,\n2\n]", [True, True, True, False]),
        ("{ a = (\n1) }", [True, False]),
        ('"${\nmax(1,\n2)}"', [True, True, False]),
        ("<<EOT\n)\nEOT", [True, True, False]),
        ("f(<<-E\n(\n  E\n)", [True, True, True, False]),
        ("<<E\n${\n1\n}\nE", [True, True, True, True, False]),
        ("1 /* a\n(\n*/ + 2", [True, True, False]),
        ("/*\n/*\n*/ max( /*\n*/ 1)", [True, True, True, False]),
        ("(/*)\n*/)", [True, False]),
        # What is in texts and comments is no bracket.
        ('"("', [False]),
        ("1 # (", [False]),
        ('"$${"', [False]),
        ('"/*"', [False]),
        ("1 # /*", [False]),
        ("1 /* ( */", [False]),
        # More lines would not help.
        ("(]", [False]),
        (")", [False]),
        ('f("abc', [False]),
        ('"a\\', [False]),
    ],
)
def test_goes_on_while_something_is_open(text: str, goes_on: list[bool]) -> None:
    assert follow(text) == goes_on


@pytest.mark.parametrize(("text", "blank"), [("", True), ("  ", True), ("# x (", True), ("// x", True), ("0", False)])
def test_comments_are_no_expression(text: str, blank: bool) -> None:
    following = Continuation()
    following.feed(text)
    assert following.blank is blank
    assert not following.goes_on


@given(st.text(alphabet="()[]{}\"'$%<-EOT\n \\a1#/*~", max_size=40))
def test_any_text_is_taken(text: str) -> None:
    assert len(follow(text)) == text.count("\n") + 1


def test_a_comment_over_lines_is_no_expression() -> None:
    following = Continuation()
    for line, goes_on in (("/* a", True), ("b", True), ("*/ # c", False)):
        following.feed(line)
        assert (following.blank, following.goes_on) == (True, goes_on)
    following.feed("1")
    assert not following.blank
