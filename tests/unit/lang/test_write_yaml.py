"""How YAML is written: what other readers take it for, where its comments go, and what becomes of YAML in HCL."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.lang.configurations import SHAPE
from zenctl.lang.document import BlockData, Content, Document, Field, Raw, document_of, value_of
from zenctl.lang.from_source import document_of_hcl, document_of_yaml
from zenctl.lang.meaning import same_body
from zenctl.lang.parser import parse_config
from zenctl.lang.syntax import BlockShape
from zenctl.lang.write import write_hcl
from zenctl.lang.write_yaml import one_line_yaml, write_yaml
from zenctl.lang.yaml import parse_yaml

MISREAD = [
    *("yes", "Off", "n", "on", "null", "~", "True", "012", "0x1f", "1e3", "0o7", "1:30", "1_000", ".inf", "2001-01-01"),
    *("- a", "-", "?", ":", "#a", "a #b", " a", "a ", "a: b", "<<", "=", "!a", "*a", "&a", "@", "`", "|", ">", "["),
    *("{a", "'", ",", "é"),
]
"""Texts that readers of YAML take for something else, one version or another, if they stand without quotes."""


def to_yaml(text: str, shape: BlockShape = SHAPE) -> str:
    body, problems = parse_config(text, "f")
    assert [str(p) for p in problems] == []
    return write_yaml(document_of_hcl(body, text, "f", shape))


def to_hcl(text: str, shape: BlockShape = SHAPE) -> str:
    scalars: dict[Any, str] = {}
    body, problems = parse_yaml(text, "f", shape, scalars)
    assert [str(p) for p in problems] == []
    written = write_hcl(document_of_yaml(body, scalars, text, "f", shape))
    assert same_body(parse_config(written, "f")[0], body, shape)
    return written


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ('"species"', "species"),
        ('"data/penguins.csv"', "data/penguins.csv"),
        ('"./a b_c-d"', "./a b_c-d"),
        ('"steps/fit.py:fit"', '"steps/fit.py:fit"'),
        ('">= 0.1"', '">= 0.1"'),
        ('""', '""'),
        *[(f'"{text}"', f'"{text}"') for text in MISREAD],
        (r'"a\"b"', "'a\"b'"),
        (r'"it\u0027s \"b\""', r'"it' r"'" r's \"b\""'),
        (r'"a\tb"', r'"a\tb"'),
        (r'"a\\b"', r"'a\b'"),
        (r'"a\nb"', "|-\n  a\n  b"),
        (r'"a\nb\n"', "|\n  a\n  b"),
        (r'"a\nb\n\n"', r'"a\nb\n\n"'),
        (r'"\n"', r'"\n"'),
        ("<<-EOT\n  a\n    ${x}\n  EOT", "|\n  a\n    ${x}"),
        ("<<EOT\n  a\n  b\nEOT", "|2\n    a\n    b"),
        ("var.x", '"${var.x}"'),
        ('"a-${var.x}"', '"a-${var.x}"'),
        ('"${var.x}"', '"${var.x}"'),
        ('"$${x} %%{y}"', '"$${x} %%{y}"'),
        ('f("a")', "'${f(\"a\")}'"),
        ("f(\"it's\")", r'"${f(\"it' r"'" r's\")}"'),
        ("[for x in y :\n  x]", "|-\n  ${[for x in y :\n    x]}"),
        ("{ (a) = 1 }", '{"${a}": 1}'),
        ('{ "${a}" = 1, "a-${b}" = 2, (f("c")) = 3 }', '''{"${a}": 1, "a-${b}": 2, '${f("c")}': 3}'''),
        ('{ "$${a}" = 1 }', '{"$${a}": 1}'),
        ("{ a = 1, a = 2 }", '"${{ a = 1, a = 2 }}"'),
        ("{ a.b = 1 }", None),
        ("{ a = 1, 2 = [x, null, -1.50] }", '{a: 1, "2": ["${x}", null, -1.50]}'),
        ("{\n  a = 1\n}", "\n  a: 1"),
        ("[]", "[]"),
        ("1e3", "1000"),
        ("1e-30", "1.0e-30"),
        ("-0.5", "-0.5"),
        ("null", "null"),
    ],
)  # fmt: skip
def test_values(source: str, written: str | None) -> None:
    if written is None:  # Go reads this and then refuses to evaluate it; our parser refuses it at once
        assert parse_config(f"x = {source}\n", "f")[1] or to_yaml(f"x = {source}\n")
        return
    assert to_yaml(f"x = {source}\n") == f"x:{'' if written.startswith(chr(10)) else ' '}{written}\n"


any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$%"), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15)
    | any_text | st.sampled_from(MISREAD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text | st.sampled_from(MISREAD), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(plain)
@settings(max_examples=200, deadline=None)
@example({"yes": "yes", "012": "012", "1.0": 1.0})
@example("a" * 200 + ": " + "b" * 200)
@example({"k" * 200: {"l" * 2000: 1}})
def test_readers_of_yaml_1_1_read_the_same(data: Any) -> None:
    text = write_yaml(document_of([BlockData("locals", (), {"x": data})]))
    assert yaml.safe_load(text) == {"locals": {"x": data}}


def test_in_braces() -> None:
    assert one_line_yaml(value_of({"a": ["b\nc", Raw("x")], "d": {}})) == r'{a: ["b\nc", "${x}"], d: {}}'
    assert one_line_yaml(value_of("a b")) == "a b"


def test_blocks_nest_by_type_and_labels() -> None:
    text = """\
