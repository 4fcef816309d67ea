"""How a plan looks, for people and for programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import jsonschema
import pytest

from zenctl.addrs import StepAddr
from zenctl.cli import schemas
from zenctl.cli.views import plan as view
from zenctl.cli.views.stream import JsonStream
from zenctl.cli.views.style import PLAIN, Style, columns
from zenctl.diagnostics import error
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change, OutputChange
from zenctl.plans.planjson import plan_document


def drawn(plan, style=PLAIN):
    return "\n".join(view.lines(plan_document(plan), style)) + "\n"


def test_people_see_this(penguins, golden):
    golden("plan.txt", drawn(penguins))


def test_colour_adds_nothing_but_colour(penguins):
    plain, coloured = drawn(penguins), drawn(penguins, Style(True))
    assert coloured != plain
    assert [columns(line) for line in coloured.split("\n")] == [columns(line) for line in plain.split("\n")]


def test_programs_see_this(penguins, golden):
    golden("plan.json", json.dumps(plan_document(penguins), indent=2) + "\n")


def test_the_document_fits_its_schema(penguins):
    jsonschema.validate(plan_document(penguins), schemas.plan_schema())


def test_actions_in_terraforms_words(penguins):
    document = plan_document(penguins)
    words = {change["address"]: change["change"]["actions"] for change in document["resource_changes"]}
    assert words == {
        "datasource.csv.penguins": ["update"],
        "step.split.penguins": ["update"],
        "step.python.fit": ["update"],
        "step.statistics.penguins": ["create"],
        "step.transform.penguins": ["create"],
        "step.evaluate.penguins": ["no-op"],
        "step.python.old": ["forget"],
        "endpoint.local.penguins": ["update"],
        "endpoint.local.other": ["delete", "create"],
        "endpoint.local.blue": ["create", "delete"],
        'endpoint.local.gone["a b"]': ["delete"],
        "endpoint.local.first": ["create"],
    }


def test_secrets_are_in_no_form_of_the_plan(penguins):
    change = Change(
        StepAddr("python", "s"),
        Action.RUN,
        before={"params": {"a b": {"deep": ["hunter1"]}}},
        after={"params": {"a b": {"deep": ["hunter2"]}}},
        sensitive=('params["a b"].deep[0]',),
    )
    plan = replace(penguins, changes=(*penguins.changes, change))
    out = io.StringIO()
    stream = JsonStream(out)
    stream.plan(plan)
    for text in (drawn(plan), json.dumps(plan_document(plan)), out.getvalue()):
        assert "hunter" not in text
        assert "secret one" not in text
        assert "secret two" not in text
    marked = plan_document(plan)["resource_changes"][-1]["change"]["after_sensitive"]
    assert marked == {"params": {"a b": {"deep": [True]}}}


def test_reasons_stand_beneath_the_headline(penguins):
    lines = drawn(penguins).split("\n")
    at = lines.index("  # step.python.fit will be run again")
    assert lines[at + 1] == "  #   params.epochs: 5 -> 10"


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_reads_well_without_a_detail(code):
    line = view.reason_line({"reason": code.value, "detail": ""})
    assert line != code.value
    assert line


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.NO_OP])
@pytest.mark.parametrize("before", [None, {"model": None}])
def test_every_action_has_a_symbol_and_a_headline(action, before):
    change = Change(StepAddr("python", "x"), action, (Reason(ReasonCode.REQUESTED),), before=before, after={})
    document = plan_document(_plan_of(change))["resource_changes"][0]
    assert view.symbol(document) in view.LEGEND
    assert view.headline(document).startswith("step.python.x ")


def test_the_legend_names_the_symbols_in_use_and_no_others():
    text = drawn(_plan_of(Change(StepAddr("python", "x"), Action.FORGET, before={})))
    assert "\n  . forget" in text
    assert "run again" not in text


def test_nothing_to_do():
    plan = _plan_of(Change(StepAddr("python", "x"), Action.NO_OP, before={}, after={}))
    assert drawn(plan).startswith("\nNo changes. ")
    assert drawn(replace(plan, destroy=True)).startswith("\nNo changes. There is nothing to destroy")


def test_outputs_alone_are_a_change():
    plan = replace(_plan_of(), outputs=(OutputChange("a", 1, 2),))
    text = drawn(plan)
    assert "  ~ a = 1 -> 2" in text
    assert "No changes" not in text
    assert plan_document(plan)["applyable"]


def test_a_plan_with_errors_says_so():
    plan = replace(_plan_of(), diagnostics=(error("x", "X"),))
    assert "Planning failed" in drawn(plan)
    document = plan_document(plan)
    assert (document["errored"], document["applyable"], document["complete"]) == (True, False, False)


def test_values_cannot_move_the_cursor():
    change = Change(StepAddr("python", "x"), Action.RUN, after={"params": {"a": "\x1b[2Jgone\x07"}})
    text = drawn(_plan_of(change))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_long_list_is_compared_by_element():
    long = [f"element number {i}" for i in range(9)]
    change = Change(StepAddr("python", "x"), Action.RUN, before={"l": long}, after={"l": [*long[:8], "other"]})
    text = drawn(_plan_of(change))
    assert '~ [8] = "element number 8" -> "other"' in text
    assert "# (8 unchanged elements hidden)" in text


def test_the_stream(penguins, golden):
    out = io.StringIO()
    stream = JsonStream(out, now=lambda: "2026-11-24T00:00:00.000000Z")
    stream.version()
    stream.plan(penguins)
    golden("plan.jsonl", out.getvalue())
    schema = schemas.events_schema()
    for line in out.getvalue().splitlines():
        jsonschema.validate(json.loads(line), schema)


@pytest.mark.parametrize("name", list(schemas.SCHEMAS))
def test_the_schema_files_are_current(name, request):
    path = request.config.rootpath / "schemas" / name
    assert path.read_text() == schemas.text(name), "run: python -m zenctl.cli.schemas schemas"


def _plan_of(*changes):
    from zenctl.plans.plan import Plan

    return Plan("p", "default", 1, "2026-11-24T00:00:00Z", "0.1.0", changes)
