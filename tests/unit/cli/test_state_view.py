"""How records and their lineage look, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import jsonschema
import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.cli.state_schemas import lineage_schema
from zenctl.diagnostics import error
from zenctl.engine.requests import LineageOutcome, StateOutcome
from zenctl.metadata.applies import Apply
from zenctl.metadata.holder import Holder
from zenctl.metadata.lineage import UseNode
from zenctl.metadata.state import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import ExecutionState

DIGEST = {name: (name.encode().hex() * 40)[:64] for name in ("data", "train", "model", "metrics", "code", "source")}
START = 1_795_480_000_000
COMMIT = {"commit": "4f2e1ab09c" * 4, "branch": "main", "dirty": True}


def artifact(id, type, name, size=0, **properties):
    return RecordedArtifact(id, type, f"trees/{name}", DIGEST[name], size, properties)


def record(addr, execution_id, **more):
    ended = START + execution_id * 1000 + 4200
    times = {"started_ms": START + execution_id * 1000, "ended_ms": ended}
    place = {"project": "penguins", "workspace": "default"}
    more = {**times, **place, **more}
    return Recorded(addr, execution_id, f"job-{execution_id}", ExecutionState.COMPLETE, 3, "x", **more)


@pytest.fixture
def lineage():
    source = {"digest": DIGEST["source"], "bytes": 15240, "rows": 344}
    data, train = artifact(1, "Dataset", "data", 20_480, rows=344), artifact(2, "Dataset", "train", 16_000, rows=275)
    model = artifact(3, "Model", "model", 1_300_000)
    metrics = artifact(4, "Metrics", "metrics", 40, accuracy=0.9812345, loss=0.07)
    csv = record(
        DatasourceAddr("csv", "penguins"), 1, components={"source": source, "params": {}}, outputs={"data": data}
    )
    split = record(
        StepAddr("split", "penguins"),
        2,
        components={"params": {"seed": 7, "ratio": {"train": 0.8, "eval": 0.2}}},
        inputs={"data": data},
        outputs={"train": train},
    )
    fit = record(
        StepAddr("python", "fit"),
        3,
        components={
            "type": "python/1",
            "code": {"entry": "steps/fit.py:fit", "digest": DIGEST["code"], "files": {}},
            "params": {"epochs": 10, "token": {"sensitive": "abc"}},
            "environment": {"python": "3.11", "distributions": {"tensorflow": "2.19.1"}},
        },
        fingerprint=DIGEST["code"],
        inputs={"train": train, "raw": data},
        outputs={"model": model, "metrics": metrics},
        backend="backend.local.here",
        code_version=COMMIT,
    )
    endpoint = record(
        EndpointAddr("local", "penguins"),
        4,
        inputs={"model": model},
        attributes={"url": "http://127.0.0.1:8501", "pid": 4242},
        components={"params": {"port": 8501}},
    )

    def node(recorded, **inputs):
        return SimpleNamespace(recorded=recorded, inputs=inputs)

    return node(endpoint, model=node(fit, train=node(split, data=node(csv)), raw=node(csv)))


def test_a_record_and_what_it_was_made_from(zenctl, engine, lineage, golden):
    engine.answers["state_lineage"] = LineageOutcome(lineage, ())
    ran = zenctl("state", "show", "endpoint.local.penguins")
    assert ran.code == 0
    golden("endpoint.txt", ran.out)
    engine.answers["state_lineage"] = LineageOutcome(lineage.inputs["model"], ())
    ran = zenctl("state", "show", "step.python.fit")
    golden("step.txt", ran.out)
    assert "abc" not in ran.out


@pytest.fixture
def traced(lineage):
    """The training step with what is below it, the apply that made it, and how it was found."""
    node = lineage.inputs["model"]
    holder = Holder("lab", 4711, "zenctl apply -auto-approve", "ada", since_ms=START)
    copy = record(EndpointAddr("local", "copy"), 8, inputs={"model": node.recorded.outputs["model"]}, workspace="pr-1")
    served = UseNode(lineage.recorded, artifact=node.recorded.outputs["model"])
    checked = record(
        StepAddr("evaluate", "penguins"),
        7,
        inputs={"model": node.recorded.outputs["model"]},
        outputs={
            "metrics": artifact(5, "Metrics", "metrics", 40, accuracy=0.97),
            "model": artifact(3, "Model", "model"),
        },
    )
    evaluated = UseNode(checked, [served], artifact=node.recorded.outputs["model"])
    uses = UseNode(node.recorded, [evaluated, UseNode(copy, artifact=node.recorded.outputs["model"])])
    apply = Apply(3, "complete", holder, START + 9000)
    return LineageOutcome(node, (), uses=uses, apply=apply, because="6d6f64656c6d is its output model")


def test_what_stands_on_a_result_and_who_made_it(zenctl, engine, traced, golden):
    engine.answers["state_lineage"] = traced
    golden("traced.txt", zenctl("state", "show", "6d6f64656c6d").out)
    assert engine.calls[0][1][1] == "6d6f64656c6d"
    unused = UseNode(traced.node.recorded)
    engine.answers["state_lineage"] = replace(traced, uses=unused)
    assert "nothing that is current" in zenctl("state", "show", "step.python.fit").out


def test_the_whole_trace_as_json_keeps_to_its_schema(zenctl, engine, traced):
    engine.answers["state_lineage"] = traced
    document = json.loads(zenctl("state", "show", "-json", "step.python.fit").out)
    jsonschema.Draft202012Validator(lineage_schema()).validate(document)
    assert document["found_by"] == "6d6f64656c6d is its output model"
    assert (document["apply"]["serial"], document["apply"]["user"]) == (3, "ada")
    assert [(use["address"], use["of"], use["output"]) for use in document["used_by"]] == [
        ("step.evaluate.penguins", 3, "model"),
        ("endpoint.local.penguins", 7, "model"),
        ("endpoint.local.copy", 3, "model"),
    ]
    assert document["used_by"][1]["url"] == "http://127.0.0.1:8501"


@pytest.mark.parametrize("format", ["dot", "mermaid"])
def test_the_trace_as_a_graph(zenctl, engine, traced, golden, format):
    engine.answers["state_lineage"] = traced
    ran = zenctl("state", "show", f"-format={format}", "step.python.fit")
    assert ran.code == 0
    golden(f"traced.{format}", ran.out)


def test_a_graph_comes_with_nothing_else_on_standard_output(zenctl, engine):
    engine.answers["state_lineage"] = LineageOutcome(None, (error("metadata_store", "Broken"),))
    ran = zenctl("state", "show", "-format=dot", "step.python.fit")
    assert (ran.code, ran.out) == (1, "")
    assert "Broken" in ran.err


def test_lineage_as_json_has_every_record_once(zenctl, engine, lineage):
    engine.answers["state_lineage"] = LineageOutcome(lineage, ())
    document = json.loads(zenctl("state", "show", "-json", "endpoint.local.penguins").out)
    assert document["address"] == "endpoint.local.penguins"
    assert document["made_from"] == {"model": 3}
    assert [node["address"] for node in document["lineage"]] == [
        "step.python.fit",
        "step.split.penguins",
        "datasource.csv.penguins",
    ]
    assert document["lineage"][0]["values"]["code_version"] == COMMIT


def test_a_deep_lineage_does_not_recurse(lineage):
    from zenctl.cli.views.lineage import lineage_document, lineage_lines, uses_lines
    from zenctl.cli.views.lineage_graph import lineage_graph
    from zenctl.cli.views.style import PLAIN

    node = lineage
    for index in range(5000):
        above = record(StepAddr("python", f"s{index}"), 100 + index)
        node = SimpleNamespace(recorded=above, inputs={"x": node})
    assert len(lineage_document(LineageOutcome(node, ()))["lineage"]) == 5003
    assert len(lineage_lines(node, PLAIN)) > 5000
    below = UseNode(node.recorded)
    for index in range(5000):
        below = UseNode(record(StepAddr("python", f"u{index}"), 9000 + index), [below])
    assert len(uses_lines(below, PLAIN)) > 5000
    assert len(lineage_document(LineageOutcome(node, (), uses=below))["used_by"]) == 5000
    assert len(lineage_graph(LineageOutcome(node, (), uses=below)).records) > 5000


def test_the_state(zenctl, engine, lineage, golden):
    failed = Recorded(
        StepAddr("evaluate", "penguins"),
        9,
        "job-9",
        ExecutionState.FAILED,
        3,
        "x",
        error="ValueError: no label\nat line 3",
        started_ms=START,
        ended_ms=START + 1,
    )
    nodes = [lineage, lineage.inputs["model"], lineage.inputs["model"].inputs["raw"]]
    state = WorkspaceState(
        "penguins",
        "default",
        3,
        results={node.recorded.addr: node.recorded for node in nodes},
        attempts={failed.addr: failed},
        outputs={"accuracy": {"value": 0.98, "sensitive": False}},
    )
    engine.answers["read_state"] = StateOutcome(state, ())
    golden("state.txt", zenctl("show").out)
    assert zenctl("state", "list").out.split() == [
        "datasource.csv.penguins",
        "endpoint.local.penguins",
        "step.python.fit",
    ]
    assert zenctl("state", "list", "step").out == "step.python.fit\n"
    assert zenctl("state", "list", "endpoint.local", "step.python.fit").out.count("\n") == 2
    assert zenctl("state", "list", "-type=python").out == "step.python.fit\n"
    assert zenctl("state", "list", "-type=step", "-type=datasource.csv").out.count("\n") == 2
    other = zenctl("state", "list", "-type=pyton")
    assert other.code == 1
    assert 'Did you mean "python"?' in other.err
    assert zenctl("state", "list", "-type=csv", "step").code == 1
    wrong = zenctl("state", "list", "step.pyton")
    assert wrong.code == 1
    assert 'Did you mean "step.python"?' in " ".join(wrong.err.split())
    assert len(json.loads(zenctl("state", "list", "-json").out)) == 3
    document = json.loads(zenctl("show", "-json").out)
    assert document["values"]["outputs"] == {"accuracy": {"sensitive": False, "value": 0.98}}
    assert document["attempts"][0]["values"]["state"] == "FAILED"


def test_an_empty_state(zenctl, engine):
    engine.answers["read_state"] = StateOutcome(WorkspaceState("penguins", "pr-1"), ())
    ran = zenctl("show")
    assert ran.code == 0
    assert "Nothing is recorded" in ran.out
    assert zenctl("state", "list").out == ""


def test_a_state_that_cannot_be_read(zenctl, engine):
    engine.answers["read_state"] = StateOutcome(None, (error("metadata_store", "Broken"),))
    for words in (["show"], ["output"], ["state", "list"]):
        ran = zenctl(*words)
        assert ran.code == 1
        assert "Broken" in ran.err
