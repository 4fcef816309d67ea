"""Unknown values and sensitive marks flow through every rule, and are never lost or shown."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.lang import Sensitive, Unknown, evaluate, is_sensitive, is_unknown, typed

UNKNOWN: dict[str, Any] = {
    "any": Unknown("any"),
    "str": Unknown("string"),
    "num": Unknown("number"),
    "bool": Unknown("bool"),
    "list": Unknown("list(string)"),
    "map": Unknown("map(number)"),
    "tuple": Unknown("tuple([string,number])"),
    "obj": Unknown("object({a=string,b=list(number)})"),
    "objs": Unknown("list(object({id=number}))"),
    "part": [1, Unknown("number")],
    "two": {"known": 1, "open": Unknown("string")},
}

RESULTS: list[tuple[str, Any]] = [
    ("any.x.y[0]", Unknown("any")),
    ("str", Unknown("string")),
    ('"a${str}b"', Unknown("string")),
    ('"a${any}b"', Unknown("string")),
    ("num + 1", Unknown("number")),
    ("-num", Unknown("number")),
    ("num < 1", Unknown("bool")),
    ("!bool", Unknown("bool")),
    ("str == 1", False),
    ('str == "a"', Unknown("bool")),
    ("any == 1", Unknown("bool")),
    ("bool && false", False),
    ("bool && true", Unknown("bool")),
    ("bool || true", True),
    ("bool && any", Unknown("bool")),
    ("bool ? 1 : 2", Unknown("number")),
    ('bool ? 1 : "a"', Unknown("string")),
    ("bool ? null : null", None),
    ("true ? str : any", Unknown("string")),
    ("true ? any : 1", Unknown("any")),
    ("true ? [any] : [1, 2]", [Unknown("number")]),
    ("true ? {a = any} : {a = [1]}", {"a": Unknown("any")}),
    ("true ? {a = any} : {a = {}}", {"a": Unknown("any")}),
    ("list[0]", Unknown("string")),
    ("list[num]", Unknown("string")),
    ("map.x", Unknown("number")),
    ("map[str]", Unknown("number")),
    ("tuple[1]", Unknown("number")),
    ("obj.b[0]", Unknown("number")),
    ("objs[*].id", Unknown("list(number)")),
    ("tuple[*]", Unknown("tuple([string,number])")),
    ("str[*]", Unknown("any")),
    ("[for x in list : x]", Unknown("any")),
    ("[for x in part : x]", [1, Unknown("number")]),
    ("[for x in part : x if x > 0]", Unknown("any")),
    ("{for x in part : x => 1}", Unknown("any")),
    ("{(str) = 1}", Unknown("any")),
    ("{a = str}", {"a": Unknown("string")}),
    ("two.known", 1),
    ("two.open", Unknown("string")),
    ('"%{ if bool }a%{ endif }"', Unknown("string")),
    ('"%{ for x in list }${x}%{ endfor }"', Unknown("string")),
    ('"%{ for x in part }${x}%{ endfor }"', Unknown("string")),
    ("upper(str)", Unknown("string")),
    ("max(part...)", Unknown("number")),
    ("max(list...)", Unknown("any")),
    ("length(tuple)", 2),
    ("length(obj)", 2),
    ("length(list)", Unknown("number")),
    ("length(part)", 2),
    ("keys(obj)", ["a", "b"]),
    ("keys(map)", Unknown("list(string)")),
    ("concat(part, [3])", [1, Unknown("number"), 3]),
    ("merge(two, {x = 1}).known", 1),
    ('lookup(two, "known", 0)', 1),
    ("contains(part, 1)", True),
    ("contains(part, 2)", Unknown("bool")),
    ("coalesce(null, str)", Unknown("string")),
    ("jsonencode(two)", Unknown("string")),
    ("toset(part)", Unknown("set(number)")),
    ("tonumber(str)", Unknown("number")),
    ("try(str, 1)", Unknown("any")),
    ("try({a = str, b = 1}, {b = 2}).b", Unknown("any")),
    ("try(two, 1)", Unknown("any")),
    ("try(two.known, 1)", 1),
    ("try(str.x, two.known)", 1),
    ("can(str)", Unknown("bool")),
    ("sum(part)", Unknown("number")),
]


@pytest.mark.parametrize(("source", "wanted"), RESULTS, ids=[source for source, _ in RESULTS])
def test_unknown_values(source: str, wanted: Any) -> None:
    result = evaluate(source, UNKNOWN)
    assert [str(p) for p in result.diagnostics] == []
    assert result.value == wanted


CAUGHT = [
    ("obj.c", "unknown_attribute"),
    ("tuple[2]", "invalid_index"),
    ("str.x", "unknown_attribute"),
    ("list.x", "unknown_attribute"),
    ("bool + 1", "invalid_operand"),
    ("obj + 1", "invalid_operand"),
    ('"${obj}!"', "invalid_template"),
    ("bool ? obj : 1", "inconsistent_types"),
    ("upper(list)", "invalid_argument"),
    ("[for x in num : x]", "invalid_for"),
]


@pytest.mark.parametrize(("source", "code"), CAUGHT, ids=[source for source, _ in CAUGHT])
def test_types_are_checked_before_values_are_known(source: str, code: str) -> None:
    assert [p.code for p in evaluate(source, UNKNOWN).diagnostics] == [code]


SECRET: dict[str, Any] = {
    "pw": Sensitive("s3cret"),
    "num": Sensitive(4),
    "yes": Sensitive(True),
    "list": Sensitive(["a", "b"]),
    "inside": ["open", Sensitive("hidden")],
    "obj": {"open": 1, "hidden": Sensitive("x")},
    "later": Sensitive(Unknown("string")),
}

HIDDEN = [
    "pw",
    '"a${pw}"',
    "num + 1",
    "num == 4",
    "!yes",
    "yes ? 1 : 2",
    "true ? pw : 1",
    "yes && true",
    "list[0]",
    "list[*]",
    "[for x in list : 1]",
    "[for x in [1] : x if yes]",
    "{for x in [1] : pw => x}",
    "{(pw) = 1}",
    "upper(pw)",
    "length(list)",
    "max([num, 1]...)",
    'join(",", inside)',
    "jsonencode(obj)",
    "tostring(num)",
    "inside == [1]",
    "inside[1]",
    "obj.hidden",
    "toset(inside)",
    "flatten([list])",
    "coalesce(pw)",
    'regex("s.", pw)',
    "later",
    '"${later}!"',
    "upper(later)",
    'format("%s", pw)',
    "lookup({a = 1}, pw, 2)",
    "sensitive(1)",
    '"%{ for x in inside }${x}%{ endfor }"',
    '"%{ if yes }a%{ endif }"',
]


@pytest.mark.parametrize("source", HIDDEN)
def test_what_is_computed_of_a_secret_is_secret(source: str) -> None:
    result = evaluate(source, SECRET)
    assert [str(p) for p in result.diagnostics] == []
    assert is_sensitive(result.value)
    assert "s3cret" not in repr(result.value)


OPEN: list[tuple[str, Any]] = [
    ("inside[0]", "open"),
    ("obj.open", 1),
    ("length(inside)", 2),
    ("keys(obj)", ["hidden", "open"]),
    ("nonsensitive(pw)", "s3cret"),
    ("issensitive(pw)", True),
    ("issensitive(1)", False),
    ("can(pw)", True),
    ("[for x in inside : 1]", [1, 1]),
]


@pytest.mark.parametrize(("source", "wanted"), OPEN, ids=[source for source, _ in OPEN])
def test_what_is_beside_a_secret_is_not(source: str, wanted: Any) -> None:
    assert evaluate(source, SECRET).value == wanted


def test_marks_stay_where_they_are() -> None:
    assert evaluate("concat(inside, [1])", SECRET).value == ["open", Sensitive("hidden"), 1]
    assert evaluate("{a = pw}", SECRET).value == {"a": Sensitive("s3cret")}
    assert evaluate("[pw, 1]", SECRET).value == [Sensitive("s3cret"), 1]
    assert evaluate("reverse(inside)", SECRET).value == [Sensitive("hidden"), "open"]


@pytest.mark.parametrize(
    "source", ["{a = 1}[pw]", "{for x in [1, 2] : pw => x}", "mapped.s3cre", "{a = 1}[pw].x", "tonumber(pw)", "[1][pw]"]
)
def test_problems_do_not_tell_secrets(source: str) -> None:
    variables = {**SECRET, "mapped": typed(Sensitive({"s3cret": 1}), "map(number)")}
    result = evaluate(source, variables)
    assert not result.ok
    assert all("s3cret" not in str(problem) for problem in result.diagnostics)


def test_predicates() -> None:
    assert is_unknown(Unknown("string"))
    assert is_unknown(Sensitive(Unknown("string")))
    assert not is_unknown("x")
    assert not is_unknown([Unknown("string")])
    assert not is_sensitive("x")
    assert repr(Sensitive("s3cret")) == "(sensitive value)"
    assert str(Unknown("string")) == "(known after apply)"