two "a" "x" {
  k = 1
}
one "b" {}
two "a" "y" {}
bare {
  k = 1
}
two "c" "x" {}
bare {}
"""
    assert (
        to_yaml(text)
        == """\
two:
  a:
    x:
      k: 1

    "y": {}

  c:
    x: {}

one:
  b: {}

bare:
  - k: 1
  - {}
"""
    )


def test_comments_stay_with_what_they_are_about() -> None:
    hcl = """\
# The file,
# and more of it.

# about a
one "a" { # in a
  x = 1 # beside

  // above y

  # and again
  y = [
    1, # first
    # second
    2
    # no more
  ] # end of y
  # nothing follows
} # end of a

# last
"""
    assert (
        to_yaml(hcl)
        == """\
# The file,
# and more of it.

one:
  # about a
  # end of a
  a:
    # in a
    x: 1  # beside

    # above y

    # and again
    # end of y
    "y":
      - 1  # first
      # second
      - 2
      # no more
    # nothing follows

# last
"""
    )


def test_comments_of_yaml() -> None:
    text = """\
# The file.

# about the ones
one: # here they are
  # about a
  a: # in a
    x: "a # b" # beside
    s: | # how
      text # no comment
    # nothing follows
  b: {y: 1} # flow
  # about c
  c:
    list:
    # first
    - 1
    # below
# about bare
bare:
- k: [1, # one
      2]
- # second
  k: 3
"""
    assert (
        to_hcl(text)
        == """\
# The file.

# about the ones
# here they are
# about a
one "a" {
  # in a
  x = "a # b" # beside
  # how
  s = "text # no comment\\n"
  # nothing follows
}

one "b" {
  y = 1
} # flow

# about c
one "c" {
  list = [
    # first
    1,
    # below
  ]
}

# about bare
bare {
  k = [
    1, # one
    2,
  ]
}

