"""The fakes keep the contracts that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import result_path
from zenctl.jobs.storage import StorageError
from zenctl.jobs.wire import result_to_json
from zenctl.provider import JobState, JobStatus, SubmitRequest
from zenctl.provider.testing.compute import HELLO, ComputeBench, ComputeConformance
from zenctl.provider.testing.endpoint import EndpointBench, EndpointConformance, FakeEndpoint, FakeServers
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeRun, FakeStorage
from zenctl.provider.testing.storage import StorageConformance


class TestFakeStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> FakeStorage:
        return FakeStorage()

    def test_a_fault_reaches_the_caller(self) -> None:
        def full(method: str, path: str) -> None:
            if method == "put":
                raise StorageError("NO_SPACE", path)

        storage = FakeStorage(fault=full)
        with pytest.raises(StorageError, match="a/b"):
            storage.put("a/b", b"x")
        assert storage.stat("a/b") is None


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
                "hang": FakeRun("begun\n", looks=None),
                "stubborn": FakeRun("begun\n", looks=None),
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
