"""The lock between real processes: who wins, and what becomes of that of one that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import LockHeld, acquire
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.recording import Recorder
from zenctl.metadata.store import (
    ExecutionState,
    Where,
)

RACER = """
import sys, time
from pathlib import Path
from zenctl.metadata.lock import Holder, LockHeld, acquire
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
store = MlmdStore(SqliteConnection(Path(sys.argv[1]), create=True))
print("ready", flush=True)
for line in sys.stdin:
    try:
        lock = acquire(store, "p", line.strip(), Holder.here("zenctl apply " + sys.argv[2]))
        print("won", lock.serial, flush=True)
    except LockHeld as held:
        print("lost", held.holder.pid, flush=True)
"""


class Racer:
    def __init__(self, path: Path, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.read() == "ready"

    def go(self, workspace: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(workspace + "\n")
        self.process.stdin.flush()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=240)


def test_of_two_racing_processes_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    racers = [Racer(path, "a"), Racer(path, "b")]
    try:
        for number in range(15):
            for racer in racers:
                racer.go(f"w{number}")
            answers = {racer.read(): racer for racer in racers}
            assert len(answers) == 2
            winner = answers.pop("won 1")
            assert list(answers) == [f"lost {winner.process.pid}"]
    finally:
        for racer in racers:
            racer.kill()


def test_the_lock_of_a_killed_process_is_taken_over_by_one_of_two(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    victim = Racer(path, "victim")
    victim.go("w")
    assert victim.read() == "won 1"
    store = MlmdStore(SqliteConnection(path, create=True))
    with pytest.raises(LockHeld, match="zenctl apply victim"):
        acquire(store, "p", "w", Holder.here())
    victim.kill()
    racers = [Racer(path, "a"), Racer(path, "b")]
    try:
        for racer in racers:
            racer.go("w")
        answers = sorted(racer.read() for racer in racers)
        assert answers[0].startswith("lost ")
        assert answers[1] == "won 2"
        abandoned = store.context("Apply", "p/w/1")
        assert abandoned is not None
        assert abandoned.properties["state"] == "abandoned"
    finally:
        for racer in racers:
            racer.kill()
        store.close()


def test_what_a_killed_process_ran_stays_visible(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    code = """
import os, sys
from pathlib import Path
from zenctl.addrs import parse
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.recording import Recorder
from zenctl.plans.actions import Components
store = MlmdStore(SqliteConnection(Path(sys.argv[1]), create=True))
recorder = Recorder(store, acquire(store, "p", "w", Holder.here("zenctl apply")))
recorder.start(parse("step.train.fit"), "job-1", "Train", Components("train/1"), "f" * 64, {})
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], timeout=240, check=False)
    store = MlmdStore(SqliteConnection(path, create=True))
    lock = acquire(store, "p", "w", Holder.here())
    assert [held.holder.command for held in lock.recovered] == ["zenctl apply"]
    [execution] = store.executions(Where())
    assert (execution.name, execution.state) == ("job-1", ExecutionState.RUNNING)
    Recorder(store, lock).fail(execution.id, "its apply was interrupted", canceled=True)
    lock.finish("complete")
    store.close()
