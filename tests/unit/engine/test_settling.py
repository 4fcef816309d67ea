"""What an interrupted apply left is kept, waited for or ended; and nothing of it stays behind on its backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.addrs import BackendAddr, EndpointAddr, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.execution import UNSETTLED
from zenctl.engine.job_records import record_result
from zenctl.engine.outages import Time
from zenctl.engine.providers import Providers
from zenctl.engine.removing import Configured, begun, gone, plan_destroy
from zenctl.engine.settling import Settled, settle
from zenctl.jobs.result import JobError, JobResult
from zenctl.jobs.spec import Entry, JobSpec, result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_to_json
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import read_state
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Action, Components
from zenctl.provider import ErrorKind, JobHandle, JobState, ProviderError, SubmitRequest
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeRun
from zenctl.provider.testing.faults import Clock

FIT = StepAddr("python", "fit")


@dataclass
class OneBackend:
    """Providers that have one backend."""

    fake: FakeBackend

    def compute(self, addr: object) -> FakeCompute:
        return FakeCompute(self.fake)


@dataclass
class Left:
    """A job that an apply before left, recorded as running."""

    recorder: Recorder
    store: MemoryStore
    storage: FolderStorage
    backend: FakeBackend

    def settle(self, *wanted: StepAddr) -> Settled:
        state = read_state(self.store, "p", "default")
        providers = cast(Providers, OneBackend(self.backend))
        time = Time(Clock(), lambda event, seconds: None)
        return settle(state, self.recorder, providers, self.storage, lambda event: None, wanted, time)

    def state(self) -> ExecutionState:
        state = read_state(self.store, "p", "default")
        return (state.results.get(FIT) or state.attempts[FIT]).state


@pytest.fixture(params=[False])
def left(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    store = MemoryStore()
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    recorder = Recorder(store, lock)
    execution = recorder.start(FIT, "job-1", "Train", Components(type="python/1"), "1" * 64, {}, repeated=request.param)
    backend = FakeBackend(lambda request: FakeRun(seconds=None))
    spec = JobSpec("job-1", str(FIT), Entry(file="fit.py", function="fit"))
    handle = FakeCompute(backend).submit(SubmitRequest(spec, "file:///x", tmp_path / "runner"))
    recorder.report(execution, "handle", handle)
    yield Left(recorder, store, FolderStorage(tmp_path / "artifacts"), backend)
    lock.close()


def test_a_finished_result_is_kept_and_its_job_released(left: Left) -> None:
    left.storage.put(result_path("job-1"), result_to_json(JobResult("job-1")))
    assert left.settle(FIT).adopted == [FIT]
    assert left.state() is ExecutionState.COMPLETE
    assert left.backend.jobs == {}


def test_a_job_whose_result_is_there_says_its_last_words_first(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes its result before it has ended, and its backend may still pass on what it printed."""
    seen: list[JobState] = []
    release = FakeCompute.release

    def watched(compute: FakeCompute, handle: JobHandle) -> None:
        seen.append(compute.status(handle).state)
        release(compute, handle)

    monkeypatch.setattr(FakeCompute, "release", watched)
    job = left.backend.jobs["job-1"]
    job.run = FakeRun(log="last words", seconds=5.0)
    left.storage.put(result_path("job-1"), result_to_json(JobResult("job-1")))
    assert left.settle(FIT).adopted == [FIT]
    assert seen == [JobState.ENDED]


def test_a_job_that_is_wanted_is_waited_for(left: Left) -> None:
    assert list(left.settle(FIT).running) == [FIT]
    assert left.state() is ExecutionState.RUNNING
    assert list(left.backend.jobs) == ["job-1"]


def test_a_job_that_nobody_wants_is_ended_and_released(left: Left) -> None:
    assert left.settle().ended == [FIT]
    assert left.state() is ExecutionState.CANCELED
    assert left.backend.jobs == {}


@pytest.mark.parametrize("left", [True], indirect=True)
@pytest.mark.parametrize("finished", [True, False])
def test_one_of_two_runs_that_were_to_be_compared_is_not_kept(left: Left, finished: bool) -> None:
    if finished:
        left.storage.put(result_path("job-1"), result_to_json(JobResult("job-1")))
    settled = left.settle(FIT)
    assert (settled.adopted, settled.running, settled.ended) == ([], {}, [FIT])
    assert left.state() is ExecutionState.CANCELED
    assert left.backend.jobs == {}


BLINK = ProviderError(ErrorKind.TRANSIENT, "connection reset")
REFUSED = ProviderError(ErrorKind.UNAUTHORIZED, "the token has expired", "Log in again.")


@pytest.mark.parametrize("after", [False, True])
def test_a_backend_that_blinks_is_asked_again(left: Left, after: bool) -> None:
    for method in ("status", "cancel", "release"):
        left.backend.faults.fail(method, BLINK, times=3, after=after)
    assert left.settle().ended == [FIT]
    assert left.state() is ExecutionState.CANCELED
    assert left.backend.jobs == {}


