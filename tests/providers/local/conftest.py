"""What tests of the local provider share: a project folder, providers that are closed, and jobs to submit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.measuring import PATIENCE
from zenctl.digests import sha256_bytes
from zenctl.jobs.artifacts import code_path
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import Entry, JobSpec, OutputSpec, job_path, result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_from_json, spec_to_json
from zenctl.provider import Compute, JobHandle, JobState, JobStatus, ProviderContext, SubmitRequest
from zenctl.runner.zipapp import build_runner
from zenctl_local.launcher import Launcher, Limits
from zenctl_local.provider import LocalProvider


class Project:
    """A project with a store, whose steps are user functions that return a value."""

    def __init__(self, root: Path, runner: Path) -> None:
        self.root = root
        self.runner = runner
        self.storage = FolderStorage(root / ".zenctl" / "artifacts")
        self.context = ProviderContext("p", "default", root / ".zenctl", root)
        self.opened: list[Any] = []

    def provider(self, limits: Limits | None = None) -> LocalProvider:
        """A configured provider, closed after the test. `limits` are injected."""
        provider = LocalProvider()
        provider.configure({}, self.context)
        if limits is not None:
            provider._launcher = Launcher(self.root, limits)
        self.opened.append(provider)
        return provider

    def compute(self, limits: Limits | None = None, **config: Any) -> Compute:
        """A backend of a provider of its own."""
        return self.provider(limits).compute("local", config)

    def request(self, source: str, *, preload: tuple[str, ...] = (), **fields: Any) -> SubmitRequest:
        """A job that calls `step` of the source text and keeps what it returns."""
        code = self.code({"fit.py": source})
        outputs = {"result": OutputSpec("Artifact", returned=True)}
        entry = Entry(file="fit.py", function="step")
        spec = replace(JobSpec(uuid.uuid4().hex, "step.python.fit", entry, outputs=outputs, code=code), **fields)
        self.storage.put(job_path(spec.job_id), spec_to_json(spec))
        return SubmitRequest(spec, self.storage.uri, self.runner, preload)

    def code(self, files: Mapping[str, str]) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        digest = sha256_bytes(buffer.getvalue())
        self.storage.put(code_path(digest), buffer.getvalue())
        return digest

    def result(self, request: SubmitRequest) -> JobResult | None:
        path = result_path(request.spec.job_id)
        if self.storage.stat(path) is None:
            return None
        with self.storage.open(path) as stream:
            return result_from_json(stream.read())

    def value(self, compute: Compute, handle: JobHandle, request: SubmitRequest) -> Any:
        """Wait for the job and give what its function returned."""
        status = wait(compute, handle)
        result = self.result(request)
        assert result is not None, (status, compute.logs(handle, 0).text)
        assert result.ok, (result.error, compute.logs(handle, 0).text)
        return result.outputs["result"].properties["value"]


def wait(compute: Compute, handle: JobHandle, *states: JobState) -> JobStatus:
    """Poll until the job is over, or in one of the states."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status = compute.status(handle)
        if status.state in (states or (JobState.ENDED, JobState.LOST)):
            return status
        assert time.monotonic() < deadline, f"still {status}"
        time.sleep(0.01)


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


SUBMIT = """
import json, sys, time
from pathlib import Path
from typing import Any
from zenctl.jobs.spec import job_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import spec_from_json
from zenctl.provider import ProviderContext, SubmitRequest
from zenctl_local.provider import LocalProvider
root, runner, python, *jobs = sys.argv[1:]
store = FolderStorage(root + "/.zenctl/artifacts")
provider = LocalProvider()
provider.configure({}, ProviderContext("p", "default", Path(root, ".zenctl"), Path(root)))
compute = provider.compute("local", {"python": python or None})
for job in jobs:
    spec = spec_from_json(store.open(job_path(job)).read())
    print(json.dumps(compute.submit(SubmitRequest(spec, store.uri, Path(runner)))), flush=True)
time.sleep(1000)
"""
"""What `start_elsewhere` runs."""


def start_elsewhere(
    project: Project, *jobs: str, python: str = ""
) -> tuple[subprocess.Popen[str], list[dict[str, str]]]:
    """Have another process submit jobs whose orders are in the store; it lives until it is killed."""
    command = [sys.executable, "-c", SUBMIT, str(project.root), str(project.runner), python, *jobs]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [json.loads(process.stdout.readline()) for _ in jobs]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_runner(tmp_path_factory.mktemp("runner"))


@pytest.fixture
def project(tmp_path: Path, runner: Path) -> Iterator[Project]:
    root = tmp_path / "a project"
    root.mkdir()
    made = Project(root, runner)
    yield made
    for provider in made.opened:
        provider.close()
