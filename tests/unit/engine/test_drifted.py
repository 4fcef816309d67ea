"""What has moved by itself."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.engine.drifted import drift, seen_endpoints
from zenctl.engine.observed import Observed
from zenctl.fingerprint.data import RowsDifference
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.metadata.records import Recorded, RecordedArtifact, WorkspaceState
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Action, ReasonCode
from zenctl.plans.plan import EndpointSeen
from zenctl.provider import EndpointState
from zenctl.schema import SourceState

DATA, FIT, SHOP = DatasourceAddr("csv", "d"), StepAddr("python", "fit"), EndpointAddr("local", "shop")
MODEL, OTHER = "a" * 64, "b" * 64


def recorded(addr: Address, **facts: Any) -> Recorded:
    return Recorded(addr, 7, "job", ExecutionState.COMPLETE, 3, "Process", **facts)


STATE = WorkspaceState(
    "p",
    "default",
    3,
    {
        DATA: recorded(
            DATA,
            components={"source": {"digest": "x", "rows": 3, "bytes": 30, "columns": {"a": "int", "b": "int"}}},
            outputs={"data": RecordedArtifact(1, "Dataset", "u", MODEL)},
        ),
        FIT: recorded(FIT, outputs={"model": RecordedArtifact(2, "Model", "u", MODEL)}),
        SHOP: recorded(
            SHOP,
            inputs={"model": RecordedArtifact(2, "Model", "u", MODEL)},
            attributes={"provider": "local", "url": "http://x"},
        ),
    },
)
SAME = SourceState("x", 30, 3)
SERVED = EndpointState("shop", MODEL, True, "http://x")


def observed(**facts: Any) -> Observed:
    return Observed(**{"sources": {DATA: SAME}, "endpoints": {SHOP: SERVED}, **facts})


def test_what_is_as_recorded_has_not_drifted() -> None:
    assert drift(STATE, observed()) == []
    assert seen_endpoints(observed()) == {str(SHOP): EndpointSeen(MODEL, True)}


def test_data_that_moved_says_how() -> None:
    source = SourceState("y", 44, 4, columns={"a": "float", "c": "string"})
    [change] = drift(STATE, observed(sources={DATA: source}, rows={DATA: RowsDifference(1, 0, 0, 14, 0)}))
    assert change.addr == DATA
    assert change.reasons[0].detail == (
        "3 -> 4 rows (1 added), 30 -> 44 bytes (14 added), column c is new, column b is gone, column a: int -> float"
    )


@pytest.mark.parametrize(
    ("facts", "detail"),
    [
        ({"endpoints": {}, "absent": frozenset({SHOP})}, "is gone: it was running after apply 3"),
        (
            {"endpoints": {SHOP: EndpointState("shop", OTHER, True)}},
            f"serves another model: {MODEL[:12]} -> {OTHER[:12]}",
        ),
        ({"endpoints": {SHOP: EndpointState("shop", MODEL, False, problem="no answer")}}, "no answer"),
    ],
)
def test_an_endpoint_that_moved(facts: dict[str, Any], detail: str) -> None:
    [change] = drift(STATE, observed(**facts))
    assert (change.reasons[0].code, change.reasons[0].detail) == (ReasonCode.DRIFTED, detail)
    assert change.provider == "local"


def test_an_endpoint_that_nobody_looked_for_is_not_judged() -> None:
    assert drift(STATE, observed(endpoints={})) == []


def test_outputs_that_are_gone() -> None:
    damage = {FIT: CorruptArtifact("gone", path="trees/x", missing=True)}
    [change] = drift(STATE, observed(damage=damage))
    assert (change.addr, change.action, change.after) == (FIT, Action.DELETE, None)
