"""Containers on machines of the backend `gce`, by a real podman: what runs in them, how they end, what is told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.containers import ContainerBench, Images, marked_images
from tests.fakes.compute.cloud import Instance
from tests.measuring import PATIENCE
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import Entry, JobSpec, job_path, result_path
from zenctl.jobs.storage import Distant
from zenctl.jobs.wire import result_from_json, spec_to_json
from zenctl.provider import JobState, SubmitRequest
from zenctl.provider.testing.compute import ComputeBench, ComputeConformance

from .conftest import Cloud


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with marked_images(tmp_path_factory.mktemp("podman"), "inside\n") as found:
        yield found


@pytest.fixture
def images(made: Images, cloud: Cloud) -> Iterator[Images]:
    """The podman is the machines'; no container of a test is left over."""
    cloud.fake.programs["podman"] = made.podman.program()
    yield made
    cloud.fake.programs.clear()
    assert made.podman.containers() == []


@pytest.mark.benchmark
class TestGceContainerConformance(ComputeConformance):
    @pytest.fixture
    def bench(self, cloud: Cloud, images: Images) -> ComputeBench:
        return ContainerBench(cloud.compute, cloud.storage, cloud.runner, image=images.name)


def order(cloud: Cloud, job: str, script: str, **fields: object) -> SubmitRequest:
    """A job of an apply, whose order is in the store."""
    spec = JobSpec(job, "step.command.x", Entry(command=("/bin/sh", "-c", script)), **fields)  # type: ignore[arg-type]
    cloud.storage.put(job_path(job), spec_to_json(spec))
    assert isinstance(cloud.storage, Distant)
    return SubmitRequest(spec, cloud.storage.uri, cloud.runner, access=cloud.storage.access, apply="ab12-3")


def result(cloud: Cloud, job: str) -> JobResult:
    with cloud.storage.open(result_path(job)) as stream:
        return result_from_json(stream.read())


def test_steps_run_in_their_own_image_or_the_backends(cloud: Cloud, images: Images) -> None:
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute = cloud.compute(container_image=images.name)
    names = "${ZENCTL_FAKE_MACHINE-}${PYTHONPATH-}${ZENCTL_STORE_ACCESS-}"
    script = f"read mark < /etc/mark; echo $mark {names}"
    handle = compute.submit(order(cloud, "conformance-1", script))
    assert bench.wait(compute, handle).exit_code == 0, compute.logs(handle, 0).text
    assert compute.logs(handle, 0).text == "inside\n"
    assert result(cloud, "conformance-1").environment["image"] == images.name
    [instance] = cloud.fake.running()
    # Another job of the same machine that names an image which is nowhere.
    absent = f"localhost:1/absent@sha256:{'0' * 64}"
    other = compute.submit(order(cloud, "conformance-2", script, image=absent))
    assert bench.wait(compute, other).exit_code == 1
    told = result(cloud, "conformance-2").error
    assert told is not None
    assert told.kind == "environment"
    assert told.message.startswith(f"the registry localhost:1 of the image {absent} cannot be reached: ")
    assert "zenctl: pulling localhost:1/absent@sha256:0" in compute.logs(other, 0).text
    assert cloud.fake.running() == [instance]
    compute.release(handle)
    compute.release(other)
    compute.close()


def eventually(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, otherwise


def attendant(instance: Instance) -> int:
    """The process of a machine that serves its queue."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in instance.guest.processes()}
    [found] = [pid for pid, words in commands.items() if b"zenctl.runner.attending" in words]
    return found


@pytest.mark.benchmark
def test_no_container_outlives_its_machine_or_its_attendant(cloud: Cloud, images: Images) -> None:
    bench = ComputeBench(cloud.compute, cloud.storage, cloud.runner)
    compute = cloud.compute(container_image=images.name)
    for number, end in enumerate(("power", "attendant")):
        handle = compute.submit(order(cloud, f"conformance-{number}", "echo begun; sleep 1000"))
        bench.wait_for_log(compute, handle, "begun")
        assert images.podman.running() == [f"zenctl-conformance-{number}"]
        [instance] = cloud.fake.running()
        if end == "power":
            cloud.fake.preempt(instance.name)
        else:
            os.kill(attendant(instance), signal.SIGKILL)
        status = bench.wait(compute, handle)
        assert status.state is JobState.LOST
        eventually(lambda: images.podman.running() == [], "the container lives on")
        compute.release(handle)
        for name in images.podman.containers():
            images.podman.run("rm", "--force", name)
    compute.close()
