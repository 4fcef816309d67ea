"""`zenctl console`, piped and at a terminal, over an applied project."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, ZENCTL, Project


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project with a secret and a module, applied once. No test changes it."""
    project = Project(tmp_path_factory.mktemp("console"))
    for path in sorted((ROOT / "tests/golden/nothing-changed/before").rglob("*")):
        if path.is_file():
            project.write(str(path.relative_to(ROOT / "tests/golden/nothing-changed/before")), path.read_text())
    project.write("steps/never.py", "raise SystemExit('imported')\n")
    project.write(
        "more.zen.hcl",
        """
variable "password" {
  sensitive = true
  default   = "hunter2"
}
locals { shares = { train = 0.8, eval = 0.2 } }
module "named" {
  source = "./named"
  name   = "Ada"
}
""",
    )
    project.write("named/main.zen.hcl", 'variable "name" {}\noutput "greeting" { value = "hello ${var.name}" }\n')
    project.ok("apply", "-auto-approve")
    rank = project.root / "steps" / "rank.py"
    rank.write_text("import steps.never\n" + rank.read_text())
    return project


def piped(project: Project, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ZENCTL, "console", *words],
        cwd=project.root, env=project.environment, input=text, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_without_a_configuration_plain_expressions_have_values(project: Project) -> None:
    done = piped(project, "1 + /* two\nlines */ 2\nupper(path.module)\nzenctl.workspace\n/*\n\n*/\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["3", '"."', '"default"']
    assert list(project.root.iterdir()) == []
    done = piped(project, "var.x\n")
    assert done.returncode == 1
    assert "There is no var.x" in done.stderr


def test_one_expression_a_line(applied: Project) -> None:
    typed = """
# what was applied
var.top + 1
step.python.count.value
module.named.greeting
datasource.csv.heights.type
{ secret = var.password, shares = local.shares }
max(1,
    2)
type(local.shares)
exit
1 / 0
"""
    done = piped(applied, typed, "-var", "top=4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "5",
        "2",
        '"hello Ada"',
        '"Dataset"',
        "{ secret = (sensitive value), shares = { eval = 0.2, train = 0.8 } }",
        "2",
        "object({eval=number,train=number})",
    ]


def test_values_are_json_on_request(applied: Project) -> None:
    done = piped(applied, "[var.password, local.shares]\nstep.python.tallest.digest\ntype(1)", "-json")
    assert done.returncode == 0
    first, digest, type_ = (json.loads(line) for line in done.stdout.splitlines())
    assert first == [None, {"train": 0.8, "eval": 0.2}]
    assert len(digest) == 64
    assert type_ == "number"


def test_what_is_wrong_goes_to_standard_error_and_the_rest_is_still_answered(applied: Project) -> None:
    done = piped(applied, "1\nvar.tpo\ndatasource.csv.heights.digset\n2\n(3")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["1", "2"]
    assert 'Did you mean "top"?' in done.stderr
    assert 'Did you mean "digest"?' in done.stderr
    assert "<console>:3:23" in done.stderr
    assert done.stderr.count("Error:") == 3


def test_it_writes_nothing_and_waits_for_no_lock(applied: Project) -> None:
    def snapshot() -> dict[str, tuple[int, int]]:
        files = [p for p in applied.root.rglob("*") if p.is_file()]
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in files}

    before = snapshot()
    assert piped(applied, "step.python.count.value").stdout == "2\n"
    assert snapshot() == before


def test_before_the_first_apply_results_are_not_known(tiny: Project) -> None:
    done = piped(tiny, "step.python.count.value\nvar.top\n")
    assert done.stdout == "(known after apply)\n2\n"
    assert not (tiny.root / ".zenctl").exists()


def test_a_step_with_a_mistake_is_told(tiny: Project) -> None:
    tiny.edit("steps/size.py", "def count(", "def cuont(")
    done = piped(tiny, "step.python.count\n")
    assert done.returncode == 1
    assert 'Did you mean "cuont"?' in done.stderr
    assert "main.zen.hcl:21:12" in done.stderr


class Typist:
    """A console at a terminal of its own."""

    def __init__(self, project: Project, home: Path, *words: str) -> None:
        environment = {**project.environment, "TERM": "xterm", "HOME": str(home), "INPUTRC": "/dev/null"}
        environment.pop("XDG_STATE_HOME", None)
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [ZENCTL, "console", *words],
            cwd=project.root, env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, text: str) -> str:
        """Read until the terminal shows this; gives what it has shown since the last time."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} never came: {self.seen!r}"
            self.seen += os.read(self.master, 4096).decode()
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def interrupt(self, text: str) -> None:
        """Press Control-C until the terminal shows this: one before its next read is heard at the next key."""
        deadline = time.monotonic() + 60
        self.type("\x03")
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.seen!r}"
            if not select.select([self.master], [], [], 5)[0]:
                self.type("\x03")
                continue
            self.seen += os.read(self.master, 4096).decode()
        self.seen = self.seen.rpartition(text)[2]

    def ended(self) -> int:
        code = self.process.wait(timeout=60)
        os.close(self.master)
        return code


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def typist(applied: Project, home: Path) -> Iterator[Typist]:
    made = Typist(applied, home, "-var", "password=swordfish")
    made.until("> ")
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.ended()


def test_at_a_terminal(typist: Typist, home: Path) -> None:
    typist.type("var.top\r")
    typist.until("\n2\r\n> ")
    typist.type("max(1,\r")
    typist.until("\n: ")
    typist.type("7)\r")
    typist.until("\n7\r\n> ")
    typist.type("nonsense\r")
    typist.until("There is nothing named")
    typist.type('"swordfish" == var.password\r')
    typist.until("(sensitive value)")
    typist.type("exit\r")
    assert typist.ended() == 0
    history = home / ".local/state/zenctl/history"
    assert history.read_text().splitlines() == ["var.top", "max(1,", "7)", "nonsense", "exit"]
    assert history.stat().st_mode & 0o777 == 0o600


def test_tab_completes_names(typist: Typist) -> None:
    typist.type("step.py\t")
    typist.until("step.python")
    typist.type(".cou\t")
    typist.until(".count")
    typist.type(".va\t\r")
    typist.until("\n2\r\n> ")
    typist.type("local.sha\t.tr\t\r")
    typist.until("\n0.8\r\n> ")
    typist.type("length([mod\tna\t.gree\t])\r")
    typist.until("\n1\r\n> ")
    typist.type("\x04")
    assert typist.ended() == 0


def test_control_c_drops_what_was_typed_and_history_comes_back(applied: Project, typist: Typist, home: Path) -> None:
    typist.type("var.top\r")
    typist.until("\n2\r\n> ")
    typist.type("max(1,\r")
    typist.until("\n: ")
    typist.type("3")
    typist.until("3")
    typist.interrupt("\n> ")
    typist.type("41 + 1\r")
    typist.until("\n42\r\n> ")
    typist.type("\x04")
    assert typist.ended() == 0
    again = Typist(applied, home)
    again.until("> ")
    again.type("\x1b[A\r")
    again.until("\n42\r\n")
    again.type("exit\r")
    assert again.ended() == 0
