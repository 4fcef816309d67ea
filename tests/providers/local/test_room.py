"""What a local backend has for its jobs: nothing is given twice, limits hold, and each way to end has its own words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.jobs.resources import Resources
from zenctl.provider import ErrorKind, JobState, Misfit, ProviderError, Sized
from zenctl_local.launcher import Limits
from zenctl_local.room import Room, room_of

from .conftest import Project, wait

NEEDS = st.builds(Resources, st.sampled_from([0, 0.5, 1, 2, 3]), st.integers(0, 4), st.integers(0, 3))
WAITS = """
import os, time
def step():
    while not os.path.exists({mark!r}):
        time.sleep(0.01)
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all")
"""


@given(
    st.builds(Room, st.integers(0, 3), st.just(3.0), st.just(4), st.just(("a", "b", "c"))),
    st.lists(NEEDS, max_size=8),
)
def test_nothing_is_given_twice(room: Room, asked: list[Resources]) -> None:
    running: list[tuple[Resources, tuple[str, ...]]] = []
    for needs in asked:
        gpus = room.share(needs, running)
        if gpus is not None:
            running.append((needs, gpus))
        elif not running:
            assert room.lacks(needs)[0]
    assert sum(needs.cpu for needs, _ in running) <= room.cpus
    assert sum(needs.memory for needs, _ in running) <= room.memory
    given_away = [gpu for _, gpus in running for gpu in gpus]
    assert len(given_away) == len(set(given_away)) == sum(needs.gpu for needs, _ in running)
    assert not room.slots or len(running) <= room.slots


def test_what_there_is(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    assert room_of({}, {}, tmp_path).gpus == ("0", "1")
    assert room_of({}, {"CUDA_VISIBLE_DEVICES": "3,GPU-7"}, tmp_path).gpus == ("3", "GPU-7")
    assert room_of({}, {"CUDA_VISIBLE_DEVICES": ""}, tmp_path).gpus == ()
    assert room_of({"gpus": 1}, {"CUDA_VISIBLE_DEVICES": "3,4"}, tmp_path).gpus == ("3",)
    assert room_of({"gpus": 0}, {}, tmp_path).gpus == ()
    machine = room_of({}, {}, tmp_path)
    assert machine.cpus >= 1
    assert machine.memory > 1 << 28
    declared = room_of({"slots": 2, "cpus": 0.5, "memory": "1GiB"}, {}, tmp_path)
    assert (declared.slots, declared.cpus, declared.memory) == (2, 0.5, 1 << 30)
    assert declared.lacks(Resources(cpu=1)) == ("it asks for 1 CPUs, and the backend has 0.5", True)
    assert declared.lacks(Resources(gpu=3)) == ("it asks for 3 GPUs, and this machine has 2", False)
    assert declared.lacks(Resources(0.5, 1 << 30, 2)) == ("", False)


def test_a_job_waits_for_room_and_sees_its_gpus_only(project: Project) -> None:
    compute = project.compute(gpus=2)
    marks = [project.root / f"go {number}" for number in range(3)]
    requests = [project.request(WAITS.format(mark=str(mark)), resources=Resources(gpu=1)) for mark in marks]
    handles = [compute.submit(request) for request in requests]
    for handle in handles[:2]:
        wait(compute, handle, JobState.RUNNING)
    status = compute.status(handles[2])
    assert (status.state, status.reason) == (JobState.PENDING, "waiting for 1 GPU")
    none = project.request("import os\ndef step():\n    return os.environ['CUDA_VISIBLE_DEVICES']\n")
    assert project.value(compute, compute.submit(none), none) == ""
    marks[0].touch()
    first = project.value(compute, handles[0], requests[0])
    wait(compute, handles[2], JobState.RUNNING)
    marks[1].touch()
    marks[2].touch()
    assert {first, project.value(compute, handles[1], requests[1])} == {"0", "1"}
    assert project.value(compute, handles[2], requests[2]) == first


def test_jobs_of_several_interpreters_share_the_slots(project: Project, tmp_path: Path) -> None:
    # A fork server each, which know nothing of one another.
    compute = project.compute(Limits(grace=0.5), cpus=1)
    mark = project.root / "go"
    first = project.request(WAITS.format(mark=str(mark)), resources=Resources(cpu=0.6))
    second = project.request("def step():\n    return 1\n", resources=Resources(cpu=0.6))
    handle = compute.submit(first)
    wait(compute, handle, JobState.RUNNING)
    compute._python = os.path.realpath("/proc/self/exe")  # type: ignore[attr-defined]
    waiting = compute.submit(second)
    assert compute.status(waiting).reason == "waiting for 0.6 CPU"
    canceled = project.request("def step():\n    return 1\n", resources=Resources(cpu=0.6))
    third = compute.submit(canceled)
    compute.cancel(third)
    assert compute.status(third).state is JobState.ENDED
    compute.release(third)
    mark.touch()
    assert project.value(compute, handle, first) == os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    assert project.value(compute, waiting, second) == 1


def test_what_can_never_run_is_refused(project: Project) -> None:
    compute = project.compute(cpus=2, memory="1GiB")
    assert isinstance(compute, Sized)
    assert compute.misfit(Resources(cpu=2, memory=1 << 30)) is None
    assert compute.misfit(Resources(cpu=3)) == Misfit("it asks for 3 CPUs, and the backend has 2")
    with pytest.raises(ProviderError) as caught:
        compute.submit(project.request("def step():\n    return 1\n", resources=Resources(memory=2 << 30)))
    assert caught.value.kind is ErrorKind.INVALID
    assert "2 GiB of memory, and the backend has 1 GiB" in caught.value.message


@pytest.mark.parametrize("fresh", [False, True])
def test_memory_is_limited_and_its_end_is_told(project: Project, fresh: bool) -> None:
    source = "def step():\n    data = bytearray(600 << 20)\n    return len(data)\n"
    compute = project.compute()
    request = project.request(source, resources=Resources(memory=400 << 20))
    if fresh:
        request = type(request)(request.spec, request.store_uri, request.runner, fresh=True)
    wait(compute, compute.submit(request))
    result = project.result(request)
    assert result is not None
    assert result.error is not None
    assert result.error.message == "MemoryError: the step ran out of memory"
    assert (result.error.file, result.error.line) == ("fit.py", 2)
    assert "It may take 400 MiB" in result.error.hint
    assert "resources.memory" in result.error.hint
    enough = project.request(source, resources=Resources(memory=1600 << 20))
    assert project.value(compute, compute.submit(enough), enough) == 600 << 20


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("os.kill(os.getpid(), 9)", None, "killed by signal 9 (SIGKILL); the system does that when memory runs out"),
        ("os.kill(os.getpid(), 11)", None, "killed by signal 11 (SIGSEGV); its memory is limited to 512 MiB, and"),
        ("os.abort()", None, "killed by signal 6 (SIGABRT); its memory is limited to 512 MiB, and programs"),
        ("os._exit(7)", 7, ""),
    ],
)
def test_each_end_has_its_own_words(project: Project, command: str, code: int | None, reason: str) -> None:
    compute = project.compute()
    request = project.request(f"import os\ndef step():\n    {command}\n", resources=Resources(memory=512 << 20))
    status = wait(compute, compute.submit(request))
    assert status.exit_code == code
    assert status.reason.startswith(reason)


def test_an_interpreter_that_may_not_be_run(project: Project) -> None:
    python = project.root / "python3"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o644)
    with pytest.raises(ProviderError) as caught:
        project.compute(python="./python3").submit(project.request("def step():\n    return 1\n"))
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert "permission to run the interpreter" in caught.value.message
    assert "chmod +x" in caught.value.hint
