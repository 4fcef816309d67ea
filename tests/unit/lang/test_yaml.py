"""YAML reads into the same tree as HCL, and its mistakes are told at their exact place."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.lang import evaluate, parse
from zenctl.lang.syntax import Block, BlockShape, Body, Expression
from zenctl.lang.yaml import parse_yaml

SHAPE = BlockShape(
    0,
    {
        "zenctl": BlockShape(0, {"metadata": BlockShape(1)}),
        "variable": BlockShape(1, {"validation": BlockShape(0)}),
        "locals": BlockShape(0),
        "step": BlockShape(2, {"lifecycle": BlockShape(0)}),
    },
)

HCL = """
zenctl {
  project = "penguins"
  metadata "sqlite" {}
}
variable "epochs" {
  type    = "number"
  default = 12
  validation { condition = "${var.epochs > 0}" }
  validation { condition = true }
}
locals {
  name = "x-${var.epochs}"
}
step "python" "fit" {
  code   = "steps/fit.py:fit"
  inputs = { train = "${step.split.p.train}", list = [1, "no", null, true, 1.5] }
  lifecycle {
    prevent_destroy = true
  }
}
step "split" "p" {}
"""

YAML = """\
zenctl:
  project: penguins
  metadata:
    sqlite:
variable:
  epochs:
    type: number
    default: 012
    validation:
      - condition: ${var.epochs > 0}
      - {condition: true}
locals: {name: 'x-${var.epochs}'}
step:
  python:
    fit:
      code: "steps/fit.py:fit"
      inputs: {train: '${step.split.p.train}', list: [1, no, ~, true, 1.50]}
      lifecycle: {prevent_destroy: true}
  split:
    p: {}