@pytest.mark.parametrize("method", ["status", "cancel", "release"])
@pytest.mark.parametrize("problem", [BLINK, REFUSED])
def test_a_job_of_which_nobody_knows_stays_recorded(left: Left, method: str, problem: ProviderError) -> None:
    left.backend.faults.fail(method, problem, times=None)
    with pytest.raises(DiagnosticError, match=f"step.python.fit: {problem.message}"):
        left.settle()
    assert left.state() is ExecutionState.RUNNING
    left.backend.faults.clear()
    assert left.settle().ended == [FIT]
    assert left.backend.jobs == {}


def test_one_that_could_not_be_ended_is_found_by_the_next_apply(left: Left) -> None:
    state = read_state(left.store, "p", "default")
    error = JobError(UNSETTLED, "the token has expired")
    record_result(left.recorder, state.attempts[FIT].execution_id, JobResult("job-1", error=error))
    assert left.state() is ExecutionState.RUNNING
    assert list(left.settle(FIT).running) == [FIT]


@dataclass
class Machines:
    """Providers with one backend that makes machines."""

    swept: list[object]

    def backends(self) -> list[BackendAddr]:
        return [BackendAddr("gce", "vm")]

    def compute(self, addr: object) -> Machines:
        return self

    submit = status = logs = cancel = release = handle = None

    def sweep(self, keep: object = None) -> list[str]:
        self.swept.append(keep)
        return ["zenctl-1"]


@pytest.mark.parametrize(("outcome", "swept"), [("complete", []), ("failed", [[]]), ("interrupted", [[]])])
def test_machines_are_looked_for_after_an_apply_that_did_not_complete(
    tmp_path: Path, outcome: str, swept: list[object]
) -> None:
    store, machines, told = MemoryStore(), Machines([]), list[Any]()
    acquire(store, "p", "default", Holder.here("zenctl apply")).finish(outcome)
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    state = read_state(store, "p", "default")
    storage = FolderStorage(tmp_path / "artifacts")
    settle(state, Recorder(store, lock), cast(Providers, machines), storage, told.append, ())
    lock.close()
    assert machines.swept == swept
    assert len(told) == len(swept)


# ---------------------------------------------------------------- endpoints

SERVED = EndpointAddr("local", "served")


@dataclass
class Endpoints:
    """Providers whose endpoints note what is deleted."""

    deleted: list[str]

    def endpoint(self, type_name: str, provider: str) -> Endpoints:
        return self

    def delete(self, name: str) -> None:
        self.deleted.append(name)


@dataclass
class HalfMade:
    """An endpoint whose apply died while it made it."""

    store: MemoryStore
    recorder: Recorder
    storage: FolderStorage

    def begin(self, name: str) -> None:
        components = Components(type="endpoint.local/1")
        handle = {"name": name, "provider": "local"}
        self.recorder.start(SERVED, f"job-{name}", "Deploy", components, "", {}, handle=handle)

    def recorded(self, name: str) -> None:
        self.recorder.endpoint(SERVED, Components(type="endpoint.local/1"), {"name": name, "provider": "local"}, {})

    def settle(self, *wanted: EndpointAddr) -> list[str]:
        providers = Endpoints([])
        state = read_state(self.store, "p", "default")
        settle(state, self.recorder, cast(Providers, providers), self.storage, lambda event: None, wanted)
        return providers.deleted


@pytest.fixture
def half_made(tmp_path: Path) -> Any:
    store = MemoryStore()
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    yield HalfMade(store, Recorder(store, lock), FolderStorage(tmp_path / "artifacts"))
    lock.close()


def test_a_first_endpoint_that_is_wanted_is_left_to_be_taken_over(half_made: HalfMade) -> None:
    half_made.begin("served")
    assert half_made.settle(SERVED) == []


def test_a_first_endpoint_that_nobody_wants_is_deleted(half_made: HalfMade) -> None:
    half_made.begin("served")
    assert half_made.settle() == ["served"]


@pytest.mark.parametrize("wanted", [(SERVED,), ()])
def test_a_successor_is_deleted_and_what_it_was_to_replace_is_not(
    half_made: HalfMade, wanted: tuple[EndpointAddr, ...]
) -> None:
    half_made.recorded("served")
    half_made.begin("served-2")
    assert half_made.settle(*wanted) == ["served-2"]


def test_an_endpoint_that_was_being_updated_stays(half_made: HalfMade) -> None:
    half_made.recorded("served")
    half_made.begin("served")
    assert half_made.settle() == []


@pytest.mark.parametrize("settled", [False, True])
def test_one_that_was_begun_is_destroyed_and_removed_like_a_recorded_one(half_made: HalfMade, settled: bool) -> None:
    half_made.begin("served")
    if settled:
        half_made.settle(SERVED)
    state = read_state(half_made.store, "p", "default")
    assert list(begun(state)) == [SERVED]
    [change] = plan_destroy(state, [SERVED])
    assert (change.action, change.provider) == (Action.DELETE, "local")
    [change] = gone(state, Configured((), (), (), ()), (), {})
    assert (change.addr, change.action) == (SERVED, Action.DELETE)
    if not settled:
        half_made.settle()
    half_made.recorder.endpoint_deleted(SERVED)
    assert begun(read_state(half_made.store, "p", "default")) == {}


def test_one_that_is_recorded_was_not_only_begun(half_made: HalfMade) -> None:
    half_made.recorded("served")
    half_made.begin("served-2")
    assert begun(read_state(half_made.store, "p", "default")) == {}
