"""Waiting for a job: its time limit begins with it, and a backend that fails is a result, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.addrs import BackendAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.events import Listener
from zenctl.engine.execution import Services, attend
from zenctl.engine.outages import Time
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Stop
from zenctl.engine.settling import sweep
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import result_path
from zenctl.jobs.storage import FolderStorage
from zenctl.jobs.wire import result_to_json
from zenctl.provider import ErrorKind, JobHandle, JobState, JobStatus, LogChunk, ProviderError
from zenctl.provider.testing.faults import Clock

REFUSED = ProviderError(ErrorKind.UNAUTHORIZED, "no longer yours", "Log in.")


class ScriptedCompute:
    """A backend that answers as the test says, look by look; an error is raised. `calls` is what it was asked."""

    def __init__(self, *answers: JobStatus | ProviderError, release: ProviderError | None = None) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []
        self.refuses_release = release

    def status(self, handle: JobHandle) -> JobStatus:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def logs(self, handle: JobHandle, offset: int) -> LogChunk:
        return LogChunk("", offset)

    def cancel(self, handle: JobHandle) -> None:
        self.calls.append("cancel")
        self.answers = [JobStatus(JobState.ENDED, 143)]

    def release(self, handle: JobHandle) -> None:
        self.calls.append("release")
        if self.refuses_release is not None:
            raise self.refuses_release


PENDING, RUNNING, ENDED = (JobStatus(state) for state in (JobState.PENDING, JobState.RUNNING, JobState.ENDED))

Wait = Callable[..., JobResult]


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "artifacts")


@pytest.fixture
def wait(storage: FolderStorage) -> Wait:
    """Wait for the job of a backend."""

    def of(compute: ScriptedCompute, timeout: float | None = None, tick: float = 0.0) -> JobResult:
        providers, runner = cast(Providers, None), Path("runner")
        time = Time(Clock(tick=tick))
        services = Services(storage, providers, runner, cast(Listener, lambda event: None), Stop(), time=time)
        return attend("job", "step.python.fit", cast(Any, compute), {}, services, timeout)

    return of


def test_what_comes_before_a_job_begins_does_not_count_as_its_time(wait: Wait) -> None:
    hour = 3600.0
    compute = ScriptedCompute(PENDING, PENDING, PENDING, ENDED)
    result = wait(compute, timeout=5.0, tick=hour)
    assert compute.calls == ["release"]
    assert result.error is not None
    assert result.error.kind == "lost"
    compute = ScriptedCompute(PENDING, RUNNING, RUNNING)
    result = wait(compute, timeout=5.0, tick=hour)
    assert compute.calls == ["cancel", "release"]
    assert result.error is not None
    assert result.error.kind == "timeout"


def test_a_backend_that_cannot_be_asked_any_more(wait: Wait) -> None:
    compute = ScriptedCompute(RUNNING, REFUSED)
    result = wait(compute)
    assert result.error is not None
    assert (result.error.kind, result.error.message, result.error.hint) == (
        "backend_lost",
        "no longer yours",
        "Log in.",
    )
    assert compute.calls == ["cancel", "release"]


def test_a_result_counts_although_its_job_cannot_be_released(wait: Wait, storage: FolderStorage) -> None:
    storage.put(result_path("job"), result_to_json(JobResult("job")))
    compute = ScriptedCompute(ENDED, release=REFUSED)
    assert wait(compute).ok
    assert compute.calls == ["release"]


class Swept(ScriptedCompute):
    def sweep(self, keep: Any = None) -> list[str]:
        status = self.status({})
        return [status.reason]


class SomeBackends:
    """Providers whose backends are named."""

    def __init__(self, **computes: ScriptedCompute) -> None:
        self.computes = computes

    def backends(self) -> list[BackendAddr]:
        return [BackendAddr("gce", name) for name in self.computes]

    def compute(self, addr: BackendAddr) -> ScriptedCompute:
        return self.computes[addr.name]


def test_machines_that_were_left_are_swept_and_told() -> None:
    told: list[Any] = []
    found = JobStatus(JobState.ENDED, reason="zenctl-1")
    backends = SomeBackends(vm=Swept(found), other=ScriptedCompute(ENDED))
    sweep(cast(Providers, backends), told.append)
    assert [event.text for event in told] == [
        "backend.gce.vm: removed the machine zenctl-1, which an interrupted apply had left"
    ]


def test_sweeping_that_is_refused_is_a_diagnostic() -> None:
    with pytest.raises(DiagnosticError) as caught:
        sweep(cast(Providers, SomeBackends(vm=Swept(REFUSED))), cast(Listener, lambda event: None))
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.summary == "backend.gce.vm: no longer yours"
    assert diagnostic.detail == "Log in."
