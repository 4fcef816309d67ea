"""HCL that is written says what was meant: our parser and Go's read the same data from it, whatever the data."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any

import pygohcl
import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from zenctl.diagnostics import SourceRange
from zenctl.lang.document import BlockData, Raw, document_of, number_spelling, value_of
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.from_source import document_of_yaml
from zenctl.lang.parser import parse_config
from zenctl.lang.quoting import literal_template
from zenctl.lang.syntax import BlockShape
from zenctl.lang.values import Value
from zenctl.lang.write import write_hcl
from zenctl.lang.write_yaml import write_yaml
from zenctl.lang.yaml import parse_yaml, parse_yaml_value

SIGNS = ' \n\t\r"\\$%{}~#:-é\u2028\u0085\u00a0\x00\x7f'
LOCALS = BlockShape(0, {"locals": BlockShape()})
PIECES = [*SIGNS, "${", "%{", "$${", "%%{", "EOT", "\nEOT\n", "  a", "//", "🐧"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.lists(
    st.sampled_from(PIECES), max_size=12
).map("".join)
numbers = (
    st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e300"), max_value=Decimal("1e300"))
)
names = texts.map(lambda text: unicodedata.normalize("NFC", text))
plain = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def meant(data: Any) -> Any:
    """The data as the language has it: composed texts, decimal numbers."""
    if isinstance(data, str):
        return unicodedata.normalize("NFC", data)
    if isinstance(data, bool) or data is None:
        return data
    if isinstance(data, (int, float, Decimal)):
        return Decimal(repr(data)) if isinstance(data, float) else Decimal(data)
    if isinstance(data, dict):
        return {meant(name): meant(item) for name, item in data.items()}
    return [meant(item) for item in data]


def raw(value: Value) -> Any:
    """The data of an evaluated value, numbers as decimals."""
    if isinstance(value.raw, tuple):
        return [raw(item) for item in value.raw]
    if isinstance(value.raw, dict):
        return {name: raw(item) for name, item in value.raw.items()}
    return value.raw


def said(text: str) -> Any:
    """What `x` of the one block of a text evaluates to."""
    body, problems = parse_config(text, "f")
    assert [str(p) for p in problems] == []
    value, problems = evaluate_expression(body.blocks[0].body.attributes["x"].expression, Scope({}))
    assert [str(p) for p in problems] == []
    return raw(value)


@given(plain)
@settings(max_examples=150, deadline=None)
@example("a\n${b}\n")
@example('"${')
@example("$")
@example({"for": 1, "if": 2, "a b": 3, "": 4, "é": 5, "1": 6, "null": None})
@example([["a\nb\n"], {"k": "a\nb\n"}])
@example("  a\n\tb\n")
@example("EOT\nEOT_\n")
def test_plain_data_comes_back(data: Any) -> None:
    text = write_hcl(document_of([BlockData("locals", (), {"x": data})]))
    assert said(text) == meant(data)


@given(plain)
@settings(max_examples=100, deadline=None)
def test_go_reads_the_same(data: Any) -> None:
    text = write_hcl(document_of([BlockData("locals", (), {"x": data})]))
    assert same(pygohcl.loads(text)["locals"]["x"], meant(data))


def templates(data: Any) -> Any:
    """The data with its texts as templates that stand for them."""
    if isinstance(data, str):
        return literal_template(data)
    if isinstance(data, dict):
        return {name: templates(item) for name, item in data.items()}
    return [templates(item) for item in data] if isinstance(data, list) else data


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**20), 10**20) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.sampled_from([None, True, False]),
    st.integers(5, 200),
)
@settings(max_examples=150, deadline=None)
def test_yaml_of_any_style_becomes_hcl(data: Any, style: str | None, flow: bool | None, width: int) -> None:
    document = {"locals": {"x": templates(data)}}
    dumped = yaml.safe_dump(document, default_style=style, default_flow_style=flow, width=width, allow_unicode=True)
    # Of the tags that a style makes the dumper write, our reader takes none.
    text = re.sub(r"!!(?:str|null|bool|int) ", "", dumped)
    scalars: dict[SourceRange, str] = {}
    body, problems = parse_yaml(text, "f", LOCALS, scalars)
    assume(not problems)  # a folded text can hold what PyYAML itself cannot read back
    back = write_hcl(document_of_yaml(body, scalars, text, "f", LOCALS))
    [attribute] = body.blocks[0].body.attributes.values()
    value, problems = evaluate_expression(attribute.expression, Scope({}))
    assert problems == []
    assert said(back) == raw(value)


def same(go: Any, ours: Any) -> bool:
    """Whether Go's data are ours; it has floats where we have decimals."""
    if isinstance(ours, Decimal):
        return not isinstance(go, bool) and float(go) == float(ours)
    if isinstance(ours, dict):
        return isinstance(go, dict) and go.keys() == ours.keys() and all(same(go[k], ours[k]) for k in ours)
    if isinstance(ours, list):
        return len(go) == len(ours) and all(map(same, go, ours))
    return bool(go == ours)


