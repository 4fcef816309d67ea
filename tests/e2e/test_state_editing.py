"""What is recorded is forgotten or moved by hand: nothing runs again that need not, and endpoints run on."""

from __future__ import annotations

from tests.e2e.conftest import Project
from tests.e2e.test_endpoint_lifecycle import FIT, MAIN, answers, endpoint, free_ports, live

APPLY = ("apply", "-auto-approve")
TALLEST, COUNT, DATA = "step.python.tallest", "step.python.count", "datasource.csv.heights"

INSTANCES = """
module "sized" {
  source   = "./modules/sized"
  for_each = toset(["a", "b"])
  size     = length(each.key)
}
step "python" "named" {
  for_each = toset(["x", "y"])
  code     = "steps.py:named"
  params   = { name = each.key }
}
"""
SIZED = """
variable "size" { type = number }
step "python" "double" {
  code   = "steps.py:double"
  params = { size = var.size }
}
"""
STEPS = """
def double(*, size: int) -> int:
    return 2 * size


def named(*, name: str) -> str:
    return name.upper()
"""


def listed(project: Project) -> list[str]:
    return project.ok("state", "list").split()


def test_what_was_forgotten_is_reused_where_it_still_fits(tiny: Project) -> None:
    tiny.ok(*APPLY)
    assert "Nothing was changed" in tiny.ok("state", "rm", "-dry-run", TALLEST)
    assert "is recorded for step.python.cont" in tiny.fails("state", "rm", TALLEST, "step.python.cont")
    assert 'Did you mean "step.python.count"?' in tiny.fails("state", "rm", "step.python.cont")
    assert listed(tiny) == [DATA, COUNT, TALLEST]

    done = tiny.json("state", "rm", TALLEST, COUNT, "-json")
    assert (done["removed"], done["serial"], done["left_running"]) == ([COUNT, TALLEST], 2, [])
    assert listed(tiny) == [DATA]
    newest = tiny.json("history", "-json")["applies"][0]
    assert (newest["serial"], newest["result"]) == (2, "complete")
    assert newest["command"] == f"zenctl state rm {TALLEST} {COUNT} -json"
    assert tiny.stale() == {TALLEST: "REUSE", COUNT: "REUSE"}
    assert "2 reused" in tiny.ok(*APPLY)
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")


def test_a_broken_configuration_is_no_obstacle(tiny: Project) -> None:
    tiny.ok(*APPLY)
    tiny.edit("main.zen.hcl", "steps/size.py:count", "steps/gone.py:count")
    assert "1 address forgotten" in tiny.ok("state", "rm", COUNT)
    assert listed(tiny) == [DATA, TALLEST]


def test_a_renamed_step_is_moved_and_not_run_again(tiny: Project) -> None:
    tiny.ok(*APPLY)
    tiny.edit("main.zen.hcl", 'step "python" "tallest"', 'step "python" "ranked"')
    tiny.edit("main.zen.hcl", "step.python.tallest.names", "step.python.ranked.names")
    new = "step.python.ranked"
    assert tiny.stale() == {new: "REUSE", TALLEST: "FORGET"}

    assert f"Would move {TALLEST} to {new}" in tiny.ok("state", "mv", "-dry-run", TALLEST, new)
    assert listed(tiny) == [DATA, COUNT, TALLEST]
    assert f"{TALLEST} cannot move: {COUNT} has a result of its own" in tiny.fails("state", "mv", TALLEST, COUNT)
    assert "different kinds" in tiny.fails("state", "mv", TALLEST, "datasource.csv.x")
    assert "Nothing is recorded for step.python.none" in tiny.fails("state", "mv", "step.python.none", "step.python.x")
    assert [a["serial"] for a in tiny.json("history", "-json")["applies"]] == [1]

    done = tiny.json("state", "mv", TALLEST, new, "-json")
    assert (done["moved"], done["serial"]) == ([{"from": TALLEST, "to": new}], 2)
    assert "No changes" in tiny.ok("plan", "-detailed-exitcode")
    assert "Nothing is missing or corrupt" in tiny.ok("state", "verify", "-all")


def test_instances_and_modules_move_and_go(project: Project) -> None:
    project.write("main.zen.hcl", INSTANCES)
    project.write("modules/sized/main.zen.hcl", SIZED)
    project.write("steps.py", STEPS)
    project.write("modules/sized/steps.py", STEPS)
    project.ok(*APPLY)
    project.ok("state", "mv", "step.python.named", "step.python.called")
    project.ok("state", "mv", 'step.python.called["x"]', 'step.python.called["z"]')
    project.ok("state", "mv", "module.sized", "module.large")
    project.ok("state", "mv", 'module.large["a"]', 'module.large["c"]')
    assert listed(project) == [
        'module.large["b"].step.python.double',
        'module.large["c"].step.python.double',
        'step.python.called["y"]',
        'step.python.called["z"]',
    ]
    project.ok("state", "rm", 'module.large["b"]', "step.python.called")
    assert listed(project) == ['module.large["c"].step.python.double']
    assert "module.large cannot move to module.large" in project.fails("state", "mv", "module.large", "module.large")


def test_a_forgotten_endpoint_runs_on_and_is_taken_back(project: Project) -> None:
    port, _ = free_ports()
    project.write("s.py", FIT)
    project.write("main.zen.hcl", MAIN + endpoint("a", port, ""))
    project.ok(*APPLY)
    name = live(project, "endpoint.local.a")["name"]

    said = project.ok("state", "rm", "endpoint.local.a", "step.python.fit")
    assert f"zenctl import endpoint.local.a {name}" in said
    assert "zenctl destroy -target=endpoint.local.a" in said
    assert answers(port)
    # Its model is needed by nobody that zenctl knows, but the server has its own.
    assert "Freed" in project.ok("state", "gc", "-auto-approve")
    assert answers(port)

    project.ok(*APPLY, "-target=step.python.fit")
    project.ok("import", "endpoint.local.a", name)
    project.ok(*APPLY)
    assert answers(port)
    # What a live endpoint serves stays, whatever became of the step.
    project.ok("state", "rm", "step.python.fit")
    project.ok("state", "gc", "-auto-approve")
    assert "Nothing is missing or corrupt" in project.ok("state", "verify", "endpoint.local.a")
    project.ok("destroy", "-auto-approve", "-target=endpoint.local.a")
    assert not answers(port)
