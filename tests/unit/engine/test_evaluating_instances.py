"""for_each, count and modules: which instances there are, and what each of them sees."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.worlds import World
from zenctl.addrs import Address, parse
from zenctl.engine.desired import DesiredDatasource, DesiredStep
from zenctl.schema import ArtifactRef, Unknown

EACH = """
variable "files" { default = { a = "1.csv", b = "2.csv" } }
datasource "csv" "rows" {
  for_each = var.files
  path     = each.value
}
step "split" "parts" {
  for_each = datasource.csv.rows
  inputs   = { data = each.value }
  ratio    = { train = 1 }
  seed     = length(each.key)
}
step "train" "net" {
  count  = 2
  inputs = { train = step.split.parts["a"].train }
  label  = "y${count.index}"
}
output "labels" { value = [for s in step.train.net : s.metrics.accuracy] }
"""

CHILD = """
variable "data" {}
variable "epochs" {
  type    = number
  default = 4
}
locals { double = var.epochs * 2 }
step "train" "net" {
  inputs = { train = var.data }
  label  = "${path.module}-${zenctl.workspace}"
  epochs = local.double
}
output "model" { value = step.train.net.model }
output "accuracy" { value = step.train.net.metrics.accuracy }
"""


def addresses(world: World, block: str, known: Mapping[Address, Any] | None = None) -> list[str]:
    instances = world.evaluator.instances(parse(block), known or {})
    assert not instances.diagnostics
    return [str(addr) for addr in instances.addresses]


def ref(address: str, output: str, type_: str, **values: Any) -> ArtifactRef:
    return ArtifactRef(parse(address), output, type_, "d1", "trees/d1", values)


def test_for_each_and_count_make_instances_by_key(tmp_path: Path) -> None:
    world = World(EACH, tmp_path)
    assert world.problems() == []
    assert addresses(world, "datasource.csv.rows") == ['datasource.csv.rows["a"]', 'datasource.csv.rows["b"]']
    assert addresses(world, "step.split.parts") == ['step.split.parts["a"]', 'step.split.parts["b"]']
    assert addresses(world, "step.train.net") == ["step.train.net[0]", "step.train.net[1]"]
    rows = world.node(parse('datasource.csv.rows["b"]'))
    assert isinstance(rows, DesiredDatasource)
    assert rows.model is not None
    assert rows.model.path == "2.csv"  # type: ignore[attr-defined]
    parts = world.node(parse('step.split.parts["b"]'))
    assert isinstance(parts, DesiredStep)
    assert str(parts.inputs["data"]) == 'datasource.csv.rows["b"]'
    net = world.node(parse("step.train.net[1]"))
    assert isinstance(net, DesiredStep)
    assert net.params["label"] == "y1"
    assert str(net.inputs["train"]) == 'step.split.parts["a"].train'


def test_results_of_instances_are_collected(tmp_path: Path) -> None:
    world = World(EACH, tmp_path)
    known = {
        parse(f"step.train.net[{i}]"): {"metrics": ref(f"step.train.net[{i}]", "metrics", "Metrics", accuracy=i / 2)}
        for i in range(2)
    }
    output, problems = world.evaluator.output("labels", known)
    assert not problems
    assert output.value == [0, 0.5]


@pytest.mark.parametrize(
    ("for_each", "expected"),
    [
        ('toset(["x", "y"])', ['datasource.csv.d["x"]', 'datasource.csv.d["y"]']),
        ("{}", []),
        ("{ 1 = 2 }", ['datasource.csv.d["1"]']),
        ('{ for n in ["p", "q"] : upper(n) => n }', ['datasource.csv.d["P"]', 'datasource.csv.d["Q"]']),
    ],
)
def test_what_for_each_takes(tmp_path: Path, for_each: str, expected: list[str]) -> None:
    world = World(f'datasource "csv" "d" {{\n  for_each = {for_each}\n  path = each.key\n}}', tmp_path)
    assert world.problems() == []
    assert addresses(world, "datasource.csv.d") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('for_each = ["x"]', "must be a map, an object or a set of texts"),
        ("for_each = null", "is null"),
        ("for_each = toset([1, 2])", "must be a set of texts"),
        ("for_each = { a = sensitive(1) }", ""),
        ('for_each = sensitive(toset(["a"]))', "holds a sensitive value"),
        ("count = -1", "must be a whole number from 0 to 100,000"),
        ("count = 1.5", "must be a whole number"),
        ('count = "two"', "must be a whole number"),
        ("count = sensitive(2)", "holds a sensitive value"),
        ('count = "2"', ""),
    ],
)
def test_what_it_does_not_take_is_told_once(tmp_path: Path, line: str, expected: str) -> None:
    world = World(f'datasource "csv" "d" {{\n  {line}\n  path = "p"\n}}', tmp_path)
    found = [d for d in world.problems() if d.code != "sensitive_parameter"]
    if not expected:
        assert found == []
        return
    [problem] = found
    assert expected in problem.summary
    assert problem.range is not None
    assert problem.range.start.line == 2


def test_a_module_sees_its_arguments_and_gives_its_outputs(tmp_path: Path) -> None:
    text = """
