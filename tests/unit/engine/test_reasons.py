"""Reasons name what differs, and nothing that does not."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.addrs import StepAddr
from zenctl.engine.reasons import changed, damaged, failed_before, pending
from zenctl.fingerprint.code import WHOLE
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Components, ReasonCode
from zenctl.plans.planfile import encode_components
from zenctl.schema import ArtifactRef

ADDR = StepAddr("python", "fit")
BASE = Components(
    type="python/1",
    code={
        "entry": "a.py:f",
        "digest": "c1",
        "files": {"a.py": "x", "b.py": "y"},
        "definitions": {"a.py": {"f": "1", "g": "2", "old": "3"}, "b.py": {"h": "4"}},
    },
    params={"epochs": 5},
    inputs={"train": "d" * 64},
    source={"digest": "s1", "rows": 344, "bytes": 15241},
    environment={"python": "3.11", "distributions": {"tensorflow": "2.19.0"}},
)
REFS = {"train": ArtifactRef(StepAddr("split", "p"), "train", "Dataset", "e" * 64)}


def recorded(components: Components = BASE, **more: Any) -> Recorded:
    state = more.pop("state", ExecutionState.COMPLETE)
    return Recorded(ADDR, 1, "j", state, 3, "Process", components=encode_components(components), **more)


def with_(**parts: Any) -> Components:
    return Components(**{**encode_components(BASE), **parts})


def said(wanted: Components) -> list[tuple[ReasonCode, str]]:
    return [(reason.code, reason.detail) for reason in changed(recorded(), wanted, REFS)]


def test_nothing_changed() -> None:
    assert said(BASE) == []


@pytest.mark.parametrize(
    ("wanted", "code", "detail"),
    [
        (with_(type="python/2"), ReasonCode.IMPLEMENTATION_CHANGED, "implementation python/1 -> python/2"),
        (with_(params={"epochs": 10}), ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10"),
        (
            with_(
                code={
                    "entry": "a.py:f",
                    "digest": "c2",
                    "files": {"a.py": "x2", "c.py": "z"},
                    "definitions": {"a.py": {"f": "1", "g": "5", "new": "6"}, "c.py": {"i": "7"}},
                }
            ),
            ReasonCode.CODE_CHANGED,
            "a.py: g, new (added), old (removed); b.py removed; c.py added",
        ),
        (
            with_(code={**BASE.code, "entry": "a.py:g"}),
            ReasonCode.CODE_CHANGED,
            "function f -> g",
        ),
        (
            with_(inputs={"train": "e" * 64}),
            ReasonCode.INPUT_CHANGED,
            "input train (step.split.p.train) has other content: dddddddddddd -> eeeeeeeeeeee",
        ),
        (with_(inputs={}), ReasonCode.INPUT_CHANGED, "input train is gone"),
        (
            with_(source={"digest": "s2", "rows": 345, "bytes": 15290}),
            ReasonCode.DATA_CHANGED,
            "344 -> 345 rows, 15,241 -> 15,290 bytes",
        ),
        (
            with_(environment={"python": "3.11", "distributions": {"tensorflow": "2.19.1"}}),
            ReasonCode.ENVIRONMENT_CHANGED,
            "tensorflow 2.19.0 -> 2.19.1",
        ),
        (
            with_(environment={"python": "3.10", "distributions": {"tensorflow": "2.19.0"}}),
            ReasonCode.ENVIRONMENT_CHANGED,
            "python 3.11 -> 3.10",
        ),
    ],
)
def test_one_thing_changed_is_one_reason(wanted: Components, code: ReasonCode, detail: str) -> None:
    assert said(wanted) == [(code, detail)]


def code(files: dict[str, dict[str, str]], entry: str = "a.py:f", digest: str = "c2") -> dict[str, Any]:
    digests = {path: str(sorted(found.items())) for path, found in files.items()}
    return {"entry": entry, "digest": digest, "files": digests, "definitions": files}


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        (code({"a.py": {"f": "1"}}), code({"a.py": {"f": "2"}}), "a.py: f"),
        (
            code({"a.py": {"f": "1"}}),
            {**code({"a.py": {"f": "1"}}), "files": {"a.py": "x"}},
            "a.py: order of statements",
        ),
        (code({"c.json": {WHOLE: "1"}}), code({"c.json": {WHOLE: "2"}}), "c.json changed"),
        (code({"a.py": {"f": "1", WHOLE: "1"}}), code({"a.py": {"f": "1", WHOLE: "2"}}), "a.py changed"),
        (code({"a.py": {"f": "1", WHOLE: "1"}}), code({"a.py": {"f": "2", WHOLE: "2"}}), "a.py: f"),
        (code({"a.py": {"f": "1"}}), code({"b.py": {"f": "1"}}, "b.py:f"), "b.py moved from a.py"),
        (code({"a.py": {"f": "1"}}), code({"b.py": {"f": "2"}}, "b.py:f"), "b.py moved from a.py: f"),
        (
            code({"a.py": {f"f{i}": "1" for i in range(10)}}),
            code({"a.py": {f"f{i}": "2" for i in range(10)}}),
            "a.py: f0, f1, f2, f3, f4, f5, f6, f7, and 2 more",
        ),
    ],
)
def test_a_code_change_names_the_definitions(before: dict[str, Any], after: dict[str, Any], detail: str) -> None:
    old = with_(code={**before, "digest": "c1"})
    [reason] = changed(recorded(old), with_(code=after), REFS)
    assert (reason.code, reason.detail) == (ReasonCode.CODE_CHANGED, detail)
    assert list(reason.data["definitions"]) == [part.partition(":")[0].split()[0] for part in reason.data["changes"]]


def test_code_of_the_older_form_that_changed_is_said_once() -> None:
    old = with_(code={"entry": "a.py:f", "digest": "c0", "files": {"a.py": "x"}})
    [reason] = changed(recorded(old), BASE, REFS)
    assert reason.code is ReasonCode.CODE_CHANGED
    assert "did not tell definitions apart" in reason.detail


def test_what_is_not_known_yet_is_no_change() -> None:
    assert said(with_(inputs={"train": ""}, params={"epochs": {"unknown": "number"}})) == []


def test_rows_and_bytes_alone_do_not_count() -> None:
    assert said(with_(source={"digest": "s1", "rows": None, "bytes": 1})) == []


def test_pending_names_what_has_to_run_first() -> None:
    unknown = {"a": ArtifactRef(StepAddr("split", "p"), "train", "Dataset")}
    [reason] = pending(unknown, ["step.python.other"])
    assert reason.detail == "waits for step.python.other, step.split.p"
    assert pending(REFS, [])[0].detail == "a value it needs is known only after apply"


@pytest.mark.parametrize(
    ("state", "error", "busy", "detail"),
    [
        (ExecutionState.FAILED, "ValueError: no\nmore", 0, "failed in apply 3: ValueError: no"),
        (ExecutionState.FAILED, "", 0, "failed in apply 3: no message was recorded"),
        (ExecutionState.CANCELED, "x", 0, "was canceled in apply 3"),
        (ExecutionState.RUNNING, "", 0, "was interrupted in apply 3"),
        (ExecutionState.RUNNING, "", 4, "is under way in apply 4"),
    ],
)
def test_the_last_attempt(state: ExecutionState, error: str, busy: int, detail: str) -> None:
    attempt = recorded(state=state, error=error)
    [reason] = failed_before(WorkspaceState("p", "w", busy=busy, attempts={attempt.addr: attempt}), attempt.addr)
    assert (reason.code, reason.detail) == (ReasonCode.FAILED_BEFORE, detail)


def test_no_attempt_is_no_reason() -> None:
    assert failed_before(WorkspaceState("p", "w"), recorded().addr) == []


@pytest.mark.parametrize(("missing", "code"), [(True, ReasonCode.OUTPUT_MISSING), (False, ReasonCode.OUTPUT_CORRUPT)])
def test_damage(missing: bool, code: ReasonCode) -> None:
    assert damaged(CorruptArtifact("gone", path="p", missing=missing)).code is code
