"""The graph of a configuration: blocks, edges through values of modules, what goes in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.engine.worlds import BASE, World
from zenctl.addrs import parse
from zenctl.config.graph import order
from zenctl.engine.graphing import BlockGraph, GraphNode, configuration_graph, graph_plan
from zenctl.engine.opening import Opened
from zenctl.engine.requests import Inputs
from zenctl.plans.actions import Action
from zenctl.plans.plan import Change, Plan

TEXT = (
    BASE
    + """
module "again" {
  source = "./again"
  count  = 2
  rows   = step.split.parts.train
}
step "train" "last" {
  for_each = toset(["a"])
  inputs   = { train = module.again[0].model }
  label    = "y"
}
"""
)
AGAIN = """
variable "rows" {}
step "train" "net" {
  inputs = { train = var.rows }
  label  = "y"
}
output "model" { value = step.train.net.model }
"""


def made(root: Path, *, detailed: bool) -> BlockGraph:
    world = World(TEXT, root, {"again/main.zen.hcl": AGAIN})
    unused: Any = None
    blocks = tuple(order(world.configuration)[0])
    opened = Opened(world.configuration, unused, {}, blocks, world.evaluator, unused, unused, unused, (), {})
    return configuration_graph(opened, detailed=detailed)


def node(graph: BlockGraph, address: str) -> GraphNode:
    return next(n for n in graph.nodes if str(n.addr) == address)


def test_blocks_and_what_they_need(tmp_path: Path) -> None:
    graph = made(tmp_path, detailed=False)
    edges = {(str(source), str(target)) for source, target in graph.edges}
    assert ("datasource.csv.rows", "step.split.parts") in edges
    assert ("step.train.net", "endpoint.local.net") in edges
    # Through a variable and an output of a module.
    assert ("step.split.parts", "module.again.step.train.net") in edges
    assert ("module.again.step.train.net", "step.train.last") in edges
    assert graph.expanded_modules == {("again",)}
    place = [n.addr for n in graph.nodes]
    assert all(place.index(source) < place.index(target) for source, target in graph.edges)


def test_what_goes_in_and_out(tmp_path: Path) -> None:
    graph = made(tmp_path, detailed=True)
    net = node(graph, "step.train.net")
    assert net.inputs == {"train": "step.split.parts.train", "eval": "step.split.parts.eval"}
    assert list(net.outputs) == ["model", "metrics"]
    assert net.range is not None
    assert net.range.filename == "main.zen.hcl"
    assert node(graph, "endpoint.local.net").inputs == {"model": "step.train.net.model"}
    assert list(node(graph, "datasource.csv.rows").outputs) == ["data"]
    assert node(graph, "step.train.last").expanded == "for_each"
    assert node(graph, "module.again.step.train.net").range.filename == "again/main.zen.hcl"  # type: ignore[union-attr]


def test_a_plan_whose_configuration_cannot_be_read_is_drawn_all_the_same(tmp_path: Path) -> None:
    first, second = parse('step.python.a["x"]'), parse("step.python.b")
    changes = (
        Change(first, Action.RUN),
        Change(second, Action.MAY_RUN, depends_on=(str(first), "step.python.gone")),
    )
    plan = Plan("p", "pr-1", 1, "", "", changes, files={"main.zen.hcl": "not a configuration"})
    graph = graph_plan(Inputs(tmp_path), plan, detailed=True)
    assert [n.change for n in graph.nodes] == list(changes)
    assert graph.edges == ((first, second),)
    assert graph.title == "p, workspace pr-1"
