"""Every function of the standard library by examples, and the one mechanism by which all are called."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zenctl.lang import Unknown, evaluate, typed
from zenctl.lang.functions.library import standard_library

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


def test_random_arguments_never_raise() -> None:
    odd = [
        "null",
        "1",
        "-1.5",
        '""',
        '"a"',
        "[]",
        "[1]",
        '["a", null]',
        "{}",
        '{a = "b"}',
        "true",
        "set",
        "map",
        "1e900",
    ]
    for name, function in FUNCTIONS.items():
        least = len(function.parameters)
        for first in odd:
            for second in odd:
                arguments = [first, second, "1", "2"][: max(least, 2 if function.rest else least)]
                result = evaluate(f"{name}({', '.join(arguments)})", VARIABLES)
                assert all(problem.range for problem in result.diagnostics)


def test_a_search_that_takes_too_long_is_stopped() -> None:
    result = evaluate('regexall("(x+x+)+(y|w)", s)', {"s": "x" * 40})
    assert result.ok or "too long" in result.diagnostics[0].detail


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
