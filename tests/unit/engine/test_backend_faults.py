"""A backend that fails while a job is started, runs or ends: the right end, nothing left over, a clear message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from zenctl.engine.events import ChangeLog, Notice
from zenctl.engine.execution import OPEN, UNSETTLED, Order, Services, execute
from zenctl.engine.outages import ATTEMPTS, OUTAGE, OUTAGE_CANCELED, Time, insist
from zenctl.engine.providers import Providers
from zenctl.engine.requests import Stop
from zenctl.jobs.result import JobResult
from zenctl.jobs.spec import Entry, JobSpec, log_path, result_path
from zenctl.jobs.storage import StorageError
from zenctl.jobs.wire import result_to_json
from zenctl.provider import ErrorKind, JobState, JobStatus, LogChunk, ProviderError, SubmitRequest
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeRun, FakeStorage
from zenctl.provider.testing.faults import Clock

BLINK = ProviderError(ErrorKind.TRANSIENT, "connection reset")
BUSY = ProviderError(ErrorKind.RATE_LIMITED, "too many requests")
REFUSED = ProviderError(ErrorKind.UNAUTHORIZED, "the token has expired", "Log in again.")


class FarStorage(FakeStorage):
    """A store over a network: the log of a job is put into it when the job has ended."""

    workers = 4

    def access(self, credentials: bool) -> dict[str, Any]:
        return {}


@dataclass
class Bench:
    """One job on a backend in memory, whose waiting passes no time but the clock's."""

    storage: FakeStorage = field(default_factory=FakeStorage)
    run: FakeRun = field(default_factory=lambda: FakeRun("hello\n", seconds=30.0))
    clock: Clock = field(default_factory=lambda: Clock(0.0))
    told: list[Any] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    at: dict[float, Callable[[], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        run = self.run
        ends = run.status.exit_code == 0
        behaves = FakeRun(run.log, run.queued, run.seconds, run.status, self._write_result if ends else None)
        self.backend = FakeBackend(lambda request: behaves, clock=self.clock)
        self.fail = self.backend.faults.fail

    def execute(self, timeout: float | None = None) -> JobResult:
        spec = JobSpec("job-1", "step.python.fit", Entry(file="fit.py", function="fit"), timeout=timeout)
        services = Services(
            self.storage,
            cast(Providers, None),
            Path("runner.pyz"),
            self.told.append,
            self.stop,
            time=Time(self.clock, self._wait),
        )
        return execute(Order(spec, FakeCompute(self.backend), None), services)

    def notices(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Notice)]

    def log(self) -> str:
        return "".join(event.text for event in self.told if isinstance(event, ChangeLog))

    def _write_result(self, request: SubmitRequest) -> None:
        self.storage.put(result_path(request.spec.job_id), result_to_json(JobResult(request.spec.job_id)))

    def _wait(self, event: threading.Event, seconds: float) -> None:
        self.clock.advance(seconds)
        for moment in [moment for moment in self.at if moment <= self.clock()]:
            self.at.pop(moment)()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def error_of(result: JobResult) -> tuple[str, str, str]:
    assert result.error is not None
    return result.error.kind, result.error.message, result.error.hint


# ---------------------------------------------------------------- starting


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_a_submit_whose_answer_is_lost_starts_one_job(bench: Bench, times: int) -> None:
    bench.fail("submit", BLINK, times=times, after=True)
    assert bench.execute().ok
    assert len(bench.backend.submitted) == times + 1
    assert bench.backend.jobs == {}


def test_a_submit_whose_answer_is_always_lost_leaves_no_job(bench: Bench) -> None:
    bench.fail("submit", BLINK, times=None, after=True)
    assert error_of(bench.execute()) == ("backend", "connection reset", "")
    assert bench.backend.jobs == {}


def test_a_submit_that_is_refused_is_not_repeated(bench: Bench) -> None:
    bench.fail("submit", REFUSED, times=None)
    assert error_of(bench.execute()) == ("backend", "the token has expired", "Log in again.")
    assert bench.backend.faults.asked()["submit"] == 1


def test_a_job_that_may_have_been_started_and_cannot_be_removed_stays_recorded(bench: Bench) -> None:
    bench.fail("submit", BLINK, times=None, after=True)
    bench.fail("release", BUSY, times=None)
    assert error_of(bench.execute()) == (UNSETTLED, "connection reset", OPEN)
    assert list(bench.backend.jobs) == ["job-1"]


# ---------------------------------------------------------------- running


@pytest.mark.parametrize("problem", [BLINK, BUSY])
@pytest.mark.parametrize("after", [False, True])
def test_a_backend_that_is_silent_for_a_while_is_asked_again(bench: Bench, problem: Any, after: bool) -> None:
    bench.fail("status", problem, on=3, times=9, after=after)
    assert bench.execute().ok
    assert bench.log() == "hello\n"
    assert bench.notices()[-2:] == [
        f"step.python.fit: its backend does not answer: {problem.message}; asking again",
        "step.python.fit: its backend answers again",
    ]
    assert bench.backend.jobs == {}


def test_a_job_needs_no_backend_that_answers_to_end(bench: Bench) -> None:
    bench.fail("status", BLINK, on=3, times=None)
    bench.at[60.0] = lambda: bench._write_result(bench.backend.submitted[0])
    assert bench.execute().ok
    assert bench.clock() < 60 + 10
    assert bench.backend.jobs == {}


def test_a_backend_that_is_silent_for_ever_is_given_up(bench: Bench) -> None:
    bench.fail("status", BLINK, times=None)
    assert error_of(bench.execute()) == ("backend_lost", "connection reset", "")
    assert OUTAGE <= bench.clock() < OUTAGE + 30
    assert bench.backend.jobs == {}
    assert bench.backend.faults.asked()["status"] < 200


def test_one_that_refuses_in_the_midst_is_given_up_at_once(bench: Bench) -> None:
    bench.fail("status", REFUSED, on=5, times=None)
    assert error_of(bench.execute()) == ("backend_lost", "the token has expired", "Log in again.")
    assert bench.backend.jobs == {}


def test_to_have_no_machine_is_an_answer(bench: Bench) -> None:
    bench.fail("status", ProviderError(ErrorKind.NO_CAPACITY, "no zone has one"), on=2, times=None)
    assert error_of(bench.execute()) == ("backend_lost", "no zone has one", "")
    assert bench.clock() < 60
    assert bench.backend.jobs == {}


def test_one_that_refuses_everything_in_the_midst_leaves_the_job_to_the_next_apply(bench: Bench) -> None:
    for method in ("status", "cancel", "release"):
        bench.fail(method, REFUSED, on=5 if method == "status" else 1, times=None)
    assert error_of(bench.execute()) == (UNSETTLED, "the token has expired", f"Log in again. {OPEN}")


def test_what_a_job_has_written_counts_although_its_backend_refuses(bench: Bench) -> None:
    bench.fail("status", REFUSED, on=5, times=None)
    bench.fail("release", REFUSED, times=None)
    bench._write_result(SubmitRequest(JobSpec("job-1", "", Entry(module="x")), "", Path("x")))
    assert bench.execute().ok


@pytest.mark.parametrize("times", [3, None])
def test_a_log_that_cannot_be_read_for_a_while_comes_later(bench: Bench, times: int | None) -> None:
    bench.fail("logs", BLINK, times=times)
    assert bench.execute().ok
    assert bench.log() == ("hello\n" if times else "")
    assert bench.backend.jobs == {}


def test_a_log_that_may_not_be_read_is_told_once_and_fails_nothing(bench: Bench) -> None:
    bench.fail("logs", REFUSED, times=None)
    assert bench.execute().ok
    said = "step.python.fit: what it prints cannot be read: the token has expired"
    assert bench.notices().count(said) == 1
    assert bench.backend.jobs == {}


def test_progress_that_cannot_be_read_fails_nothing(bench: Bench) -> None:
    bench.storage.faults.fail("stat", StorageError("TRANSIENT", "connection reset"), times=5)
    assert bench.execute().ok


# ---------------------------------------------------------------- ending


def test_a_log_that_cannot_be_kept_does_not_keep_the_job() -> None:
    bench = Bench(storage=FarStorage())
    bench.fail("logs", REFUSED, times=None)
    assert bench.execute().ok
    assert bench.storage.stat(log_path("job-1")) is None
    assert bench.backend.jobs == {}


def test_text_beside_the_log_that_never_ends_does_not_keep_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(storage=FarStorage())
    monkeypatch.setattr(FakeCompute, "logs", lambda self, handle, offset: LogChunk("booting\n", offset))
    assert bench.execute().ok
    assert bench.backend.jobs == {}


@pytest.mark.parametrize("after", [False, True])
def test_a_release_is_repeated(bench: Bench, after: bool) -> None:
    bench.fail("release", BLINK, times=ATTEMPTS - 1, after=after)
    result = bench.execute()
    assert (result.ok, result.warnings) == (True, ())
    assert bench.backend.jobs == {}


def test_what_cannot_be_removed_is_told_and_the_result_counts(bench: Bench) -> None:
    bench.fail("release", REFUSED, times=None)
    result = bench.execute()
    assert result.ok
    [warning] = result.warnings
    assert warning.summary == "what its backend keeps of it cannot be removed: the token has expired"
    assert '{"job_id": "job-1"}' in warning.detail


@pytest.mark.parametrize("after", [False, True])
def test_a_cancel_that_fails_is_repeated(after: bool) -> None:
    bench = Bench(run=FakeRun(seconds=None))
    bench.at[20.0] = bench.stop.cancel.set
    bench.fail("cancel", BLINK, times=4, after=after)
    assert error_of(bench.execute())[0] == "canceled"
    assert bench.backend.jobs == {}


def test_a_job_that_cannot_be_canceled_is_released_at_last() -> None:
    bench = Bench(run=FakeRun(seconds=None))
    bench.at[20.0] = bench.stop.cancel.set
    bench.fail("cancel", BLINK, times=None)
    assert error_of(bench.execute()) == ("backend_lost", "connection reset", "")
    assert OUTAGE_CANCELED <= bench.clock() - 20 < OUTAGE_CANCELED + 10
    assert bench.backend.jobs == {}


def test_who_cancels_does_not_wait_long_for_a_backend_that_is_silent(bench: Bench) -> None:
    bench.fail("status", BLINK, on=3, times=None)
    bench.at[40.0] = bench.stop.cancel.set
    assert error_of(bench.execute())[0] == "backend_lost"
    assert bench.clock() < 40 + OUTAGE_CANCELED + 10
    assert bench.backend.jobs == {}


def test_a_failure_keeps_its_reason_though_the_backend_blinks() -> None:
    bench = Bench(run=FakeRun(status=JobStatus(JobState.ENDED, 137, "killed by signal 9")))
    bench.fail("status", BLINK, on=2, times=3)
    assert error_of(bench.execute()) == ("lost", "killed by signal 9", "")
    assert bench.backend.jobs == {}


def test_a_time_limit_holds_while_the_backend_blinks() -> None:
    bench = Bench(run=FakeRun(seconds=None))
    bench.fail("status", BLINK, on=20, times=5)
    assert error_of(bench.execute(timeout=100.0))[0] == "timeout"
    assert bench.backend.jobs == {}


def test_who_wants_to_stop_is_not_kept_by_repetitions() -> None:
    stop = threading.Event()
    stop.set()
    backend = FakeBackend(lambda request: FakeRun())
    backend.faults.fail("release", BLINK, times=None)
    with pytest.raises(ProviderError, match="reset"):
        insist(lambda: FakeCompute(backend).release({"job_id": "j"}), stop)
    assert backend.faults.asked()["release"] == 1
