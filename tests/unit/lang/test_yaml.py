"""YAML reads into the same tree as HCL, and its mistakes are told at their exact place."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zenctl.lang import evaluate, parse
from zenctl.lang.syntax import Block, BlockShape, Body
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
    ("-12345678901234567890123456789012345678", -12345678901234567890123456789012345678),
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
    ('a: "\\t${vra}"', "1:9"),
    ("a: 'it''s ${vra}'", "1:13"),
    ("a: |\n  one\n    two ${vra}\n", "3:11"),
    ("a: |\n\n\n  ${vra}\n", "4:5"),
    ("a: |-\r\n  x\r\n  ${vra}\r\n", "3:5"),
    ("a: |2\n    ${vra}\n", "2:7"),
    ("a: >\n  x\n  ${vra}\n", "3:5"),
    ("a: x\n  ${vra}\n", "2:5"),
    ("a: x\n\n\n  y ${vra}\n", "4:7"),
    ("a: 'x  \n\n   y ${vra}'\n", "3:8"),
    ('a: "x \\\n   \\x41\\u00e9\\U0001F600 ${vra}"\n', "2:27"),
    ('a: "x\\\n\n   ${vra}"\n', "3:6"),
    ('a: "\\"${vra}"', "1:9"),
    ("a: >-\n\n  x\n\n    y\n  z\n  ${vra}", "7:5"),
    ("a: >2+ # c\n    x\n   ${vra}\n\n", "3:6"),
    ("a: &x ${vra}", "1:9"),
    ("a: &x |\n  ${vra}", "2:5"),
    ("a: &x 'y ${vra}'", "1:12"),
    ("a:\r\n  x\r\n  ${vra}", "3:5"),
    ("'${vra}'", "1:4"),
    ("a: {'${vra}': 1}", "1:8"),
    ("a: ${vra}\nb: &x\n  - ${vrb}\nc: *x", "1:6 3:7"),
    ("a: [1, 'b', {c: '${vra}'}]", "1:20"),
    ("x:\n- - ${vra}", "2:7"),
    ("é: 𝒜${vra}", "1:7"),
    ("a: |\n  x ${\n  vra\n  }\n", "3:3"),
    ("b: &x ['${vra}']", "1:11"),
]


@pytest.mark.parametrize(("text", "place"), PLACES, ids=[text for text, _ in PLACES])
def test_errors_in_templates_are_where_they_are(text: str, place: str) -> None:
    result = evaluate(text, {"var": {}}, syntax="yaml", filename="f")
    assert [str(p.range) for p in result.diagnostics] == [f"f:{one}" for one in place.split()]
    assert "vra" in result.diagnostics[0].detail


PROBLEMS = [
    ("a: 1\na: 2", "duplicate_attribute", "2:1", "line 1"),
    ("a: {b: 1, b: 2}", "duplicate_attribute", "1:11", "line 1"),
    ("a: !!str 1", "invalid_tag", "1:4", "quote"),
    ("a: !ruby x", "invalid_tag", "1:4", "quote"),
    ("a: &x !!int 1", "invalid_tag", "1:7", "quote"),
    ("a: ! x", "invalid_tag", "1:4", "quote"),
    ("!!map {a: 1}", "invalid_tag", "1:1", "quote"),
    ("a: !<tag:x> |\n  y", "invalid_tag", "1:4", "quote"),
    ("a: &x [*x]", "recursive_alias", "1:8", "itself"),
    ("a: &x {b: &y [*x]}", "recursive_alias", "1:15", "itself"),
    ("a: *x", "invalid_yaml", "1:4", "no anchor"),
    ("a: &data 1\nb: *dta", "invalid_yaml", "2:4", 'Did you mean "data"?'),
    ("<<: {a: 1}", "invalid_key", "1:1", "merge"),
    ("[1]: 2", "invalid_key", "1:1", "text"),
    ("a: {? {b: c} : 2}", "invalid_key", "1:7", "text"),
    ("~: 2", "invalid_key", "1:1", "null"),
    ("null: 2", "invalid_key", "1:1", "null"),
    ("?\n: 2", "invalid_key", "1:2", "null"),
    ("a: {012: 2}", "invalid_key", "1:5", "means 12"),
    ("1.10: 2", "invalid_key", "1:1", "means 1.1"),
    ("0x10: 2", "invalid_key", "1:1", "means 16"),
    ("True: 2", "invalid_key", "1:1", "means true"),
    (".nan: 2", "invalid_key", "1:1", "quote"),
    ("1e9999: 2", "invalid_key", "1:1", "quote"),
    ("a${b}: 2", "invalid_key", "1:1", "without templates"),
    ("step: {'%{ if x }': {}}", "invalid_key", "1:8", "without templates"),
    ("e\u0301: 1\n\u00e9: 2", "duplicate_attribute", "2:1", "line 1"),
    ("a: [1", "invalid_yaml", "1:4", "never ends"),
    ("a: 'x\nb: 1\nc: 2\n", "invalid_yaml", "1:4", "never ends"),
    ("a: {b: 1\nc: 2\n", "invalid_yaml", "2:2", "begins on line 1"),
    ("a: 1\n--- # two\nb: 2", "invalid_yaml", "2:1", "one document"),
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


def test_aliases_do_not_nest_deeper_than_lists() -> None:
    lines = ["a0: &a0 x"] + [f"a{i}: &a{i} {'[' * 20}*a{i - 1}{']' * 20}" for i in range(1, 30)]
    _, problems = parse_yaml("\n".join(lines), "f", SHAPE)
    assert [(p.code, p.line) for p in problems] == [("nested_too_deeply", 6)]


def test_aliases_stand_for_their_anchor() -> None:
    result = evaluate("a: &x {n: '${v}'}\nb: *x\nc: &x 2\nd: *x", {"v": 1}, syntax="yaml")
    assert result.value == {"a": {"n": 1}, "b": {"n": 1}, "c": 2, "d": 2}
    body, problems = parse_yaml("step: {python: {a: &x {code: y}, b: *x}}", "f", SHAPE)
    assert problems == []
    assert [(block.labels[1], list(block.body.attributes)) for block in body.blocks] == [
        ("a", ["code"]),
        ("b", ["code"]),
    ]


def test_keys_are_names_and_in_values_templates() -> None:
    text = "a: {1: x, true: y, 1.5: z, '${v}': w, 'b-$${c}': u, '012': t, no: n}"
    value = {"1": "x", "true": "y", "1.5": "z", "k": "w", "b-${c}": "u", "012": "t", "no": "n"}
    assert evaluate(text, {"v": "k"}, syntax="yaml").value == {"a": value}


def test_texts_are_in_normal_form() -> None:
    result = evaluate("e\u0301: e\u0301\nb: 'e\u0301 ${v}'", {"v": "e\u0301"}, syntax="yaml")
    assert result.value == {"\u00e9": "\u00e9", "b": "\u00e9 \u00e9"}


def test_nodes_end_where_their_text_ends() -> None:
    text = "a:\n  b: 1 # c\n\n# d\nl:\n  - x\n  - - y\n# e\nm: |\n  z\n\n# f\nn: *q\no: &p  5\n"
    body, _ = parse_yaml(text, "f", SHAPE)
    ends = {name: (a.range.end.line, a.range.end.column) for name, a in body.attributes.items()}
    assert ends == {"a": (2, 7), "l": (7, 8), "m": (10, 4), "n": (13, 6), "o": (14, 9)}
    assert (body.attributes["o"].expression.range.start.column, body.range.end.line) == (8, 14)


words = st.sampled_from(["x", "${vra}", "it's", '"', "\\", "é", "\t", "\x07", "😀", "#", ": ", "- ", "%", "{", "'"])
texts = st.lists(st.lists(words, max_size=6).map(" ".join), min_size=1, max_size=5).map("\n".join)


@given(texts, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(10, 40), st.integers(0, 3), st.booleans())
def test_places_are_exact_in_every_style(text: str, style: Any, width: int, depth: int, returns: bool) -> None:
    data: Any = text
    for _ in range(depth):
        data = {"k": [data]}
    end = "\r\n" if returns else "\n"
    written = yaml.dump(data, default_style=style, width=width, allow_unicode=True, line_break=end)
    lines = re.split("\r\n|\n", written)
    found = evaluate(written, {}, syntax="yaml").diagnostics
    assert [p.code for p in found] == ["unknown_variable"] * text.count("${vra}")
    for problem in found:
        assert problem.line is not None
        assert problem.column is not None
        assert lines[problem.line - 1][problem.column - 1 :].startswith("vra")
        assert (problem.end_line, problem.end_column) == (problem.line, problem.column + 3)


def test_texts_and_keys_are_composed_as_in_hcl() -> None:
    assert evaluate("cafe\u0301: cafe\u0301", syntax="yaml").value == {"caf\u00e9": "caf\u00e9"}
    [problem] = evaluate("e\u0301: 1\n\u00e9: 2", syntax="yaml").diagnostics
    assert problem.code == "duplicate_attribute"
