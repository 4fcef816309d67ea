"""What is recorded as OpenLineage events: every state, equal ids each time, datasets that join runs, no secret.

The library's own classes check what they are given when an event is made: times, ids, URLs, fields that must be there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.metadata.test_metadata_state import Counting
from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.engine import exporting
from zenctl.engine.exporting import export_state
from zenctl.engine.openlineage_events import Surroundings
from zenctl.engine.requests import Inputs
from zenctl.metadata.artifacts import OutputRecord
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.records import RecordedArtifact
from zenctl.metadata.state import read_state
from zenctl.plans.actions import Components

CSV, FIT, SERVE = DatasourceAddr("csv", "rows"), StepAddr("python", "fit"), EndpointAddr("local", "fit")
COMMIT = {"commit": "4f2e1ab0", "branch": "main", "dirty": True, "remote": "https://example.org/x.git"}


def digest(letter: str) -> str:
    return letter * 64


class Past:
    """A project's store, its applies, and the events that are made of them."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def begin(self, workspace: str = "default") -> Recorder:
        return Recorder(self.store, acquire(self.store, "p", workspace, Holder.here("zenctl apply")))

    def rows(self, recorder: Recorder, letter: str = "a") -> dict[str, RecordedArtifact]:
        source = {"digest": digest("5"), "rows": 3, "bytes": 30, "columns": {"x": "int"}}
        run = recorder.start(CSV, f"rows-{recorder.serial}", "Process", Components("csv/1", source=source), "f", {})
        return recorder.complete(
            run, {"data": OutputRecord("Dataset", digest(letter), f"trees/{letter}", 9, {"rows": 3})}
        )

    def fit(self, recorder: Recorder, given: dict[str, RecordedArtifact]) -> int:
        code = {"entry": "steps/fit.py:fit", "digest": digest("c")}
        params = {"epochs": 5, "label": "y", "token": {"sensitive": "hunter2"}}
        components = Components("python/1", code=code, params=params)
        return recorder.start(
            FIT, f"fit-{recorder.serial}", "Train", components, "f", given, "backend.local.here", COMMIT
        )

    def events(self, since: int = 0, **more: Any) -> list[dict[str, Any]]:
        around = Surroundings("/srv/artifacts", lambda artifact: {"x": "int"} if artifact.digest == digest("a") else {})
        return [json.loads(e) for e in exporting._events(self.store, "p", "default", since, more.get("around", around))]


@pytest.fixture
def past() -> Iterator[Past]:
    made = Past()
    yield made
    made.store.close()


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in events]


def names(datasets: list[dict[str, Any]]) -> list[str]:
    return [dataset["name"] for dataset in datasets]


