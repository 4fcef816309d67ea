"""Values that nobody uses are evaluated too: a mistake in them is told, once."""

from __future__ import annotations

from pathlib import Path

from tests.unit.engine.worlds import World
from zenctl.addrs import StepAddr

MAIN = """
variable "on" { default = true }
datasource "csv" "rows" { path = "rows.csv" }
step "split" "s" {
  inputs  = { data = datasource.csv.rows }
  ratio   = { a = 1 }
  enabled = var.on
}
locals {
  unused  = upper("a", "b")
  of_step = step.split.s.a.digest + 1
  of_off  = step.split.s.a.digest
}
module "m" {
  source   = "./m"
  for_each = toset(["x", "y"])
  names    = [each.key, 1]
}
module "none" {
  source = "./m"
  count  = "many"
}
"""
MODULE = """
variable "names" {
  type    = list(string)
  default = ["1"]
}
variable "more" {
  type    = number
  default = 1
}
locals { bad = var.names[0] * 2 }
output "out" { value = length(var.names, 1) }
"""


def told(world: World) -> list[str]:
    return [f"{d.range} {d.summary}" for d in world.evaluator.values({})]


def test_each_mistake_is_told_once(tmp_path: Path) -> None:
    world = World(MAIN, tmp_path, {"m/main.zen.hcl": MODULE})
    assert world.loaded == []
    assert told(world) == [
        "main.zen.hcl:10:13 Too many arguments of upper",
        'main.zen.hcl:21:12 "count" of module "none" must be a whole number from 0 to 100,000',
        "m/main.zen.hcl:10:16 Invalid operand",
        "m/main.zen.hcl:11:24 Too many arguments of length",
    ]


def test_what_is_made_of_something_switched_off_is_not_judged(tmp_path: Path) -> None:
    world = World(MAIN, tmp_path, {"m/main.zen.hcl": MODULE}, pairs=[("on", "false")])
    world.evaluator.node(StepAddr("split", "s"), {})
    assert [text for text in told(world) if "of_off" in text or text.startswith("main.zen.hcl:12")] == []
