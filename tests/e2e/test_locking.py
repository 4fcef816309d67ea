"""Applies that meet: one at a time in a workspace, side by side in several, and no clock, no dead and no zombie in
between.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.crash.crashing import SITE
from tests.documented import expect_documented
from tests.e2e.conftest import Project, clean_environment, kill_group, wait_for
from tests.e2e.test_commands import make_slow
from tests.e2e.test_metadata_stores import configure
from tests.measuring import PATIENCE
from tests.servers import PASSWORD, running
from zenctl.engine.opening import open_settings, opened_store
from zenctl.engine.requests import Inputs
from zenctl.metadata.state import read_state
from zenctl.metadata.store import ExecutionState, Where

STEPS = ("datasource.csv.heights", "step.python.count", "step.python.tallest")


def computed(project: Project) -> Counter[str]:
    """How often each address has really run, in all workspaces."""
    inputs = Inputs(project.root, environment=project.environment)
    with opened_store(open_settings(inputs)[0], inputs, create=False) as store:
        done = store.executions(Where(properties={"operation": "run"}, states=(ExecutionState.COMPLETE,)))
    return Counter(str(execution.properties["address"]) for execution in done)


def current(project: Project, workspace: str) -> tuple[str, ...]:
    """The addresses that have a result in a workspace."""
    inputs = Inputs(project.root, environment=project.environment)
    with opened_store(open_settings(inputs)[0], inputs, create=False) as store:
        return tuple(str(addr) for addr in read_state(store, "tiny", workspace).results)


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """The exit codes and all that was printed."""
    try:
        said = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            kill_group(process)
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


@pytest.fixture
def slow(tiny: Project) -> Project:
    """The small project, whose step `tallest` waits for the file started.go."""
    make_slow(tiny)
    return tiny


def started(project: Project, **more: str) -> subprocess.Popen[str]:
    """An apply whose step is under way."""
    process = Project(project.root, {**project.environment, **more}).start("apply", "-auto-approve")
    wait_for(lambda: (project.root / "started").exists())
    return process


def go_on(project: Project) -> None:
    (project.root / "started.go").touch()


def test_eight_applies_of_one_workspace_at_once(tiny: Project) -> None:
    waiting = [tiny.start("apply", "-auto-approve", "-lock-timeout=5m") for _ in range(5)]
    hasty = [tiny.start("apply", "-auto-approve") for _ in range(3)]
    outcomes = ended(*waiting, *hasty)
    for code, said in outcomes[:5]:
        assert code == 0, said
    for code, said in outcomes[5:]:
        assert code in (0, 4), said
        assert (code == 4) is ("workspace default of tiny is locked by apply" in " ".join(said.split()))
    assert computed(tiny) == dict.fromkeys(STEPS, 1)
    tiny.ok("plan", "-detailed-exitcode")
    results = Counter(apply["result"] for apply in tiny.json("history", "-json")["applies"])
    assert results["complete"] == 1, results
    assert set(results) <= {"complete", "refused"}, results


@pytest.fixture(params=["sqlite", "mysql"])
def shared(tiny: Project, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    """The small project on a store, whose workspaces take the results of the workspace `first`."""
    tiny.edit("main.zen.hcl", 'project = "tiny"', 'project = "tiny"\n  reuse_from = ["first"]')
    if request.param == "sqlite":
        yield tiny
        return
    with running("mysql") as server:
        tiny.environment |= {"HOME": str(tmp_path), "MLMD_PASSWORD": PASSWORD}
        configure(tiny, server, server.database(), "env:MLMD_PASSWORD")
        yield tiny


def test_eight_workspaces_at_once_on_one_store(shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed twice: not even by a plan that was made when there was nothing to reuse."""
    monkeypatch.setenv("MLMD_PASSWORD", PASSWORD)
    shared.ok("plan", "-workspace=w0", "-out=early.plan")
    shared.ok("apply", "-auto-approve", "-workspace=first")
    others = [shared.start("apply", "-auto-approve", f"-workspace=w{number}") for number in range(1, 8)]
    for code, said in ended(shared.start("apply", "early.plan"), *others):
        assert code == 0, said
    assert computed(shared) == dict.fromkeys(STEPS, 1)
    assert {current(shared, f"w{number}") for number in range(8)} == {STEPS}


