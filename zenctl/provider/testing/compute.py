"""ComputeConformance: what every backend that runs jobs must do. Its test class inherits it and gives a `bench`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zenctl.jobs.resources import Resources
from zenctl.jobs.spec import Entry, JobSpec, job_path, result_path
from zenctl.jobs.storage import Distant, Storage
from zenctl.jobs.wire import spec_to_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider.messages import JobHandle, JobState, JobStatus, SubmitRequest, no_access
from zenctl.provider.protocol import Compute, Progressing, Sized, Sweeping

HELLO = "hällo, wörld\nsecond line\n"

LINE = "wörds without end"
LINES = 150_000
"""What a job prints that prints much, and how often: more than a backend should hand over, or hold, at once."""

PROGRAMS = {
    "hello": f"printf '{HELLO}'".replace("\n", "\\n"),
    "fail": "echo before; exit 3",
    "hang": "echo begun; while :; do sleep 0.1; done",
    "stubborn": "trap '' TERM; echo begun; while :; do sleep 0.1; done",
    "killed": "kill -9 $PPID",
    "chatty": f"i=0; while [ $i -lt {LINES} ]; do echo '{LINE}'; i=$((i+1)); done; echo done",
}
"""What the suite's jobs run, with a shell's own commands: by their names, which are those in their addresses, too."""

GONE = (JobState.ENDED, JobState.LOST)


@dataclass
class ComputeBench:
    """What the suite needs of a backend under test.

    `open` gives a new Compute of the same backend, as a later zenctl process would; the test closes what it must.
    `storage` is the artifact store that jobs reach; `store_uri` how they reach it. `patience` is in seconds: the
    longest that a small job may take from submit to end.
    """

    open: Callable[[], Compute]
    storage: Storage
    runner: Path
    store_uri: str = ""
    patience: float = 240.0

    def request(self, program: str) -> SubmitRequest:
        """A new job that runs one of PROGRAMS; its order is in the store."""
        job_id = f"conformance-{uuid.uuid4().hex[:12]}"
        spec = JobSpec(job_id, f"step.command.{program}", Entry(command=("/bin/sh", "-c", PROGRAMS[program])))
        self.storage.put(job_path(job_id), spec_to_json(spec))
        access = self.storage.access if isinstance(self.storage, Distant) else no_access
        return SubmitRequest(spec, self.store_uri or self.storage.uri, self.runner, access=access)

    def wait(self, compute: Compute, handle: JobHandle, *states: JobState) -> JobStatus:
        """Poll until the job is in one of the states (by default: it is over)."""
        deadline = time.monotonic() + self.patience
        while True:
            status = compute.status(handle)
            if status.state in (states or GONE):
                return status
            assert time.monotonic() < deadline, f"still {status} after {self.patience} seconds"
            time.sleep(0.02)

    def wait_for_log(self, compute: Compute, handle: JobHandle, text: str) -> str:
        """Poll until the log holds the text."""
        deadline = time.monotonic() + self.patience
        found, offset = "", 0
        while text not in found:
            assert time.monotonic() < deadline, f"the log holds only {found!r}"
            chunk = compute.logs(handle, offset)
            found, offset = found + chunk.text, chunk.next_offset
            time.sleep(0.02)
        return found


class ComputeConformance:
    """Inherit as `class TestMyBackend(ComputeConformance)` and define the fixture `bench`: a ComputeBench."""

    def test_a_job_runs_to_its_end(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("hello")
        handle = compute.submit(request)
        status = bench.wait(compute, handle)
        assert status.state is JobState.ENDED
        assert status.exit_code == 0, (status, compute.logs(handle, 0).text)
        assert bench.storage.stat(result_path(request.spec.job_id)) is not None
        assert compute.status(handle).state is JobState.ENDED
        compute.release(handle)

    def test_a_handle_is_json(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hello"))
        again = json.loads(json.dumps(handle))
        assert again == handle
        bench.wait(compute, again)
        compute.release(again)

    def test_the_handle_is_known_before_there_is_a_job(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("hang")
        handle = compute.handle(request)
        assert compute.status(handle).state is JobState.LOST
        compute.release(handle)
        assert compute.submit(request) == handle
        bench.wait_for_log(compute, handle, "begun")
        later = bench.open()
        assert later.handle(request) == handle
        later.cancel(handle)
        bench.wait(later, handle)
        later.release(handle)

    def test_submit_does_not_wait(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hang"))
        assert compute.status(handle).state in (JobState.PENDING, JobState.RUNNING)
        bench.wait_for_log(compute, handle, "begun")
        assert compute.status(handle).state is JobState.RUNNING
        compute.cancel(handle)
        bench.wait(compute, handle)
        compute.release(handle)

    def test_the_same_job_is_started_once(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("hello")
        first = compute.submit(request)
        assert compute.submit(request) == first
        bench.wait(compute, first)
        assert compute.submit(request) == first
        assert bench.wait(compute, first).state is JobState.ENDED
        assert bench.wait_for_log(compute, first, "second line").count("second line") == 1
        compute.release(first)

    def test_threads_that_submit_one_job_start_it_once(self, bench: ComputeBench) -> None:
        request, computes = bench.request("hello"), [bench.open() for _ in range(4)]
        with ThreadPoolExecutor(len(computes)) as pool:
            handles = list(pool.map(lambda compute: compute.submit(request), computes))
        assert handles == [handles[0]] * len(computes)
        compute = computes[0]
        assert bench.wait(compute, handles[0]).exit_code == 0
        assert bench.wait_for_log(compute, handles[0], "second line").count("second line") == 1
        compute.release(handles[0])

    def test_jobs_side_by_side_do_not_know_each_other(self, bench: ComputeBench) -> None:
        compute, programs = bench.open(), ("hang", "fail", "hello")
        with ThreadPoolExecutor(len(programs)) as pool:
            hang, fail, hello = pool.map(lambda program: compute.submit(bench.request(program)), programs)
        assert bench.wait(compute, fail).exit_code != 0
        assert bench.wait(compute, hello).exit_code == 0
        assert "before" not in compute.logs(hello, 0).text
        compute.release(hello)
        assert "before" in compute.logs(fail, 0).text
        compute.release(fail)
        assert "begun" in bench.wait_for_log(compute, hang, "begun")
        assert compute.status(hang).state is JobState.RUNNING
        compute.cancel(hang)
        bench.wait(compute, hang)
        compute.release(hang)

    def test_a_failure_has_an_exit_code(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("fail"))
        status = bench.wait(compute, handle)
        assert status.state is JobState.ENDED
        assert status.exit_code not in (0, None)
        assert "before" in compute.logs(handle, 0).text
        compute.release(handle)

    def test_a_killed_job_says_so_and_has_no_result(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("killed")
        handle = compute.submit(request)
        status = bench.wait(compute, handle)
        assert status.exit_code != 0
        assert "9" in status.reason or "kill" in status.reason.lower() or status.state is JobState.LOST
        assert bench.storage.stat(result_path(request.spec.job_id)) is None
        compute.release(handle)

    def test_logs_by_offset(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hello"))
        bench.wait(compute, handle)
        whole = compute.logs(handle, 0)
        assert HELLO in whole.text
        assert whole.next_offset == len(whole.text.encode())
        start = len(whole.text[: whole.text.index("second")].encode())
        part = compute.logs(handle, start)
        assert part.text == whole.text[whole.text.index("second") :]
        assert part.next_offset == whole.next_offset
        end = compute.logs(handle, whole.next_offset)
        assert (end.text, end.next_offset) == ("", whole.next_offset)
        compute.release(handle)

    def test_a_long_log_arrives_whole(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("chatty"))
        bench.wait(compute, handle)
        text, offset = "", 0
        while (chunk := compute.logs(handle, offset)).text:
            assert chunk.next_offset > offset
            text, offset = text + chunk.text, chunk.next_offset
        assert text.count(f"{LINE}\n") == LINES
        assert text.rstrip().endswith("done")
        compute.release(handle)

    @pytest.mark.parametrize("program", ["hang", "stubborn"])
    def test_cancel_ends_a_running_job(self, bench: ComputeBench, program: str) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request(program))
        bench.wait_for_log(compute, handle, "begun")
        before = time.monotonic()
        compute.cancel(handle)
        assert time.monotonic() - before < 5
        compute.cancel(handle)
        status = bench.wait(compute, handle)
        assert status.exit_code != 0
        compute.release(handle)

    def test_cancel_before_it_runs(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hang"))
        compute.cancel(handle)
        assert bench.wait(compute, handle).exit_code != 0
        compute.release(handle)

    def test_cancel_of_what_is_over(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hello"))
        bench.wait(compute, handle)
        compute.cancel(handle)
        assert bench.wait(compute, handle).exit_code == 0
        compute.release(handle)
        compute.cancel(handle)

    def test_release_twice(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("hello")
        handle = compute.submit(request)
        bench.wait(compute, handle)
        compute.release(handle)
        compute.release(handle)
        assert compute.status(handle).state in GONE
        assert bench.storage.stat(result_path(request.spec.job_id)) is not None

    def test_release_of_a_job_that_runs_ends_it(self, bench: ComputeBench) -> None:
        compute = bench.open()
        handle = compute.submit(bench.request("hang"))
        bench.wait_for_log(compute, handle, "begun")
        compute.release(handle)
        bench.wait(compute, handle)

    def test_a_job_that_nobody_submitted_is_lost(self, bench: ComputeBench) -> None:
        compute, request = bench.open(), bench.request("hello")
        handle = compute.submit(request)
        stranger = json.loads(json.dumps(handle).replace(request.spec.job_id, "conformance-never-submitted"))
        assert stranger != handle
        assert compute.status(stranger).state is JobState.LOST
        assert compute.logs(stranger, 0).text == ""
        compute.cancel(stranger)
        compute.release(stranger)
        bench.wait(compute, handle)
        compute.release(handle)

    def test_another_process_finds_the_job_by_its_handle(self, bench: ComputeBench) -> None:
        first = bench.open()
        handle = json.loads(json.dumps(first.submit(bench.request("hang"))))
        bench.wait_for_log(first, handle, "begun")
        later = bench.open()
        # Whether the job outlives its submitter is the backend's affair; that it is seen rightly is not.
        assert isinstance(later.status(handle), JobStatus)
        later.cancel(handle)
        bench.wait(later, handle)
        assert "begun" in later.logs(handle, 0).text
        later.release(handle)
        assert later.status(handle).state in GONE

    def test_what_asks_for_nothing_fits(self, bench: ComputeBench) -> None:
        compute = bench.open()
        if not isinstance(compute, Sized):
            pytest.skip("this backend does not know how much there is")
        assert compute.misfit(Resources()) is None
        misfit = compute.misfit(Resources(cpu=1e9))
        assert misfit is not None
        assert misfit.message
        assert compute.misfit(Resources(cpu=1e9)) == misfit

    def test_progress_of_a_job_that_told_none(self, bench: ComputeBench) -> None:
        compute = bench.open()
        if not isinstance(compute, Progressing):
            pytest.skip("this backend leaves progress to the artifact store")
        request = bench.request("hello")
        assert compute.progress(compute.handle(request), 0) == b""
        handle = compute.submit(request)
        bench.wait(compute, handle)
        assert compute.progress(handle, 0) == b""
        compute.release(handle)

    def test_what_was_left_is_swept_once(self, bench: ComputeBench) -> None:
        compute = bench.open()
        if not isinstance(compute, Sweeping):
            pytest.skip("this backend makes nothing that could outlive a command")
        handle = compute.submit(bench.request("hang"))
        later = bench.open()
        assert isinstance(later, Sweeping)
        assert all(isinstance(name, str) and name for name in later.sweep())
        assert list(later.sweep()) == []
        later.cancel(handle)
        bench.wait(later, handle)
        later.release(handle)
