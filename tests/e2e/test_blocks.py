"""Instances, conditions, moves and removals over several applies, through the installed command."""

from __future__ import annotations

import json

from tests.e2e.conftest import Project

STEPS = """
import os


def names(*, p: int = 0) -> list:
    return ["a", "b"]


def number(*, n: int = 0, name: str = "") -> int:
    if name and name == os.environ.get("FAILS"):
        raise ValueError("told to fail")
    return n
"""
APPLY = ("apply", "-auto-approve")


def test_instances_that_follow_from_a_reused_result_wait_for_it(project: Project) -> None:
    project.write("s.py", STEPS)
    project.write(
        "main.zen.hcl",
        """
variable "p" { default = 1 }
variable "n" { default = 1 }
step "python" "names" {
  code   = "s.py:names"
  params = { p = var.p }
}
step "python" "first" {
  for_each = toset(step.python.names.result.value)
  code     = "s.py:number"
  params   = { name = each.key }
}
step "python" "second" {
  for_each = step.python.first
  code     = "s.py:number"
  params   = { name = each.key, n = var.n }
}
""",
    )
    names = "-target=step.python.names"
    project.ok(*APPLY, names)
    project.ok(*APPLY)
    project.ok(*APPLY, names, "-var=p=2")
    assert "Apply complete: 2 run, 1 reused, 2 up to date." in project.ok(*APPLY, "-var=n=2")


def test_only_what_uses_a_failed_instance_is_skipped(project: Project) -> None:
    project.write("s.py", STEPS)
    project.write(
        "main.zen.hcl",
        """
locals { keys = toset(["good", "bad"]) }
step "python" "first" {
  for_each = local.keys
  code     = "s.py:number"
  params   = { name = each.key }
}
step "python" "second" {
  for_each = local.keys
  code     = "s.py:number"
  params   = { n = step.python.first[each.key].result.value + 1 }
}
""",
    )
    project.environment["FAILS"] = "bad"
    said = project.fails(*APPLY)
    assert 'step.python.second["good"]: ' in said
    assert 'step.python.second["bad"]: skipped (needs step.python.first["bad"])' in said
    assert project.ok("state", "list").split() == ['step.python.first["good"]', 'step.python.second["good"]']
    del project.environment["FAILS"]
    assert "2 up to date." in project.ok(*APPLY)


def test_a_postcondition_is_checked_of_a_reused_result(project: Project) -> None:
    project.write("s.py", STEPS)
    project.write(
        "main.zen.hcl",
        """
variable "n" { default = 1 }
step "python" "given" {
  code   = "s.py:number"
  params = { n = var.n }
}
step "python" "checked" {
  code   = "s.py:number"
  params = { n = step.python.given.result.value }
  lifecycle {
    postcondition {
      condition     = self.result.value < 5
      error_message = "It is ${self.result.value}."
    }
  }
}
step "python" "after" {
  code   = "s.py:number"
  params = { n = step.python.checked.result.value }
}
""",
    )
    project.ok(*APPLY)
    said = project.fails(*APPLY, "-var=n=7")
    assert "step.python.after: skipped (needs step.python.checked)" in said
    assert "It is 7." in said
    assert "It is 7." in project.fails("plan", "-var=n=7")
    assert "step.python.checked" in project.ok("state", "list")


def test_moves_are_followed_in_whatever_order_they_are_written(project: Project) -> None:
    project.write("s.py", STEPS)
    step = 'step "python" "NAME" { code = "s.py:number" }\n'
    chain = "moved {\n  from = step.python.b\n  to   = step.python.c\n}\n"
    chain += "moved {\n  from = step.python.a\n  to   = step.python.b\n}\n"
    project.write("main.zen.hcl", step.replace("NAME", "a"))
    project.ok(*APPLY)
    project.write("main.zen.hcl", step.replace("NAME", "c") + chain)
    assert "step.python.a has moved to step.python.c" in project.ok(*APPLY)
    assert "No changes." in project.ok(*APPLY), "a move is made once"
    project.write("main.zen.hcl", 'output "x" { value = 1 }\n' + chain.replace("python.c", "python.d"))
    assert "step.python.c: forgotten" in project.ok(*APPLY)


def test_what_moved_to_where_nothing_is_wanted_is_forgotten_once(project: Project) -> None:
    project.write("s.py", STEPS)
    project.write("main.zen.hcl", 'step "python" "a" { code = "s.py:number" }\n')
    project.ok(*APPLY)
    project.write("main.zen.hcl", "moved {\n  from = step.python.a\n  to   = step.python.b\n}\n")
    assert "step.python.b: forgotten" in project.ok(*APPLY)
    assert project.ok("state", "list").split() == []
    assert json.loads(project.ok("show", "-json"))