def test_an_apply_with_all_that_it_ran(past: Past) -> None:
    recorder = past.begin()
    data = past.rows(recorder)["data"]
    model = OutputRecord("Model", digest("b"), "trees/b", 7)
    metrics = OutputRecord("Metrics", digest("d"), "trees/d", 1, {"accuracy": 0.9})
    made = recorder.complete(past.fit(recorder, {"train": data}), {"model": model, "metrics": metrics})
    recorder.endpoint(SERVE, Components("endpoint.local/1"), {"url": "http://x"}, {"model": made["model"]})
    recorder.finish("complete")
    events = past.events()
    assert told(events) == [
        ("apply", "START"),
        ("datasource.csv.rows", "START"),
        ("datasource.csv.rows", "COMPLETE"),
        ("step.python.fit", "START"),
        ("step.python.fit", "COMPLETE"),
        ("endpoint.local.fit", "START"),
        ("endpoint.local.fit", "COMPLETE"),
        ("apply", "COMPLETE"),
    ]
    assert {event["job"]["namespace"] for event in events} == {"zenctl://p/default"}
    apply, rows, fit, serve = events[0], events[2], events[4], events[6]
    assert all(e["run"]["facets"]["parent"]["run"]["runId"] == apply["run"]["runId"] for e in events[1:-1])
    assert names(rows["inputs"]) == ["datasource.csv.rows.source"]
    assert names(rows["outputs"]) == names(fit["inputs"]) == ["datasource.csv.rows.data"]
    assert names(fit["outputs"]) == ["step.python.fit.metrics", "step.python.fit.model"]
    assert names(serve["inputs"]) == ["step.python.fit.model"]
    given = fit["inputs"][0]
    assert given["facets"]["version"]["datasetVersion"] == digest("a")
    assert [(f["name"], f["type"]) for f in given["facets"]["schema"]["fields"]] == [("x", "int")]
    [place] = given["facets"]["symlinks"]["identifiers"]
    assert (place["namespace"], place["name"]) == ("file", "/srv/artifacts/trees/a")
    assert given["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert rows["outputs"][0]["outputFacets"]["outputStatistics"]["size"] == 9
    assert fit["outputs"][0]["facets"]["zenctl_values"]["values"] == {"accuracy": 0.9}
    assert serve["run"]["facets"]["zenctl_execution"]["url"] == "http://x"


def test_what_a_run_was_given_without_secrets(past: Past) -> None:
    recorder = past.begin()
    recorder.complete(past.fit(recorder, {}), {})
    recorder.finish("complete")
    fit = past.events()[2]
    facets = fit["run"]["facets"]
    parameters = {p["key"]: p["value"] for p in facets["executionParameters"]["parameters"]}
    assert parameters == {"epochs": "5", "label": "y", "token": "(sensitive value)"}
    assert "hunter2" not in json.dumps(fit)
    assert (facets["zenctl_execution"]["backend"], facets["zenctl_execution"]["serial"]) == ("backend.local.here", 1)
    assert facets["zenctl_execution"]["uncommittedChanges"] is True
    where = fit["job"]["facets"]["sourceCodeLocation"]
    assert (where["url"], where["version"], where["path"]) == (COMMIT["remote"], "4f2e1ab0", "steps/fit.py")


def test_what_failed_was_canceled_or_goes_on(past: Past) -> None:
    first = past.begin()
    first.fail(past.fit(first, {}), "ValueError: no label\nTraceback ...")
    first.finish("failed")
    second = past.begin()
    second.fail(past.fit(second, {}), "", canceled=True)
    second.finish("interrupted")
    third = past.begin()
    past.fit(third, {})
    events = past.events()
    assert [state for name, state in told(events) if name == "step.python.fit"] == [
        "START",
        "FAIL",
        "START",
        "ABORT",
        "START",
    ]
    assert [state for name, state in told(events) if name == "apply"] == ["START", "FAIL", "START", "ABORT", "START"]
    error = events[2]["run"]["facets"]["errorMessage"]
    assert (error["message"], error["stackTrace"]) == ("ValueError: no label", "ValueError: no label\nTraceback ...")
    assert "errorMessage" not in events[1]["run"]["facets"]


def test_ids_and_events_are_the_same_each_time_and_a_later_export_goes_on(past: Past) -> None:
    for letter in ("a", "b"):
        recorder = past.begin()
        past.rows(recorder, letter)
        recorder.finish("complete")
    whole = past.events()
    assert whole == past.events()
    assert past.events(since=1) == whole[4:]
    assert past.events(since=2) == []
    assert len({event["run"]["runId"] for event in whole}) == 4


def test_reuse_is_a_run_and_leads_to_the_workspace_that_made_its_input(past: Past) -> None:
    preview = past.begin("pr-1")
    data = past.rows(preview)["data"]
    preview.complete(past.fit(preview, {"train": data}), {"model": OutputRecord("Model", digest("b"), "trees/b")})
    there = read_state(past.store, "p", "pr-1").results
    recorder = past.begin()
    recorder.reuse(FIT, there[FIT], Components("python/1"), "f", {"train": data})
    recorder.move(read_state(past.store, "p", "default").results[FIT], StepAddr("python", "moved"))
    recorder.finish("complete")
    events = past.events()
    assert told(events)[1:-1] == [("step.python.fit", "START"), ("step.python.fit", "COMPLETE")]
    [given] = events[2]["inputs"]
    assert (given["namespace"], given["name"]) == ("zenctl://p/pr-1", "datasource.csv.rows.data")
    assert events[2]["run"]["facets"]["zenctl_execution"]["operation"] == "reuse"


def test_an_input_that_nothing_made_is_known_by_its_content_and_a_bucket_by_its_url(past: Past) -> None:
    recorder = past.begin()
    given = RecordedArtifact(0, "Dataset", "trees/e", digest("e"))
    recorder.complete(past.fit(recorder, {"train": given}), {})
    recorder.finish("complete")
    around = Surroundings("gs://bucket/some/prefix", lambda _: {})
    [data] = past.events(around=around)[2]["inputs"]
    assert data["name"] == f"artifact.{digest('e')}"
    [place] = data["facets"]["symlinks"]["identifiers"]
    assert (place["namespace"], place["name"]) == ("gs://bucket", "some/prefix/trees/e")


def test_queries_grow_with_batches_not_with_applies(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        recorder = past.begin()
        past.rows(recorder)
        recorder.finish("complete")
    whole, counting = past.events(), Counting(past.store)
    around = Surroundings("/srv", lambda _: {"x": "int"})
    assert len(list(exporting._events(counting, "p", "default", 0, around))) == len(whole)
    assert counting.calls.total() <= 8
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    assert past.events() == whole


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.zen.hcl").write_text('zenctl {\n  project = "p"\n}\n')
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    outcome = export_state(Inputs(tmp_path))
    assert outcome.events is None
    assert "pip install 'zenctl[openlineage]'" in outcome.diagnostics[0].detail


def test_nothing_was_applied_yet(tmp_path: Path) -> None:
    (tmp_path / "main.zen.hcl").write_text('zenctl {\n  project = "p"\n}\n')
    outcome = export_state(Inputs(tmp_path))
    assert outcome.events is not None
    assert list(outcome.events) == []
    assert not (tmp_path / ".zenctl").exists()