# second
bare {
  k = 3
}
"""
    )


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("plain text", '"plain text"'),
        ("several\n  words", '"several words"'),
        (">\n  folded\n  text\n", '"folded text\\n"'),
        ('"\\u00e9 \\x41 ${\\"b\\"}"', '"é A ${"b"}"'),
        ("'it''s ${x}'", '"it\'s ${x}"'),
        ("${x}", "x"),
        ("'${x + y}'", "x + y"),
        ("'${ x }'", "x"),
        ("'${~ x ~}'", "x"),
        ("${x} ", "x"),
        ("'${x} '", '"${x} "'),
        ("'${for}'", '"${for}"'),
        ("'${x /* why */}'", '"${x /* why */}"'),
        ("|-\n  ${[\n    1\n  ]}", "[\n  1\n]"),
        ("|-\n  ${a\n    + b}", '"${a\n+ b}"'),
        ("'%{ if x }a%{ endif }'", '"%{if x}a%{endif}"'),
        ("{a: &x [1, {b: c}], d: *x}", '{ a = [1, { b = "c" }], d = [1, { b = "c" }] }'),
        ("&x 012", "12"),
        ("0x1F", "31"),
        ("+1.", "1"),
        ("2001-01-01", '"2001-01-01"'),
        ("yes", '"yes"'),
        ("", "null"),
        ("{for: 1, a.b: 2, 'null': 3}", '{ "for" = 1, "a.b" = 2, "null" = 3 }'),
        ("$${x}", '"$${x}"'),
        ("{'${x}': 1, 'a-${x}': 2, '$${x}': 3}", '{ (x) = 1, "a-${x}" = 2, "$${x}" = 3 }'),
        ("cafe\u0301", '"caf\u00e9"'),
    ],
)
def test_what_becomes_of_yaml(written: str, source: str) -> None:
    assert to_hcl(f"x: {written}\n") == f"x = {source}\n"


def test_types_are_texts_in_yaml() -> None:
    shape = BlockShape(0, {"variable": BlockShape(1, {}, frozenset({"type"}))})
    hcl = """\
variable "a" {
  type = list(string)
}

variable "b" {
  type = object({
    x = optional(number, 1)
  })
  default = list(string)
}
"""
    written = """\
variable:
  a:
    type: "list(string)"

  b:
    type: |-
      object({
        x = optional(number, 1)
      })
    default: "${list(string)}"
"""
    assert to_yaml(hcl, shape) == written
    assert to_hcl(written, shape) == hcl
    assert (
        to_hcl('variable: {a: {type: "${any}"}, b: {type: "no type ("}}', shape)
        == """\
variable "a" {
  type = any
}

variable "b" {
  type = "no type ("
}
"""
    )


def test_line_ends_and_byte_order_marks() -> None:
    hcl = '# \u00e9\none "a" {\n  x = [for a in b :\n    a]\n  y = [ # c\n    1,\n  ]\n}\n'
    assert to_yaml(hcl.replace("\n", "\r\n")) == to_yaml(f"\ufeff{hcl}") == to_yaml(hcl)
    written = to_yaml(hcl)
    assert to_hcl(written.replace("\n", "\r\n")) == to_hcl(f"\ufeff{written}") == to_hcl(written)
    assert to_yaml("x = <<E\r\na\r\nE\r\n") == 'x: "a\\r\\n"\n'


@pytest.mark.parametrize(
    "source",
    [
        "<<E\n${y ~}\nE",
        r'"${y ~}\n"',
        r'"\n${~ y}"',
        '"${y}${""}"',
        r'"${y ~}\n  ${~ z}"',
        r'"a\u0024${y}"',
        r'"a $\n${~ y}"',
    ],
)
def test_what_is_a_text_stays_one(source: str) -> None:
    """Trimmed to a lone sequence, or next to a sign, a template is still what it was."""
    hcl = f"x = {source}\n"
    body = parse_config(hcl, "f")[0]
    written = to_yaml(hcl)
    assert same_body(parse_yaml(written, "f", SHAPE)[0], body, SHAPE)
    assert same_body(parse_config(to_hcl(written), "f")[0], body, SHAPE)


def test_an_attribute_and_a_block_of_one_name_are_refused() -> None:
    content = Content((Field("one", value_of(1)), *document_of([BlockData("one", ("a",))]).content.items))
    with pytest.raises(ValueError, match='"one" is an attribute and a block'):
        write_yaml(Document(content))
