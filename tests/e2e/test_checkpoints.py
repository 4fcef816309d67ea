"""A step that saves checkpoints: the next attempt at the same result goes on, any other begins anew."""

from __future__ import annotations

import os
import signal

from tests.documented import expect_documented
from tests.e2e.conftest import Project, kill_group, wait_for

MAIN = """
zenctl { project = "steady" }
variable "turns" {
  type    = number
  default = 3
}
step "python" "fit" {
  code   = "fit.py:fit"
  params = { turns = var.turns }
}
output "turns" { value = step.python.fit.result }
"""

FIT = """
import time
from pathlib import Path
from zenctl.sdk import Checkpoints

def fit(checkpoints: Checkpoints, *, turns: int) -> list:
    file = checkpoints.path / "turns"
    done = file.read_text().split() if checkpoints.resumed else []
    while len(done) < turns:
        done.append(str(len(done)))
        print("turn", done[-1], "resumed" if checkpoints.resumed else "anew", flush=True)
        file.write_text(" ".join(done))
        checkpoints.save()
        Path(GO, "begun").touch()
        while not Path(GO, "go").exists() and len(done) == 2:
            time.sleep(0.02)
    return done
"""

FAULT = "a step that keeps [checkpoints](checkpoints.md) is killed with its apply, or loses its machine"

CHECKPOINTS = ".zenctl/artifacts/checkpoints"


def kept(project: Project) -> list[str]:
    return [p.name for p in (project.root / CHECKPOINTS).rglob("*.json")]


def test_a_killed_apply_goes_on_and_what_is_abandoned_is_freed(project: Project) -> None:
    project.write("main.zen.hcl", MAIN)
    project.write("fit.py", FIT.replace("GO", repr(str(project.root))))
    applying = project.start("apply", "-auto-approve")
    wait_for(lambda: len(kept(project)) == 2)
    os.killpg(applying.pid, signal.SIGKILL)
    kill_group(applying)

    # Another result begins anew, and what nobody will go on from any more is garbage by then.
    (project.root / "go").touch()
    project.ok("apply", "-auto-approve", "-var=turns=1")
    assert project.ok("logs", "step.python.fit") == "turn 0 anew\n"
    assert len(kept(project)) == 2
    assert "no record names" in project.ok("state", "gc", "-auto-approve").lower()
    assert kept(project) == []

    (project.root / "go").unlink()
    applying = project.start("apply", "-auto-approve")
    wait_for(lambda: len(kept(project)) == 2)
    os.killpg(applying.pid, signal.SIGKILL)
    kill_group(applying)
    assert "nothing to free" in project.ok("state", "gc", "-auto-approve"), "an attempt may go on from it"
    (project.root / "go").touch()
    said = project.ok("apply", "-auto-approve")
    expect_documented(FAULT, said)
    assert project.ok("logs", "step.python.fit").splitlines()[1:] == ["turn 2 resumed"]
    assert project.json("output", "-json")["turns"]["value"] == ["0", "1", "2"]
    shown = project.ok("state", "show", "step.python.fit")
    assert "from the checkpoint of " in shown
    job = project.json("state", "show", "-json", "step.python.fit")["values"]["resumed_from_job_id"]
    assert job in shown
    assert kept(project) == []
    assert "No changes." in project.ok("plan")
    # To make it again begins anew, and gives the same.
    assert "Equal. Every byte is as it was recorded." in project.ok("reproduce", "step.python.fit")
