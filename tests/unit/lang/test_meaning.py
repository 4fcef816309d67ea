"""Trees that mean the same, and trees that only look so."""

from __future__ import annotations

import pytest

from zenctl.lang.meaning import same_body, same_expression
from zenctl.lang.parser import parse_config, parse_expression
from zenctl.lang.syntax import BlockShape, Expression

SHAPE = BlockShape(0, {"variable": BlockShape(1, {}, frozenset({"type"}))})


def expression(text: str) -> Expression:
    found, problems = parse_expression(text, "f")
    assert problems == []
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x", '"${x}"'),
        ("-1", "- 1.0"),
        ('"a\\n"', "<<-E\n    a${~ \"\" }\n  E\n"),
        ('"a${"b"}c"', '"abc"'),
        ('"\\u0024{"', '"$${"'),
        ("{ a = 1 }", '{ "a" : 1, }'),
        ("{ 1 = 2 }", '{ "1" = 2 }'),
        ("f(\n1,\n2)", "f(1, 2)"),
        ("a.b[0]", "a . b [ 0 ]"),
        ("a[*].b", "a.*.b"),
        ('{ (x) = 1 }', '{ "${x}" = 1 }'),
        ('{ (1) = 2 }', '{ "1" = 2 }'),
    ],
)  # fmt: skip
def test_the_same(one: str, other: str) -> None:
    assert same_expression(expression(one), expression(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", '"1"'),
        ("1", "true"),
        ("true", '"true"'),
        ("null", '"null"'),
        ("0", "false"),
        ("x", "(x)"),
        ("x", '"${x} "'),
        ('"${x}${y}"', '"${y}${x}"'),
        ('"a${x}"', '"${x}a"'),
        ("{ x = 1 }", "{ (x) = 1 }"),
        ("{ null = 1 }", "{ (null) = 1 }"),
        ("{ a = 1, b = 2 }", "{ b = 2, a = 1 }"),
        ("[1, 2]", "[1]"),
        ("a - b", "a + b"),
        ("f(x)", "f(x...)"),
        ("[for x in y : x]", "[for y in y : x]"),
        ("a ? b : c", "a ? c : b"),
        ("x.a", 'x["a"]'),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert not same_expression(expression(one), expression(other))


def same(one: str, other: str) -> bool:
    return same_body(parse_config(one, "f")[0], parse_config(other, "f")[0], SHAPE)


def test_bodies() -> None:
    assert same("a = 1\nb = 2\n", "b = 2\na = 1\n")
    assert same('x "a" {}\ny {}\nx "b" {}\n', 'y {}\nx "b" {}\nx "a" {}\n')
    assert not same("x {\n a = 1\n}\nx {\n a = 2\n}\n", "x {\n a = 2\n}\nx {\n a = 1\n}\n")
    assert not same("x {}\n", "x {}\nx {}\n")
    assert not same('x "a" {}\n', 'x "b" {}\n')
    assert not same("a = 1\n", "a = 1\nb = null\n")


def test_types() -> None:
    assert same('variable "x" {\n type = list(string)\n}\n', 'variable "x" {\n type = "list(string)"\n}\n')
    assert same('variable "x" {\n type = any\n}\n', 'variable "x" {\n type = "${any}"\n}\n')
    assert not same('variable "x" {\n type = any\n}\n', 'variable "x" {\n type = string\n}\n')
    assert not same('variable "x" {\n other = any\n}\n', 'variable "x" {\n other = "any"\n}\n')
