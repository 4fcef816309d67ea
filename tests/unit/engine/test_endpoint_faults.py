"""A provider that fails while an endpoint is made or removed: what is there is recorded, and what is left is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from tests.unit.engine.worlds import BASE, World
from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.desired import DesiredEndpoint
from zenctl.engine.outages import Time
from zenctl.engine.providers import Providers
from zenctl.engine.publishing import Publisher
from zenctl.engine.removing import begun
from zenctl.jobs.artifacts import store_folder, tree_path
from zenctl.jobs.storage import FolderStorage
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import WorkspaceState, read_state
from zenctl.plans.actions import Action, Components
from zenctl.plans.plan import Change, Plan
from zenctl.provider import ErrorKind, ProviderError
from zenctl.provider.testing.endpoint import FakeEndpoint, FakeServers
from zenctl.provider.testing.faults import Clock
from zenctl.schema import ArtifactRef

NET, FIT = EndpointAddr("local", "net"), StepAddr("train", "net")
BLINK = ProviderError(ErrorKind.TRANSIENT, "connection reset")
REFUSED = ProviderError(ErrorKind.UNAUTHORIZED, "the token has expired", "Log in again.")


@dataclass
class Apply:
    """An apply under way that is to publish a model."""

    store: MemoryStore
    recorder: Recorder
    storage: FolderStorage
    servers: FakeServers
    desired: DesiredEndpoint
    work: Path

    def endpoint(self, type_name: str, provider: str = "") -> FakeEndpoint:
        return FakeEndpoint(self.servers)

    @property
    def state(self) -> WorkspaceState:
        return read_state(self.store, "p", "default")

    def publisher(self) -> Publisher:
        plan = Plan("p", "default", 1, "2026-11-25T00:00:00+00:00", "0", ())
        time = Time(Clock(), lambda event, seconds: None)
        providers = cast(Providers, self)
        return Publisher(plan, self.state, self.recorder, providers, self.storage, self.work, {}, time)

    def publish(self) -> tuple[str, str]:
        return self.publisher().publish(Change(NET, Action.CREATE, ()), self.desired)


@pytest.fixture
def apply(tmp_path: Path) -> Iterator[Apply]:
    store = MemoryStore()
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    recorder = Recorder(store, lock)
    storage = FolderStorage(tmp_path / "artifacts")
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("a model")
    tree = store_folder(storage, model)
    execution = recorder.start(FIT, "job-1", "Train", Components("train/1"), "1" * 64, {})
    recorder.complete(execution, {"model": OutputRecord("Model", tree.digest, tree_path(tree.digest), 7, {})})
    desired = World(BASE, tmp_path).node(NET)
    assert isinstance(desired, DesiredEndpoint)
    known = replace(desired, model=ArtifactRef(FIT, "model", "Model", tree.digest, tree_path(tree.digest)))
    yield Apply(store, recorder, storage, FakeServers(), known, tmp_path / "work")
    lock.close()


def test_one_that_was_made_although_the_answer_was_lost_is_recorded(apply: Apply) -> None:
    apply.servers.faults.fail("create", BLINK, after=True)
    assert apply.publish() == ("created", "fake://net")
    assert apply.state.results[NET].attributes["url"] == "fake://net"
    assert apply.servers.changes() == [("create", "net")]


def test_one_that_was_not_made_is_a_failure(apply: Apply) -> None:
    apply.servers.faults.fail("create", BLINK)
    with pytest.raises(DiagnosticError, match=r"endpoint\.local\.net: connection reset"):
        apply.publish()
    assert apply.servers.running == {}
    assert apply.publish() == ("created", "fake://net")


def test_one_of_which_nobody_knows_is_looked_for_later(apply: Apply) -> None:
    apply.servers.faults.fail("create", BLINK, after=True)
    apply.servers.faults.fail("read", BLINK, on=2, times=None)
    with pytest.raises(DiagnosticError, match="connection reset"):
        apply.publish()
    assert list(begun(apply.state)) == [NET]
    apply.servers.faults.clear()
    apply.publisher().delete(NET)
    assert apply.servers.running == {}


def test_one_that_is_refused_is_told_and_not_looked_for(apply: Apply) -> None:
    apply.servers.faults.fail("create", REFUSED)
    with pytest.raises(DiagnosticError) as caught:
        apply.publish()
    [diagnostic] = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.summary) == (
        "provider_unauthorized",
        "endpoint.local.net: the token has expired",
    )
    assert diagnostic.detail == "Log in again."
    assert begun(apply.state) == {}


@pytest.mark.parametrize("after", [False, True])
def test_reading_and_deleting_are_repeated(apply: Apply, after: bool) -> None:
    apply.servers.faults.fail("read", BLINK, times=4, after=after)
    apply.publish()
    apply.servers.faults.fail("delete", BLINK, times=4, after=after)
    apply.publisher().delete(NET)
    assert apply.servers.running == {}
    assert NET not in apply.state.results


def test_a_deletion_that_fails_leaves_the_record(apply: Apply) -> None:
    apply.publish()
    apply.servers.faults.fail("delete", REFUSED, times=None)
    with pytest.raises(DiagnosticError, match="the token has expired"):
        apply.publisher().delete(NET)
    assert NET in apply.state.results
