"""-refresh-only: what has changed outside is planned to be recorded, and recorded; the endpoint is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.engine.drifting import plan_refresh
from zenctl.engine.observed import Observed
from zenctl.engine.providers import Providers
from zenctl.engine.publishing import Publisher
from zenctl.jobs.artifacts import CorruptArtifact
from zenctl.jobs.storage import FolderStorage
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.records import RecordedArtifact
from zenctl.metadata.state import WorkspaceState, history, read_state
from zenctl.plans.actions import Action, Components, ReasonCode
from zenctl.plans.plan import Plan
from zenctl.provider import EndpointState
from zenctl.provider.testing.endpoint import FakeEndpoint, FakeServers

FIT = StepAddr("python", "fit")
SERVE = EndpointAddr("local", "serve")
ALL = (FIT, SERVE)
OLD, NEW = "a" * 64, "b" * 64
LIVE = EndpointState("serve", OLD, True, "http://one", {"port": 1})


@dataclass
class OneEndpoint:
    """Providers that have one endpoint type."""

    fake: FakeEndpoint

    def endpoint(self, type_name: str, provider: str = "") -> FakeEndpoint:
        assert (type_name, provider) == ("local", "local")
        return self.fake


@dataclass
class Applied:
    """An apply under way, after one that made a step's result and an endpoint."""

    store: MemoryStore
    recorder: Recorder
    servers: FakeServers

    @property
    def state(self) -> WorkspaceState:
        return read_state(self.store, "p", "default")

    def publisher(self) -> Publisher:
        plan = Plan("p", "default", 1, "2026-11-25T00:00:00+00:00", "0", ())
        providers = cast(Providers, OneEndpoint(FakeEndpoint(self.servers)))
        nowhere = Path("nowhere")
        return Publisher(plan, self.state, self.recorder, providers, FolderStorage(nowhere), nowhere, {})


@pytest.fixture
def applied() -> Iterator[Applied]:
    store = MemoryStore()
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    recorder = Recorder(store, lock)
    execution = recorder.start(FIT, "job-1", "Train", Components("python/1"), "1" * 64, {})
    recorder.complete(execution, {"model": OutputRecord("Model", OLD, "trees/a", 1, {})})
    attributes = {"name": "serve", "url": "http://one", "provider": "local", "port": 1}
    model = RecordedArtifact(0, "Model", "trees/a", OLD)
    recorder.endpoint(SERVE, Components("endpoint.local/1", inputs={"model": OLD}), attributes, {"model": model})
    servers = FakeServers()
    servers.running["serve"] = LIVE
    yield Applied(store, recorder, servers)
    lock.close()


def planned(applied: Applied, **observed: Any) -> dict[str, tuple[Action, list[str]]]:
    seen = Observed(**{"endpoints": {SERVE: LIVE}, **observed})
    changes, _ = plan_refresh(applied.state, seen, ALL)
    return {c.address: (c.action, [r.detail for r in c.reasons]) for c in changes}


def test_what_is_as_it_was_left_is_no_change(applied: Applied) -> None:
    assert planned(applied) == {str(FIT): (Action.NO_OP, []), str(SERVE): (Action.NO_OP, [])}
    assert [c.addr for c in plan_refresh(applied.state, Observed(), (FIT,))[0]] == [FIT]


def test_what_is_gone_or_damaged_is_forgotten(applied: Applied) -> None:
    damage = {FIT: CorruptArtifact("it is gone", path="trees/a", missing=True)}
    found = planned(applied, damage=damage, endpoints={})
    assert found[str(FIT)] == (Action.FORGET, ["it is gone"])
    assert found[str(SERVE)] == (Action.FORGET, ["is gone: it was running after apply 1"])


def test_an_endpoint_that_is_another_one_is_recorded(applied: Applied) -> None:
    now = replace(LIVE, model_digest=NEW, url="http://two", attributes={"port": 2})
    action, details = planned(applied, endpoints={SERVE: now})[str(SERVE)]
    assert action is Action.READ
    assert [detail.partition(":")[0] for detail in details] == ["model", "port", "url"]
    assert details[1:] == ["port: 1 -> 2", 'url: "http://one" -> "http://two"']


def test_one_that_does_not_serve_is_told_and_left(applied: Applied) -> None:
    seen = Observed(endpoints={SERVE: replace(LIVE, ready=False, model_digest=None, problem="it is loading")})
    changes, [warning] = plan_refresh(applied.state, seen, (SERVE,))
    assert changes[0].action is Action.NO_OP
    assert "it is loading" in warning.detail


def test_recording_takes_what_is_there_and_touches_nothing(applied: Applied) -> None:
    applied.servers.running["serve"] = replace(LIVE, model_digest=NEW, url="http://two", attributes={"port": 2})
    assert applied.publisher().record(SERVE) == ("recorded", "http://two")
    now = applied.state.results[SERVE]
    assert now.inputs["model"].digest == now.components["inputs"]["model"] == NEW
    assert now.attributes == {"name": "serve", "url": "http://two", "provider": "local", "port": 2}
    assert applied.servers.changes() == []
    assert planned(applied, endpoints=dict.fromkeys([SERVE], applied.servers.running["serve"]))[str(SERVE)][1] == []


def test_one_that_is_gone_by_then_is_recorded_as_deleted(applied: Applied) -> None:
    applied.servers.running.clear()
    assert applied.publisher().record(SERVE) == ("forgotten", "")
    assert SERVE not in applied.state.results
    assert [r.operation for r in history(applied.store, "p", "default", SERVE)] == ["delete", "publish"]


def test_one_that_does_not_serve_by_then_keeps_its_record(applied: Applied) -> None:
    applied.servers.running["serve"] = replace(LIVE, ready=False, model_digest=None)
    before = applied.state.results[SERVE]
    assert applied.publisher().record(SERVE)[0] == "unchanged"
    assert applied.state.results[SERVE] == before


def test_the_reason_is_drift(applied: Applied) -> None:
    changes, _ = plan_refresh(applied.state, Observed(), (SERVE,))
    assert [r.code for r in changes[0].reasons] == [ReasonCode.DRIFTED]
