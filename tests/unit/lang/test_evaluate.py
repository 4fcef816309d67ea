"""What expressions evaluate to, and how their problems are told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.measuring import peer_seconds
from zenctl.lang import evaluate, typed

VARIABLES: dict[str, Any] = {
    "var": {"n": 5, "name": "bob", "ok": True, "nothing": None, "xs": [1, 2, 3]},
    "list": typed(["a", "b"], "list(string)"),
    "set": typed(["b", "a", "b"], "set(string)"),
    "map": typed({"y": 2, "x": 1}, "map(number)"),
    "objects": typed([{"id": 1, "tags": ["p"]}, {"id": 2, "tags": []}], "list(object({id=number,tags=list(string)}))"),
}

VALUES: list[tuple[str, Any, str]] = [
    # literals and numbers
    ("1.50", 1.5, "number"),
    ("1e3", 1000, "number"),
    ("0.1 + 0.2 == 0.3", True, "bool"),
    ("9007199254740993", 9007199254740993, "number"),
    ("null", None, "any"),
    ("-12345678901234567890123456789012345678", -12345678901234567890123456789012345678, "number"),
    ('tonumber("-12345678901234567890123456789012345678")', -12345678901234567890123456789012345678, "number"),
    ("-1.2345678901234567890123456789 == 0 - 1.2345678901234567890123456789", True, "bool"),
    ("-0", 0, "number"),
    ('"${-0}"', 0, "number"),
    ('"${-0}!"', "0!", "string"),
    ("1 / 3 * 3 == 1", True, "bool"),
    ("1 / 49 * 49 == 1", True, "bool"),
    ("1 / 3 + 1 / 3 + 1 / 3", 1, "number"),
    ("1 - 1 / 3 * 3", 0, "number"),
    ('"${10 / 3 * 3}!"', "10!", "string"),
    ("[1, 2][1 / 3 * 3]", 2, "number"),
    ("1 / 3 == 0.3333333333", False, "bool"),
    ("1e155 + 1 - 1e155", 1, "number"),
    ("0.1 % 0.01", 0, "number"),
    ("1.1 * 1.1 == 1.21", True, "bool"),
    # operators
    ("1 + 2 * 3 - 4 / 2", 5, "number"),
    ("-7 % 3", -1, "number"),
    ('"2" * "3"', 6, "number"),
    ("1 < 2 && 2 >= 2 || false", True, "bool"),
    ("!true", False, "bool"),
    ('!"false"', True, "bool"),
    ('"1" == 1', False, "bool"),
    ("null == null", True, "bool"),
    ("var.nothing == null", True, "bool"),
    ("[1, 2] == [1, 2]", True, "bool"),
    ("{a = 1} != {a = 2}", True, "bool"),
    ("false && missing", False, "bool"),
    ("missing && false", False, "bool"),
    ("true || missing", True, "bool"),
    # conditionals
    ('true ? 1 : "a"', "1", "string"),
    ("false ? 1 : null", None, "number"),
    ("true ? [] : [1]", [], "list(number)"),
    ("true ? {a = 1} : {b = 2}", {"a": 1}, "map(number)"),
    ("true ? list : [1]", ["a", "b"], "list(string)"),
    ("var.ok ? 1 : missing", 1, "number"),
    ("true ? {a = null} : {a = 1}", {"a": None}, "object({a=number})"),
    ("true ? [null] : [1, 2]", [None], "list(number)"),
    ('true ? [null, 1] : ["a"]', [None, "1"], "list(string)"),
    ("true ? {a = null} : {a = [1]}", {"a": None}, "object({a=any})"),
    ("true ? [null, [1]] : []", [None, [1]], "list(any)"),
    ('true ? set : ["z"]', ["a", "b"], "set(string)"),
    ("false ? set : [2, 1]", ["1", "2"], "set(string)"),
    ("false ? set : list", ["a", "b"], "list(string)"),
    ("tolist([null, 1])", [None, 1], "list(number)"),
    ('toset(["b", null, "a"])', ["a", "b", None], "set(string)"),
    # templates
    ('"${var.n}"', 5, "number"),
    ('"n=${var.n} ok=${var.ok}"', "n=5 ok=true", "string"),
    ('"${1.50}!"', "1.5!", "string"),
    ('"${1e21}!"', "1000000000000000000000!", "string"),
    ('"a ${~ var.name ~} b"', "abobb", "string"),
    ('"%{ if var.ok }yes%{ else }no%{ endif }"', "yes", "string"),
    ('"%{ if !var.ok }yes%{ endif }"', "", "string"),
    ('"%{ for i, x in list }${i}${x},%{ endfor }"', "0a,1b,", "string"),
    ("<<E\n%{ for x in list ~}\n- ${x}\n%{ endfor ~}\nE\n", "- a\n- b\n", "string"),
    ("<<-E\n    a\n      ${var.name}\n    E\n", "a\n  bob\n", "string"),
    # tuples and objects
    ("[1, true, null]", [1, True, None], "tuple([number,bool,any])"),
    ('{a = 1, "b c" = 2, (var.name) = 3, 4 = 5}', {"a": 1, "b c": 2, "bob": 3, "4": 5}, ""),
    ("{a = 1, a = 2}", {"a": 2}, "object({a=number})"),
    # selection
    ("var.xs[0]", 1, "number"),
    ('var.xs["1"]', 2, "number"),
    ('var["name"]', "bob", "string"),
    ("list.1", "b", "string"),
    ("map.x", 1, "number"),
    ('map["y"]', 2, "number"),
    ("{a = {b = [1]}}.a.b[0]", 1, "number"),
    # splats
    ("objects[*].id", [1, 2], "list(number)"),
    ("objects.*.id", [1, 2], "list(number)"),
    ("objects[*].tags[*]", [["p"], []], "list(list(string))"),
    ("objects.*.id[0]", 1, "number"),
    ("objects[*].id[0]", None, "error"),
    ("var.name[*]", ["bob"], "tuple([string])"),
    ("var.nothing[*]", [], "tuple([])"),
    ("[][*].x", [], "tuple([])"),
    ("set[*]", ["a", "b"], "list(string)"),
    # for
    ("[for x in var.xs : x * 2]", [2, 4, 6], "tuple([number,number,number])"),
    ('[for i, x in list : "${i}${x}" if x != "a"]', ["1b"], "tuple([string])"),
    ("[for k, v in map : k]", ["x", "y"], "tuple([string,string])"),
    ("[for x in set : x]", ["a", "b"], "tuple([string,string])"),
    ("{for k, v in map : v => k}", {"1": "x", "2": "y"}, 'object({"1"=string,"2"=string})'),
    ('{for x in [1, 2, 3] : x % 2 == 0 ? "even" : "odd" => x...}', {"odd": [1, 3], "even": [2]}, ""),
    ("[for xs in [[1], [2, 3]] : [for x in xs : x + length(xs)]]", [[2], [4, 5]], ""),
    ("[for x in [1] : [for x in [2] : x]]", [[2]], ""),
    # calls
    ("max(var.xs...)", 3, "number"),
    ("max(0, [7]...)", 7, "number"),
    ('try(var.missing, "none")', "none", "string"),
    ("can(var.missing)", False, "bool"),
    ("can(var.n)", True, "bool"),
]


@pytest.mark.parametrize(("source", "value", "type"), [v for v in VALUES if v[2] != "error"], ids=lambda v: str(v)[:40])
def test_values(source: str, value: Any, type: str) -> None:
    result = evaluate(source, VARIABLES)
    assert [str(p) for p in result.diagnostics] == []
    assert result.value == value
    if type:
        assert result.type == type


PROBLEMS = [
    ("vra.n", "unknown_variable", "1:1", 'Did you mean "var"?'),
    ("zzz", "unknown_variable", "1:1", "There are: list, map, objects, set, var."),
    ("var.nme", "unknown_attribute", "1:4", 'Did you mean "name"?'),
    ("map.zz", "missing_key", "1:4", "It has: x, y."),
    ("var.name.x", "unknown_attribute", "1:9", "a string"),
    ("objects.id", "unknown_attribute", "1:8", "[*].id"),
    ("var.nothing.x", "null_value", "1:12", "null"),
    ("var.xs[3]", "invalid_index", "1:7", "there are 3 elements"),
    ("var.xs[-1]", "invalid_index", "1:7", "negative"),
    ("var.xs[0.5]", "invalid_index", "1:7", "whole"),
    ('var.xs["a"]', "invalid_index", "1:7", "a number"),
    ("set[0]", "invalid_index", "1:4", "tolist"),
    ("objects[*].id[0]", "invalid_index", "1:14", "no elements"),
    ("var.n[0]", "invalid_index", "1:6", "no elements"),
    ('1 + "a"', "invalid_operand", "1:5", "a number is required"),
    ("null + 1", "invalid_operand", "1:1", "null"),
    ("-var.name", "invalid_operand", "1:2", "a number is required"),
    ("!5", "invalid_operand", "1:2", "a bool is required"),
    ("1 / 0", "operation_failed", "1:5", "zero"),
    ("1 % 0", "operation_failed", "1:5", "zero"),
    ("1e999 * 1e999", "operation_failed", "1:1", "range"),
    ('"x${null}"', "invalid_template", "1:5", "null"),
    ('"x${var.xs}"', "invalid_template", "1:5", "join"),
    ("true ? {} : []", "inconsistent_types", "1:8", "common type"),
    ("true ? 1 : true", "inconsistent_types", "1:8", "common type"),
    ("null ? 1 : 2", "invalid_condition", "1:1", "null"),
    ('"yes" ? 1 : 2', "invalid_condition", "1:1", "true or false"),
    ("[for x in null : x]", "invalid_for", "1:11", "coalesce"),
    ("[for x in 5 : x]", "invalid_for", "1:11", "a number"),
    ("[for x in [1] : x if null]", "invalid_for", "1:22", "null"),
    ('[for x in [1] : x if "a"]', "invalid_for", "1:22", "a bool"),
    ('{for x in [1, 1] : "k" => x}', "duplicate_key", "1:20", '"k"'),
    ("{for x in [1] : null => x}", "invalid_key", "1:17", "null"),
    ("{for x in [1] : [] => x}", "invalid_key", "1:17", "a string"),
    ("{var.name = 1}", "ambiguous_key", "1:2", "parentheses"),
    ("{(null) = 1}", "invalid_key", "1:2", "null"),
    ("{([]) = 1}", "invalid_key", "1:2", "a string"),
    ('uper("a")', "unknown_function", "1:1", 'Did you mean "upper"?'),
    ("upper()", "wrong_arguments", "1:1", "upper(string)"),
    ('upper("a", "b")', "wrong_arguments", "1:1", "1 argument,"),
    ("upper([])", "invalid_argument", "1:7", "a string"),
    ("upper(null)", "invalid_argument", "1:7", "null"),
    ("tostring(true ? null : {})", "invalid_argument", "1:10", "an object"),
    ("(true ? null : [1]) + 1", "invalid_operand", "1:1", "a list"),
    ("max(5...)", "invalid_argument", "1:5", "a number"),
    ("try(var.a, var.b)", "invalid_argument", "1:1", '"a"'),
    ("[{a = 1}, {}][*].a", "unknown_attribute", "1:17", "empty"),
]


@pytest.mark.parametrize(("source", "code", "place", "detail"), PROBLEMS, ids=[p[0] for p in PROBLEMS])
def test_problems(source: str, code: str, place: str, detail: str) -> None:
    result = evaluate(source, VARIABLES, filename="e")
    assert not result.ok
    assert [(p.code, str(p.range)) for p in result.diagnostics] == [(code, f"e:{place}")]
    assert detail in result.diagnostics[0].detail


def test_long_lists_of_names_are_cut() -> None:
    result = evaluate("zzz", {f"name_{number:03}": 1 for number in range(300)})
    assert result.diagnostics[0].detail.count("name_") == 12
    assert len(evaluate(f"[{'zzz, ' * 5000}]").diagnostics) == 200


def test_each_place_is_told_once() -> None:
    result = evaluate("[for x in var.xs : vra + x]", VARIABLES)
    assert [p.code for p in result.diagnostics] == ["unknown_variable"]


def test_all_problems_of_an_expression_are_told() -> None:
    result = evaluate("[aaa, bbb, 1 + ccc, f(ddd)]")
    assert sorted(p.column or 0 for p in result.diagnostics) == [2, 7, 16, 21, 23]


def test_what_is_not_computed_may_be_wrong() -> None:
    assert evaluate("true ? 1 : 1 / 0").value == 1
    assert evaluate("[for x in [] : missing]").value == []
    assert not evaluate("false ? 1 : 1 / 0").ok


def test_loops_that_end() -> None:
    assert evaluate("length([for a in range(400) : [for b in range(400) : b]])").value == 400
    assert evaluate("length(xs[*][*][*])", {"xs": list(range(5000))}).value == 5000


@pytest.mark.parametrize(
    "source",
    [
        "length([for a in range(2000) : [for b in range(2000) : b]])",
        "[for a in range(3) : " * 60 + "1" + "]" * 60,
        f"[for a in range(1000) : [{'1, ' * 500}]]",
        "[for a in range(1000) : max(xs...)]",
        '"%{ for a in xs }%{ for b in xs }%{ endfor }%{ endfor }"',
        "{for a in xs : a => xs[*]}",
        "[for a in xs : [for b in xs : 1 if false]]",
    ],
)
def test_loops_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenctl.lang.evaluator.MAX_STEPS", 50_000)
    began = time.process_time()
    result = evaluate(source, {"xs": list(range(500))})
    spent = time.process_time() - began
    assert [p.code for p in result.diagnostics] == ["too_many_iterations"]
    assert spent < 5 * peer_seconds()


def test_texts_end() -> None:
    result = evaluate(
        '"%{ for a in range(1000) }%{ for b in range(1000) }${s}%{ endfor }%{ endfor }"', {"s": "x" * 1000}
    )
    assert [p.code for p in result.diagnostics] == ["text_too_long"]


@pytest.mark.parametrize(
    "source", ["1" + " + 1" * 190, "-" * 190 + "1", "true ? 1 : " * 150 + "2", "[" * 99 + "]" * 99]
)
def test_the_largest_expressions_evaluate(source: str) -> None:
    assert evaluate(source).ok
    assert evaluate("try(" * 60 + "upper(" * 39 + '"a"' + ")" * 99).value == "A"


LONG = 10**60 + 1


@pytest.mark.parametrize(
    "source", [f"-{LONG}", f'tonumber("-{LONG}")', f"-abs(-{LONG})", f'jsondecode("-{LONG}")', f'yamldecode("-{LONG}")']
)
def test_a_sign_costs_no_digit(source: str) -> None:
    assert evaluate(source).value == -LONG
    assert evaluate(f"a: -{LONG}", syntax="yaml").value == {"a": -LONG}