"""


def plain(node: Any) -> Any:
    """A body without places, to compare two of them."""
    if isinstance(node, Body):
        return {n: plain(a.expression) for n, a in node.attributes.items()}, [plain(block) for block in node.blocks]
    if isinstance(node, Block):
        return node.type, node.labels, plain(node.body)
    if isinstance(node, tuple):
        return [plain(item) for item in node]
    if hasattr(node, "__dataclass_fields__"):
        fields = [name for name in node.__dataclass_fields__ if not name.endswith("range")]
        return type(node).__name__, {name: plain(getattr(node, name)) for name in fields}
    return node


def test_the_twins_are_one_tree() -> None:
    body, problems = parse_yaml(YAML, "f.yaml", SHAPE)
    assert problems == []
    hcl = parse(HCL)
    assert hcl.ok
    assert plain(body) == plain(hcl.body)


def test_blocks_know_their_places() -> None:
    body, _ = parse_yaml(YAML, "f.yaml", SHAPE)
    fit = body.blocks[3]
    assert [str(r) for r in (fit.type_range, *fit.label_ranges)] == ["f.yaml:13:1", "f.yaml:14:3", "f.yaml:15:5"]
    code = fit.body.attributes["code"]
    assert (str(code.name_range), str(code.expression.range)) == ("f.yaml:16:7", "f.yaml:16:13")
    assert code.expression.range.end.column == 31
    assert (fit.range.start.line, fit.range.end.line) == (13, 18)


SCALARS: list[tuple[str, Any]] = [
    ("no", "no"),
    ("off", "off"),
    ("Yes", "Yes"),
    ("True", True),
    ("FALSE", False),
    ("~", None),
    ("", None),
    ("null", None),
    ("012", 12),
    ("-0", 0),
    ("0o17", 15),
    ("0xFf", 255),
    ("1:30", "1:30"),
    ("2024-01-02", "2024-01-02"),
    ("1e3", 1000),
    (".5", 0.5),
    ("5.", 5),
    ("+1.5", 1.5),
    ("1_000", "1_000"),
    ("12e", "12e"),
    ("'12'", "12"),
    ('"true"', "true"),
    ("''", ""),
    ('"a\\tb"', "a\tb"),
    ("|\n  a\n   b\n", "a\n b\n"),
    (">-\n  a\n  b\n", "a b"),
    ("$${x}", "${x}"),
    ("${v}", 5),
    ("a${v}", "a5"),
    ('\'${ v > 3 ? "y" : "n" }\'', "y"),
    ("100%", "100%"),
    ("a%b", "a%b"),
    ("'%{ if v > 3 }big%{ endif }'", "big"),
    ("|\n  %{ for x in [1, 2] ~}\n  - ${x}\n  %{ endfor ~}\n", "- 1\n- 2\n"),
    ("[a, {b: c}]", ["a", {"b": "c"}]),
    ("&x [1]", [1]),
]


@pytest.mark.parametrize(("text", "wanted"), SCALARS, ids=[text for text, _ in SCALARS])
def test_scalars(text: str, wanted: Any) -> None:
    result = evaluate(f"a: {text}", {"v": 5}, syntax="yaml")
    assert [str(p) for p in result.diagnostics] == []
    assert result.value == {"a": wanted}
    assert type(result.value["a"]) is type(wanted)


PLACES = [
    ("a: ${vra.x}", "1:6"),
    ("a: x ${vra}", "1:8"),
    ("a: '${vra}'", "1:7"),
    ('a: "é ${vra}"', "1:9"),
    ('a: "\\t${vra}"', "1:4"),
    ("a: 'it''s ${vra}'", "1:4"),
    ("a: |\n  one\n    two ${vra}\n", "3:11"),
    ("a: |\n\n\n  ${vra}\n", "4:5"),
    ("a: |-\r\n  x\r\n  ${vra}\r\n", "3:5"),
    ("a: |2\n    ${vra}\n", "2:7"),
    ("a: >\n  x\n  ${vra}\n", "1:4"),
    ("a: x\n  ${vra}\n", "1:4"),
    ("a: [1, 'b', {c: '${vra}'}]", "1:20"),
    ("x:\n- - ${vra}", "2:7"),
    ("é: 𝒜${vra}", "1:7"),
    ("a: |\n  x ${\n  vra\n  }\n", "3:3"),
    ("b: &x ['${vra}']", "1:11"),
]


@pytest.mark.parametrize(("text", "place"), PLACES, ids=[text for text, _ in PLACES])
def test_errors_in_templates_are_where_they_are(text: str, place: str) -> None:
    result = evaluate(text, {"var": {}}, syntax="yaml", filename="f")
    assert [str(p.range) for p in result.diagnostics] == [f"f:{place}"]
    assert "vra" in result.diagnostics[0].detail


PROBLEMS = [
    ("a: 1\na: 2", "duplicate_attribute", "2:1", "line 1"),
    ("a: {b: 1, b: 2}", "duplicate_attribute", "1:11", "line 1"),
    ("a: !!str 1", "invalid_tag", "1:4", "quote"),
    ("a: !ruby x", "invalid_tag", "1:4", "quote"),
    ("a: &x !!int 1", "invalid_tag", "1:4", "quote"),
    ("a: &x [*x]", "recursive_alias", "1:4", "itself"),
    ("a: *x", "invalid_yaml", "1:4", "alias"),
    ("<<: {a: 1}", "invalid_key", "1:1", "merge"),
    ("[1]: 2", "invalid_key", "1:1", "text"),
    ("a: [1", "invalid_yaml", "1:6", "','"),
    ("a: [${var.x}]", "invalid_yaml", "1:6", "in quotes"),
    ('a: ${x ? "b" : "c"}', "invalid_yaml", "1:14", "in quotes"),
    ("a: %{ if x }", "invalid_yaml", "1:4", "in quotes"),
    ("a:\n\tb: 1", "invalid_yaml", "2:1", "tabs"),
    ("a: 1\n---\nb: 2", "invalid_yaml", "2:1", "document"),
    ("- 1", "invalid_block", "1:1", "mapping"),
    ("text", "invalid_block", "1:1", "mapping"),
    ("a: .inf", "invalid_number", "1:4", "finite"),
    ("a: 1e99999", "invalid_number", "1:4", "large"),
    ("a: \x01", "invalid_yaml", "1:4", "control"),
    ("a: \0", "invalid_character", "1:4", "YAML"),
    ("step: 5", "invalid_block", "1:7", "2 more levels"),
    ("step: {python: 5}", "invalid_block", "1:16", "one more level"),
    ("step: {python: {fit: 5}}", "invalid_block", "1:22", "mapping"),
    ("[" * 200, "nested_too_deeply", "1:101", "100"),
]


@pytest.mark.parametrize(("text", "code", "place", "told"), PROBLEMS, ids=[text[:30] for text, *_ in PROBLEMS])
def test_problems(text: str, code: str, place: str, told: str) -> None:
    _, problems = parse_yaml(text, "f", SHAPE)
    assert [(p.code, str(p.range)) for p in problems] == [(code, f"f:{place}")]
    assert told.lower() in problems[0].detail.lower()


def test_all_problems_are_told() -> None:
    _, problems = parse_yaml("a: ${\nb: ${y+}\nc: !!str 1\nd: '${z'\n", "f", SHAPE)
    assert sorted(p.line or 0 for p in problems) == [1, 2, 3, 4]


def test_alias_bombs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    _, problems = parse_yaml("\n".join(lines), "f", SHAPE)
    assert [p.code for p in problems] == ["too_many_nodes"]


def test_aliases_stand_for_their_anchor() -> None:
    result = evaluate("a: &x {n: '${v}'}\nb: *x", {"v": 1}, syntax="yaml")
    assert result.value == {"a": {"n": 1}, "b": {"n": 1}}


def test_empty_documents() -> None:
    for text in ("", "# nothing\n", "---\n", "\ufeff"):
        body, problems = parse_yaml(text, "f", SHAPE)
        assert (body.attributes, body.blocks, problems) == ({}, (), [])
    assert evaluate("", syntax="yaml").value is None


def test_a_byte_order_mark_is_skipped() -> None:
    body, problems = parse_yaml("\ufeffa: 1", "f", SHAPE)
    assert problems == []
    assert body.attributes["a"].name_range.start.byte == 3
    assert str(body.attributes["a"].range) == "f:1:1"


def test_expressions_are_of_the_same_kind() -> None:
    value = parse("[1, '${a}']", mode="expression", syntax="yaml").expression
    assert isinstance(value, Expression)


def test_texts_and_keys_are_composed_as_in_hcl() -> None:
    assert evaluate("cafe\u0301: cafe\u0301", syntax="yaml").value == {"caf\u00e9": "caf\u00e9"}
    [problem] = evaluate("e\u0301: 1\n\u00e9: 2", syntax="yaml").diagnostics
    assert problem.code == "duplicate_attribute"
