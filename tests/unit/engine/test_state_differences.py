"""How two states differ: every kind of cause, what came of it, and which sides words name."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.state_differences import compare_states, read_side
from zenctl.fingerprint.data import RowsDifference
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.records import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.metadata.workspaces import create_workspace
from zenctl.plans.actions import Components, ReasonCode

CSV, FIT, OLD, NEW = (
    DatasourceAddr("csv", "rows"),
    StepAddr("python", "fit"),
    EndpointAddr("local", "old"),
    StepAddr("split", "new"),
)


def artifact(id: int, type: str, letter: str, **properties: Any) -> RecordedArtifact:
    return RecordedArtifact(id, type, f"trees/{letter}", letter * 64, 10, properties)


def record(addr: Any, execution_id: int, components: dict[str, Any] | None = None, **more: Any) -> Recorded:
    given = {"type": f"{addr.type}/1", **(components or {})}
    return Recorded(addr, execution_id, "job", ExecutionState.COMPLETE, 1, "Train", components=given, **more)


def state(serial: int, *records: Recorded, outputs: dict[str, Any] | None = None) -> WorkspaceState:
    return WorkspaceState("p", "default", serial, {r.addr: r for r in records}, {}, outputs or {})


CODE = {"entry": "fit.py:fit", "digest": "1" * 64, "files": {"fit.py": "1"}, "definitions": {"fit.py": {"fit": "1"}}}
BEFORE = record(
    FIT,
    2,
    {
        "code": CODE,
        "params": {"epochs": 5, "rate": 0.1},
        "inputs": {"train": "a" * 64},
        "environment": {"python": "3.11", "distributions": {"numpy": "2.1"}},
    },
    environment={"python": "3.11", "distributions": {"numpy": "2.1", "pyarrow": "22.0"}},
    outputs={
        "metrics": artifact(3, "Metrics", "c", accuracy=0.9, loss=0.3, rows=10),
        "model": artifact(4, "Model", "d"),
    },
)


def test_every_cause_is_named_and_what_came_of_it() -> None:
    after = record(
        FIT,
        7,
        {
            "code": {**CODE, "digest": "2" * 64, "files": {"fit.py": "2"}, "definitions": {"fit.py": {"fit": "2"}}},
            "params": {"epochs": 10, "rate": 0.1},
            "inputs": {"train": "b" * 64},
            "environment": {"python": "3.11", "distributions": {"numpy": "2.1"}},
        },
        environment={"python": "3.11", "distributions": {"numpy": "2.1", "pyarrow": "23.0"}},
        outputs={
            "metrics": artifact(5, "Metrics", "e", accuracy=0.95, loss=0.3, rows=11),
            "model": artifact(4, "Model", "d"),
        },
    )
    [found] = compare_states(state(1, BEFORE), state(2, after)).results
    assert [(reason.code, reason.detail) for reason in found.reasons] == [
        (ReasonCode.CODE_CHANGED, "fit.py: fit"),
        (ReasonCode.PARAMETERS_CHANGED, "params.epochs: 5 -> 10"),
        (ReasonCode.INPUT_CHANGED, f"input train has other content: {'a' * 12} -> {'b' * 12}"),
        (ReasonCode.ENVIRONMENT_CHANGED, "pyarrow 22.0 -> 23.0"),
    ]
    assert found.metrics == {"accuracy": (0.9, 0.95), "rows": (10, 11)}
    assert found.outputs == {"metrics": ("c" * 64, "e" * 64)}


def test_data_by_rows_and_columns() -> None:
    old = record(CSV, 1, {"source": {"digest": "1" * 64, "rows": 3, "bytes": 30, "columns": {"a": "int"}}})
    new = record(CSV, 2, {"source": {"digest": "2" * 64, "rows": 4, "bytes": 44, "columns": {"a": "int", "b": "int"}}})
    [plain] = compare_states(state(1, old), state(2, new)).results
    assert [reason.detail for reason in plain.reasons] == ["3 -> 4 rows, 30 -> 44 bytes, column b is new"]
    asked: list[tuple[str, str]] = []

    def rows(before: str, after: str) -> RowsDifference:
        asked.append((before, after))
        return RowsDifference(1, 0, 2, 14, 0)

    [counted] = compare_states(state(1, old), state(2, new), rows).results
    assert "3 -> 4 rows (1 added, 2 changed)" in counted.reasons[0].detail
    assert asked == [("1" * 64, "2" * 64)]


def test_the_same_result_recorded_again_is_no_difference() -> None:
    again = record(FIT, 9, dict(BEFORE.components), environment=BEFORE.environment, outputs=BEFORE.outputs)
    found = compare_states(state(1, BEFORE), state(2, again))
    assert (found.results, found.same, found.equal) == ((), 1, True)
    assert compare_states(state(1, BEFORE), state(1, BEFORE)).equal


def test_what_came_and_went_in_the_order_of_running() -> None:
    found = compare_states(state(1, record(OLD, 3), record(CSV, 1)), state(2, record(NEW, 5), record(CSV, 1)))
    assert [(str(r.addr), r.before is None, r.after is None) for r in found.results] == [
        ("endpoint.local.old", False, True),
        ("step.split.new", True, False),
    ]
    assert found.same == 1


def test_root_outputs_without_secrets() -> None:
    before = {"a": {"value": 1}, "secret": {"value": "x", "sensitive": True}, "gone": {"value": [1]}}
    after = {"a": {"value": 2}, "secret": {"value": "y", "sensitive": True}}
    found = compare_states(state(1, outputs=before), state(2, outputs=after))
    assert [str(difference) for difference in found.outputs] == ["a: 1 -> 2", "gone: [1] -> (none)"]
    assert not found.equal


@pytest.fixture
def store() -> MemoryStore:
    """Two applies of `default`, one of the workspace `42`."""
    store = MemoryStore()
    create_workspace(store, "p", "42")
    for workspace in ("default", "default", "42"):
        recorder = Recorder(store, acquire(store, "p", workspace, Holder.here("zenctl apply")))
        run = recorder.start(FIT, f"{workspace}-{recorder.serial}", "Train", Components("python/1"), "", {})
        recorder.complete(run, {})
        recorder.finish("complete")
    return store


@pytest.mark.parametrize(
    ("words", "workspace", "serial"),
    [
        ("1", "default", 1),
        ("2", "default", 2),
        ("", "default", 2),
        ("default", "default", 2),
        ("default@1", "default", 1),
        ("42@", "42", 1),
        ("42@1", "42", 1),
    ],
)
def test_the_sides_that_words_name(store: MemoryStore, words: str, workspace: str, serial: int) -> None:
    found = read_side(store, "p", "default", words)
    assert (found.workspace, found.serial) == (workspace, serial)
    assert set(found.results) == {FIT}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("3", "has no apply 3"),
        ("42", "has no apply 42"),
        ("defautl", 'Did you mean "default"'),
        ("42@x", '"x" is no serial'),
        ("42@9", "Its newest is 1"),
    ],
)
def test_sides_that_are_not_there(store: MemoryStore, words: str, said: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_side(store, "p", "default", words)
    problem = caught.value.diagnostics[0]
    assert said in f"{problem.summary} {problem.detail}"
