"""What an interrupted apply left is kept, waited for or ended; and nothing of it stays behind on its backend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.addrs import StepAddr
from zenctl.engine.providers import Providers
from zenctl.engine.settling import Settled, settle
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import Entry, JobSpec, result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_to_json
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import read_state
from zenctl.metadata.store import ExecutionState
from zenctl.plans.actions import Components
from zenctl.provider import SubmitRequest
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeRun

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
        return settle(state, self.recorder, providers, self.storage, lambda event: None, wanted)

    def state(self) -> ExecutionState:
        state = read_state(self.store, "p", "default")
        return (state.results.get(FIT) or state.attempts[FIT]).state


@pytest.fixture(params=[False])
def left(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    store = MemoryStore()
    lock = acquire(store, "p", "default", Holder.here("zenctl apply"))
    recorder = Recorder(store, lock)
    execution = recorder.start(FIT, "job-1", "Train", Components(type="python/1"), "1" * 64, {}, repeated=request.param)
    backend = FakeBackend(lambda request: FakeRun(looks=None))
    spec = JobSpec("job-1", str(FIT), Entry(file="fit.py", function="fit"))
    handle = FakeCompute(backend).submit(SubmitRequest(spec, "file:///x", tmp_path / "runner"))
    recorder.set_handle(execution, handle)
    yield Left(recorder, store, FolderStorage(tmp_path / "artifacts"), backend)
    lock.close()


def test_a_finished_result_is_kept_and_its_job_released(left: Left) -> None:
    left.storage.put(result_path("job-1"), result_to_json(JobResult("job-1")))
    assert left.settle(FIT).adopted == [FIT]
    assert left.state() is ExecutionState.COMPLETE
    assert left.backend.jobs == {}


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
