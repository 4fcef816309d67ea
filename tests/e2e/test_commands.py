"""The rest of what a user types: init, plan files, reuse, outputs, logs, interrupts, the lock."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import zipfile

import pytest

from tests.documented import expect_documented
from tests.e2e.conftest import ZENCTL, Project, kill_group, wait_for
from tests.measuring import PATIENCE

SLOW = """
from pathlib import Path
import time


def names_slow(started):
    Path(started).touch()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not Path(started + ".go").exists():
        time.sleep(0.02)
"""


def make_slow(project: Project) -> None:
    """Let `tallest` wait for a file, so that a test decides when it goes on."""
    project.write("steps/slow.py", SLOW)
    project.edit(
        "steps/rank.py", "    chosen = [", f"    names_slow({str(project.root / 'started')!r})\n    chosen = ["
    )
    project.edit("steps/rank.py", "from steps.order", "from steps.slow import names_slow\nfrom steps.order")


def test_init_writes_a_pipeline_that_runs(project: Project) -> None:
    printed = project.ok("init")
    assert "pipeline.zen.hcl" in printed
    assert ".zenctl/" in (project.root / ".gitignore").read_text()
    project.ok("validate")
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json")["largest"]["value"] == ["Blaise", "Carl", "Ada"]
    again = project.ok("init")
    assert "Created" not in again


def test_fmt_makes_nothing_stale(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    formatted = (tiny.root / "main.zen.hcl").read_text()
    tiny.edit("main.zen.hcl", " = ", "=")
    tiny.edit("main.zen.hcl", "\n  ", "\r\n")
    ugly = (tiny.root / "main.zen.hcl").read_bytes()
    checked = tiny.run("fmt", "-check")
    assert (checked.returncode, checked.stdout) == (3, "main.zen.hcl\n")
    assert "not formatted. `zenctl fmt` does it." in checked.stderr
    patch = subprocess.run(
        [ZENCTL, "fmt", "-diff", "-list=false", "-write=false"],
        cwd=tiny.root, env=tiny.environment, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert tiny.ok("fmt") == "main.zen.hcl\n"
    assert (tiny.root / "main.zen.hcl").read_text() == formatted
    assert tiny.ok("fmt", "-check", "-recursive") == ""
    assert tiny.stale() == {}
    subprocess.run(["git", "apply", "-R", "-p1"], cwd=tiny.root, input=patch.stdout, check=True, timeout=60)
    assert (tiny.root / "main.zen.hcl").read_bytes() == ugly


def test_fmt_in_a_pipe(project: Project) -> None:
    text = b"a=1\r\nb=<<E\r\nx\r\nE\r\n"
    for words, code, printed in (["-"], 0, b"a = 1\nb = <<E\nx\r\nE\n"), (["-check", "-"], 3, b""):
        done = subprocess.run(
            [ZENCTL, "fmt", *words],
            cwd=project.root, env=project.environment, input=text, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (code, printed, b"")


def test_a_saved_plan_runs_as_it_was_reviewed(tiny: Project) -> None:
    tiny.ok("plan", "-out=p.zenplan")
    tiny.edit("steps/order.py", "reverse=True", "reverse=False")
    tiny.ok("apply", "p.zenplan")
    assert b'["Blaise", "Carl"]' in [p.read_bytes() for p in (tiny.root / ".zenctl/artifacts/blobs").glob("*/*")]
    assert tiny.stale()["step.python.tallest"] == "RUN"


def test_a_stale_plan_is_refused_with_exit_code_5(tiny: Project) -> None:
    tiny.ok("plan", "-out=p.zenplan")
    tiny.ok("apply", "-auto-approve")
    said = tiny.fails("apply", "p.zenplan", code=5)
    assert "stale" in said


def test_a_plan_whose_data_moved_is_refused(tiny: Project) -> None:
    tiny.ok("plan", "-out=p.zenplan")
    (tiny.root / "heights.csv").write_text("name,height\nEve,190\n")
    said = tiny.fails("apply", "p.zenplan", code=5)
    assert "datasource.csv.heights" in said


def test_going_back_reuses_what_was_computed(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.ok("apply", "-auto-approve", "-var", "top=3")
    assert tiny.stale()["step.python.tallest"] == "REUSE"
    printed = tiny.ok("apply", "-auto-approve")
    assert "reused" in printed
    assert ": ran" not in printed


def test_equal_bytes_cut_off_what_follows(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.edit("steps/order.py", "return sorted(", "print('again')\n    return sorted(")
    assert tiny.stale() == {"step.python.tallest": "RUN", "step.python.count": "MAY_RUN"}
    printed = tiny.ok("apply", "-auto-approve")
    assert "step.python.tallest: ran" in printed
    assert "step.python.count: ran" not in printed
    tiny.ok("plan", "-detailed-exitcode")


def test_a_function_that_no_step_reaches_is_carried_and_does_not_count(tiny: Project) -> None:
    """Whole files are what runs; definitions are what makes a result stale, or finds it again."""
    tiny.ok("apply", "-auto-approve")
    path = tiny.root / "steps/order.py"
    path.write_text(path.read_text() + "\n\ndef by_name(rows):\n    return sorted(rows, key=str)\n")
    assert tiny.stale() == {}
    assert tiny.stale("-var", "top=3") == {"step.python.tallest": "RUN", "step.python.count": "MAY_RUN"}
    tiny.ok("plan", "-out=p.zenplan", "-var", "top=3")
    tiny.edit("steps/order.py", "key=str", "key=repr")
    with zipfile.ZipFile(tiny.root / "p.zenplan") as plan:
        codes = [zipfile.ZipFile(io.BytesIO(plan.read(name))) for name in plan.namelist() if name.startswith("code/")]
    texts = [code.read(name).decode() for code in codes for name in code.namelist() if name.endswith("order.py")]
    assert texts
    assert all("key=str" in text for text in texts)
    assert "step.python.tallest: ran" in tiny.ok("apply", "p.zenplan")
    assert tiny.stale("-var", "top=3") == {}
    assert tiny.stale()["step.python.tallest"] == "REUSE"


def test_logs_are_what_the_step_printed(tiny: Project) -> None:
    tiny.edit("steps/rank.py", "    chosen = [", "    print('hello from the step')\n    chosen = [")
    tiny.ok("apply", "-auto-approve")
    assert "hello from the step" in tiny.ok("logs", "step.python.tallest")


def test_following_the_log_of_a_job_that_was_killed_ends(tiny: Project) -> None:
    make_slow(tiny)
    tiny.edit("steps/rank.py", "    names_slow(", "    print('before it waits')\n    names_slow(")
    running = tiny.start("apply", "-auto-approve")
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        os.kill(running.pid, signal.SIGKILL)
    finally:
        kill_group(running)
    assert tiny.ok("logs", "-follow", "step.python.tallest") == "before it waits\n"


def test_show_reads_state_and_plan(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    assert "step.python.tallest" in tiny.ok("show")
    assert json.loads(tiny.ok("show", "-json"))
    tiny.ok("plan", "-out=p.zenplan", "-var", "top=1")
    assert "params.top: 2 -> 1" in tiny.ok("show", "p.zenplan")


def test_approval_is_asked_and_only_yes_approves(tiny: Project) -> None:
    declined = subprocess.run(
        [ZENCTL, "apply"],
        cwd=tiny.root, env=tiny.environment, input="y\n", capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert declined.returncode == 1
    assert not (tiny.root / ".zenctl" / "metadata.db").exists()


def test_apply_json_is_one_object_a_line(tiny: Project) -> None:
    lines = [json.loads(line) for line in tiny.ok("apply", "-json", "-auto-approve").splitlines()]
    assert lines[0]["type"] == "version"
    assert {"apply_start", "apply_complete", "change_summary"} <= {line["type"] for line in lines}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_lets_running_steps_finish(tiny: Project, number: signal.Signals) -> None:
    make_slow(tiny)
    running = tiny.start("apply", "-auto-approve")
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        os.kill(running.pid, number)
        (tiny.root / "started.go").touch()
        running.wait(timeout=PATIENCE)
    finally:
        kill_group(running)
    assert running.returncode == 128 + number
    assert "step.python.tallest" in tiny.ok("state", "list")
    assert tiny.stale() == {"step.python.count": "RUN"}


def test_the_second_interrupt_cancels(tiny: Project) -> None:
    make_slow(tiny)
    running = tiny.start("apply", "-auto-approve")
    assert running.stdout is not None
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        os.kill(running.pid, signal.SIGINT)
        wait_for(lambda: "nterrupt" in running.stdout.readline())
        os.kill(running.pid, signal.SIGINT)
        said = running.stdout.read()
        running.wait(timeout=PATIENCE)
    finally:
        kill_group(running)
    assert running.returncode == 130
    assert "1 canceled, 1 skipped." in said
    assert "canceled  step.python.tallest" in said
    assert "Error" not in said, "who cancels knows why it did not end"
    assert "fail" not in said
    assert "step.python.tallest" not in tiny.ok("state", "list")


def test_a_second_apply_is_told_who_holds_the_lock(tiny: Project) -> None:
    make_slow(tiny)
    running = tiny.start("apply", "-auto-approve")
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        said = tiny.fails("apply", "-auto-approve", code=4)
        assert str(running.pid) in said
        (tiny.root / "started.go").touch()
        running.wait(timeout=PATIENCE)
    finally:
        kill_group(running)
    assert running.returncode == 0


def test_kill_9_then_apply_carries_on(tiny: Project) -> None:
    make_slow(tiny)
    running = tiny.start("apply", "-auto-approve")
    try:
        wait_for(lambda: (tiny.root / "started").exists())
        os.kill(running.pid, signal.SIGKILL)
    finally:
        kill_group(running)
    (tiny.root / "started.go").touch()
    printed = tiny.ok("apply", "-auto-approve")
    expect_documented("zenctl is killed: `kill -9`, out of memory, a power cut", printed)
    assert "datasource.csv.heights: ran" not in printed
    tiny.ok("plan", "-detailed-exitcode")


def test_two_workspaces_do_not_see_each_other_s_heads(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    tiny.environment["ZENCTL_WORKSPACE"] = "other"
    assert tiny.ok("state", "list").strip() == ""


def test_yaml_means_the_same(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    (tiny.root / "main.zen.hcl").unlink()
    tiny.write(
        "main.zen.yaml",
        """\
zenctl: {project: tiny}
variable: {top: {type: number, default: 2}}
datasource: {csv: {heights: {path: heights.csv}}}
step:
  python:
    tallest:
      code: steps/rank.py:tallest
      inputs: {data: "${datasource.csv.heights}"}
      params: {top: "${var.top}"}
    count:
      code: steps/size.py:count
      inputs: {names: "${step.python.tallest.names}"}
output: {count: {value: "${step.python.count.result.value}"}}
""",
    )
    tiny.ok("plan", "-detailed-exitcode")
