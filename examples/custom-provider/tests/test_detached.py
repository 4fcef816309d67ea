"""The provider holds what zenctl asks of every provider and backend, and one thing more: its jobs outlive zenctl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from zenctl_detached.provider import DetachedProvider

from zenctl.jobs.storage import FolderStorage
from zenctl.provider import Compute, JobState, ProviderContext
from zenctl.provider.testing.compute import ComputeBench, ComputeConformance
from zenctl.provider.testing.provider import ProviderConformance
from zenctl.runner.zipapp import build_runner


class TestProvider(ProviderConformance):
    @pytest.fixture
    def provider(self) -> DetachedProvider:
        return DetachedProvider()


def opened(root: Path) -> Compute:
    provider = DetachedProvider()
    provider.configure({"grace": 0.5}, ProviderContext("p", "default", root / ".zenctl", root))
    return provider.compute("detached", {"launcher": ["nice", "-n", "5"]})


@pytest.fixture
def bench(tmp_path: Path) -> ComputeBench:
    return ComputeBench(lambda: opened(tmp_path), FolderStorage(tmp_path / "store"), build_runner(tmp_path))


class TestBackend(ComputeConformance):
    """Inherits what every backend must do; the fixture `bench` says how to get at this one."""


SUBMIT = """
import sys
from pathlib import Path
from test_detached import opened
from zenctl.jobs.spec import job_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import spec_from_json
from zenctl.provider import SubmitRequest
root, job, runner = sys.argv[1:]
store = FolderStorage(root + "/store")
opened(Path(root)).submit(SubmitRequest(spec_from_json(store.open(job_path(job)).read()), store.uri, Path(runner)))
"""


def test_a_job_outlives_the_process_that_began_it(bench: ComputeBench, tmp_path: Path) -> None:
    request = bench.request("hang")
    arguments = [str(tmp_path), request.spec.job_id, str(request.runner)]
    subprocess.run([sys.executable, "-c", SUBMIT, *arguments], check=True, cwd=Path(__file__).parent)
    compute = bench.open()
    handle = compute.handle(request)
    bench.wait_for_log(compute, handle, "begun")
    assert compute.status(handle).state is JobState.RUNNING
    compute.release(handle)
    assert compute.status(handle).state is JobState.LOST
