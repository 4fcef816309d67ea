"""Every function of the standard library by examples, and the one mechanism by which all are called."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zenctl.lang import Sensitive, Unknown, evaluate, typed
from zenctl.lang.excerpts import excerpt
from zenctl.lang.functions.library import LEFT_OUT, standard_library
from zenctl.lang.model import EPHEMERAL, SENSITIVE, Value
from zenctl.lang.types import STRING
from zenctl.lang.values import from_python

FUNCTIONS = standard_library()

VARIABLES: dict[str, Any] = {
    "list": typed(["b", "a", "b"], "list(string)"),
    "set": typed(["b", "a"], "set(string)"),
    "map": typed({"x": 1, "y": 2}, "map(number)"),
}

EXAMPLES: list[tuple[str, Any]] = [
    ("abs(-1.5)", 1.5),
    ("abs(2)", 2),
    ("ceil(1.2)", 2),
    ("ceil(-1.2)", -1),
    ("floor(1.8)", 1),
    ("floor(-1.2)", -2),
    ("max(1, 3, 2)", 3),
    ("min(1, -3, 2)", -3),
    ("signum(-5)", -1),
    ("signum(0)", 0),
    ("pow(2, 10)", 1024),
    ("pow(4, 0.5)", 2),
    ("pow(2, -1)", 0.5),
    ("pow(0, 0)", 1),
    ("log(1000, 10)", 3),
    ("log(8, 2)", 3),
    ('parseint("ff", 16)', 255),
    ('parseint("-0Z", 36)', -35),
    ('parseint("Z", 62)', 61),
    ("sum([1, 2.5])", 3.5),
    ('upper("aé")', "AÉ"),
    ('lower("AÉ")', "aé"),
    ('title("hello big world")', "Hello Big World"),
    ('trim("?!x?!", "!?")', "x"),
    ('trimspace("  x\\n")', "x"),
    ('trimprefix("hello", "he")', "llo"),
    ('trimsuffix("hello", "lo")', "hel"),
    ('chomp("x\\r\\n\\n")', "x"),
    ('strrev("abc")', "cba"),
    ('startswith("hello", "he")', True),
    ('endswith("hello", "he")', False),
    ('strcontains("hello", "ll")', True),
    ('indent(2, "a\\nb")', "a\n  b"),
    ('split(",", "a,b,")', ["a", "b", ""]),
    ('split("", "ab")', ["a", "b"]),
    ('join("-", ["a", "b"], ["c"])', "a-b-c"),
    ('substr("hello", 1, 3)', "ell"),
    ('substr("hello", -3, -1)', "llo"),
    ('replace("a.b.c", ".", "-")', "a-b-c"),
    ('replace("a1b22", "/[0-9]+/", "<$0>")', "a<1>b<22>"),
    ('replace("ab", "/(?P<x>a)(b)/", "$2$${x}$$")', "ba$"),
    ('format("%s has %d of %05.2f, %t, %q", "a", 3, 1.005, true, "q\\"")', 'a has 3 of 01.00, true, "q\\""'),
    ('format("%5s|%-5s|%05d|%+d|%x|%X|%o|%b", "a", "b", 42, 7, 255, 255, 8, 5)', "    a|b    |00042|+7|ff|FF|10|101"),
    ('format("%v %v %v %#v", 1.5, true, null, "x")', '1.5 true null "x"'),
    ('format("%v", {a = [1, "b"]})', '{"a":[1,"b"]}'),
    ('format("%[2]s %[1]s", "a", "b")', "b a"),
    ('format("%*d|%.*f", 4, 7, 1, 2.55)', "   7|2.6"),
    ('format("%e %g %g %.3g %g", 1234.5, 1e21, 0.5, 1234.5, 100000)', "1.234500e+03 1e+21 0.5 1.23e+03 100000"),
    ('format("100%%")', "100%"),
    ('formatlist("%s-%d", ["a", "b"], 1)', ["a-1", "b-1"]),
    ('regex("[a-z]+", "12ab3")', "ab"),
    ('regex("(\\\\d)(x)?", "a1")', ["1", None]),
    ('regex("(?P<y>\\\\d+)-(?P<m>\\\\d+)", "2024-05")', {"y": "2024", "m": "05"}),
    ('regexall("\\\\d", "a1b2")', ["1", "2"]),
    ('regexall("z", "a1b2")', []),
    ("length([1, 2])", 2),
    ('length("añb")', 3),
    ("length({a = 1})", 1),
    ("element([1, 2, 3], 4)", 2),
    ("element([1, 2, 3], -1)", 3),
    ('index(["a", "b"], "b")', 1),
    ('contains(["a", "b"], "b")', True),
    ("contains([1], true)", False),
    ('lookup({a = 1}, "a")', 1),
    ('lookup(map, "z", 5)', 5),
    ('lookup({a = 1}, "z", "none")', "none"),
    ("keys({b = 1, a = 2})", ["a", "b"]),
    ("values({b = 1, a = 2})", [2, 1]),
    ('coalesce(null, "", "x")', "x"),
    ("coalesce(null, 0)", 0),
    ("coalescelist([], null, [1])", [1]),
    ("one([5])", 5),
    ("one([])", None),
    ("alltrue([true, false])", False),
    ("alltrue([])", True),
    ("anytrue([true, false])", True),
    ('compact(["a", "", null, "b"])', ["a", "b"]),
    ('sort(["b", "a", "B"])', ["B", "a", "b"]),
    ("reverse([1, 2])", [2, 1]),
    ("slice([1, 2, 3, 4], 1, 3)", [2, 3]),
    ("concat([1], [], [2, 3])", [1, 2, 3]),
    ("flatten([1, [2, [3, []]], set])", [1, 2, 3, "a", "b"]),
    ("merge({a = 1, b = 2}, null, {b = 3})", {"a": 1, "b": 3}),
    ("merge()", {}),
    ("distinct(list)", ["b", "a"]),
    ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
    ("range(3)", [0, 1, 2]),
    ("range(1, 4)", [1, 2, 3]),
    ("range(4, 0, -2)", [4, 2]),
    ("range(0)", []),
    ("range(0, 1, 0.5)", [0, 0.5]),
    ("range(3, 0)", [3, 2, 1]),
    ('zipmap(["a", "b"], [1, 2])', {"a": 1, "b": 2}),
    ('matchkeys([1, 2, 3], ["a", "b", "a"], ["a"])', [1, 3]),
    ('transpose({a = ["x", "y"], b = ["x"]})', {"x": ["a", "b"], "y": ["a"]}),
    ("setunion([1], [2, 1])", [1, 2]),
    ("setintersection([1, 2], [2, 3])", [2]),
    ("setsubtract([1, 2], [2])", [1]),
    ("setsymmetricdifference([1, 2], [2, 3])", [1, 3]),
    ('setproduct(["a", "b"], [1])', [["a", 1], ["b", 1]]),
    ("tostring(1.50)", "1.5"),
    ('tonumber("1e3")', 1000),
    ('tobool("true")', True),
    ("tolist(set)", ["a", "b"]),
    ("toset([2, 1, 2])", [1, 2]),
    ("tomap({a = 1})", {"a": 1}),
    ('try(1 / 0, "x")', "x"),
    ("can(1 / 0)", False),
    ("nonsensitive(sensitive(1))", 1),
    ("issensitive(sensitive(1))", True),
    ("type([1])", "tuple([number])"),
    ('jsonencode({b = [1, 2.5, null, true], a = "<é>"})', '{"a":"\\u003cé\\u003e","b":[1,2.5,null,true]}'),
    ('jsondecode("{\\"a\\": [1.5, null, \\"x\\"]}")', {"a": [1.5, None, "x"]}),
    ('yamlencode({a = [1, {b = "no"}], c = {}})', '"a":\n- 1\n- "b": "no"\n"c": {}\n'),
    ("yamldecode(\"a: [1, no, 012, '$${x}']\")", {"a": [1, "no", 12, "${x}"]}),
    ('csvdecode("a,b\\n1,\\"x,y\\"\\n")', [{"a": "1", "b": "x,y"}]),
    ('base64encode("é")', "w6k="),
    ('base64decode("w6k=")', "é"),
    ('urlencode("a b&é")', "a+b%26%C3%A9"),
    ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
    ('sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ('sha256("a")', "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ('base64sha256("a")', "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
    ('substr(sha512("a"), 0, 8)', "1f40fc92"),
    ('substr(base64sha512("a"), 0, 8)', "H0D8ktok"),
]


@pytest.mark.parametrize(("source", "wanted"), EXAMPLES, ids=[source for source, _ in EXAMPLES])
def test_examples(source: str, wanted: Any) -> None:
    result = evaluate(source, VARIABLES)
    assert [str(p) for p in result.diagnostics] == []
    if isinstance(wanted, float):
        assert math.isclose(result.value, wanted)
    else:
        assert result.value == wanted
        assert type(result.value) is type(wanted)


TYPES = [
    ("concat(list, list)", "list(string)"),
    ("concat(list, [1])", "tuple([string,string,string,number])"),
    ("reverse(list)", "list(string)"),
    ("slice(list, 0, 1)", "list(string)"),
    ("merge(map, map)", "map(number)"),
    ("merge(map, {z = true})", "object({x=number,y=number,z=bool})"),
    ("values(map)", "list(number)"),
    ("keys(map)", "list(string)"),
    ("distinct([1, 1])", "list(number)"),
    ("toset([])", "set(any)"),
    ('tolist([1, "a"])', "list(string)"),
    ('split(",", "")', "list(string)"),
    ("setunion(set, [1])", "set(string)"),
    ("zipmap(list, list)", "map(string)"),
    ("chunklist(list, 2)", "list(list(string))"),
    ("one(list2)", "string"),
    ('lookup(map, "z", "5")', "number"),
]


@pytest.mark.parametrize(("source", "type"), TYPES, ids=[source for source, _ in TYPES])
def test_types_of_results(source: str, type: str) -> None:
    result = evaluate(source, {**VARIABLES, "list2": typed(["x"], "list(string)")})
    assert [str(p) for p in result.diagnostics] == []
    assert result.type == type


PROBLEMS = [
    ("pow(-1, 0.5)", "1:9", "no such power"),
    ("pow(10, 100000)", "1:1", "range"),
    ("log(0, 10)", "1:5", "greater than 0"),
    ("log(1, 1)", "1:8", "not 1"),
    ("sum([])", "1:5", "empty"),
    ("sum([null])", "1:5", "null"),
    ('parseint("12", 2)', "1:10", '"2" is no digit'),
    ('parseint("", 10)', "1:10", "not a whole number"),
    ('parseint("1", 63)', "1:15", "2 to 62"),
    ('substr("a", 0.5, 1)', "1:13", "whole"),
    ('join(",", [null])', "1:11", "null"),
    ('join(",", [[]])', "1:11", "element 0"),
    ('format("%d", "x")', "1:14", "a number"),
    ('format("%d", 1.5)', "1:14", "whole"),
    ('format("%s")', "1:8", "no value"),
    ('format("a", 1)', "1:13", "uses 0"),
    ('format("%z", 1)', "1:8", "no verb"),
    ('format("100%")', "1:8", "not complete"),
    ('format("%s", null)', "1:14", "null"),
    ('format("%99999d", 1)', "1:8", "at most"),
    ('formatlist("%s%s", [1, 2], [1])', "1:1", "one length"),
    ('regex("(", "a")', "1:7", "no regular expression"),
    ('regex("a", "b")', "1:12", "does not match"),
    ('regex("a{5000}", "b")', "1:7", "at most 1000"),
    ('regex("((a{100}){100}){100}", "b")', "1:7", "at most 1000"),
    ('regex("(?=a)", "a")', "1:7", "look-around"),
    ('regex("(a)\\\\1", "aa")', "1:7", "references back"),
    ('regex("a\\\\Z", "a")', "1:7", "the end of the text is"),
    ('regex("\\\\C", "a")', "1:7", "single byte"),
    ('regex("(?P<x>a)(b)", "ab")', "1:7", "all groups have names"),
    ("element([], 0)", "1:9", "empty"),
    ("index([1], 2)", "1:12", "no such element"),
    ('lookup({abc = 1}, "abd")', "1:19", 'Did you mean "abc"?'),
    ('lookup(map, "z", [])', "1:18", "does not fit"),
    ("coalesce(null)", "1:1", "null or empty"),
    ("coalesce([], {})", "1:1", "common type"),
    ("one([1, 2])", "1:5", "2 elements"),
    ("slice([1], 0, 2)", "1:15", "behind the last"),
    ("slice(set, 0, 1)", "1:7", "no order"),
    ("range(0, 5, -1)", "1:13", "away"),
    ("range(0, 5, 0)", "1:13", "not be 0"),
    ("range(1e9)", "1:1", "more than"),
    ('zipmap(["a"], [])', "1:15", "1 keys"),
    ("setproduct(range(2000), range(2000))", "1:1", "more than"),
    ("keys([])", "1:6", "a map or an object"),
    ("length(5)", "1:8", "a number"),
    ('tonumber("x")', "1:10", "a number is required"),
    ("tolist([1, true])", "1:8", "same type"),
    ('jsondecode("{")', "1:12", "line 1, column 2"),
    ('jsondecode("NaN")', "1:12", "no number"),
    ('jsondecode("1e99999")', "1:12", "too large"),
    ('yamldecode("a: [")', "1:12", "not YAML (line 1, column 5)"),
    ('csvdecode("a,b\\n1")', "1:11", "1 fields"),
    ('csvdecode("a,a\\n1,2")', "1:11", "same name"),
    ('base64decode("?")', "1:14", "Base64"),
    ('base64decode("/w==")', "1:14", "UTF-8"),
    ("merge({}, 5)", "1:11", "a map or an object"),
]


@pytest.mark.parametrize(("source", "place", "told"), PROBLEMS, ids=[source for source, _, _ in PROBLEMS])
def test_problems(source: str, place: str, told: str) -> None:
    result = evaluate(source, VARIABLES, filename="e")
    assert [str(p.range) for p in result.diagnostics] == [f"e:{place}"]
    assert told.lower() in result.diagnostics[0].detail.lower()


def test_unknown_arguments_make_unknown_results_of_the_right_type() -> None:
    for function in FUNCTIONS.values():
        if function.lazy or function.name in ("type", "issensitive", "sensitive", "nonsensitive"):
            continue
        count = max(len(function.parameters), 1 if function.rest else 0)
        source = f"{function.name}({', '.join(['u'] * count)})"
        result = evaluate(source, {"u": Unknown("any")})
        assert [str(p) for p in result.diagnostics] == [], source
        if not callable(function.returns) and str(function.returns) in ("string", "number", "bool"):
            assert result.value == Unknown(str(function.returns)), source
        else:
            assert isinstance(result.value, Unknown), source


UNKNOWN_TYPES = [
    ("concat(l, l)", "list(string)"),
    ("concat(l, ln)", "list(string)"),
    ("chunklist(l, 2)", "list(list(string))"),
    ("element(l, n)", "string"),
    ("element([1, 2], n)", "number"),
    ('element([1, "a"], n)', "any"),
    ("one(ln)", "number"),
    ("slice(l, 0, n)", "list(string)"),
    ("merge(m, m)", "map(number)"),
    ('lookup(m, "k", 1)', "number"),
    ("values(m)", "list(number)"),
    ("keys(m)", "list(string)"),
    ('zipmap(l, ["a"])', "any"),
    ("zipmap(l, ln)", "map(number)"),
    ("distinct(ln)", "list(number)"),
    ("reverse(toset(l))", "list(string)"),
    ("setunion(l, ln)", "set(string)"),
    ("setproduct(l, ln)", "list(tuple([string,number]))"),
    ("matchkeys(ln, l, l)", "list(number)"),
    ("coalescelist(l, l)", "list(string)"),
    ("tolist(toset(ln))", "list(number)"),
    ('regex("(a)(b)", s)', "tuple([string,string])"),
    ('regex("(?P<x>a)", s)', "object({x=string})"),
    ('regexall("a", s)', "list(string)"),
    ("flatten([s, [1]])", "tuple([string,number])"),
    ("ephemeralasnull(m)", "map(number)"),
    ("timestamp()", "string"),
]


@pytest.mark.parametrize(("source", "type"), UNKNOWN_TYPES, ids=[source for source, _ in UNKNOWN_TYPES])
def test_unknown_results_have_a_type(source: str, type: str) -> None:
    variables = {"l": "list(string)", "ln": "list(number)", "m": "map(number)", "n": "number", "s": "string"}
    result = evaluate(source, {name: Unknown(type) for name, type in variables.items()})
    assert [str(p) for p in result.diagnostics] == []
    assert result.type == type


WRONG_ALREADY = [
    ('regex("(", s)', "1:7"),
    ("keys(s)", "1:6"),
    ("concat(l, 5)", "1:11"),
    ("slice(toset(l), 0, 1)", "1:7"),
    ("setunion(l, [[1]])", "1:1"),
    ("matchkeys(l, l, [[1]])", "1:17"),
    ("setproduct(l, s)", "1:15"),
    ("merge(s)", "1:7"),
    ("sum([s, true])", "1:5"),
]


@pytest.mark.parametrize(("source", "place"), WRONG_ALREADY, ids=[source for source, _ in WRONG_ALREADY])
def test_what_is_wrong_whatever_comes_is_told_before_it_is_known(source: str, place: str) -> None:
    result = evaluate(source, {"l": Unknown("list(string)"), "s": Unknown("string")}, filename="e")
    assert [str(problem.range) for problem in result.diagnostics] == [f"e:{place}"]


MESSAGES = [
    ("log(-1, 10)", 'Only a number greater than 0 has a logarithm. The argument "number" is -1.'),
    ("upper([1])", 'Invalid value for "string": a string is required, not a list. It is [1].'),
    ('tonumber("abc")', 'A number is required. The argument "value" is "abc".'),
    ("upper(null)", 'The argument "string" must not be null.'),
    (
        'parseint("zz", 10)',
        'This is not a whole number in base 10: "z" is no digit. The argument "string" is "zz".',
    ),
    ("max([1, 2, {a = secret}]...)", 'Invalid value for "numbers": a number is required, not an object. '
     "It is {a = (sensitive value)}."),
    ("parseint(secret, 10)", 'This is not a whole number in base 10. The argument "string" is (sensitive value).'),
    ("tomap({s3 = 1, b = []})", "All elements must have the same type."
     ' The argument "value" is {s3 = 1, b = []}.'),
    ("lookup(hidden, \"s3crex\")", 'The map has no such element. The argument "key" is "s3crex".'),
    ("sort(range(1000)[*][0])", "This is a number, which has no elements."),
    ("abs()", 'The argument "number" is missing: it is called as abs(number).'),
    ("range(1, 2, 3, 4)", "It takes 3 arguments, not 4: range(start[, limit[, step]])."),
]  # fmt: skip


@pytest.mark.parametrize(("source", "detail"), MESSAGES, ids=[source for source, _ in MESSAGES])
def test_messages_name_the_argument_and_its_value(source: str, detail: str) -> None:
    variables = {"secret": Sensitive("s3cret"), "hidden": typed(Sensitive({"s3cret": 1}), "map(number)")}
    assert [problem.detail for problem in evaluate(source, variables).diagnostics] == [detail]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a" * 100, f'"{"a" * 60}..."'),
        ('say "hi"\n', '"say \\"hi\\"\\n"'),
        (list(range(100)), None),
        ([Sensitive("x"), Unknown("string"), None, True], "[(sensitive value), (known after apply), null, true]"),
        ({"a b": {}, "c": [1.5]}, '{"a b" = {}, c = [1.5]}'),
        (10**900, "1.0000000000000000000e+900"),
    ],
)
def test_values_in_messages_are_short(value: Any, shown: str | None) -> None:
    text = excerpt(from_python(value))
    assert len(text) < 90
    assert text == shown if shown else text.endswith("...]")


def test_names_of_functions() -> None:
    assert evaluate('[core::upper("a"), core::try({}.a, "b"), core::can(1)]').value == ["A", "b", True]
    told = {
        'uper("a")': 'There is no function "uper". Did you mean "upper"?',
        'core::uper("a")': 'There is no function "core::uper". Did you mean "core::upper"?',
        "provider::x::f()": 'There is no function "provider::x::f". Only core:: can stand before a name: '
        "providers have no functions.",
        "uuid()": f'There is no function "uuid": {LEFT_OUT["uuid"]}.',
        "core::bcrypt()": f'There is no function "core::bcrypt": {LEFT_OUT["bcrypt"]}.',
    }
    assert {source: evaluate(source).diagnostics[0].detail for source in told} == told


def test_what_is_ephemeral_becomes_null() -> None:
    ephemeral = Value(STRING, "token", frozenset({EPHEMERAL, SENSITIVE}))
    variables = {"e": ephemeral, "o": {"a": [ephemeral, 1], "b": 2}}
    result = evaluate("[ephemeralasnull(e), ephemeralasnull(o)]", variables)
    assert result.value == [Sensitive(None), {"a": [Sensitive(None), 1], "b": 2}]


def test_the_plan_s_time_must_be_one() -> None:
    for wrong in ("yesterday", "2026-13-01T00:00:00Z", "2026-01-01"):
        with pytest.raises(ValueError, match=wrong):
            standard_library(None, wrong)["timestamp"]


def test_without_files_nothing_is_read() -> None:
    for source in ('file("a")', 'fileexists("a")', 'fileset(".", "*")', 'templatefile("a", {})', 'filemd5("a")'):
        assert "No files can be read here." in evaluate(source).diagnostics[0].detail


def test_functions_of_ones_own() -> None:
    def greet(name: str, times: int = 1) -> str:
        if times < 0:
            raise ValueError("times must not be negative")
        return f"hello {name}" * times

    functions = {"greet": greet, "ns::fail": lambda: 1 / 0}
    assert evaluate('greet("bob")', functions=functions).value == "hello bob"
    assert evaluate("greet(x)", {"x": Unknown("string")}, functions=functions).value == Unknown("string")
    told = evaluate('greet("bob", -1)', functions=functions).diagnostics[0].detail
    assert told == "It failed: times must not be negative"
    assert not evaluate("ns::fail()", functions=functions).ok
    assert not evaluate("greet(1, 2, 3)", functions=functions).ok
    assert evaluate('upper("a")', functions=functions).diagnostics[0].code == "unknown_function"
