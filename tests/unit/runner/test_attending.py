"""A machine's attendant: which jobs it starts, what it passes on, and when it goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from zenctl.jobs.environments import PREPARING
from zenctl.jobs.queue import LOG, PROGRESS, Contained, Ending, JobQueue
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.jobs.stores.opening import ACCESS
from zenctl.runner.attending import GIVEN_UP, IDLE, LEFT_OVER, Attendant, Settings, main, serve

RUNNER = """
import os, sys, time
store, job, _, work, _, parent = sys.argv[1:]
assert os.environ["ZENCTL_MACHINE"]
assert os.getppid() == int(parent)
print(job, os.environ["ZENCTL_STORE_ACCESS"], "PYTHONPATH" in os.environ, flush=True)
open(os.path.join(work, "progress.jsonl"), "w").write("{}")
if job.startswith("hang"):
    if "stubborn" in job:
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("hangs", flush=True)
    while True:
        time.sleep(1000)
sys.exit(3 if job == "fails" else 0)
"""
"""Stands for the runner's zipapp."""


class Machine:
    """An attendant, its queue, and a clock that the test sets."""

    def __init__(self, root: Path, slots: int = 0) -> None:
        runner = root / "runner.py"
        runner.write_text(RUNNER)
        self.storage = FolderStorage(root / "store")
        self.queue = JobQueue(self.storage, "m")
        self.now = 0.0
        self.folder = root / "jobs"
        self.engines = root / "engines"
        self.engines.mkdir()
        settings = Settings("store", str(runner), slots=slots, idle=60.0, grace=10.0)
        self.attendant = Attendant(self.queue, "i1", settings, self.folder, lambda: self.now)

    def until_ended(self, job: str) -> Ending:
        """Go on until the job has ended."""
        while (ending := self.queue.ending(job)) is None:
            self.attendant.step()
        return ending

    def until_said(self, job: str, text: str) -> None:
        """Go on until the job's log holds the text."""
        while text.encode() not in self.log(job):
            self.now += 1.0
            self.attendant.step()

    def log(self, job: str) -> bytes:
        return self.queue.read(job, LOG, self.queue.look(job), 0, 1 << 20)

    def have_docker(self, monkeypatch: pytest.MonkeyPatch, runs: str, removes: str) -> None:
        """Have nothing but a docker that has every image, with scripts for `run` and `rm`."""
        docker = self.engines / "docker"
        docker.write_text(
            f'#!/bin/sh\necho "$@" >> {self.engines}/asked\ncase $1 in run) {runs};; rm) {removes};; esac\n'
        )
        docker.chmod(0o755)
        (self.engines / "sleep").symlink_to("/bin/sleep")
        monkeypatch.setenv("PATH", str(self.engines))

    def asked(self) -> list[str]:
        """The subcommands of docker that were called."""
        return [line.split()[0] for line in (self.engines / "asked").read_text().splitlines()]

    def children(self) -> list[psutil.Process]:
        return [p for p in psutil.Process().children() if str(self.folder) in " ".join(p.cmdline())]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PYTHONPATH", "runner.pyz")
    return Machine(tmp_path)


def test_jobs_run_and_are_told_of(machine: Machine) -> None:
    for job in ("works", "fails"):
        machine.queue.put(job, {"a": 1})
    assert machine.attendant.step()
    assert machine.until_ended("works") == Ending(0)
    assert machine.until_ended("fails") == Ending(3)
    assert machine.log("works").decode() == 'works {"a": 1} False\n'
    assert machine.queue.read("works", PROGRESS, machine.queue.look("works"), 0, 10) == b"{}"
    assert machine.queue.claimed("works") == "i1"
    # What a job has left on the disk is in the way of the next one.
    assert list(machine.folder.iterdir()) == []
    assert not machine.attendant.step(), "each is run once"


def test_that_its_environment_is_made_is_told_and_that_it_is_there(machine: Machine) -> None:
    machine.queue.put("hang", {})
    machine.attendant.step()
    machine.until_said("hang", "hangs")
    assert not machine.queue.look("hang").preparing
    mark = machine.folder / "hang" / PREPARING
    mark.write_text("preparing its environment (2 requirements)")
    machine.attendant.step()
    assert machine.queue.look("hang").preparing
    assert machine.queue.preparing("hang") == "preparing its environment (2 requirements)"
    mark.unlink()
    machine.attendant.step()
    told = machine.queue.look("hang")
    assert not told.preparing
    machine.attendant.step()
    assert machine.queue.look("hang") == told
    machine.queue.cancel("hang")
    machine.until_ended("hang")