@given(plain)
@settings(max_examples=100, deadline=None)
def test_yaml_says_the_same(data: Any) -> None:
    text = write_yaml(document_of([BlockData("locals", (), {"x": data})]))
    expression, problems = parse_yaml_value(text, "f")
    assert [str(p) for p in problems] == []
    assert expression is not None
    value, problems = evaluate_expression(expression, Scope({}))
    assert [str(p) for p in problems] == []
    assert raw(value) == {"locals": {"x": meant(data)}}


@given(st.lists(st.tuples(names, st.lists(names, max_size=2)), max_size=4))
def test_labels_come_back(labels: list[tuple[str, list[str]]]) -> None:
    blocks = [BlockData("b", (first, *rest)) for first, rest in labels]
    body, problems = parse_config(write_hcl(document_of(blocks)), "f")
    assert problems == []
    assert [block.labels for block in body.blocks] == [block.labels for block in blocks]


def test_how_it_looks() -> None:
    inner = BlockData("lifecycle", (), {"prevent_destroy": True})
    step = BlockData(
        "step",
        ("train", "a b"),
        {
            "inputs": {"train": Raw("step.split.a.train")},
            "label": 'say "${x}"',
            "rates": [0.1, Decimal("1e-30"), -5],
            "none": None,
            "empty": {},
            "notes": "one\ntwo\n",
            "rules": {"é": {"a.b": [1, 2, 3], "text": "x" * 60}, "z": "y" * 50},
        },
        (inner,),
    )
    expected = r"""
zenctl {
  metadata "sqlite" {}
}

step "train" "a b" {
  inputs = { train = step.split.a.train }
  label  = "say \"$${x}\""
  rates  = [0.1, 1.0e-30, -5]
  none   = null
  empty  = {}
  notes  = <<-EOT
    one
    two
  EOT
  rules = {
    "é" = { "a.b" = [1, 2, 3], text = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" }
    z   = "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
  }

  lifecycle {
    prevent_destroy = true
  }
}
"""
    settings_block = BlockData("zenctl", (), {}, (BlockData("metadata", ("sqlite",)),))
    assert write_hcl(document_of([settings_block, step])) == expected.lstrip("\n")


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (Decimal("1.50"), "1.5"),
        (Decimal("1e3"), "1000"),
        (Decimal("-0.25"), "-0.25"),
        (Decimal("1e30"), "1.0e+30"),
        (Decimal("-12345678901234567890123456789"), "-1.2345678901234567890123456789e+28"),
        (Decimal("1e-1000"), "1.0e-1000"),
        (Decimal(0), "0"),
    ],
)
def test_spelling_of_numbers(number: Decimal, written: str) -> None:
    assert number_spelling(number) == written
    assert Decimal(written) == number


def test_what_is_no_plain_data_is_refused() -> None:
    with pytest.raises(TypeError, match="set is no plain data"):
        value_of({1})
    with pytest.raises(ValueError, match="out of range"):
        value_of(float("inf"))
    with pytest.raises(ValueError, match="out of range"):
        value_of(Decimal("1e1001"))


def test_an_attribute_that_is_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match='"a b" is no identifier'):
        write_hcl(document_of([BlockData("locals", (), {"a b": 1})]))
