"""Variables through the command line: who wins, what is asked, what a plan pins, and what is written down nowhere."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

from tests.e2e.conftest import ZENCTL, Project

LEVELS = ["default", "environment", "zenvars", "zenvars_json", "a", "b_json", "c", "first", "second", "third"]
"""From the weakest to the strongest; the last three are flags."""


def values(project: Project, *flags: str) -> dict[str, str]:
    """The variables of a plan that is made with these flags, which shows them as outputs."""
    return dict(re.findall(r'\+ (\w+) +\+?= "(.*)"', project.ok("plan", *flags)))


def test_each_level_beats_the_one_before(project: Project) -> None:
    project.write("main.zen.hcl", "".join(f'variable "{n}" {{ default = "default" }}\n' for n in LEVELS))
    project.write("outputs.zen.hcl", "".join(f'output "{n}" {{ value = var.{n} }}\n' for n in LEVELS))
    files = {
        "zenctl.zenvars": "zenvars",
        "zenctl.zenvars.json": "zenvars_json",
        "c.auto.zenvars": "c",
        "a.auto.zenvars": "a",
        "b.auto.zenvars.json": "b_json",
        "two.zenvars": "second",
    }
    for file, level in files.items():
        given = dict.fromkeys(LEVELS[LEVELS.index(level) :], level)
        project.write(
            file, json.dumps(given) if file.endswith("json") else "".join(f'{n} = "{level}"\n' for n in given)
        )
    project.environment |= {f"ZENCTL_VAR_{n}": "environment" for n in LEVELS[1:]}
    first = [f"-var={n}=first" for n in LEVELS[7:]]
    assert values(project, *first, "-var-file=two.zenvars", "-var", "third=third") == {n: n for n in LEVELS}
    found = values(project, "-var=third=third", "--var-file", "two.zenvars", *first)
    assert {n: found[n] for n in LEVELS[7:]} == dict.fromkeys(LEVELS[7:], "first")
    project.environment["ZENCTL_CLI_ARGS"] = "-var=second=environment -var-file=two.zenvars"
    assert values(project, *first[:1], "-var=third=third") == {n: n for n in LEVELS} | {"first": "first"}


SECRETS = """
variable "size" { default = 3 }
variable "key" {
  type        = string
  sensitive   = true
  description = "Opens the door."
}
variable "code" {
  type      = number
  ephemeral = true
  validation {
    condition     = var.code > var.size
    error_message = "The code must be above ${var.size}."
  }
}
output "length" {
  value     = length(var.key)
  sensitive = true
}
"""
HUNTER = "hunter2hunter2"
CODE = "73917391"


def written(project: Project, *secrets: str) -> list[str]:
    """Where below the project something secret stands."""
    files = [path for path in project.root.rglob("*") if path.is_file() and not path.name.endswith(".zenvars")]
    return [f"{path}: {secret}" for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_a_plan_holds_no_secret_and_is_applied_with_those_given_again(project: Project) -> None:
    project.write("main.zen.hcl", SECRETS)
    given = (f"-var=key={HUNTER}", f"-var=code={CODE}")
    project.ok("plan", "-out=p.plan", "-var=size=4", *given)
    said = project.fails("apply", "p.plan")
    assert 'Variable "key" has no value' in said
    assert 'Variable "code" has no value' in said
    assert "as it is ephemeral: it must be given again" in said
    said = project.fails("apply", "-var=size=5", *given, "p.plan")
    assert 'Variable "size" cannot be changed when a plan is applied' in said
    project.write("secrets.auto.zenvars", f'key = "{HUNTER}"')
    project.environment["ZENCTL_VAR_code"] = "2"
    said = project.fails("apply", "p.plan")
    assert "The code must be above 4." in said
    assert "var.code is (ephemeral value)" in said
    assert "Apply complete" in project.ok("apply", f"-var=code={CODE}", "p.plan")
    del project.environment["ZENCTL_VAR_code"]
    assert project.json("output", "-json")["length"]["value"] is None
    assert written(project, HUNTER, CODE) == []


def test_apply_without_a_plan_file_takes_secrets_from_anywhere(project: Project) -> None:
    project.write("main.zen.hcl", SECRETS)
    project.write("secrets.auto.zenvars", f'key = "{HUNTER}"')
    assert "Apply complete" in project.ok("apply", "-auto-approve", f"-var=code={CODE}")
    assert written(project, HUNTER, CODE) == []


def test_an_ephemeral_value_is_refused_where_it_would_be_written(tiny: Project) -> None:
    tiny.write("more.zen.hcl", f'variable "brief" {{\n  ephemeral = true\n  default = {CODE}\n}}\n')
    tiny.edit("main.zen.hcl", "params = { top = var.top }", "params = { top = var.brief }")
    for command in ("validate", "plan"):
        said = tiny.fails(command)
        assert 'An ephemeral value is given to "params.top"' in said
        assert "main.zen.hcl:17:20" in said
        assert CODE not in said.replace(f"default = {CODE}", "")


def test_functions_cannot_be_called_in_values(project: Project) -> None:
    project.write("main.zen.hcl", 'variable "a" {}\nvariable "b" { type = list(string) }\n')
    project.write("zenctl.zenvars", 'a = upper("x")\n')
    said = project.fails("plan", '-var=b=[lower("Y")]')
    assert 'The value of variable "a" must be a literal value' in said
    assert "on zenctl.zenvars:1:5" in said
    assert "Functions cannot be called here." in said
    assert 'given by -var b is not of type list(string): The value of variable "b" must be a literal value' in said
    project.write("zenctl.zenvars", "a = true ? 1 + 1 : 0\n")
    project.ok("plan", '-var=b=["y"]')
    project.write("main.zen.hcl", 'variable "a" { default = lower("A") }\n')
    assert "main.zen.hcl:1:26" in project.fails("validate")


def test_mistakes_are_pointed_at(project: Project) -> None:
    type_ = "list(object({ name = string, port = optional(number, 80) }))"
    project.write("main.zen.hcl", f'variable "rules" {{ type = {type_} }}\n')
    project.write("prod.zenvars", 'ruels = []\nrules = [\n  { name = "a" },\n  { name = "b", port = "x" },\n]\n')
    said = project.fails("plan", "-var-file=prod.zenvars")
    assert "on prod.zenvars:4:24" in said
    assert 'At [1].port: a number is required. It is "x", given by prod.zenvars.' in said
    assert 'Warning: There is no variable "ruels", which prod.zenvars:1:1 gives a value' in said
    said = project.fails("plan", '-var=rules=[{name="a"}, {nam="b"}]')
    assert 'At [1]: attribute "name" is required. It is {nam = "b"}, given by -var rules.' in said
    project.environment["ZENCTL_VAR_rules"] = "[1]"
    said = " ".join(project.fails("plan").split())
    assert (
        "At [0]: an object is required, not a number. It is 1, given by the environment variable ZENCTL_VAR_rules."
        in said
    )
    del project.environment["ZENCTL_VAR_rules"]
    said = project.fails("plan", "-var=ruels=[]", "-var-file=prdo.zenvars")
    assert '-var: there is no variable "ruels"' in said
    assert 'Did you mean "rules"?' in said
    assert 'Did you mean "prod.zenvars"?' in said
    assert "has no value" not in said


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, project: Project, *words: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [ZENCTL, *words],
            cwd=project.root,
            env=project.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._fd = ours
        self.said = ""

    def until(self, text: str, seconds: float = 60.0) -> None:
        """Read until this was said, after what was answered last."""
        deadline = time.monotonic() + seconds
        while text not in self.said.rpartition("\0")[2]:
            assert time.monotonic() < deadline, self.said
            if select.select([self._fd], [], [], 0.2)[0]:
                self.said += os.read(self._fd, 65536).decode().replace("\r", "")

    def answer(self, text: str) -> None:
        self.said += "\0"
        os.write(self._fd, f"{text}\n".encode())

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        try:
            while data := os.read(self._fd, 65536):
                self.said += data.decode().replace("\r", "")
        except OSError:  # what Linux says when the other side is closed
            pass
        os.close(self._fd)
        return self.process.wait(60)


@pytest.mark.parametrize("planned", [False, True])
def test_a_person_is_asked_and_secrets_are_not_echoed(project: Project, planned: bool) -> None:
    project.write("main.zen.hcl", SECRETS)
    words = ["apply"]
    if planned:
        project.ok("plan", "-out=p.plan", f"-var=key={HUNTER}", f"-var=code={CODE}")
        words = ["apply", "p.plan"]
    screen = Screen(project, *words)
    screen.until("Enter a value:")
    assert "var.code (ephemeral, number)" in screen.said
    screen.answer(CODE)
    screen.until("Enter a value:")
    assert "var.key (string)\n  Opens the door.\n  What you type is not shown." in screen.said
    screen.answer(HUNTER)
    if not planned:
        screen.until("Only the answer 'yes' approves.")
        screen.answer("yes")
    assert screen.end() == 0
    assert "Apply complete" in screen.said
    assert screen.said.count("var.key (string)") == 1
    assert CODE in screen.said, "what is not secret is echoed by the terminal"
    assert HUNTER not in screen.said
    assert written(project, HUNTER, CODE) == []


def test_input_false_asks_nothing(project: Project) -> None:
    project.write("main.zen.hcl", SECRETS)
    screen = Screen(project, "plan", "-input=false")
    assert screen.end() == 1
    assert "Enter a value" not in screen.said
    assert screen.said.count("has no value") == 2
    assert not (project.root / ".zenctl").exists()


def test_what_is_recorded_can_be_read_whatever_is_wrong_with_the_configuration(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    listed, outputs = tiny.ok("state", "list"), tiny.ok("output", "-json")
    tiny.write(
        "more.zen.hcl",
        """\
