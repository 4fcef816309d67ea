"""The applies of a workspace, and the lock of one that is dead, through the installed command."""

from __future__ import annotations

import time

import pytest

from tests.e2e.conftest import Project
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.opening import open_store

ELSEWHERE = Holder("other-host", 4711, "zenctl apply -auto-approve", "ada", since_ms=time.time_ns() // 1_000_000)


@pytest.fixture
def held(tiny: Project) -> Project:
    """Apply 1 is done; another machine holds the lock for apply 2."""
    tiny.ok("apply", "-auto-approve")
    project = tiny.json("show", "-json")["project"]
    store = open_store("sqlite", {}, tiny.root / ".zenctl", create=True)
    acquire(store, project, "default", ELSEWHERE, lease_seconds=3600).close()
    store.close()
    return tiny


def test_history_and_force_unlock(held: Project) -> None:
    listed = held.json("history", "-json")["applies"]
    assert [(a["serial"], a["result"]) for a in listed] == [(2, "running"), (1, "complete")]
    assert (listed[0]["user"], listed[0]["host"], listed[0]["ended"]) == ("ada", "other-host", None)
    rows = held.ok("history").splitlines()
    assert rows[0].split() == ["SERIAL", "BEGAN", "TOOK", "RESULT", "BY", "COMMAND"]
    assert "ada@other-host" in rows[1]
    assert "zenctl apply -auto-approve" in rows[2]
    assert len(held.ok("history", "-last=1").splitlines()) == 2

    refused = held.run("apply", "-auto-approve", "-replace=step.python.count")
    assert refused.returncode == 4
    assert "zenctl force-unlock 2" in " ".join(refused.stderr.split())
    assert "does not hold the lock" in held.fails("force-unlock", "-force", "1")
    assert "is no number" in held.fails("force-unlock", "two")
    asked = held.run("force-unlock", "2")
    assert asked.returncode == 1
    assert "Not approved" in asked.stderr
    assert "is unlocked" in held.ok("force-unlock", "-force", "2")
    assert held.json("history", "-json")["applies"][0]["result"] == "abandoned"
    assert "No apply holds the lock" in held.fails("force-unlock", "2")
    held.ok("apply", "-auto-approve", "-replace=step.python.count")
    assert held.json("history", "-json")["applies"][0]["serial"] == 3


def test_the_runs_of_an_address(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.edit("steps/size.py", "    return len", '    raise ValueError("too few")\n    return len')
    tiny.fails("apply", "-auto-approve")
    rows = [row.split() for row in tiny.ok("history", "step.python.count").splitlines()]
    assert [(row[0], row[5]) for row in rows[1:]] == [("2", "failed"), ("1", "complete")]
    assert "ValueError: too few" in " ".join(rows[1])
    assert len(tiny.ok("history", "step.python.count", "-last=1").splitlines()) == 2
    runs = tiny.json("history", "step.python.count", "-json")["runs"]
    assert [run["values"]["serial"] for run in runs] == [2, 1]
    assert "Nothing is recorded of step.python.other" in tiny.fails("history", "step.python.other")
    assert "names no address" in tiny.fails("history", "nothing")


def test_before_the_first_apply(tiny: Project) -> None:
    assert tiny.ok("history") == "Nothing has been applied yet.\n"
    assert tiny.json("history", "-json")["applies"] == []
    assert not (tiny.root / ".zenctl").exists()
