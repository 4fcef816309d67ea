"""Dynamic blocks: what they make, in HCL and YAML, what is not known yet, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zenctl.addrs import StepAddr
from zenctl.config.decoding import Decoded, decode
from zenctl.config.loader import Loaded
from zenctl.config.names import check_names
from zenctl.config.references import body_references
from zenctl.config.shapes import ROOT
from zenctl.diagnostics import Diagnostic
from zenctl.lang.evaluate import Scope
from zenctl.lang.model import EPHEMERAL
from zenctl.lang.parser import parse_config
from zenctl.lang.values import Sensitive, from_python
from zenctl.lang.yaml import parse_yaml
from zenctl.schema import BlockModel, Unknown, attribute

Load = Callable[..., Loaded]


class Limit(BlockModel):
    low: float = attribute("Least.", default=0)
    high: float = attribute("Most.")


class Rule(BlockModel):
    name: str = attribute("A name.", default="")
    limits: list[Limit] = attribute("In order.", default=[])


class Model(BlockModel):
    rules: dict[str, Rule] = attribute("By column.", default={})
    limits: list[Limit] = attribute("In order.", default=[])
    stop: Limit | None = attribute("When to end.", default=None)
    seed: int = attribute("A number.", default=0)


NAMES: dict[str, Any] = {
    "list": [3, 5],
    "map": {"b": 2, "a": 1},
    "set": {"y", "x"},
    "empty": [],
    "unknown": Unknown("list(number)"),
    "unsure": {"a": Unknown("number")},
    "half": [Unknown("string")],
    "nested": [{"name": "p", "highs": [1, 2]}, {"name": "q", "highs": []}],
    "secret": Sensitive({"a": 1}),
    "none": None,
}
SCOPE = Scope({name: from_python(value) for name, value in NAMES.items()}).with_names(
    {"brief": from_python([1]).with_marks(frozenset({EPHEMERAL}))}
)


def read(text: str, scope: Scope = SCOPE) -> tuple[Decoded, list[Diagnostic]]:
    body, problems = parse_config(text, "m.hcl")
    assert problems == []
    return decode(Model, body, scope, what="step")


def block(name: str, *lines: str, content: str = "high = 1") -> str:
    """A dynamic block; the lines begin on line 2, column 3, the content on the second line after them."""
    inside = [*(f"  {line}" for line in lines), "  content {", f"    {content}", "  }"]
    return "\n".join([f'dynamic "{name}" {{', *inside, "}"])


MADE: list[tuple[str, dict[str, Any]]] = [
    (
        'dynamic "limits" {\n  for_each = list\n  content {\n    low = limits.key\n    high = limits.value\n  }\n}',
        {"limits": [{"low": 0, "high": 3}, {"low": 1, "high": 5}]},
    ),
    (
        'dynamic "rules" {\n  for_each = map\n  content {\n    name = "${rules.key}-${rules.value}"\n  }\n}',
        {"rules": {"a": {"name": "a-1"}, "b": {"name": "b-2"}}},
    ),
    (
        'dynamic "rules" {\n  for_each = set\n  iterator = it\n  content {\n    name = it.value\n  }\n}',
        {"rules": {"x": {"name": "x"}, "y": {"name": "y"}}},
    ),
    (
        'dynamic "rules" {\n  for_each = list\n  labels = ["n${rules.value}"]\n  content {}\n}',
        {"rules": {"n3": {}, "n5": {}}},
    ),
    ('dynamic "limits" {\n  for_each = empty\n  content {\n    high = limits.value\n  }\n}', {}),
    ('dynamic "stop" {\n  for_each = [7]\n  content {\n    high = stop.value\n  }\n}', {"stop": {"high": 7}}),
    ('dynamic "stop" {\n  for_each = []\n  content {\n    high = stop.value\n  }\n}', {}),
    (
        'limits {\n  high = 1\n}\ndynamic "limits" {\n  for_each = list\n  content {\n    high = limits.value\n  }\n}\n'
        "limits {\n  high = 9\n}",
        {"limits": [{"high": 1}, {"high": 3}, {"high": 5}, {"high": 9}]},
    ),
    (
        'rules "z" {}\ndynamic "rules" {\n  for_each = [for x in list : x if x > 3]\n  labels = ["a"]\n  content {}\n}',
        {"rules": {"z": {}, "a": {}}},
    ),
    (
        'dynamic "rules" {\n  for_each = nested\n  iterator = outer\n  labels = [outer.value.name]\n  content {\n'
        '    dynamic "limits" {\n      for_each = outer.value.highs\n      content {\n'
        "        low = outer.key\n        high = limits.value\n      }\n    }\n  }\n}",
        {"rules": {"p": {"limits": [{"low": 0, "high": 1}, {"low": 0, "high": 2}]}, "q": {}}},
    ),
    (
        'dynamic "limits" {\n  for_each = list\n  content {\n    high = max([for limits in [9] : limits]...)\n  }\n}',
        {"limits": [{"high": 9}, {"high": 9}]},
    ),
]


@pytest.mark.parametrize(("text", "data"), MADE)
def test_a_block_is_made_for_each_element(text: str, data: dict[str, Any]) -> None:
    decoded, diagnostics = read(text)
    assert diagnostics == []
    assert decoded.data == data
    assert decoded.model == Model.model_validate(data)


def test_what_is_known_only_after_apply_leaves_the_blocks_open() -> None:
    text = block("limits", "for_each = unknown", content="high = limits.value") + "\nlimits {\n  high = 1\n}"
    decoded, diagnostics = read(text)
    assert (decoded.model, decoded.data, diagnostics) == (None, {"limits": Unknown()}, [])
    text = 'dynamic "rules" {\n  for_each = half\n  labels = [rules.value]\n  content {}\n}'
    decoded, diagnostics = read(text)
    assert (decoded.model, decoded.data, diagnostics) == (None, {"rules": Unknown()}, [])
    text = 'dynamic "limits" {\n  for_each = unsure\n  content {\n    high = limits.value\n  }\n}'
    decoded, diagnostics = read(text)
    assert (decoded.model, decoded.data, diagnostics) == (None, {"limits": [{"high": Unknown("number")}]}, [])


def test_the_content_is_checked_though_no_element_is_known() -> None:
    text = 'dynamic "limits" {\n  for_each = unknown\n  content {\n    high = limits.valeu + nope\n  }\n}'
    assert [d.code for d in read(text)[1]] == ["unknown_attribute", "unknown_variable"]


def test_what_decides_the_blocks_may_be_secret_or_ephemeral() -> None:
    text = 'dynamic "rules" {\n  for_each = %s\n  labels = ["a"]\n  content {\n    name = rules.value\n  }\n}'
    decoded, [found] = read(text % "secret")
    assert set(decoded.sensitive) == {("rules",), ("rules", "a", "name")}
    assert found.summary == '"rules.a.name" must be a text, not a sensitive value'
    decoded, [found] = read(text % "brief")
    assert (found.code, str(found.range)) == ("ephemeral_value", "m.hcl:2:14")
    assert decoded.data == {"rules": Unknown()}


WRONG: list[tuple[str, str, str]] = [
    ("dynamic {\n  for_each = list\n  content {}\n}", "1:1", "A dynamic block has one label"),
    (block("limts", "for_each = list"), "1:9", 'Step has no block "limts"'),
    (block("seed", "for_each = list"), "1:9", '"seed" of step is an attribute'),
    (block("stop"), "1:1", 'Dynamic "stop" of step has no "for_each"'),
    ('dynamic "stop" {\n  for_each = list\n}', "1:1", 'Dynamic "stop" of step has no block "content"'),
    (block("stop", "for_each = []", content=""), "1:1", '"stop" has no "high"'),
    (block("stop", "for_each = []", "content {}"), "4:3", 'Dynamic "stop" of step has more than one block "content"'),
    (block("stop", "foreach = []"), "2:3", 'Dynamic "stop" of step has no attribute "foreach"'),
    (block("stop", "for_each = []", content="high = 1\n hihg = 2"), "5:2", '"stop" has no attribute "hihg"'),
    (
        block("rules", "for_each = []", content=block("limts", "for_each = []")),
        "4:13",
        '"rules" has no block "limts"',
    ),
    (block("stop", "for_each = []", "iterator = a.b"), "3:14", '"iterator" must be a plain name'),
    (block("stop", "for_each = []", 'labels = ["a"]'), "3:12", "A stop block has no label"),
    (block("rules", "for_each = list", content=""), "1:1", "Each rules block needs a label"),
    (block("rules", "for_each = list", 'labels = "a"', content=""), "3:12", '"labels" of a rules block is a list of'),
    (block("rules", "for_each = list", 'labels = ["a", "b"]', content=""), "3:12", '"labels" of a rules block is'),
    (block("rules", "for_each = list", "labels = [null]", content=""), "3:12", "The label of a rules block is null"),
    (block("rules", "for_each = list", "labels = [[]]", content=""), "3:12", "The label of a rules block is wrong"),
    (block("rules", "for_each = list", 'labels = ["a"]', content=""), "3:12", '"rules.a" is made twice'),
    ('rules "a" {}\n' + block("rules", "for_each = map", content=""), "3:14", '"rules.a" is made twice'),
    ('rules "a" {}\nrules "a" {}', "2:1", '"rules.a" of step is given twice'),
    (block("stop", "for_each = list"), "2:14", '"stop" is made twice'),
    ("rules = {}\n" + block("rules", "for_each = map", content=""), "2:1", '"rules" of step is given twice'),
    (block("stop", "for_each = none"), "2:14", "Nothing to make blocks for"),
    (block("stop", 'for_each = "a"'), "2:14", "Nothing to make blocks for"),
    (block("stop", "for_each = stop"), "2:14", "Unknown name"),
    (
        block("limits", "for_each = list", content='high = "x${limits.value}"'),
        "4:12",
        '"limits[0].high" must be a number, not the text "x3"',
    ),
]


@pytest.mark.parametrize(("text", "place", "summary"), WRONG)
def test_what_is_wrong_is_told_at_its_place(text: str, place: str, summary: str) -> None:
    decoded, diagnostics = read(text)
    assert decoded.model is None
    assert diagnostics[0].summary.startswith(summary)
    assert str(diagnostics[0].range) == f"m.hcl:{place}"
    others = diagnostics[1:]
    assert all(d.summary.startswith('"limits[1].high" must be') for d in others), "one mistake is told once"


def test_the_values_of_the_element_are_told() -> None:
    text = 'dynamic "limits" {\n  for_each = map\n  content {\n    high = limits.value > 1 ? "x" : "1e9x"\n  }\n}'
    for found, value in zip(read(text)[1], (1, 2), strict=True):
        assert found.values == (("limits.value", f"is {value}"),)


def test_too_many_blocks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenctl.config.bodies.MAX_BLOCKS", 50)
    inner = block("limits", "for_each = range(9)")
    decoded, diagnostics = read(block("rules", "for_each = range(5)", 'labels = ["a${rules.key}"]', content=inner))
    assert diagnostics == [], "5 and 5 times 9 are just 50"
    assert decoded.model is not None
    decoded, diagnostics = read(block("rules", "for_each = range(6)", 'labels = ["a${rules.key}"]', content=inner))
    assert [d.code for d in diagnostics] == ["too_many_blocks"]
    assert decoded.model is None


def test_names_inside_are_checked_without_evaluating() -> None:
    body, _ = parse_config('dynamic "limits" {\n  for_each = x\n  content {\n    hihg = 2\n  }\n}\nstop {}', "m.hcl")
    assert [(str(d.range), d.summary) for d in check_names(Model, body, "step")] == [
        ("m.hcl:4:5", '"limits" has no attribute "hihg"'),
        ("m.hcl:7:1", '"stop" has no "high"'),
    ]


@pytest.mark.parametrize("iterator", ["it", "(it)", '"${it}"', '"it"'])
def test_an_iterator_is_known_in_every_spelling(iterator: str) -> None:
    text = block("limits", "for_each = list", f"iterator = {iterator}", content="high = it.value")
    body, _ = parse_config(text, "m.hcl")
    assert [str(r) for r in body_references(body)] == ["list"]
    assert read(text)[0].data == {"limits": [{"high": 3}, {"high": 5}]}


def test_iterators_are_no_references() -> None:
    text = """