variable "needed" {}
variable "checked" {
  default = 1
  validation {
    condition     = var.checked > 1
    error_message = "Too small."
  }
}
locals { a = local.b }
step "trian" "x" {}
module "gone" { source = "./gone" }
zenctl {
  artifacts "elsewhere" {}
}
""",
    )
    tiny.environment["ZENCTL_VAR_top"] = "many"
    assert "Too small" in tiny.fails("plan", "-input=false")
    assert tiny.ok("state", "list") == listed
    assert tiny.ok("output", "-json") == outputs
    assert "step.python.tallest" in tiny.ok("state", "show", "step.python.tallest")
    assert "step.python.tallest" in tiny.ok("show")
    tiny.edit("more.zen.hcl", '  artifacts "elsewhere" {}\n', "")
    assert "There is no log" not in tiny.ok("logs", "step.python.tallest")
    tiny.write("more.zen.hcl", 'provider "local" { region = var.needed }\nvariable "needed" {}\n')
    assert tiny.ok("state", "list") == listed
    tiny.write("more.zen.hcl", "zenctl {\n")
    said = tiny.fails("state", "list")
    assert "Unclosed block" in said
    assert "more.zen.hcl:1:1" in said
    tiny.write("more.zen.hcl", 'zenctl {\n  metadata "sqlit" {}\n}\n')
    for words in (["output"], ["state", "show", "step.python.tallest"], ["logs", "step.python.tallest"]):
        said = tiny.fails(*words)
        assert 'There is no metadata store type "sqlit"' in said
        assert '  metadata "sqlit" {}' in said
