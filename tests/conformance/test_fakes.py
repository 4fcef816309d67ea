"""The fakes keep the contracts that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import Entry, JobSpec, result_path
from zenctl.jobs.storage import StorageError
from zenctl.jobs.wire import result_to_json
from zenctl.provider import ErrorKind, JobState, JobStatus, ProviderError, SubmitRequest
from zenctl.provider.testing.compute import HELLO, LINE, LINES, ComputeBench, ComputeConformance
from zenctl.provider.testing.endpoint import EndpointBench, EndpointConformance, FakeEndpoint, FakeServers
from zenctl.provider.testing.fakes import (
    FakeBackend,
    FakeCompute,
    FakeProcessing,
    FakeProvider,
    FakeRun,
    FakeStorage,
)
from zenctl.provider.testing.faults import Call, Clock, Faults
from zenctl.provider.testing.provider import ProcessingConformance, ProviderConformance
from zenctl.provider.testing.storage import StorageConformance


class TestFakeStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> FakeStorage:
        return FakeStorage()

    def test_a_fault_reaches_the_caller(self) -> None:
        faults = Faults()
        faults.fail("put", StorageError("NO_SPACE", "the disk is full"))
        storage = FakeStorage(faults=faults)
        with pytest.raises(StorageError, match="full"):
            storage.put("a/b", b"x")
        assert storage.stat("a/b") is None
        assert storage.put("a/b", b"x") is True

    def test_an_answer_is_lost_after_the_effect(self) -> None:
        storage = FakeStorage()
        storage.faults.fail("put", StorageError("TRANSIENT", "connection reset"), after=True)
        with pytest.raises(StorageError, match="reset"):
            storage.put("a/b", b"x")
        assert storage.put("a/b", b"other") is False
        assert storage.objects == {"a/b": b"x"}

    def test_when_something_is_written_is_the_clocks_affair(self) -> None:
        clock = Clock(1000.0)
        storage = FakeStorage(clock=clock)
        storage.put("a", b"x")
        clock.advance(60)
        storage.put("b", b"x")
        assert [info.modified for info in storage.list("")] == [1000.0, 1060.0]


class TestFakeCompute(ComputeConformance):
    @pytest.fixture
    def bench(self) -> ComputeBench:
        storage = FakeStorage()

        def write_result(request: SubmitRequest) -> None:
            result = JobResult(request.spec.job_id)
            storage.put(result_path(result.job_id), result_to_json(result))

        def behave(request: SubmitRequest) -> FakeRun:
            return {
                "hello": FakeRun(HELLO, ending=write_result),
                "fail": FakeRun("before\n", status=JobStatus(JobState.ENDED, 1), ending=write_result),
                "hang": FakeRun("begun\n", seconds=None),
                "stubborn": FakeRun("begun\n", seconds=None),
                "chatty": FakeRun(f"{LINE}\n" * LINES + "done\n", ending=write_result),
                "killed": FakeRun(status=JobStatus(JobState.ENDED, None, "killed by signal 9")),
            }[request.spec.address.rpartition(".")[2]]

        backend = FakeBackend(behave)
        return ComputeBench(lambda: FakeCompute(backend), storage, Path("runner.pyz"), patience=5)


class TestFakeEndpoint(EndpointConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[EndpointBench]:
        servers = FakeServers()
        models = tmp_path / "one", tmp_path / "two"
        for model in models:
            model.mkdir()
            (model / "saved_model.pb").write_text(model.name)
        (tmp_path / "broken").mkdir()
        bench = EndpointBench(lambda: FakeEndpoint(servers), models, tmp_path / "broken", servers.running.__delitem__)
        yield bench
        bench.close()
        assert not servers.running


class TestFakeProvider(ProviderConformance):
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider()


class TestFakeProcessing(ProcessingConformance):
    @pytest.fixture
    def processing(self) -> FakeProcessing:
        return FakeProcessing()


def order(job_id: str) -> SubmitRequest:
    return SubmitRequest(JobSpec(job_id, "step.python.fit", Entry(file="fit.py", function="fit")), "x:", Path("runner"))


def test_a_job_goes_on_by_the_clock_alone() -> None:
    clock = Clock(0.0)
    compute = FakeCompute(FakeBackend(lambda request: FakeRun(queued=5, seconds=60), clock=clock))
    handle = compute.submit(order("j"))
    seen = []
    for seconds in (0, 5, 1, 59, 1):
        clock.advance(seconds)
        seen.append(compute.status(handle).state.value)
    assert seen == ["pending", "pending", "running", "running", "ended"]


def test_a_submit_whose_answer_is_lost_has_started_the_job() -> None:
    backend = FakeBackend(lambda request: FakeRun())
    backend.faults.fail("submit", ProviderError(ErrorKind.TRANSIENT, "connection reset"), after=True)
    compute = FakeCompute(backend)
    with pytest.raises(ProviderError, match="reset"):
        compute.submit(order("j"))
    assert list(backend.jobs) == ["j"]
    assert compute.submit(order("j")) == compute.handle(order("j"))
    assert list(backend.jobs) == ["j"]


def strikes(faults: Faults, *calls: str) -> str:
    """One letter for each call, `method` or `method:about`: F if it failed before its work, A after, . if not."""
    told = ""
    for method, _, about in (call.partition(":") for call in calls):
        worked = False
        try:
            with faults.during(method, about):
                worked = True
            told += "."
        except KeyError:
            told += "A" if worked else "F"
    return told


def test_which_calls_fail() -> None:
    error = KeyError("x")
    faults = Faults()
    faults.fail("status", error, on=2, times=2)
    assert strikes(faults, *["status"] * 5, "logs") == ".FF..."
    faults.fail("status", error, on=2, times=None, after=True)
    assert strikes(faults, *["status"] * 4) == ".AAA"
    faults.clear()
    assert strikes(faults, "status") == "."
    faults.fail("put", error, about="a/b")
    assert strikes(faults, "put:a", "put:a/b", "put:a/b") == ".F."
    assert faults.asked() == {"status": 10, "logs": 1, "put": 3}
    assert faults.calls[-1] == Call("put", "a/b")


@pytest.mark.parametrize("wrong", [{"on": 0}, {"times": 0}])
def test_calls_are_counted_from_one(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        Faults().fail("put", KeyError(), **wrong)  # type: ignore[arg-type]


def test_a_clock_that_moves_when_it_is_read() -> None:
    clock = Clock(10.0, tick=0.5)
    assert (clock(), clock()) == (10.5, 11.0)
    clock.advance(9)
    assert clock() == 20.5