dynamic "a" {
  for_each = a.b
  iterator = it
  labels   = [it.key, var.l]
  content {
    x = it.value + a.x
    inner { y = it.key }
    dynamic "b" {
      for_each = it.value
      content { z = b.value + it.value + c.d }
    }
  }
}
e = it
"""
    body, problems = parse_config(text, "m.hcl")
    assert problems == []
    assert [str(r) for r in body_references(body)] == ["a.b", "var.l", "a.x", "c.d", "it"]


HCL = """
variable "rules" { default = { a = "z_score", b = "min_max" } }
datasource "csv" "rows" { path = "rows.csv" }
step "train" "fit" {
  inputs = { train = datasource.csv.rows }
  label  = "y"
  dynamic "rules" {
    for_each = var.rules
    iterator = rule
    labels   = [rule.key]
    content {
      method = rule.value
    }
  }
}
"""
YAML = """
variable: {rules: {default: {a: z_score, b: min_max}}}
datasource: {csv: {rows: {path: rows.csv}}}
step:
  train:
    fit:
      inputs: {train: "${datasource.csv.rows}"}
      label: y
      dynamic:
        rules:
          for_each: ${var.rules}
          iterator: rule
          labels: ["${rule.key}"]
          content: {method: "${rule.value}"}
"""


def test_yaml_means_the_same(load_text: Load) -> None:
    scope = Scope({"var": from_python({"rules": {"a": "z_score", "b": "min_max"}})})
    found = []
    for name, text in (("main.zen.hcl", HCL), ("main.zen.yaml", YAML)):
        loaded = load_text(files={name: text})
        assert loaded.diagnostics == ()
        assert loaded.configuration is not None
        node = loaded.configuration.nodes[StepAddr("train", "fit")]
        assert [str(r) for r in node.references] == ["datasource.csv.rows"]
        body = type(node.body)(node.body.range, {}, node.body.blocks)
        found.append(decode(node.type.model, body, scope, names_checked=True)[0].data)
    assert found[0] == found[1] == {"rules": {"a": {"method": "z_score"}, "b": {"method": "min_max"}}}


def test_nested_in_yaml() -> None:
    text = """
dynamic:
  rules:
    for_each: ${nested}
    labels: ["${rules.value.name}"]
    content:
      dynamic:
        limits:
          - for_each: ${rules.value.highs}
            content: {high: "${limits.value}"}
          - for_each: [8]
            content: {high: 8}
"""
    body, problems = parse_yaml(text, "m.yaml", ROOT.blocks["step"])
    assert problems == []
    decoded, diagnostics = decode(Model, body, SCOPE)
    assert diagnostics == []
    assert decoded.data == {
        "rules": {"p": {"limits": [{"high": 1}, {"high": 2}, {"high": 8}]}, "q": {"limits": [{"high": 8}]}}
    }


def test_references_inside_are_checked_and_make_edges(load_text: Load) -> None:
    text = HCL.replace("for_each = var.rules", "for_each = local.rules").replace("= rule.value", "= local.missing")
    [found] = load_text(text + "locals { rules = { a = datasource.csv.rows.digest } }").diagnostics
    assert found.summary == "There is no local.missing"
