"""Modules, instances, conditions and moves through the installed command: plan, apply, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.conftest import Project

MAIN = """
variable "sizes" {
  type    = map(number)
  default = { a = 1, b = 2 }
}
step "python" "names" { code = "steps.py:names" }
module "sized" {
  source   = "./modules/sized"
  for_each = var.sizes
  size     = each.value
}
step "python" "named" {
  for_each = toset(step.python.names.result.value)
  code     = "steps.py:named"
  params   = { name = each.key }
}
output "sizes" { value = { for key, m in module.sized : key => m.doubled } }
check "small" {
  assert {
    condition     = module.sized["b"].doubled < 4
    error_message = "It is ${module.sized["b"].doubled}."
  }
}
"""
STEPS = """
def names() -> list:
    return ["x", "y"]


def named(*, name: str) -> str:
    return name.upper()
"""
CHILD = """
variable "size" {
  type = number
  validation {
    condition     = var.size > 0
    error_message = "A size must be positive, not ${var.size}."
  }
}
step "python" "double" {
  code   = "steps/double.py:double"
  params = { size = var.size }
  lifecycle {
    postcondition {
      condition     = self.result.value < 100
      error_message = "Too large: ${self.result.value}."
    }
  }
}
output "doubled" { value = step.python.double.result.value }
"""
DOUBLE = "from steps.factor import FACTOR\n\n\ndef double(*, size: int) -> int:\n    return FACTOR * size\n"


def write(project: Path) -> None:
    for name, text in {
        "main.zen.hcl": MAIN,
        "steps.py": STEPS,
        "modules/sized/sized.zen.hcl": CHILD,
        "modules/sized/steps/double.py": DOUBLE,
        "modules/sized/steps/factor.py": "FACTOR = 2\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def test_modules_and_instances_from_the_command_line(project: Project) -> None:
    write(project.root)
    assert '"for_each" of step.python.named is known only after apply' in project.fails("plan")
    project.ok("apply", "-auto-approve", "-target=step.python.names")
    applied = project.run("apply", "-auto-approve")
    assert "Apply complete: 4 run, 1 up to date." in applied.stdout
    assert 'Check "small" failed' in applied.stdout + applied.stderr
    assert project.ok("state", "list").split() == [
        'module.sized["a"].step.python.double',
        'module.sized["b"].step.python.double',
        'step.python.named["x"]',
        'step.python.named["y"]',
        "step.python.names",
    ]
    assert json.loads(project.ok("output", "-json"))["sizes"]["value"] == {"a": 2, "b": 4}
    project.ok("plan", "-detailed-exitcode")
    assert "double.py" in project.ok("state", "show", 'module.sized["a"].step.python.double')


def test_a_saved_plan_carries_its_modules(project: Project) -> None:
    write(project.root)
    project.ok("plan", "-out=p.zenplan", "-target=module.sized")
    (project.root / "modules/sized/steps/factor.py").write_text("FACTOR = 50\n")
    (project.root / "modules/sized/sized.zen.hcl").write_text("broken")
    assert "Apply complete: 2 run" in project.ok("apply", "p.zenplan")
    write(project.root)
    project.ok("plan", "-detailed-exitcode", "-target=module.sized")


def test_conditions_of_a_module(project: Project) -> None:
    write(project.root)
    assert "A size must be positive, not -1." in project.fails("plan", "-target=module.sized", "-var=sizes={a=-1,b=1}")
    said = project.fails("apply", "-auto-approve", "-target=module.sized", "-var=sizes={a=50,b=1}")
    assert 'module.sized["a"].step.python.double' in said.partition("Apply ended with errors")[2]
    assert "Too large: 100." in said


def test_files_of_a_module_are_pinned_by_a_plan(project: Project) -> None:
    module = 'output "names" { value = jsondecode(file("names.json")) }\n'
    main = 'module "m" { source = "./m" }\nstep "python" "names" {\n  code = "s.py:names"\n  params = {\n'
    main += '    names = module.m.names\n    when  = plantimestamp() == "" ? "" : "now"\n  }\n}\n'
    for name, text in {
        "main.zen.hcl": main,
        "m/main.zen.hcl": module,
        "m/names.json": '["a"]',
        "s.py": "def names(*, names: list, when: str) -> list:\n    return names\n",
    }.items():
        (project.root / name).parent.mkdir(exist_ok=True)
        (project.root / name).write_text(text)
    project.ok("plan", "-out=p.zenplan")
    (project.root / "m/names.json").write_text('["a", "b"]')
    said = project.fails("apply", "p.zenplan", code=5)
    assert "Changed since: m/names.json" in said
    (project.root / "m/names.json").write_text('["a"]')
    project.ok("apply", "p.zenplan")
    project.ok("plan", "-detailed-exitcode")
    (project.root / "m/names.json").write_text("[")
    assert "m/main.zen.hcl:1:37" in project.fails("plan")