datasource "csv" "rows" { path = "rows.csv" }
module "eu" {
  source = "./modules/net"
  data   = datasource.csv.rows
}
endpoint "local" "net" { model = module.eu.model }
"""
    world = World(text, tmp_path, {"modules/net/main.zen.hcl": CHILD})
    assert world.problems() == []
    net = world.node(parse("module.eu.step.train.net"))
    assert isinstance(net, DesiredStep)
    assert (net.params["epochs"], net.params["label"]) == (8, "modules/net-default")
    assert [str(a) for a in net.references] == ["datasource.csv.rows"]
    endpoint = world.node(parse("endpoint.local.net"))
    assert str(endpoint.model) == "module.eu.step.train.net.model"  # type: ignore[union-attr]
    assert [str(a) for a in endpoint.references] == ["module.eu.step.train.net"]


def test_modules_have_instances_and_nest(tmp_path: Path) -> None:
    middle = """
variable "sizes" {}
datasource "csv" "rows" { path = "rows.csv" }
module "net" {
  source   = "../net"
  for_each = var.sizes
  data     = datasource.csv.rows
  epochs   = each.value
}
output "best" { value = module.net["a"].accuracy }
output "all" { value = { for k, m in module.net : k => m.accuracy } }
"""
    text = """
module "region" {
  source = "./modules/region"
  count  = 2
  sizes  = { a = count.index + 1, b = 10 }
}
output "first" { value = module.region[0].best }
output "everything" { value = module.region[*].all }
"""
    modules = {"modules/net/main.zen.hcl": CHILD, "modules/region/main.zen.hcl": middle}
    world = World(text, tmp_path, modules)
    assert world.problems() == []
    nets = addresses(world, "module.region.module.net.step.train.net")
    assert nets == [f'module.region[{i}].module.net["{k}"].step.train.net' for i in range(2) for k in "ab"]
    net = world.node(parse(nets[2]))
    assert isinstance(net, DesiredStep)
    assert net.params["epochs"] == 4
    assert [str(a) for a in net.references] == ["module.region[1].datasource.csv.rows"], "its own instance's only"
    known = {parse(a): {"metrics": ref(a, "metrics", "Metrics", accuracy=number / 4)} for number, a in enumerate(nets)}
    assert world.evaluator.output("first", known)[0].value == 0
    assert world.evaluator.output("everything", known)[0].value == [{"a": 0, "b": 0.25}, {"a": 0.5, "b": 0.75}]


def test_instances_that_follow_from_a_result_wait_for_it(tmp_path: Path) -> None:
    text = """