def test_a_job_that_another_incarnation_has_begun_is_left_alone(machine: Machine) -> None:
    machine.queue.put("works", {"a": 1})
    machine.queue.claim("works", "i0")
    assert not machine.attendant.step()
    assert machine.children() == []
    assert machine.queue.ending("works") is None


@pytest.mark.parametrize(("job", "number"), [("hang", signal.SIGTERM), ("hang-stubborn", signal.SIGKILL)])
def test_canceling(machine: Machine, job: str, number: int) -> None:
    machine.queue.put(job, {"a": 1})
    machine.until_said(job, "hangs")
    [child] = machine.children()
    machine.queue.cancel(job)
    machine.attendant.step()
    machine.now += 9.0
    machine.attendant.step()
    if number == signal.SIGKILL:
        assert child.status() != psutil.STATUS_ZOMBIE
        machine.now += 2.0
    assert machine.until_ended(job) == Ending(None, number)


def test_what_is_canceled_before_it_begins_never_begins(machine: Machine) -> None:
    machine.queue.put("works", {"a": 1})
    machine.queue.cancel("works")
    machine.attendant.step()
    assert machine.queue.ending("works") == Ending(None, signal.SIGTERM)
    assert not machine.folder.exists()


@pytest.mark.parametrize(("job", "number"), [("hang", signal.SIGTERM), ("hang-stubborn", signal.SIGKILL)])
def test_a_machine_that_goes_ends_its_jobs_and_begins_none(
    machine: Machine, job: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.queue.put(job, {"a": 1})
    machine.until_said(job, "hangs")
    machine.queue.put("works", {"a": 1})
    machine.attendant.leave()
    orders = machine.queue.orders
    monkeypatch.setattr(machine.queue, "orders", lambda: (_ for _ in ()).throw(StorageError("TRANSIENT", "away")))
    with pytest.raises(StorageError):
        machine.attendant.step()
    monkeypatch.setattr(machine.queue, "orders", orders)
    assert not machine.attendant.is_idle
    machine.now += 24.0
    machine.attendant.step()
    if number == signal.SIGKILL:
        assert [child.status() != psutil.STATUS_ZOMBIE for child in machine.children()] == [True]
        machine.now += 2.0
    assert machine.until_ended(job) == Ending(None, number, leaving=True)
    assert machine.attendant.is_idle
    assert serve(machine.attendant) == IDLE
    assert machine.queue.claimed("works") == "", "it is for the next machine"


def test_slots(tmp_path: Path) -> None:
    machine = Machine(tmp_path, slots=1)
    for job in ("hang-1", "hang-2"):
        machine.queue.put(job, {"a": 1})
    machine.until_said("hang-1", "hangs")
    assert len(machine.children()) == 1
    assert machine.queue.claimed("hang-2") == ""
    machine.queue.cancel("hang-1")
    machine.until_ended("hang-1")
    machine.until_said("hang-2", "hangs")
    machine.queue.cancel("hang-2")
    machine.until_ended("hang-2")


IMAGE = Contained("i@sha256:0", 1 << 20, True)


def test_a_job_in_a_container(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.have_docker(monkeypatch, ': > "$PWD/alive"; echo $ZENCTL_STORE_ACCESS; read life', "exit 0")
    machine.queue.put("contained", {"a": 1}, IMAGE)
    machine.attendant.step()
    assert machine.queue.look("contained").preparing
    while machine.queue.look("contained").preparing:
        machine.attendant.step()
    # It waits at its standard input, which lasts as long as the attendant does.
    machine.until_said("contained", '{"a": 1}')
    life = machine.attendant._running["contained"].process.stdin
    assert life is not None
    life.close()
    assert machine.until_ended("contained") == Ending(1)
    run = (machine.engines / "asked").read_text().splitlines()[-1]
    assert "--memory 1048576 --gpus all" in run
    work = machine.folder / "contained"
    assert run.endswith(f"--contained docker.io/library/{IMAGE.image} --work {work} --root {work}")
    assert machine.asked() == ["version", "image", "run"], "it has ended by itself: there is nothing to remove"


def test_what_the_store_fails_at_is_not_begun(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.queue.put("works", {"a": 1}, IMAGE)
    with monkeypatch.context() as patched:
        patched.setattr(machine.queue, "order", lambda job: (_ for _ in ()).throw(StorageError("TRANSIENT", "away")))
        with pytest.raises(StorageError):
            machine.attendant.step()
    assert machine.queue.claimed("works") == ""


def test_what_is_forgotten_meanwhile_is_not_begun(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.queue, "orders", lambda: {"works": False})
    assert not machine.attendant.step()
    assert machine.queue.claimed("works") == ""


def test_a_container_that_heeds_nothing_is_removed_before_its_job_has_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    removes = f"test -e {machine.engines}/gone || exit 1"
    machine.have_docker(monkeypatch, "trap '' TERM; echo hangs; sleep 1000", removes)
    machine.queue.put("contained", {}, IMAGE)
    machine.until_said("contained", "hangs")
    machine.queue.cancel("contained")
    machine.attendant.step()
    machine.now += 11.0
    while "rm" not in machine.asked():
        machine.attendant.step()
    assert machine.queue.ending("contained") is None
    (machine.engines / "gone").touch()
    assert machine.until_ended("contained") == Ending(None, signal.SIGKILL)
    assert not machine.attendant.has_left_over


def test_a_container_that_cannot_be_removed_ends_the_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.have_docker(monkeypatch, "echo hangs; kill -9 $$", "mv $0 $0.gone; echo stuck >&2; exit 1")
    machine.queue.put("contained", {}, IMAGE)
    assert serve(machine.attendant, lambda _: None) == LEFT_OVER
    assert machine.queue.ending("contained") == Ending(None, 9, "the program that ran its container was killed")
    said = capfd.readouterr()
    assert "the container zenctl-contained may still run" in said.out
    assert "zenctl: a job's container cannot be ended" in said.err


def test_what_is_canceled_while_its_image_is_pulled(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.have_docker(monkeypatch, "exit 1", "exit 1")
    docker = machine.engines / "docker"
    docker.write_text(docker.read_text() + "case $1 in image) exit 1;; pull) sleep 1000;; esac\n")
    machine.queue.put("contained", {}, IMAGE)
    machine.until_said("contained", "zenctl: pulling docker.io/library/i@sha256:0 with docker")
    assert machine.queue.look("contained").preparing
    machine.queue.cancel("contained")
    assert machine.until_ended("contained") == Ending(None, signal.SIGTERM)
    assert "run" not in machine.asked()


def test_it_is_idle_after_a_while_without_a_job(machine: Machine) -> None:
    machine.now = 59.0
    machine.attendant.step()
    assert not machine.attendant.is_idle
    machine.queue.put("hang", {"a": 1})
    machine.until_said("hang", "hangs")
    machine.now += 1000.0
    assert not machine.attendant.is_idle
    machine.queue.cancel("hang")
    machine.until_ended("hang")
    machine.now += 59.0
    machine.attendant.step()
    assert not machine.attendant.is_idle
    machine.now += 1.0
    assert machine.attendant.is_idle
    assert serve(machine.attendant) == IDLE


def test_a_store_that_is_away_is_waited_for_and_one_that_refuses_is_not(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [StorageError("TRANSIENT", "away"), StorageError("UNAUTHORIZED", "refused")]
    monkeypatch.setattr(machine.queue, "orders", lambda: (_ for _ in ()).throw(problems.pop(0)))
    pauses: list[float] = []
    assert serve(machine.attendant, pauses.append) == GIVEN_UP
    assert len(pauses) == 1
    assert capsys.readouterr().err == "zenctl: away\nzenctl: refused\n"


@pytest.mark.parametrize("name", ["claim", "prepare"])
def test_a_job_goes_on_although_the_store_was_away_when_it_was_claimed_or_told_of(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    call = getattr(machine.queue, name)
    answers = iter([StorageError("TRANSIENT", "away")])

    def unheard(*given: object) -> object:
        answer = call(*given)
        for problem in answers:
            raise problem
        return answer

    monkeypatch.setattr(machine.queue, name, unheard)
    machine.have_docker(monkeypatch, "exit 0", "exit 1")
    machine.queue.put("works", {}, IMAGE if name == "prepare" else None)
    with pytest.raises(StorageError, match="away"):
        machine.until_ended("works")
    assert machine.queue.claimed("works") == "i1"
    assert machine.until_ended("works").code == 0


def test_a_store_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(ACCESS, "{}")
    assert main(["ftp://x", "m", "1", "--runner", "r"]) == GIVEN_UP
    assert "cannot reach ftp://" in capsys.readouterr().err
    assert ACCESS not in os.environ, "the jobs' code is not to come by it"
