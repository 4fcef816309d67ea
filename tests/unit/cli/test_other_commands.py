"""validate, init, output, logs and version, with an engine that answers what the test says."""

from __future__ import annotations

import json

import pytest

from zenctl.diagnostics import error, warning
from zenctl.engine.requests import InitOutcome, LogsOutcome, PlanOutcome, StateOutcome
from zenctl.metadata.state import WorkspaceState

BAD = error("bad", "Bad thing", "Mend it.")


def test_validate(zenctl, engine):
    engine.answers["validate"] = PlanOutcome(None, (warning("w", "Odd"),))
    ran = zenctl("validate")
    assert ran.code == 0
    assert "Valid." in ran.out
    assert "Warning: Odd" in ran.out
    engine.answers["validate"] = PlanOutcome(None, (BAD,))
    assert zenctl("validate").code == 1
    document = json.loads(zenctl("validate", "-json").out)
    assert (document["valid"], document["error_count"], document["warning_count"]) == (False, 1, 0)
    assert document["diagnostics"][0]["summary"] == "Bad thing"


def test_init(zenctl, engine):
    engine.answers["initialise"] = InitOutcome((".zenctl",), True, {"local": "0.1.0"}, ())
    ran = zenctl("init")
    assert ran.code == 0
    assert "Created .zenctl" in ran.out
    engine.answers["initialise"] = InitOutcome(("pipeline.zen.hcl",), False, {}, ())
    assert "Created pipeline.zen.hcl" in zenctl("init").out
    assert json.loads(zenctl("init", "-json").out)["created"] == ["pipeline.zen.hcl"]
    engine.answers["initialise"] = InitOutcome((), True, {}, (BAD,))
    ran = zenctl("init")
    assert ran.code == 1
    assert "Ready" not in ran.out


OUTPUTS = {
    "accuracy": {"value": 0.5, "sensitive": False},
    "key": {"value": "hunter2", "sensitive": True},
    "sizes": {"value": [1, 2], "sensitive": False},
}


def test_outputs(zenctl, engine):
    engine.answers["read_state"] = StateOutcome(WorkspaceState("p", "default", 1, outputs=OUTPUTS), ())
    listed = zenctl("output")
    assert listed.code == 0
    assert "hunter2" not in listed.out
    assert "accuracy = 0.5" in listed.out
    assert zenctl("output", "accuracy").out == "0.5\n"
    assert 'Output "key" is sensitive' in zenctl("output", "-raw", "key").err
    assert json.loads(zenctl("output", "-json").out)["key"] == {"sensitive": True, "value": None}
    assert json.loads(zenctl("output", "-json", "sizes").out) == [1, 2]
    refused = zenctl("output", "-raw", "sizes")
    assert (refused.code, refused.out) == (1, "")
    unknown = zenctl("output", "acuracy")
    assert unknown.code == 1
    assert 'Did you mean "accuracy"?' in unknown.err
    assert "hunter2" not in zenctl("show", "-json").out


def test_logs(zenctl, engine):
    engine.answers["logs"] = LogsOutcome(iter(["one\n", "two"]), ())
    ran = zenctl("logs", "step.python.fit", "-follow")
    assert (ran.code, ran.out) == (0, "one\ntwo\n")
    assert engine.calls[0][2] == {"follow": True}
    engine.answers["logs"] = LogsOutcome(iter(["one\n", "two"]), ())
    lines = zenctl("logs", "step.python.fit", "-json").out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one\n", "two"]
    engine.answers["logs"] = LogsOutcome(None, (BAD,))
    assert zenctl("logs", "step.python.fit").code == 1


@pytest.mark.parametrize("words", [["version"], ["-version"], ["--version"], ["-v"]])
def test_version(zenctl, words):
    ran = zenctl(*words)
    assert ran.code == 0
    assert ran.out.startswith("zenctl ")
