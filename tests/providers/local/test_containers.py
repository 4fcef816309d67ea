"""Jobs in container images: the contract of backends again, by a real podman, and what only containers do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import ContainerBench, Images, marked_images
from zenctl.jobs.containers import container_command
from zenctl.jobs.resources import Resources
from zenctl.jobs.spec import Entry, JobSpec
from zenctl.jobs.stores.opening import ACCESS
from zenctl.provider import ErrorKind, JobState, ProviderError, SubmitRequest
from zenctl.provider.testing.compute import ComputeBench, ComputeConformance
from zenctl_local.containers import container_of, container_order
from zenctl_local.launcher import Limits

from .conftest import Project, eventually, start_elsewhere, wait

SEEN = """\
import os, sys
def step():
    return {"mark": open("/etc/mark").read(), "python": sys.version_info[1], "names": sorted(os.environ)}
"""
BUSY = "import time\ndef step():\n    print('begun', flush=True)\n    time.sleep(1000)\n"
STUBBORN = """\
import signal, time
def step():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('begun', flush=True)
    while True:
        time.sleep(.1)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with marked_images(tmp_path_factory.mktemp("podman"), "inside") as found:
        yield found


@pytest.fixture
def images(made: Images, monkeypatch: pytest.MonkeyPatch) -> Images:
    for name, value in made.podman.environment.items():
        monkeypatch.setenv(name, value)
    return made


class TestContainerConformance(ComputeConformance):
    @pytest.fixture
    def bench(self, project: Project, images: Images) -> ComputeBench:
        limits = Limits(grace=0.5)
        return ContainerBench(lambda: project.compute(limits), project.storage, project.runner, image=images.name)


def test_a_job_sees_its_image_and_what_it_declares_of_the_environment(
    project: Project, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADS", "2")
    monkeypatch.setenv("TOKEN_HERE", "hush hush")
    monkeypatch.setenv("UNRELATED", "x")
    (project.root / "key").write_text("file secret\n")
    monkeypatch.chdir(project.root)
    secrets = {"TOKEN": "env:TOKEN_HERE", "KEY": "file:key"}
    source = SEEN.replace('"names":', '"ok": [os.environ["TOKEN"][:4], os.environ["KEY"][:4]], "names":')
    request = project.request(source, image=images.name, variables=("THREADS", "NOT_SET"), secrets=secrets)
    compute = project.compute()
    found = project.value(compute, compute.submit(request), request)
    assert found["mark"] == "inside"
    assert found["ok"] == ["hush", "file"]
    assert {"THREADS", "TOKEN", "KEY"} <= set(found["names"])
    assert not {"UNRELATED", "NOT_SET"} & set(found["names"])
    result = project.result(request)
    assert result is not None
    assert result.environment["image"] == images.name


def test_values_are_in_no_command_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_HERE", "hush hush")
    spec = JobSpec("j", "step.python.fit", Entry(), secrets={"TOKEN": "env:TOKEN_HERE"}, image="i@sha256:0")
    request = SubmitRequest(spec, project.storage.uri, project.runner)
    command = container_command("/usr/bin/podman", container_of(request, project.root / "work", project.root))
    assert "TOKEN_HERE" in command
    assert "hush" not in " ".join(command)


@pytest.mark.parametrize(("reference", "told"), [("env:TOKEN_HERE", False), ("gcp-secret:token", True)])
def test_a_container_that_asks_for_secrets_is_told_how(project: Project, reference: str, told: bool) -> None:
    spec = JobSpec("j", "step.python.fit", Entry(), secrets={"TOKEN": reference}, image="i@sha256:0")
    request = SubmitRequest(spec, project.storage.uri, project.runner)
    command = container_command("/usr/bin/podman", container_of(request, project.root / "work", project.root))
    assert (ACCESS in command) is told


def test_kill_9_of_zenctl_leaves_no_container(project: Project, images: Images) -> None:
    request = project.request(BUSY, image=images.name)
    cli, [handle] = start_elsewhere(project, request.spec.job_id)
    compute = project.compute()
    try:
        eventually(lambda: "begun" in compute.logs(handle, 0).text, "it does not begin")
        assert images.podman.running() == [f"zenctl-{request.spec.job_id}"]
    finally:
        cli.kill()
        cli.communicate()
    eventually(lambda: not images.podman.running(), "the container lives on")
    # Podman was killed with it, and may have left a container that has ended.
    compute.release(handle)
    assert images.podman.containers() == []


def test_a_job_that_heeds_no_signal_is_gone_after_the_grace_period(project: Project, images: Images) -> None:
    request = project.request(STUBBORN, image=images.name)
    compute = project.compute(Limits(grace=0.5))
    handle = compute.submit(request)
    eventually(lambda: "begun" in compute.logs(handle, 0).text, "it does not begin")
    compute.cancel(handle)
    wait(compute, handle)
    compute.release(handle)
    assert images.podman.containers() == []


def test_an_image_that_is_nowhere_says_so(project: Project, images: Images) -> None:
    absent = "localhost:1/absent@sha256:" + "0" * 64
    request = project.request(SEEN, image=absent)
    compute = project.compute()
    handle = compute.submit(request)
    status = wait(compute, handle)
    assert status.state is JobState.ENDED
    assert status.reason.startswith("podman could not run its image: ")
    assert absent in status.reason


def test_an_image_without_python_says_so(project: Project, images: Images, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    request = project.request(SEEN, image=images.podman.small_image("empty", tmp_path / "x"))
    compute = project.compute()
    status = wait(compute, compute.submit(request))
    assert status.reason == "its image has no python3 on its PATH: steps need Python 3.9 or newer"


def test_without_an_engine_it_is_told_what_was_tried(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\necho 'Cannot connect to the daemon' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    request = SubmitRequest(JobSpec("j", "a", Entry(), image="i@sha256:0"), project.storage.uri, project.runner)
    with pytest.raises(ProviderError) as caught:
        container_order(request, tmp_path / "work", project.root)
    assert caught.value.kind is ErrorKind.INVALID
    message = "podman is not installed; docker does not work: Cannot connect to the daemon"
    assert caught.value.message == f"no container can be run here: {message}"


def test_a_path_that_cannot_be_mounted_is_refused(project: Project) -> None:
    request = SubmitRequest(JobSpec("j", "a", Entry(), image="i@sha256:0"), project.storage.uri, project.runner)
    with pytest.raises(ProviderError, match="comma"):
        container_order(request, Path("/a,b/work"), project.root)


def test_a_job_that_needs_more_memory_than_it_has_says_so(project: Project, images: Images) -> None:
    source = "def step():\n    return len([bytearray(10**7) for _ in range(100)])\n"
    request = project.request(source, image=images.name, resources=Resources(memory=64 << 20))
    compute = project.compute()
    status = wait(compute, compute.submit(request))
    reason = "it was ended by the system because it ran out of memory, of which it may take 64 MiB"
    assert status.reason == f"killed by signal 9 (SIGKILL): {reason}"
