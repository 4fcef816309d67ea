"""Expressions of the console: what they see, what is told when they are wrong, what names complete to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.engine.worlds import BASE, World
from zenctl.addrs import Address, parse
from zenctl.config.variables import VariableInputs, resolve
from zenctl.engine.console import Console
from zenctl.engine.known import Known
from zenctl.lang.values import to_python
from zenctl.schema import ArtifactRef, Unknown

TEXT = (
    BASE
    + """
variable "password" {
  sensitive = true
  default   = { user = "ada", key = "hunter2" }
}
locals {
  shares = { train = 0.8, "e v" = [1, 2] }
}
step "split" "each" {
  for_each = toset(["a", "b"])
  inputs   = { data = datasource.csv.rows }
  ratio    = { train = 1 }
}
step "split" "open" {
  count  = step.train.net.metrics.rounds
  inputs = { data = datasource.csv.rows }
  ratio  = { train = 1 }
}
step "split" "off" {
  enabled = false
  inputs  = { data = datasource.csv.rows }
  ratio   = { train = 1 }
}
module "child" {
  source = "./child"
}
"""
)
CHILD = 'output "answer" { value = 42 }'


def recorded(**metrics: Any) -> dict[Address, Known]:
    addr = parse("step.train.net")
    return {addr: {"metrics": ArtifactRef(addr, "metrics", "Metrics", "d1", "trees/d1", metrics)}}


def console(tmp_path: Path, known: Mapping[Address, Known] | None = None, text: str = TEXT) -> Console:
    world = World(text, tmp_path, {"child/main.zen.hcl": CHILD})
    variables, problems = resolve(world.configuration, VariableInputs())
    assert [d for d in [*world.loaded, *problems] if d.is_error] == []
    return Console(world.evaluator, variables, known or {})


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("local.rounds + var.epochs", 9),
        ("step.train.net.metrics.accuracy", 0.5),
        ("module.child.answer", 42),
        ("step.train.net.metrics", {"accuracy": 0.5, "digest": "d1", "type": "Metrics", "uri": "trees/d1"}),
        ("step.train.net.model.digest", Unknown("string")),
        ("keys(step.split.each)", ["a", "b"]),
        ("datasource.csv.rows", {"digest": Unknown("string"), "type": "Dataset", "uri": Unknown("string")}),
        ("step.split.off", None),
        ("[\n  1,\n]", [1]),
        ("<<EOT\n${path.module}\nEOT", ".\n"),
    ],
)
def test_values(tmp_path: Path, typed: str, value: Any) -> None:
    answer = console(tmp_path, recorded(accuracy=0.5)).evaluate(typed)
    assert answer.diagnostics == ()
    assert answer.value is not None
    found = to_python(answer.value)
    # Where an artifact lies is marked, so that it does not get into a fingerprint.
    assert value == ({k: getattr(v, "value", v) for k, v in found.items()} if isinstance(found, dict) else found)


def test_the_type_of_a_value(tmp_path: Path) -> None:
    answer = console(tmp_path).evaluate("type(local.shares)")
    assert answer.is_type
    assert answer.value is not None
    assert answer.value.raw == 'object({"e v"=tuple([number,number]),train=number})'
    assert not console(tmp_path).evaluate("upper(type(1))").is_type


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        ("var.epoch", "undeclared_variable", "epochs"),
        ("step.train.net.metrisc", "unknown_attribute", "metrics"),
        ("each.key", "invalid_reference", "for_each"),
        ("endpoint.local.net", "invalid_reference", ""),
        ("upper(", "missing_expression", ""),
        ("step.split.off.train", "null_value", "step.split.off is not enabled"),
        ("var.", "missing_name", ""),
        ("\udcff", "invalid_character", ""),
    ],
)
def test_mistakes(tmp_path: Path, typed: str, code: str, says: str) -> None:
    answer = console(tmp_path).evaluate(typed, line=7)
    assert answer.value is None
    assert says in answer.diagnostics[0].detail
    assert answer.diagnostics[0].line == 7
    if code != "missing_name":
        assert answer.diagnostics[0].code == code


def test_instances_that_are_known_only_after_apply(tmp_path: Path) -> None:
    answer = console(tmp_path).evaluate("length(step.split.open)")
    assert answer.diagnostics == ()
    assert answer.value is not None
    assert not answer.value.is_known
    known = console(tmp_path, recorded(rounds=3)).evaluate("length(step.split.open)").value
    assert known is not None
    assert to_python(known) == 3


def test_a_mistake_in_a_step_is_told_by_what_uses_it(tmp_path: Path) -> None:
    wrong = 'step "python" "wrong" { code = "a.py:nothing" }\nlocals { used = step.python.wrong }'
    answer = console(tmp_path, text=f"{TEXT}\n{wrong}").evaluate("local.used")
    assert answer.value is None
    assert [d.code for d in answer.diagnostics] == ["code_function_missing"]


def test_a_value_that_nests_too_deeply(tmp_path: Path) -> None:
    steps = [f"a{i} = [[[[a{i - 1}]]]]".replace(f"[a{i - 1}", f"[local.a{i - 1}") for i in range(1, 60)]
    deep = "locals {\n  a0 = 1\n  " + "\n  ".join(steps) + "\n}"
    answer = console(tmp_path, text=f"{TEXT}\n{deep}").evaluate("local.a59")
    assert [d.code for d in answer.diagnostics] == ["nested_too_deeply"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("va", ["values(", "var."]),
        ("var.", ["var.epochs", "var.password"]),
        ("var.e", ["var.epochs"]),
        ("local.s", ["local.shares"]),
        ("local.shares.", ["local.shares.train"]),
        ("local.shares[", ['local.shares["e v"]', 'local.shares["train"]']),
        ('local.shares["e v"][', ['local.shares["e v"][0]', 'local.shares["e v"][1]']),
        ("step.t", ["step.train"]),
        ("step.split.", ["step.split.each", "step.split.off", "step.split.open", "step.split.parts"]),
        ("step.split.parts.", ["step.split.parts.eval", "step.split.parts.train"]),
        ('step.split.each["a"].t', ['step.split.each["a"].train', 'step.split.each["a"].type']),
        ("step.train.net.metrics.a", ["step.train.net.metrics.accuracy"]),
        ("module.", ["module.child"]),
        ("module.child.", ["module.child.answer"]),
        ("zenctl.", ["zenctl.project", "zenctl.workspace"]),
        ("[var.e", ["[var.epochs"]),
        ("var.password.", []),
        ("nothing.", []),
        ("local.shares[[", []),
        ("1", []),
    ],
)
def test_completion(tmp_path: Path, word: str, found: list[str]) -> None:
    assert console(tmp_path, recorded(accuracy=1)).completions(word) == found


def test_an_empty_word_completes_to_all_there_is(tmp_path: Path) -> None:
    found = console(tmp_path).completions("")
    assert {"var.", "local.", "step.", "datasource.", "module.", "path.", "zenctl.", "max("} <= set(found)
    assert "endpoint." not in found


def test_secrets_are_the_texts_in_sensitive_variables(tmp_path: Path) -> None:
    assert set(console(tmp_path).secrets()) == {"ada", "hunter2"}
