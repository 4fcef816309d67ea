"""What evaluating costs grows with the number of instances, not with its square: calls are counted, no time taken."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.unit.engine.worlds import World
from zenctl.addrs import Address, DatasourceAddr, StepAddr, parse
from zenctl.engine.desired import DesiredStep
from zenctl.schema import ArtifactRef

ROWS = DatasourceAddr("csv", "rows")

BOTH = """
locals { keys = toset([for i in range(%d) : "k${i}"]) }
datasource "csv" "rows" { path = "rows.csv" }
step "split" "x" {
  for_each = local.keys
  inputs   = { data = datasource.csv.rows }
  ratio    = { train = 1 }
}
step "train" "y" {
  for_each = local.keys
  inputs   = { train = step.split.x[each.key].train }
  label    = each.key
}
output "all" { value = [for key, x in step.split.x : x.train.digest] }
"""

MODULES = """
locals {
  keys  = toset([for i in range(%d) : "k${i}"])
  named = { for key in local.keys : key => key }
}
datasource "csv" "rows" { path = "rows.csv" }
module "x" {
  source   = "./m"
  for_each = local.keys
  data     = datasource.csv.rows
}
module "z" {
  source   = "./m"
  for_each = local.keys
  data     = module.x[each.key].train
}
step "train" "y" {
  for_each = local.keys
  inputs   = { train = module.z[local.named[each.key]].train }
  label    = each.key
}
"""

MODULE = """
variable "data" {}
step "split" "s" {
  inputs = { data = var.data }
  ratio  = { train = 1 }
}
output "train" { value = step.split.s.train }
"""


def calls(work: Callable[[], Any]) -> int:
    """How many Python functions are called."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def result(world: World, addr: Address, known: dict[Address, Any]) -> DesiredStep:
    """Evaluate a step, and make its results known, each with a digest of its own."""
    desired = world.node(addr, known)
    assert isinstance(desired, DesiredStep)
    known[addr] = {name: ArtifactRef(addr, name, d.type, f"{addr}", "u") for name, d in desired.outputs.items()}
    return desired


def one_after_the_other(world: World, count: int) -> None:
    """As an apply goes: what follows from a result is evaluated right after it."""
    known: dict[Address, Any] = {ROWS: {"data": ArtifactRef(ROWS, "data", "Dataset", "d", "u")}}
    for number in range(count):
        x = StepAddr("split", "x", f"k{number}")
        result(world, x, known)
        fit = result(world, StepAddr("train", "y", f"k{number}"), known)
        assert fit.inputs["train"].digest == str(x)
    found, _ = world.evaluator.output("all", known)
    assert sorted(found.value) == sorted(f'step.split.x["k{number}"]' for number in range(count))


def block_by_block(world: World, count: int) -> None:
    """As a plan goes: all instances of a block, then those of the next."""
    known: dict[Address, Any] = {ROWS: {"data": ArtifactRef(ROWS, "data", "Dataset", "d", "u")}}
    for block in ("module.x.step.split.s", "module.z.step.split.s", "step.train.y"):
        instances = world.evaluator.instances(parse(block), known)
        assert len(instances.addresses) == count
        for addr in instances.addresses:
            made = result(world, addr, known)
    key = made.addr.key
    assert made.inputs["train"].digest == f'module.z["{key}"].step.split.s'
    assert [str(addr) for addr in made.references] == [f'module.z["{key}"].step.split.s']


@pytest.mark.parametrize(("text", "work"), [(BOTH, one_after_the_other), (MODULES, block_by_block)])
def test_work_grows_with_the_number_of_instances(tmp_path: Path, text: str, work: Callable[[World, int], None]) -> None:
    def of(count: int) -> int:
        world = World(text % count, tmp_path, {"m/main.zen.hcl": MODULE} if "module" in text else {})
        return calls(lambda: work(world, count))

    few, many = of(25), of(100)
    assert many < 4.2 * few, "four times as many"


# ---------------------------------------------------------------- what is read of a module's instances

CHOOSING = """
variable "one" { default = "a" }
datasource "csv" "rows" { path = "rows.csv" }
module "m" {
  source   = "./m"
  for_each = toset(["a", "b"])
  data     = datasource.csv.rows
}
module "n" {
  source = "./m"
  count  = 3
  data   = datasource.csv.rows
}
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("module.m[var.one].train", 'module.m["a"].step.split.s.train'),
        ('module.m["b"].train', 'module.m["b"].step.split.s.train'),
        ("module.m[one(setintersection(keys(module.m), [var.one]))].train", 'module.m["a"].step.split.s.train'),
        ("[module.m[var.one].train, values(module.m)[1].train][1]", 'module.m["b"].step.split.s.train'),
        ("[for key in reverse(keys(module.m)) : module.m[key].train][0]", 'module.m["b"].step.split.s.train'),
        ("module.n[2].train", "module.n[2].step.split.s.train"),
        ("module.n[length(var.one)].train", "module.n[1].step.split.s.train"),
        ('module.n["1"].train', "module.n[1].step.split.s.train"),
    ],
)
def test_any_way_to_choose_an_instance_finds_it(tmp_path: Path, expression: str, expected: str) -> None:
    text = f'{CHOOSING}\nstep "train" "y" {{\n  inputs = {{ train = {expression} }}\n  label = "l"\n}}\n'
    world = World(text, tmp_path, {"m/main.zen.hcl": MODULE})
    assert world.problems() == []
    assert str(world.step("train", "y").inputs["train"]) == expected


@pytest.mark.parametrize("chosen", ['"c"', "var.one"])
def test_an_instance_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, chosen: str) -> None:
    text = CHOOSING.replace('default = "a"', 'default = "c"')
    text += f'step "train" "y" {{\n  inputs = {{ train = module.m[{chosen}].train }}\n  label = "l"\n}}\n'
    world = World(text, tmp_path, {"m/main.zen.hcl": MODULE})
    [found] = world.evaluator.node(StepAddr("train", "y"), {})[1]
    assert 'no attribute "c". It has: a, b.' in found.detail