step "python" "names" {
  code   = "s.py:make"
}
step "python" "count" {
  code   = "s.py:count"
  inputs = { data = step.python.names }
}
datasource "csv" "part" {
  count = step.python.count.result.value
  path  = "p${count.index}"
}
step "split" "parts" {
  for_each = { for i, d in datasource.csv.part : tostring(i) => d }
  inputs   = { data = each.value }
  ratio    = { train = 1 }
}
"""
    world = World(text, tmp_path)
    [first] = world.problems()
    assert first.summary == '"count" of datasource.csv.part is known only after apply'
    assert "waits for step.python.count" in first.detail
    assert "zenctl apply -target=step.python.count" in first.detail
    known: dict[Address, Any] = {}
    assert world.evaluator.instances(parse("datasource.csv.part"), known).open
    known[parse("step.python.count")] = {"result": ref("step.python.count", "result", "Artifact", value=2)}
    assert addresses(world, "datasource.csv.part", known) == ["datasource.csv.part[0]", "datasource.csv.part[1]"]
    assert addresses(world, "step.split.parts", known) == ['step.split.parts["0"]', 'step.split.parts["1"]']


def test_a_chain_of_a_thousand_values_over_modules_does_not_recurse(tmp_path: Path) -> None:
    chain = "\n".join(f"locals {{ a{i} = local.a{i + 1} }}" for i in range(1000))
    child = f'variable "v" {{}}\n{chain}\nlocals {{ a1000 = var.v }}\noutput "o" {{ value = local.a0 }}'
    text = f'module "m" {{\n  source = "./m"\n  v = local.a0\n}}\n{chain}\nlocals {{ a1000 = 7 }}\n'
    world = World(text + 'output "o" { value = module.m.o }', tmp_path, {"m/main.zen.hcl": child})
    assert world.loaded == []
    assert world.evaluator.output("o", {})[0].value == 7


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("toset(step.python.n.result)", ["b", "a", "b"], ["a", "b"]),
        ("[for x in step.python.n.result : upper(x)]", ["a"], ["A"]),
        ("step.python.n.result[1]", ["a", "b"], "b"),
        ("step.python.n.result.key", {"key": 7}, 7),
        ("step.python.n.result + 1", 3, 4),
        ("step.python.n.result == 3", 3, True),
        ('"n is ${step.python.n.result}"', 3, "n is 3"),
        ("step.python.n.result > 2 ? 1 : 0", 3, 1),
        ("length(step.python.n.result)", [1, 2, 3], 3),
        ("step.python.n[*]", ["a", "b"], ["a", "b"]),
        ("step.python.n.result", [1], [1]),
    ],
)
def test_what_a_step_returned_is_a_plain_value_in_expressions(
    tmp_path: Path, expression: str, value: Any, expected: Any
) -> None:
    text = 'step "python" "n" {\n  code = "s.py:count"\n  inputs = { data = datasource.csv.d }\n}\n'
    text += f'datasource "csv" "d" {{ path = "p" }}\noutput "o" {{ value = {expression} }}\n'
    world = World(text, tmp_path)
    assert world.problems() == []
    known = {parse("step.python.n"): {"result": ref("step.python.n", "result", "Artifact", value=value)}}
    assert world.evaluator.output("o", known)[0].value == expected
    assert isinstance(world.evaluator.output("o", {})[0].value, Unknown)


PRECISE = """
locals {
  keys  = toset(["a", "b"])
  first = "a"
}
step "python" "named" { code = "s.py:count" }
datasource "csv" "d" {
  for_each = local.keys
  path     = each.key
}
step "split" "each_value" {
  for_each = datasource.csv.d
  inputs   = { data = each.value }
  ratio    = { train = 1 }
}
step "split" "literal" {
  inputs = { data = datasource.csv.d["a"] }
  ratio  = { train = 1 }
}
step "split" "computed" {
  inputs = { data = datasource.csv.d[local.first] }
  ratio  = { train = 1 }
}
step "split" "unknown" {
  inputs = { data = datasource.csv.d[step.python.named.result.value] }
  ratio  = { train = 1 }
}
step "split" "looped" {
  inputs = { data = [for first in ["b"] : datasource.csv.d[first]][0] }
  ratio  = { train = 1 }
}
step "split" "ordered" {
  inputs     = { data = datasource.csv.d["b"] }
  ratio      = { train = 1 }
  depends_on = [datasource.csv.d]
}
step "split" "counted" {
  count  = 2
  inputs = { data = datasource.csv.d["a"] }
  ratio  = { train = 1 }
}
step "split" "crossed" {
  count  = 2
  inputs = { data = step.split.counted[1 - count.index].train }
  ratio  = { train = 1 }
}
module "keyed" {
  source   = "./m"
  for_each = local.keys
  data     = step.split.each_value[each.key].train
}
module "valued" {
  source   = "./m"
  for_each = step.split.each_value
  data     = each.value.train
}
step "split" "of_module" {
  inputs = { data = module.keyed["b"].train }
  ratio  = { train = 1 }
}
"""
PASSING = """
variable "data" {}
locals { data = var.data }
step "split" "s" {
  inputs = { data = local.data }
  ratio  = { train = 1 }
}
output "train" { value = step.split.s.train }
"""


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ('step.split.each_value["a"]', ['datasource.csv.d["a"]']),
        ("step.split.literal", ['datasource.csv.d["a"]']),
        ("step.split.computed", ['datasource.csv.d["a"]']),
        ("step.split.unknown", ['datasource.csv.d["a"]', 'datasource.csv.d["b"]', "step.python.named"]),
        ("step.split.looped", ['datasource.csv.d["a"]', 'datasource.csv.d["b"]']),
        ("step.split.ordered", ['datasource.csv.d["a"]', 'datasource.csv.d["b"]']),
        ("step.split.crossed[0]", ["step.split.counted[1]"]),
        ("step.split.crossed[1]", ["step.split.counted[0]"]),
        ('module.keyed["b"].step.split.s', ['step.split.each_value["b"]']),
        ('module.valued["b"].step.split.s', ['step.split.each_value["b"]']),
        ("step.split.of_module", ['module.keyed["b"].step.split.s']),
    ],
)
def test_an_instance_waits_for_the_instances_that_it_uses(tmp_path: Path, address: str, expected: list[str]) -> None:
    world = World(PRECISE, tmp_path, {"m/main.zen.hcl": PASSING})
    assert world.loaded == []
    desired, _ = world.evaluator.node(parse(address), {})
    assert desired is not None
    assert [str(a) for a in desired.references] == expected


TRIGGERED = """
locals { keys = toset(["a", "b"]) }
datasource "csv" "d" {
  for_each = local.keys
  path     = each.key
}
datasource "csv" "n" {
  count = 2
  path  = "n"
}
step "split" "s" {
  for_each = local.keys
  inputs   = { data = datasource.csv.n[0] }
  ratio    = { train = 1 }
  lifecycle {
    replace_triggered_by = [TRIGGER]
  }
}
"""


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("datasource.csv.d[each.key]", ['datasource.csv.d["b"]']),
        ('datasource.csv.d[each.value == "b" ? "a" : "b"].digest', ['datasource.csv.d["a"]']),
        ("datasource.csv.d", ['datasource.csv.d["a"]', 'datasource.csv.d["b"]']),
        ("datasource.csv.n[1]", ["datasource.csv.n[1]"]),
        ('datasource.csv.d["a"]', ['datasource.csv.d["a"]']),
    ],
)
def test_a_trigger_may_name_an_instance_by_a_computed_key(tmp_path: Path, trigger: str, expected: list[str]) -> None:
    world = World(TRIGGERED.replace("TRIGGER", trigger), tmp_path)
    assert world.loaded == []
    desired, found = world.evaluator.node(parse('step.split.s["b"]'), {})
    assert found == []
    assert desired is not None
    assert [str(a) for a in desired.triggers] == expected
    assert set(desired.triggers) <= set(desired.references)


def test_a_trigger_that_is_not_there_is_told(tmp_path: Path) -> None:
    world = World(TRIGGERED.replace("TRIGGER", 'datasource.csv.n[each.key == "b" ? 2 : 0]'), tmp_path)
    assert [d.summary for d in world.evaluator.node(parse('step.split.s["a"]'), {})[1]] == []
    [problem] = world.evaluator.node(parse('step.split.s["b"]'), {})[1]
    assert problem.summary == "replace_triggered_by names datasource.csv.n[2], which is not there"


def test_time_grows_with_the_number_of_instances_and_not_with_its_square(tmp_path: Path) -> None:
    text = """
