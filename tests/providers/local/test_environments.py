"""Jobs in virtual environments of their own: made once, warm from then on, and nothing is left of what is cut short."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.wheels import offline, wheel
from zenctl.jobs.environments import ENVIRONMENT, environment_place, is_whole
from zenctl.jobs.spec import VirtualEnvironment
from zenctl.provider import JobState, SubmitRequest
from zenctl_local.launcher import Limits

from .conftest import Project, eventually, start_elsewhere, wait

STEP = """
import greet, os, sys
def step():
    return [greet.VERSION, sys.prefix != sys.base_prefix, os.environ["VIRTUAL_ENV"] == sys.prefix, os.getppid(),
            os.environ["PATH"].startswith(sys.prefix), greet.LOADED_BY]
"""
MODULE = "import os\nVERSION = '1.0'\nLOADED_BY = os.getpid()\n"


class Site:
    """Requirements in a project, and how jobs ask for them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.wanted = VirtualEnvironment("", ("greet==1.0",))

    @property
    def place(self) -> Path:
        cache = self.project.root / ".zenctl" / "cache" / "environments"
        return environment_place(cache, self.wanted, sys.executable, str(self.project.root))

    def request(self, source: str = STEP, **fields: Any) -> SubmitRequest:
        locations = {ENVIRONMENT: str(self.project.root)}
        more = {"virtual_environment": self.wanted, "locations": locations, "imports": ("greet",), **fields}
        return self.project.request(source, **more)


@pytest.fixture
def site(project: Project, monkeypatch: pytest.MonkeyPatch) -> Site:
    wheels = project.root / "wheels"
    wheel(wheels, "greet", "1.0", MODULE)
    for name, value in offline(wheels).items():
        monkeypatch.setenv(name, value)
    return Site(project)


@pytest.fixture
def slow_uv(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that never ends, for an interpreter with none beside it; gives the file with its process id."""
    pid, python = project.root / "uv.pid", project.root / "tools" / "python3"
    python.parent.mkdir()
    python.symlink_to(os.path.realpath(sys.executable))
    uv = python.parent / "uv"
    uv.write_text(f'#!/bin/sh\necho $$ > "{pid}.tmp"\nmv "{pid}.tmp" "{pid}"\nexec sleep 1000\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    return pid


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_made_by_the_first_job_and_warm_for_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # A package of this name that lies on the path of zenctl is not the one of the environment.
    other = site.project.root / "other"
    other.mkdir()
    (other / "greet.py").write_text("VERSION = 'wrong'\nLOADED_BY = 0\n")
    monkeypatch.setenv("PYTHONPATH", str(other))
    compute = site.project.compute()
    first = site.request()
    handle = compute.submit(first)
    version, inside, active, _, found, _ = site.project.value(compute, handle, first)
    assert (version, inside, active, found) == ("1.0", True, True, True)
    assert "+ greet==1.0" in compute.logs(handle, 0).text
    again = site.request()
    handle = compute.submit(again)
    version, inside, active, server, found, loaded_by = site.project.value(compute, handle, again)
    assert (version, inside, active, found) == ("1.0", True, True, True)
    assert loaded_by == server
    assert "greet" not in compute.logs(handle, 0).text
    result = site.project.result(again)
    assert result is not None
    assert result.environment["distributions"] == {"greet": "1.0"}


def test_a_job_that_cannot_have_it_says_why(site: Site) -> None:
    site.wanted = VirtualEnvironment("", ("greet==9",))
    compute = site.project.compute()
    request = site.request()
    status = wait(compute, compute.submit(request))
    result = site.project.result(request)
    assert status.exit_code == 1
    assert result is not None
    assert result.error is not None
    assert result.error.kind == "environment"
    assert "no set of packages fits" in result.error.message
    assert not is_whole(site.place)


def test_its_making_is_told_and_does_not_count_as_running(site: Site, slow_uv: Path) -> None:
    compute = site.project.compute(Limits(grace=0.5), python=str(slow_uv.parent / "tools" / "python3"))
    request = site.request(timeout=0.1)
    handle = compute.submit(request)
    eventually(slow_uv.exists, "uv is not started")
    status = compute.status(handle)
    assert status.state is JobState.PENDING
    assert status.reason == "preparing its environment (1 requirement)"
    later = site.project.compute(Limits(grace=0.5))
    assert later.status(handle).state is JobState.PENDING
    compute.cancel(handle)
    assert wait(compute, handle).reason.startswith("killed by signal 15")
    pid = int(slow_uv.read_text())
    eventually(lambda: gone(pid), "uv outlives its job")
    assert site.project.result(request) is None
    compute.release(handle)


def test_a_zenctl_that_is_killed_takes_it_along(site: Site, slow_uv: Path) -> None:
    tools = slow_uv.parent / "tools"
    site.wanted = VirtualEnvironment(str(tools / "python3"), ("greet==1.0",))
    # Named, so that its place is known here too.
    process, [handle] = start_elsewhere(site.project, site.request().spec.job_id, python=str(tools / "python3"))
    try:
        eventually(slow_uv.exists, "uv is not started")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()
    pid = int(slow_uv.read_text())
    eventually(lambda: gone(pid), "uv outlives zenctl")
    compute = site.project.compute()
    assert wait(compute, handle).state is JobState.LOST
    assert not is_whole(site.place)
    compute.release(handle)
