"""Flags as users of Terraform type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.cli.flags import Flag, Shape, normalise

SHAPE = Shape(
    "plan",
    {
        flag.name: flag
        for flag in (
            Flag("out"),
            Flag("var", repeatable=True),
            Flag("json", boolean=True),
            Flag("refresh", boolean=True, default=True),
        )
    },
    most=1,
)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ([], ["--"]),
        (["-out=x"], ["--out=x", "--"]),
        (["-out", "x"], ["--out=x", "--"]),
        (["--out=x"], ["--out=x", "--"]),
        (["--out", "x"], ["--out=x", "--"]),
        (["-out", "-json"], ["--out=-json", "--"]),
        (["-out=a", "-out=b"], ["--out=b", "--"]),
        (["-var", "a=1", "-var=b=-2"], ["--var=a=1", "--var=b=-2", "--"]),
        (["-json"], ["--json", "--"]),
        (["-json=true"], ["--json", "--"]),
        (["-json", "-json=false"], ["--"]),
        (["-refresh"], ["--"]),
        (["-refresh=false"], ["--no-refresh", "--"]),
        (["--refresh=F"], ["--no-refresh", "--"]),
        (["file", "-json"], ["--json", "--", "file"]),
        (["-json", "file"], ["--json", "--", "file"]),
        (["--", "-json"], ["--", "-json"]),
        (["-"], ["--", "-"]),
    ],
)
def test_spellings(typed, words):
    assert list(normalise(SHAPE, typed).words) == words


@pytest.mark.parametrize("typed", [["-help"], ["--help"], ["-h"], ["-nonsense", "-help"], ["-out=x", "file", "-h"]])
def test_a_wish_for_help_comes_first(typed):
    assert normalise(SHAPE, typed).help


def test_the_value_of_a_flag_is_no_wish_for_help():
    assert not normalise(SHAPE, ["-out", "-help"]).help


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["-jsno"], 'Did you mean "-json"?'),
        (["-no-refresh"], "Unknown flag -no-refresh"),
        (["-out"], "-out needs a value"),
        (["-json=perhaps"], '"perhaps" is neither'),
        (["-refresh", "x", "false"], "at most 1"),
        (["a", "b"], 'Too many arguments: "b"'),
        (["a", "-refresh", "false"], "-refresh=false"),
    ],
)
def test_what_is_wrong_is_said(typed, said):
    [problem] = normalise(SHAPE, typed).diagnostics
    assert said in f"{problem.summary}\n{problem.detail}"
    assert "zenctl plan -help" in problem.detail


def test_everything_wrong_is_said_at_once():
    assert len(normalise(SHAPE, ["-a", "-b", "-json=x"]).diagnostics) == 3


def test_a_command_without_arguments_points_to_chdir():
    [problem] = normalise(Shape("plan", {}, 0), ["some/folder"]).diagnostics
    assert "zenctl -chdir=DIR plan" in problem.detail


@given(st.lists(st.one_of(st.text(), st.sampled_from(["-out", "-json=false", "--", "-", "-=", "---x", "-var=", "="]))))
def test_any_words_give_a_command_line_or_a_diagnostic(typed):
    line = normalise(SHAPE, typed)
    assert line.help or line.diagnostics or line.words.count("--") >= 1


@given(st.lists(st.text(min_size=1), max_size=4))
def test_positional_arguments_after_two_dashes_come_through_as_they_are(words):
    line = normalise(Shape("list", SHAPE.flags, -1), ["-json", "--", *words])
    assert line.words == ("--json", "--", *words)