datasource "csv" "d" {
  for_each = toset([for i in range(COUNT) : tostring(i)])
  path     = each.key
}
step "split" "a" {
  for_each = datasource.csv.d
  inputs   = { data = each.value }
  ratio    = { train = 1 }
}
step "split" "b" {
  for_each = toset([for i in range(COUNT) : tostring(i)])
  inputs   = { data = step.split.a[each.key].train }
  ratio    = { train = 1 }
}
"""

    def seconds(count: int) -> float:
        world = World(text.replace("COUNT", str(count)), tmp_path)
        started = time.process_time()
        known: dict[Address, Any] = {}
        for block in ("datasource.csv.d", "step.split.a", "step.split.b"):
            for addr in world.evaluator.instances(parse(block), known).addresses:
                desired, problems = world.evaluator.node(addr, known)
                assert desired is not None
                assert not problems
                known[addr] = {}
        assert len(known) == 3 * count
        return time.process_time() - started

    def least(count: int) -> float:
        return min(seconds(count) for _ in range(3))

    seconds(20)
    # To look for garbage in all that a run of the tests holds is a second that has nothing to do with the instances.
    gc.disable()
    try:
        # Four times as many would be 16 times the work if it were quadratic.
        assert least(400) < 8 * least(100)
    finally:
        gc.enable()
