"""The event stream has the shapes that Terraform documents for its machine-readable UI."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import jsonschema
import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.cli import schemas
from zenctl.cli.views.stream import JsonStream
from zenctl.diagnostics import error, warning
from zenctl.engine.events import ChangeEnded, ChangeFailed, ChangeProgress, ChangeStarted
from zenctl.plans.actions import Action, Reason, ReasonCode
from zenctl.plans.plan import Change

ADDRESS = "step.python.fit"


def events(write, clock=lambda: 0.0):
    out = io.StringIO()
    write(JsonStream(out, clock=clock))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    for line in lines:
        jsonschema.validate(line, schemas.events_schema())
        assert {"@level", "@message", "@module", "@timestamp", "type"} <= line.keys()
    return lines


def test_the_version_line():
    [line] = events(lambda stream: stream.version())
    assert {"type", "ui", "terraform", "zenctl"} <= line.keys()
    assert line["ui"].startswith("1.")


def test_the_schema_refuses_what_is_no_line(penguins):
    drift = replace(penguins, drift=penguins.changes[:1])
    lines = events(lambda stream: (stream.version(), stream.plan(drift), stream.diagnostics([error("x", "X")])))
    assert len({line["type"] for line in lines}) == 6
    fits = jsonschema.Draft202012Validator(schemas.events_schema()).is_valid
    for line in lines:
        assert not any(fits({k: v for k, v in line.items() if k != key}) for key in line), line
        assert not fits({**line, "type": "planned"})
        assert not fits({**line, "@level": "fatal"})
        assert not fits({**line, "@module": "terraform.ui"})
    for line in (line for line in lines if "change" in line):
        change = line["change"]
        for key in ("resource", "action", "stale_because"):
            assert not fits({**line, "change": {k: v for k, v in change.items() if k != key}})
        for wrong in ({"action": "run"}, {"resource": {}}, {"stale_because": [{"reason": "rain"}]}):
            assert not fits({**line, "change": {**change, **wrong}})


def test_a_resource_says_who_it_is(penguins):
    lines = events(lambda stream: stream.plan(penguins))
    planned = [line["change"]["resource"] for line in lines if line["type"] == "planned_change"]
    keys = {"addr", "module", "resource", "implied_provider", "resource_type", "resource_name", "resource_key"}
    assert all(keys <= resource.keys() for resource in planned)
    assert next(r for r in planned if r["resource_key"])["resource_key"] == "a b"


def test_reasons_of_what_is_replaced_or_deleted(penguins):
    lines = events(lambda stream: stream.plan(penguins))
    reasons = {
        line["change"]["resource"]["addr"]: line["change"]["reason"]
        for line in lines
        if line["type"] == "planned_change" and "reason" in line["change"]
    }
    assert reasons == {
        "endpoint.local.other": "cannot_update",
        "endpoint.local.blue": "cannot_update",
        'endpoint.local.gone["a b"]': "delete_because_no_resource_config",
        "step.python.old": "delete_because_no_resource_config",
    }


def test_what_only_moved_is_a_move(penguins):
    moved = Change(StepAddr("python", "new"), Action.NO_OP, before={}, after={}, moved_from="step.python.old")
    [line, *_] = events(lambda stream: stream.plan(replace(penguins, changes=(moved,), outputs=())))
    assert line["change"]["action"] == "move"
    assert line["change"]["previous_resource"]["addr"] == "step.python.old"


@pytest.mark.parametrize(("action", "word"), [(Action.UPDATE, "update"), (Action.DELETE, "delete")])
def test_drift_comes_before_what_is_planned(penguins, action, word):
    after = None if action is Action.DELETE else {}
    drift = Change(EndpointAddr("local", "p"), action, (Reason(ReasonCode.DRIFTED, "x"),), before={}, after=after)
    lines = events(lambda stream: stream.plan(replace(penguins, drift=(drift,))))
    assert (lines[0]["type"], lines[0]["change"]["action"]) == ("resource_drift", word)
    assert lines[0]["@message"] == f"endpoint.local.p: Drift detected ({word})"


def test_the_summary_counts_what_terraform_counts(penguins):
    [summary] = [x for x in events(lambda stream: stream.plan(penguins)) if x["type"] == "change_summary"]
    counts = {name: summary["changes"][name] for name in ("add", "change", "remove", "import", "operation")}
    assert counts == {"add": 5, "change": 4, "remove": 3, "import": 0, "operation": "plan"}


def test_outputs_have_types_and_no_secrets(penguins):
    [line] = [x for x in events(lambda stream: stream.plan(penguins)) if x["type"] == "outputs"]
    url = {"sensitive": False, "action": "create", "type": "string", "value": "http://127.0.0.1:8501"}
    assert line["outputs"]["url"] == url
    assert line["outputs"]["key"] == {"sensitive": True, "action": "update"}


def test_warnings_of_a_step_follow_its_end_and_come_once(penguins):
    said = warning("step_warning", f"{ADDRESS}: few rows", "Only 3.", address=ADDRESS)

    def write(stream):
        stream.event(ChangeEnded(ADDRESS, Action.RUN, "ran", 1.0, "", (said,)))
        stream.diagnostics([said])

    complete, told = events(write)
    assert complete["type"] == "apply_complete"
    assert (told["type"], told["@level"]) == ("diagnostic", "warn")
    assert told["diagnostic"] == {
        "severity": "warning",
        "code": "step_warning",
        "summary": f"{ADDRESS}: few rows",
        "detail": "Only 3.",
        "address": ADDRESS,
    }


def test_a_change_is_followed_from_start_to_end(penguins):
    seconds = iter([100.0, 112.7])

    def write(stream):
        first = Change(StepAddr("python", "fit"), Action.RUN, after={})
        stream.expect(replace(penguins, changes=(first, Change(DatasourceAddr("csv", "d"), Action.NO_OP))))
        stream.event(ChangeStarted(ADDRESS, Action.RUN, "job-1"))
        stream.event(ChangeProgress(ADDRESS, 3, 5, "epochs"))
        stream.event(ChangeEnded(ADDRESS, Action.RUN, "ran", 14.9, ""))
        stream.event(ChangeFailed(ADDRESS, Action.RUN, 2.0, (), False))

    start, progress, complete, errored = (line["hook"] for line in events(write, lambda: next(seconds)))
    assert (start["action"], start["id_key"], start["id_value"]) == ("create", "job_id", "job-1")
    assert (progress["action"], progress["elapsed_seconds"]) == ("create", 12)
    assert (complete["action"], complete["elapsed_seconds"], complete["id_value"]) == ("create", 14, "job-1")
    assert (errored["action"], errored["elapsed_seconds"]) == ("create", 2)
