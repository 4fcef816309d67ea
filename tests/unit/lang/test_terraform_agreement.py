"""The functions give what Terraform's give: type, value, or an error.

`terraform/functions.jsonl` holds what `lang.Scope.Functions()` of Terraform 1.12.2 made of our expressions, a third of
them random calls, with the variables below and the files of `terraform/files`. Unknown values are compared without
their types, numbers to 15 digits.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from zenctl.config.module_files import ModuleFiles
from zenctl.lang.evaluate import Scope, evaluate_expression
from zenctl.lang.functions.library import standard_library
from zenctl.lang.model import UNKNOWN, Value
from zenctl.lang.parser import parse_expression
from zenctl.lang.types import AnyType, ListType, MapType, ObjectType, Primitive, SetType, TupleType, Type
from zenctl.lang.values import Sensitive, from_python
from zenctl.schema import Unknown

HERE = Path(__file__).parent / "terraform"
CASES = [json.loads(line) for line in (HERE / "functions.jsonl").read_text(encoding="utf-8").splitlines()]
FUNCTIONS = standard_library(ModuleFiles(HERE / "files"), "2026-01-02T03:04:05Z")
VARIABLES = {
    "unk": from_python(Unknown("string")),
    "unklist": from_python(Unknown("list(string)")),
    "unkmap": from_python(Unknown("map(number)")),
    "unknum": from_python(Unknown("number")),
    "unkbool": from_python(Unknown("bool")),
    "unkany": from_python(Unknown("any")),
    "unkset": from_python(Unknown("set(string)")),
    "list": from_python(["b", "a", "b"], "list(string)"),
    "set": from_python(["b", "a"], "set(string)"),
    "map": from_python({"x": 1, "y": 2}, "map(number)"),
    "secret": from_python(Sensitive("s3cret")),
}

DIFFERENT: dict[str, list[str]] = {
    "whole words of Unicode": ['upper("straße")', 'lower("İ")'],
    "decimal numbers": [
        'format("%.2e|%.2f|%.2g|%10.3f|%-10.1f|%+.1f|%010.2f", 1.255, 1.255, 1.255, 3.14159, 3.14159, 3.14159, -3.14159)'  # noqa: E501
    ],
    "numbers are finite": ["log(10, 0)", "pow(0, -1)", 'yamldecode(".inf")'],
    "flags, widths and verbs that Terraform overlooks": [
        'format("%e|%E|%f|%F|%g|%G", 1234.5678, 1234.5678, 1234.5678, 1234.5678, 1234.5678, 1234.5678)',
        'format("%5t|", true)',
        'format("%.3v|", "abcdef")',
        'format("%.3v|", 3.14159)',
        'format("%6.2v|", 3.14159)',
    ],
    "what is unknown in part is unknown in whole": [
        'formatlist("%s", [unk, "a"])',
        "setproduct(set, [unk])",
        "toset([unk])",
    ],
    "what decides is known": ["alltrue([unkbool, false])", "issensitive(unk)"],
    "texts of YAML are written otherwise": [
        'yamlencode({x = " a\\nb"})',
        'yamlencode({x = "\\n"})',
        'yamlencode({x = "\\na"})',
        'yamlencode({x = "a\\tb", y = "\\u0001", z = "é", w = "\\"", v = "\\\\", u = ""})',
        'yamlencode({x = "a\\n\\u0001"})',
        'yamlencode({"a b" = 1, "é" = 2, "" = 3, "1" = 4, "a\\nb" = 5})',
        "yamlencode(5)",
        "yamlencode(null)",
        "yamlencode(1e30)",
        f'yamlencode({{x="{" ".join(["a very long text"] * 7)}"}})',
    ],
    "YAML is that of version 1.2": [
        'yamldecode("no")',
        'yamldecode("on")',
        'yamldecode("y")',
        'yamldecode("")',
        'yamldecode("2001-12-14")',
        'yamldecode("<<: {a: 1}\\nb: 2")',
        'yamldecode("a: 1\\na: 2")',
        'yamldecode("!!str 5")',
        'yamldecode("!!int \\"5\\"")',
        'yamldecode("!!binary aGVsbG8=")',
    ],
    "other compressors compress otherwise": [f'base64gzip("{"a" * 42}")'],
    "more encodings": ['textencodebase64("a", "UTF-32")'],
    "more is taken": [
        'csvdecode("a,b\\n1,x\\"y\\n")',
        "parseint(255, 16)",
        'coalescelist(toset([]), ["a"])',
        "concat(set, list)",
        "element(set, 0)",
        'index(set, "a")',
        'lookup(map, "x", "z")',
        'zipmap(["x", "y"], set)',
        'templatestring("x", {})',
    ],
    "years have four digits": ['timeadd("9999-12-31T23:59:59Z", "1s")', 'timeadd("0001-01-01T00:00:00Z", "-1s")'],
    "odd networks": [
        'cidrhost("::ffff:10.0.0.0/112", 1)',
        'cidrnetmask("010.001.0.0/24")',
        'cidrsubnet("10.1.2.0/24", -1, 0)',
        'cidrsubnet("10.1.2.0/24", 2, -1)',
    ],
    "wildcards do not stand for a dot at the start, and a lone bracket is one": [
        'fileset(".", "*")',
        'fileset(".", "**")',
        'fileset(".", "[^h]*")',
        'fileset(".", "[")',
    ],
}
KNOWN = {expression for expressions in DIFFERENT.values() for expression in expressions}


def type_document(type: Type) -> Any:
    """A type as Terraform writes it in JSON."""
    if isinstance(type, (ListType, SetType, MapType)):
        return [{ListType: "list", SetType: "set", MapType: "map"}[type.__class__], type_document(type.element)]
    if isinstance(type, TupleType):
        return ["tuple", [type_document(item) for item in type.items]]
    if isinstance(type, ObjectType):
        return ["object", {name: type_document(item) for name, item in type.attributes.items()}]
    assert isinstance(type, (Primitive, AnyType))
    return "dynamic" if isinstance(type, AnyType) else type.name


def document(value: Value) -> Any:
    """A value as the cases hold them."""
    raw = value.raw
    if value.marks:
        return {"$sensitive": document(value.without_marks())}
    if raw is UNKNOWN:
        return {"$unknown": True}
    if isinstance(raw, Decimal):
        return {"$number": str(raw)}
    if isinstance(raw, tuple):
        return [document(item) for item in raw]
    return {name: document(item) for name, item in raw.items()} if isinstance(raw, dict) else raw


def same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict) and theirs.keys() == ours.keys() == {"$number"}:
        a, b = Decimal(theirs["$number"]), Decimal(ours["$number"])
        return abs(a - b) <= abs(a) * Decimal("1e-15")
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(same, theirs, ours))
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(same(item, ours[name]) for name, item in theirs.items())
    return type(theirs) is type(ours) and bool(theirs == ours)


def agrees(case: dict[str, Any]) -> bool:
    expression, problems = parse_expression(case["expression"], "e")
    assert expression is not None, problems
    value, problems = evaluate_expression(expression, Scope(VARIABLES, FUNCTIONS))
    if problems or "error" in case:
        return bool(problems) and "error" in case
    return type_document(value.type) == case["type"] and same(case["value"], document(value))


@pytest.mark.parametrize("name", sorted({case["expression"].split("(")[0] for case in CASES}))
def test_functions_give_what_terraform_s_give(name: str) -> None:
    cases = [case for case in CASES if case["expression"].startswith(f"{name}(")]
    differing = {case["expression"] for case in cases if not agrees(case)}
    assert differing == {case["expression"] for case in cases} & KNOWN


def test_every_difference_is_one_of_the_cases() -> None:
    assert {case["expression"] for case in CASES} >= KNOWN
