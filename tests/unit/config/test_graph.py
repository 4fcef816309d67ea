"""The order of nodes, and loops shown edge by edge."""

from __future__ import annotations

import time
from collections.abc import Callable

from zenctl.config.graph import order
from zenctl.config.loader import Loaded

Load = Callable[..., Loaded]


def step(name: str, *needs: str) -> str:
    inputs = ", ".join(f"i{i} = step.train.{need}.model" for i, need in enumerate(needs))
    return f'step "train" "{name}" {{\n  inputs = {{ {inputs} }}\n  label  = "x"\n}}\n'


def test_dependencies_come_first_else_the_order_of_the_files(load_text: Load) -> None:
    configuration = load_text(
        step("d", "b", "c") + step("c", "a") + step("b", "a") + step("a") + step("z")
    ).configuration
    assert configuration is not None
    found, diagnostics = order(configuration)
    assert [a.name for a in found] == ["a", "c", "b", "d", "z"]
    assert diagnostics == []


def test_a_loop_names_every_edge_with_its_place(load_text: Load) -> None:
    loaded = load_text(step("a", "c") + step("b", "a") + step("c", "b") + step("free"))
    assert loaded.diagnostics == ()
    assert loaded.configuration is not None
    found, [cycle] = order(loaded.configuration)
    assert len(found) == 4
    assert cycle.code == "cycle"
    assert "step.train.a -> step.train.c -> step.train.b -> step.train.a" in cycle.summary
    for edge in (
        "step.train.a needs step.train.c (main.zen.hcl:2:19)",
        "step.train.c needs step.train.b (main.zen.hcl:10:19)",
        "step.train.b needs step.train.a (main.zen.hcl:6:19)",
    ):
        assert edge in cycle.detail
    assert str(cycle.range) == "main.zen.hcl:2:19"


def test_a_step_that_needs_itself(load_text: Load) -> None:
    configuration = load_text(step("a", "a")).configuration
    assert configuration is not None
    _, [cycle] = order(configuration)
    assert cycle.summary == "step.train.a refers to itself"


def test_every_loop_is_told(load_text: Load) -> None:
    text = step("a", "b") + step("b", "a") + step("c", "d") + step("d", "c") + step("e", "a", "d")
    configuration = load_text(text).configuration
    assert configuration is not None
    found, diagnostics = order(configuration)
    assert len(diagnostics) == 2
    assert sorted(a.name for a in found) == ["a", "b", "c", "d", "e"]


def test_a_loop_through_a_local_and_depends_on(load_text: Load) -> None:
    text = (
        "locals { m = step.train.b.model }\n"
        'step "train" "a" {\n  inputs = { train = local.m }\n  label = "x"\n}\n'
        'step "train" "b" {\n  inputs = {}\n  label = "x"\n  depends_on = [step.train.a]\n}\n'
    )
    configuration = load_text(text).configuration
    assert configuration is not None
    _, [cycle] = order(configuration)
    assert "step.train.a needs step.train.b (main.zen.hcl:3:22)" in cycle.detail
    assert "step.train.b needs step.train.a (main.zen.hcl:6:1)" in cycle.detail


def test_a_deep_chain_is_no_problem(load_text: Load) -> None:
    count = 3000
    text = step("s0") + "".join(step(f"s{i}", f"s{i - 1}") for i in range(1, count))
    configuration = load_text(text).configuration
    assert configuration is not None
    began = time.process_time()
    found, diagnostics = order(configuration)
    assert time.process_time() - began < 1
    assert [a.name for a in found] == [f"s{i}" for i in range(count)]
    assert diagnostics == []