def test_who_has_to_wait_is_told_for_whom_and_goes_on_afterwards(slow: Project) -> None:
    holder = started(slow)
    said = slow.fails("apply", "-auto-approve", code=4)
    expect_documented("another apply holds the lock", said)
    assert f"{os.uname().nodename}, process {holder.pid} (zenctl" in " ".join(said.split())
    assert "step.python.tallest will be run # is under way in apply 1" in " ".join(
        slow.ok("plan", "-lock=false").split()
    )
    assert "-lock=false is not possible here" in slow.fails("apply", "-auto-approve", "-lock=false")
    waiting = slow.start("apply", "-auto-approve", "-lock-timeout=5m")
    assert waiting.stdout is not None
    wait_for(lambda: "waiting for the lock: " in waiting.stdout.readline())
    interrupted = slow.start("apply", "-auto-approve", "-lock-timeout=5m")
    assert interrupted.stdout is not None
    wait_for(lambda: "waiting for the lock: " in interrupted.stdout.readline())
    interrupted.send_signal(signal.SIGINT)
    [(code, said)] = ended(interrupted)
    assert code == 130
    assert "Interrupted while waiting for the lock" in " ".join(said.split())
    go_on(slow)
    outcomes = ended(holder, waiting)
    assert [code for code, _ in outcomes] == [0, 0]
    expect_documented("the state moves on while the lock is waited for", outcomes[1][1])
    assert "No changes" in outcomes[1][1]
    assert computed(slow) == dict.fromkeys(STEPS, 1)


def test_a_zombie_that_comes_back_records_nothing(slow: Project) -> None:
    zombie = started(slow)
    os.kill(zombie.pid, signal.SIGSTOP)
    declined = subprocess.run(
        [*map(str, zombie.args[:1]), "force-unlock", "1"],  # type: ignore[index]
        cwd=slow.root, env=slow.environment, input="no\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert declined.returncode == 1
    assert "Do you really want to take the lock" in declined.stdout
    assert "3 to run" in declined.stdout
    assert "is unlocked" in slow.ok("force-unlock", "-force", "1")
    later = slow.start("apply", "-auto-approve")
    assert later.stdout is not None
    wait_for(lambda: "still running since apply 1, waiting for it" in later.stdout.readline())
    go_on(slow)
    assert [code for code, _ in ended(later)] == [0]
    before = slow.ok("state", "list", "-json")
    os.kill(zombie.pid, signal.SIGCONT)
    [(code, said)] = ended(zombie)
    assert code == 1
    expect_documented("an apply that was unlocked by force goes on all the same", said)
    assert slow.ok("state", "list", "-json") == before
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


def test_the_lock_of_a_dead_apply_on_another_host_is_recovered_once_its_lease_ends(slow: Project) -> None:
    elsewhere = clean_environment(PYTHONPATH=str(SITE), ZENCTL_TEST_HOST="elsewhere", ZENCTL_TEST_LEASE="2")
    dead = started(Project(slow.root, elsewhere))
    kill_group(dead)
    go_on(slow)
    said = slow.ok("apply", "-auto-approve", "-lock-timeout=5m")
    assert "elsewhere, process" in said
    assert "recovered the lock of a dead apply: " in said
    if "it seems dead" in said:
        # It was looked at after its lease had ended.
        expect_documented("an apply on another host is dead", said)
    assert computed(slow)["datasource.csv.heights"] == 1
    slow.ok("plan", "-detailed-exitcode")


def test_a_job_of_a_dead_apply_that_ends_while_it_is_waited_for_runs_again(slow: Project) -> None:
    dead = started(slow)
    [jobs] = psutil.Process(dead.pid).children()
    # What starts jobs ends them with its zenctl; while it is stopped it cannot, and the job seems to go on.
    jobs.suspend()
    kill_group(dead)
    later = slow.start("apply", "-auto-approve")
    out = later.stdout
    assert out is not None
    try:
        wait_for(lambda: "still running since apply 1, waiting for it" in out.readline())
    finally:
        jobs.resume()
    wait_for(lambda: "it was interrupted with apply 1, so it runs again" in out.readline())
    go_on(slow)
    [(code, said)] = ended(later)
    assert code == 0, said
    assert computed(slow) == dict.fromkeys(STEPS, 1)
    slow.ok("plan", "-detailed-exitcode")


@pytest.mark.parametrize("host", ["elsewhere", ""])
def test_a_clock_that_jumps_back_takes_no_lock_from_anybody(slow: Project, tmp_path: Path, host: str) -> None:
    clock = tmp_path / "clock"
    conditions = {"PYTHONPATH": str(SITE), "ZENCTL_TEST_CLOCK": str(clock), "ZENCTL_TEST_LEASE": "2"}
    holder = started(slow, **conditions, ZENCTL_TEST_HOST=host)
    clock.write_text("-3600")
    # Either the holder's clock goes an hour slow from now on, or that of who looks at it does too.
    other = Project(slow.root, slow.environment if host else {**slow.environment, **conditions})
    for _ in range(2):
        assert "is locked by apply 1" in " ".join(other.fails("apply", "-auto-approve", code=4).split())
    go_on(slow)
    [(code, said)] = ended(holder)
    assert code == 0, said
    assert " in -" not in said
    slow.ok("plan", "-detailed-exitcode")
    [apply] = slow.json("history", "-json")["applies"]
    assert apply["result"] == "complete"
    assert computed(slow) == dict.fromkeys(STEPS, 1)
