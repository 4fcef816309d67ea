"""What lifecycle, enabled and moved promise, held by the installed command: through kills and runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, kill_group, wait_for

STEPS = """
from pathlib import Path


def source(*, size: int) -> int:
    return size % 10


def follow(*, of: int = 0) -> int:
    with Path({ran!r}).open("a") as log:
        log.write("follow\\n")
    return of


def other() -> str:
    return "other"


def slow(*, gate: str) -> int:
    Path(gate + ".begun").touch()
    while not Path(gate).exists():
        Path(gate + ".begun").stat()
    return 1
"""
APPLY = ("apply", "-auto-approve")


@pytest.fixture
def steps(project: Project, tmp_path: Path) -> Path:
    """The steps written; gives the file in which `follow` notes that it ran."""
    ran = tmp_path / "ran"
    ran.touch()
    project.write("steps.py", STEPS.replace("{ran!r}", repr(str(ran))))
    return ran


TRIGGERED = """
variable "size" { default = 1 }
step "python" "source" {
  code   = "steps.py:source"
  params = { size = var.size }
}
step "python" "middle" {
  code   = "steps.py:source"
  params = { size = step.python.source.result.value }
}
step "python" "follow" {
  code = "steps.py:follow"
  lifecycle {
    replace_triggered_by = [step.python.middle]
  }
}
"""


def test_a_trigger_that_may_run_runs_what_follows_only_if_it_does(project: Project, steps: Path) -> None:
    project.write("main.zen.hcl", TRIGGERED)
    project.ok(*APPLY)
    assert steps.read_text().count("follow") == 1
    assert "No changes." in project.ok("plan")

    # `middle` may run: its input is computed anew, and comes out the same.
    planned = project.ok("plan", "-var=size=11")
    assert "step.python.follow may run" in planned
    assert "replace_triggered_by: step.python.middle may run" in planned
    project.ok(*APPLY, "-var=size=11")
    assert steps.read_text().count("follow") == 1

    # This time it comes out different.
    project.ok(*APPLY, "-var=size=12")
    assert steps.read_text().count("follow") == 2


IGNORING = """
step "python" "follow" {
  code   = "steps.py:follow"
  params = { of = OF }
  lifecycle {
    ignore_changes = IGNORED
  }
}
"""


def ignoring(ignored: str, of: int = 1) -> str:
    return IGNORING.replace("IGNORED", ignored).replace("OF", str(of))


def test_ignored_code_and_all_make_nothing_stale(project: Project, steps: Path) -> None:
    project.write("main.zen.hcl", ignoring("[code]"))
    project.ok(*APPLY)
    project.edit("steps.py", "return of", "return of + 0")
    assert "No changes." in project.ok("plan")
    # It runs because of another change: then with the code as it is now.
    project.write("main.zen.hcl", ignoring("[code]", of=2))
    planned = project.ok("plan")
    assert "step.python.follow will be run again" in planned
    assert "params.of: 1 -> 2" in planned
    project.ok(*APPLY)

    project.edit("steps.py", "return of + 0", "return of - 0")
    project.write("main.zen.hcl", ignoring("all", of=3))
    assert "No changes." in project.ok("plan")
    project.ok(*APPLY)
    assert steps.read_text().count("follow") == 2

    # What is ignored is kept for as long as it is: now both count.
    project.write("main.zen.hcl", ignoring("[]", of=3))
    planned = project.ok("plan")
    assert "params.of: 2 -> 3" in planned
    assert "code" in planned


def test_an_ignored_environment_makes_nothing_stale(project: Project, steps: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    made = packages / "madeup-1.0.dist-info"
    made.mkdir(parents=True)
    (packages / "madeup.py").write_text("")
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: madeup\nVersion: 1.0\n")
    (made / "RECORD").write_text("madeup.py,,\n")
    project.environment["PYTHONPATH"] = str(packages)
    project.edit("steps.py", "from pathlib import Path", "from pathlib import Path\n\nimport madeup")
    project.edit("steps.py", "return of", "return of + (madeup is None)")
    project.write("main.zen.hcl", ignoring("[environment]"))
    project.ok(*APPLY)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: madeup\nVersion: 2.0\n")
    made.rename(packages / "madeup-2.0.dist-info")
    assert "No changes." in project.ok("plan")
    project.write("main.zen.hcl", ignoring("[]"))
    assert "madeup 1.0 -> 2.0" in project.ok("plan")


ENABLED = """
locals {
  runs = {
    a = { on = true }
    b = { on = false }
    c = { on = SWITCH }
  }
}
step "python" "each" {
  for_each = local.runs
  code     = "steps.py:other"
  enabled  = each.value.on
}
output "made" {
  value = [for key, run in step.python.each : key if run != null]
}
"""


def test_instances_are_switched_on_and_off_one_by_one(project: Project, steps: Path) -> None:
    project.write("main.zen.hcl", ENABLED.replace("SWITCH", "true"))
    project.ok(*APPLY)
    assert project.ok("state", "list").split() == ['step.python.each["a"]', 'step.python.each["c"]']
    assert project.json("output", "-json", "made") == ["a", "c"]
    project.write("main.zen.hcl", ENABLED.replace("SWITCH", "false"))
    planned = project.ok("plan")
    assert 'step.python.each["c"] will be forgotten' in planned
    assert "is not enabled" in planned
    project.ok(*APPLY)
    assert project.ok("state", "list").split() == ['step.python.each["a"]']
    assert project.json("output", "-json", "made") == ["a"]


MOVED = """
step "python" "NAME" { code = "steps.py:follow" }
step "python" "slow" {
  code   = "steps.py:slow"
  params = { gate = "GATE" }
}
"""


def test_a_move_holds_when_the_apply_that_makes_it_is_killed(project: Project, steps: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    text = MOVED.replace("GATE", str(gate))
    gate.touch()
    project.write("main.zen.hcl", text.replace("NAME", "old"))
    project.ok(*APPLY)
    before = project.json("state", "show", "step.python.old", "-json")
    gate.unlink()
    (tmp_path / "gate.begun").unlink()

    # Killed while a step runs: the move is recorded, and the move block may stay or go.
    moved = "moved {\n  from = step.python.old\n  to   = step.python.new\n}\n"
    project.write("main.zen.hcl", text.replace("NAME", "new") + moved)
    running = project.start(*APPLY, "-replace=step.python.slow")
    try:
        wait_for(lambda: (tmp_path / "gate.begun").exists())
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    finally:
        gate.touch()
        kill_group(running)
    planned = project.stale()
    assert "step.python.new" not in planned
    assert "step.python.old" not in planned
    assert "step.python.new" in project.ok("state", "list")
    assert "step.python.old" not in project.ok("state", "list")
    after = project.json("state", "show", "step.python.new", "-json")
    assert after["values"]["outputs"] == before["values"]["outputs"]
    project.ok(*APPLY)
    project.write("main.zen.hcl", text.replace("NAME", "new"))
    assert "No changes." in project.ok("plan")
    assert steps.read_text().count("follow") == 1
