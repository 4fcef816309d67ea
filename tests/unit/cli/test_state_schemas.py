"""The schemas of what is recorded refuse what is no such document: keys that must be there, kinds of values."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr
from zenctl.cli import state_schemas
from zenctl.cli.views.comparison import comparison_document
from zenctl.cli.views.lineage import lineage_document
from zenctl.cli.views.state import pulled_document
from zenctl.cli.views.state_diff import difference_document
from zenctl.engine.requests import LineageOutcome
from zenctl.engine.run_comparison import Column, Run, RunTable
from zenctl.engine.state_differences import compare_states
from zenctl.metadata.applies import Apply
from zenctl.metadata.holder import Holder
from zenctl.metadata.lineage import LineageNode, UseNode
from zenctl.metadata.records import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.plan import CodeDiff

DATA = RecordedArtifact(1, "Dataset", "trees/aa/" + "a" * 64 + ".json", "a" * 64, 20_480, {"rows": 344})
MODEL = RecordedArtifact(2, "Model", "trees/bb/" + "b" * 64 + ".json", "b" * 64, 1_300_000)
APPLY = Apply(3, "complete", Holder("lab", 4711, "zenctl apply", "ada", since_ms=1_795_480_000_000), 1_795_480_009_000)
IN_MODULE = (ModuleInstance("eu", "a"),)


def record(addr: Any, execution_id: int, **more: Any) -> Recorded:
    times = {"started_ms": 1_795_480_000_000, "ended_ms": 1_795_480_004_200}
    given = {"project": "p", "workspace": "default", "fingerprint": "c" * 64, **times, **more}
    return Recorded(addr, execution_id, f"job-{execution_id}", ExecutionState.COMPLETE, 3, "Train", **given)


ROWS = record(DatasourceAddr("csv", "rows"), 1, outputs={"data": DATA}, components={"source": {"rows": 344}})
FIT = record(
    StepAddr("train", "fit", module=IN_MODULE, key=0),
    2,
    inputs={"train": DATA},
    outputs={"model": replace(MODEL, deleted=True)},
    producers={"train": 1},
    environment={"python": "3.11"},
    imported_from={"model": "model.keras"},
)
SERVE = record(EndpointAddr("local", "fit"), 3, inputs={"model": MODEL}, attributes={"url": "http://x"}, fingerprint="")
FAILED = record(StepAddr("train", "fit", module=IN_MODULE, key=0), 4, error="broken", source=2, ended_ms=0)

STATE = pulled_document(
    WorkspaceState(
        "p",
        "default",
        3,
        {recorded.addr: recorded for recorded in (FIT, ROWS, SERVE)},
        {FAILED.addr: FAILED},
        {"accuracy": {"value": 0.9, "sensitive": False}, "token": {"value": "x", "sensitive": True}},
    ),
    APPLY,
    "0.1.0",
)
LINEAGE = lineage_document(
    LineageOutcome(
        LineageNode(FIT, {"train": LineageNode(ROWS)}),
        (),
        uses=UseNode(FIT, [UseNode(SERVE, artifact=MODEL)]),
        apply=APPLY,
        because="bbbbbbbbbbbb is its output model",
    )
)
BETTER = replace(
    ROWS,
    execution_id=9,
    serial=4,
    components={"source": {"rows": 345, "digest": "d" * 64}},
    outputs={"data": MODEL, "metrics": replace(DATA, type="Metrics", properties={"accuracy": 0.9, "note": "x"})},
)
DIFFERENCE = difference_document(
    replace(
        found := compare_states(
            WorkspaceState("p", "default", 3, {r.addr: r for r in (ROWS, SERVE)}, {}, {"a": {"value": 1}}),
            WorkspaceState("p", "default", 4, {r.addr: r for r in (BETTER, FIT)}, {}, {"a": {"value": 2}}),
        ),
        results=tuple(replace(r, code=CodeDiff({"fit.py": "- a\n+ b\n"})) for r in found.results),
    )
)
COLUMN = Column("step.train.fit", "parameter", "epochs")
RUN = Run(FIT, {COLUMN: 5}, {"loss": 0.1})
COMPARISON = comparison_document(
    [RunTable(FIT.addr, (RUN, RUN), (COLUMN,), {"loss": "min"}, {"loss": frozenset({1})})], "p"
)
VALIDATORS = {
    "comparison": jsonschema.Draft202012Validator(state_schemas.comparison_schema()),
    "state-diff": jsonschema.Draft202012Validator(state_schemas.state_diff_schema()),
    "state": jsonschema.Draft202012Validator(state_schemas.state_schema()),
    "lineage": jsonschema.Draft202012Validator(state_schemas.lineage_schema()),
}
DOCUMENTS: dict[str, Any] = {"state": STATE, "lineage": LINEAGE, "state-diff": DIFFERENCE, "comparison": COMPARISON}

Place = tuple["str | int", ...]

WHOLE: dict[str, tuple[Place, ...]] = {
    "state": (
        (),
        ("apply",),
        ("outputs", "accuracy"),
        ("results", 0),
        ("results", 0, "values"),
        ("results", 0, "values", "outputs", "model"),
        ("attempts", 0, "values"),
    ),
    "lineage": ((), ("apply",), ("values",), ("lineage", 0), ("lineage", 0, "values"), ("used_by", 0)),
    "comparison": (
        (),
        ("tables", 0),
        ("tables", 0, "columns", 0),
        ("tables", 0, "metrics", 0),
        ("tables", 0, "runs", 0),
    ),
    "state-diff": (
        (),
        ("before",),
        ("outputs", 0),
        ("changes", 2),
        ("changes", 2, "before"),
        ("changes", 2, "stale_because", 0),
        ("changes", 2, "metrics", "accuracy"),
        ("changes", 2, "outputs", "data"),
        ("changes", 2, "code_diff"),
    ),
}
"""Objects of which every key must be there."""

OPTIONAL: dict[str, set[Place]] = {
    "state": {
        ("outputs", "accuracy", "value"),
        ("results", 0, "index"),
        ("results", 0, "values", "imported_from"),
        ("results", 0, "values", "outputs", "model", "deleted"),
    },
    "lineage": {("index",), ("values", "imported_from")},
    "state-diff": {("changes", 2, "code_diff")},
    "comparison": set(),
}
"""Keys that only some of such objects have."""


def at(document: Any, place: Place) -> Any:
    for part in place:
        document = document[part]
    return document


KEYS = [
    (name, (*place, key)) for name, places in WHOLE.items() for place in places for key in at(DOCUMENTS[name], place)
]
REQUIRED = [(name, place) for name, place in KEYS if place not in OPTIONAL[name]]


def shown(value: Any) -> str:
    return ".".join(map(str, value)) if isinstance(value, tuple) else repr(value)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_with_everything_in_it_fits(name: str) -> None:
    VALIDATORS[name].validate(DOCUMENTS[name])
    assert sum(kind == name for kind, _ in REQUIRED) > 15


def test_a_workspace_without_any_record_fits() -> None:
    VALIDATORS["state"].validate(pulled_document(WorkspaceState("p", "pr-1"), None, "0.1.0"))


def test_a_sensitive_value_is_not_in_it() -> None:
    assert STATE["outputs"]["token"] == {"sensitive": True, "value": None}


@pytest.mark.parametrize(("name", "place"), REQUIRED, ids=shown)
def test_a_key_that_must_be_there_is_missed(name: str, place: Place) -> None:
    document = copy.deepcopy(DOCUMENTS[name])
    del at(document, place[:-1])[place[-1]]
    with pytest.raises(jsonschema.ValidationError, match=r"is a required property|not valid under any"):
        VALIDATORS[name].validate(document)


@pytest.mark.parametrize(("name", "place"), [(n, p) for n, places in OPTIONAL.items() for p in sorted(places, key=str)])
def test_a_key_that_only_some_have_is_not_missed(name: str, place: Place) -> None:
    document = copy.deepcopy(DOCUMENTS[name])
    del at(document, place[:-1])[place[-1]]
    VALIDATORS[name].validate(document)


WRONG: list[tuple[str, Place, Any]] = [
    ("state", ("format_version",), "2.0"),
    ("state", ("serial",), "3"),
    ("state", ("serial",), -1),
    ("state", ("workspace",), None),
    ("state", ("apply",), "ada"),
    ("state", ("apply", "result"), "done"),
    ("state", ("apply", "began"), "yesterday"),
    ("state", ("outputs",), []),
    ("state", ("outputs", "accuracy"), 0.9),
    ("state", ("outputs", "accuracy", "sensitive"), "no"),
    ("state", ("results",), {}),
    ("state", ("results", 0), "step.train.fit"),
    ("state", ("results", 0, "address"), "train.fit"),
    ("state", ("results", 0, "kind"), "model"),
    ("state", ("results", 0, "index"), None),
    ("state", ("results", 0, "values", "execution_id"), 0),
    ("state", ("results", 0, "values", "state"), "DONE"),
    ("state", ("results", 0, "values", "fingerprint"), "ab12"),
    ("state", ("results", 0, "values", "started"), 1_795_480_000_000),
    ("state", ("results", 0, "values", "operation"), "guess"),
    ("state", ("results", 0, "values", "producers"), {"train": "1"}),
    ("state", ("results", 0, "values", "components", "params"), []),
    ("state", ("results", 0, "values", "outputs", "model", "digest"), "bb"),
    ("state", ("results", 0, "values", "outputs", "model", "deleted"), "yes"),
    ("state", ("results", 0, "values", "outputs", "model", "bytes"), 1.5),
    ("state", ("results", 0, "values", "inputs"), []),
    ("state", ("attempts", 0, "values", "reused_execution_id"), "2"),
    ("comparison", ("tables",), {}),
    ("comparison", ("tables", 0, "address"), "fit"),
    ("comparison", ("tables", 0, "columns", 0, "kind"), "weather"),
    ("comparison", ("tables", 0, "metrics", 0, "better"), "more"),
    ("comparison", ("tables", 0, "metrics", 0, "best"), [-1]),
    ("comparison", ("tables", 0, "runs", 0, "values"), {}),
    ("comparison", ("tables", 0, "runs", 0, "serial"), None),
    ("state-diff", ("equal",), "no"),
    ("state-diff", ("same",), -1),
    ("state-diff", ("before",), 3),
    ("state-diff", ("before", "serial"), "3"),
    ("state-diff", ("changes", 0, "change"), "moved"),
    ("state-diff", ("changes", 0, "after"), 9),
    ("state-diff", ("changes", 2, "stale_because", 0, "reason"), "data"),
    ("state-diff", ("changes", 2, "metrics", "accuracy", "better"), "yes"),
    ("state-diff", ("changes", 2, "outputs", "data", "before"), "aa"),
    ("state-diff", ("changes", 2, "code_diff", "files"), []),
    ("state-diff", ("outputs", 0, "path"), 0),
    ("lineage", ("address",), "train.fit"),
    ("lineage", ("made_from",), {"train": "1"}),
    ("lineage", ("lineage",), None),
    ("lineage", ("lineage", 0, "made_from"), []),
    ("lineage", ("lineage", 0, "values", "state"), "DONE"),
    ("lineage", ("used_by", 0, "of"), None),
    ("lineage", ("used_by", 0, "url"), 8501),
    ("lineage", ("found_by",), 1),
]


@pytest.mark.parametrize(("name", "place", "value"), WRONG, ids=shown)
def test_a_wrong_value_is_refused(name: str, place: Place, value: Any) -> None:
    document = copy.deepcopy(DOCUMENTS[name])
    at(document, place[:-1])[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATORS[name].validate(document)
