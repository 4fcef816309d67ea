"""A plan as a comment on a pull request: it renders as meant, and nothing in it is more than text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.cli.views.markdown import MAX_CHARACTERS, code, fence, markdown
from zenctl.diagnostics import Position, SourceRange, error, warning
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, OutputChange

RENDER = MarkdownIt("commonmark", {"html": True}).enable("table")
EVIL = "</code></details> @team ![x](https://evil) | `a` ``b`` <script>\n# head"


def test_a_comment_reads_like_this(penguins, golden):
    golden("plan.md", markdown(penguins))


def test_the_table_has_a_row_for_each_change(penguins):
    html = RENDER.render(markdown(penguins))
    rows = html.partition("<tbody>")[2].partition("</tbody>")[0]
    changing = [change for change in penguins.changes if not change.is_noop]
    assert rows.count("<tr>") == len(changing)
    assert rows.count("<td") == 4 * len(changing)
    assert html.count("<details>") == html.count("</details>")
    assert html.count("<h3>") == 1


def evil_plan(penguins):
    changes = (
        Change(
            StepAddr("python", "x", EVIL),
            Action.RUN,
            (Reason(ReasonCode.PARAMETERS_CHANGED, EVIL), Reason(ReasonCode.CODE_CHANGED, EVIL)),
            before={"params": {EVIL: "````\n@team"}},
            after={"params": {EVIL: "</details>"}},
        ),
    )
    place = SourceRange(EVIL, Position(1, 1, 0), Position(1, 2, 1))
    return replace(
        penguins,
        project=EVIL,
        workspace=EVIL,
        zenctl_version=EVIL,
        timestamp=EVIL,
        changes=changes,
        outputs=(OutputChange("o", EVIL, 2),),
        diagnostics=(error("x", EVIL, EVIL, range=place), warning("y", EVIL)),
    )


def test_no_text_of_a_plan_is_markup(penguins):
    tokens = RENDER.parse(markdown(evil_plan(penguins)))
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    assert not [t for t in flat if t.type in ("image", "link_open")]
    html = {t.content.strip() for t in flat if t.type in ("html_block", "html_inline")}
    assert not any("script" in text and "&lt;script" not in text for text in html)
    outside = " ".join(t.content for t in flat if t.type == "text")
    assert "@team" not in outside
    assert len([t for t in flat if t.type == "heading_open"]) == 1


@pytest.mark.parametrize("text", ["plain", "`", "a`b", "``", "`a`", "``b` c", "", " ", "a\nb"])
def test_any_text_is_one_code_span(text):
    [paragraph] = [t for t in RENDER.parse(f"x{code(text)}x") if t.type == "inline"]
    kinds = [t.type for t in paragraph.children]
    assert kinds == ["text", "code_inline", "text"]
    assert paragraph.children[1].content.strip() == " ".join(text.split())


def test_a_fence_holds_whatever_it_is_given():
    [token] = RENDER.parse("\n".join(fence(["```", "`````", "x"])))
    assert token.content == "```\n`````\nx\n"


def test_a_comment_fits_whatever_the_plan(penguins):
    reason = Reason(ReasonCode.CODE_CHANGED, "steps/fit.py changed, " * 40)
    many = [Change(StepAddr("python", f"s{n}"), Action.RUN, (reason,), before={}, after={}) for n in range(2000)]
    gone = Change(EndpointAddr("local", "gone"), Action.DELETE, (Reason(ReasonCode.REMOVED, "is gone"),), before={})
    problems = tuple(warning("w", f"{n} " * 500, "x" * 5000) for n in range(100))
    outputs = (OutputChange("o", None, ["x" * 1000] * 1000),)
    text = markdown(replace(penguins, changes=(*many, gone), outputs=outputs, diagnostics=problems))
    assert len(text) <= MAX_CHARACTERS
    assert "`endpoint.local.gone` | will be deleted" in text
    assert "more rows are left out" in text
    assert "changes are left out: `zenctl show` of the plan file prints them." in text
    assert "**Plan: 2000 to run, 1 to delete.**" in text


def test_nothing_to_do_is_one_line(penguins):
    done = Change(StepAddr("python", "x"), Action.NO_OP, before={}, after={})
    text = markdown(replace(penguins, changes=(done,), outputs=()))
    assert "**No changes.** 1 up to date." in text
    assert "<details>" not in text


def test_drift_and_errors_are_told(penguins):
    drift = Change(EndpointAddr("local", "p"), Action.DELETE, (Reason(ReasonCode.DRIFTED, "is gone"),), before={})
    text = markdown(replace(penguins, drift=(drift,), diagnostics=(error("x", "No such thing"),)))
    assert "endpoint.local.p: is gone" in text
    assert "**Planning failed.**" in text
    assert "- **Error**: `No such thing`" in text


def test_secrets_stay_secret(penguins):
    text = markdown(penguins)
    assert "secret one" not in text
    assert "(sensitive value)" in text
