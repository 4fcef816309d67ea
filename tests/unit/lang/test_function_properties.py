"""The functions against oracles, against secrets, and against what is made to break them."""

from __future__ import annotations

import base64
import csv
import datetime
import gzip
import hashlib
import io
import ipaddress
import json
import random
import subprocess
import sys
import unicodedata
import urllib.parse
import uuid
from decimal import Decimal
from time import process_time
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.measuring import peer_seconds
from tests.unit.lang.file_readers import module_files
from zenctl.lang import Sensitive, Unknown, evaluate, is_sensitive, typed
from zenctl.lang.calls import MAX_ELEMENTS, MAX_STRING, Function
from zenctl.lang.functions.library import standard_library
from zenctl.lang.types import BOOL, NUMBER, STRING

FUNCTIONS = standard_library(module_files({"a": b"text ${x}"}), "2026-01-31T08:30:00Z")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda t: unicodedata.normalize("NFC", t))
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=30)
numbers = st.integers(-(10**15), 10**15) | st.decimals(-1000, 1000, places=4).map(float)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def value(source: str, **variables: Any) -> Any:
    result = evaluate(source, variables, functions=FUNCTIONS)
    assert [str(problem) for problem in result.diagnostics] == []
    return result.value


@given(documents)
def test_json_is_what_json_reads(data: Any) -> None:
    encoded = value("jsonencode(x)", x=data)
    assert json.loads(encoded) == data
    assert value("jsondecode(jsonencode(x))", x=data) == data
    assert value("jsondecode(x)", x=json.dumps(data, indent=1)) == data


@given(documents)
@example(["a\nb", {"k": "x\n\ny\n"}, [["  lead\nx"]], "trail \nx", "\n", "\u0085", "\ufeff", "# no", "", "a: b", "- a"])
def test_yaml_is_what_pyyaml_reads(data: Any) -> None:
    encoded = value("yamlencode(x)", x=data)
    assert yaml.safe_load(encoded) == data
    assert value("yamldecode(yamlencode(x))", x=data) == data


@given(st.lists(st.lists(texts, min_size=2, max_size=2), max_size=5))
def test_csv_is_what_csv_writes(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b"], *rows])
    assert value("csvdecode(x)", x=text.getvalue()) == [{"a": a, "b": b} for a, b in rows]


@given(texts)
def test_digests_and_encodings_are_python_s(text: str) -> None:
    data = text.encode()
    for name in ("md5", "sha1", "sha256", "sha512"):
        assert value(f"{name}(x)", x=text) == hashlib.new(name, data).hexdigest()
    assert value("base64sha512(x)", x=text) == base64.b64encode(hashlib.sha512(data).digest()).decode()
    assert value("base64decode(base64encode(x))", x=text) == text
    assert gzip.decompress(base64.b64decode(value("base64gzip(x)", x=text))) == data
    assert urllib.parse.unquote_plus(value("urlencode(x)", x=text)) == text
    assert value('uuidv5("url", x)', x=text) == str(uuid.uuid5(uuid.NAMESPACE_URL, text))
    for encoding in ("UTF-8", "UTF-16", "utf-16le", "UTF-32", "GB18030"):
        assert value("textdecodebase64(textencodebase64(x, e), e)", x=text, e=encoding) == text


@given(st.integers(-(10**9), 10**9), st.sampled_from(["", "0", "+", "-", " ", "+0"]), st.integers(0, 12))
def test_whole_numbers_are_formatted_as_python_does(number: int, flags: str, width: int) -> None:
    pattern = f"%{flags}{width or ''}d"
    assert value("format(f, x)", f=pattern, x=number) == pattern % number


@given(st.decimals(-(10**6), 10**6, places=3), st.integers(0, 9))
def test_fractions_are_formatted_as_python_does(number: Decimal, places: int) -> None:
    assert value("format(f, x)", f=f"%.{places}f", x=number) == f"{number:.{places}f}"
    if number:
        mantissa, exponent = f"{number:.{places}e}".split("e")
        assert value("format(f, x)", f=f"%.{places}e", x=number) == f"{mantissa}e{int(exponent):+03d}"


@given(ascii_texts.filter(lambda t: "\r\n" not in t), st.integers(-40, 40), st.integers(-1, 40))
def test_substr_is_a_slice(text: str, offset: int, length: int) -> None:
    start = offset if offset >= 0 else max(0, len(text) + offset)
    wanted = text[start:] if length < 0 else text[start : start + length]
    assert value("substr(t, o, n)", t=text, o=offset, n=length) == wanted


@given(texts, st.integers(0, 30))
def test_characters_are_never_cut(text: str, at: int) -> None:
    parts = [value("substr(t, 0, n)", t=text, n=at), value("substr(t, n, -1)", t=text, n=at)]
    assert "".join(parts) == text
    assert value("length(a) + length(b)", a=parts[0], b=parts[1]) == value("length(t)", t=text)


@given(st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9000, 1, 1)), st.integers(-(10**6), 10**6))
def test_times_are_python_s(start: datetime.datetime, minutes: int) -> None:
    start = start.replace(microsecond=0)
    text = start.isoformat() + "+05:30"
    later = start + datetime.timedelta(minutes=minutes)
    assert value("timeadd(t, d)", t=text, d=f"{minutes}m") == later.isoformat() + "+05:30"
    assert value("timecmp(timeadd(t, d), t)", t=text, d=f"{minutes}m") == (minutes > 0) - (minutes < 0)
    spec = "YYYY-MM-DD hh:mm:ss EEEE D MMMM HH aa"
    wanted = start.strftime("%Y-%m-%d %H:%M:%S %A {} %B %I ").format(start.day) + start.strftime("%p").lower()
    assert value("formatdate(s, t)", s=spec, t=text) == wanted


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 8), st.data())
def test_networks_are_python_s(address: int, prefix: int, bits: int, data: st.DataObject) -> None:
    network = ipaddress.ip_network((address, prefix), strict=False)
    bits = min(bits, 32 - prefix)
    number = data.draw(st.integers(0, 2**bits - 1))
    wanted = next(x for at, x in enumerate(network.subnets(bits)) if at == number)
    assert value("cidrsubnet(n, b, x)", n=str(network), b=bits, x=number) == str(wanted)
    assert value("cidrhost(n, -1)", n=str(network)) == str(network.broadcast_address)
    assert value("cidrnetmask(n)", n=str(network)) == str(network.netmask)


@given(st.lists(st.integers(-5, 5)), st.lists(st.integers(-5, 5)))
def test_sets_are_python_s(a: list[int], b: list[int]) -> None:
    assert value("setunion(a, b)", a=a, b=b) == sorted({*a, *b})
    assert value("setintersection(a, b)", a=a, b=b) == sorted({*a} & {*b})
    assert value("setsubtract(a, b)", a=a, b=b) == sorted({*a} - {*b})
    assert value("setsymmetricdifference(a, b)", a=a, b=b) == sorted({*a} ^ {*b})
    assert value("distinct(a)", a=a) == list(dict.fromkeys(a))
    assert value("sum(concat([0], a))", a=a) == sum(a)


ARGUMENTS: dict[str, Any] = {
    "null": None, "one": 1, "half": -1.5, "huge": 10**300, "yes": True, "empty": "", "text": "a", "pattern": "(a)|b",
    "bad": "(", "time": "2026-01-31T08:30:00Z", "verbs": "%s %d", "half_letter": "\ud800x", "list": ["a", None],
    "numbers": [3, 1, 2], "nested": [[1], [2]], "tuple": [1, "x", [True]], "object": {"k": "v"}, "objects": [{"a": 1}],
    "strings": typed(["b", "a"], "list(string)"), "set": typed(["b", "a"], "set(string)"), "nothing": [],
    "map": typed({"x": 1}, "map(number)"), "lists": typed({"x": ["y"]}, "map(list(string))"), "unknown": Unknown("any"),
    "unknown_text": Unknown("string"), "unknown_list": Unknown("list(string)"), "partly": [1, Unknown("number")],
}  # fmt: skip
SECRETS: dict[str, Any] = {
    "secret": Sensitive("s3cret"), "secret_list": Sensitive(["s3cret", "x"]), "secret_map": Sensitive({"s3cret": 1}),
    "inside": ["x", Sensitive("s3cret")], "below": {"k": Sensitive({"s3cret": "s3cret"})},
    "secret_typed": typed(Sensitive({"s3cret": "y"}), "map(string)"), "secret_spec": Sensitive("%s3cret (s3cret"),
    "secret_time": Sensitive("2026-01-31T08:30:00s3cret"), "secret_rows": Sensitive("s3cret,s3cret\n1"),
    "secret_yaml": Sensitive("*s3cret"), "secret_json": Sensitive('{"s3cret'), "secret_set": Sensitive({"s3cret"}),
    "secret_template": Sensitive("${s3cret"), "secret_name": Sensitive("a/s3cret"),
}  # fmt: skip


def calls(function: Function, names: list[str], count: int) -> list[str]:
    """Random calls, with the right number of arguments."""
    chooser = random.Random(function.name)
    found: list[str] = []
    for _ in range(count):
        most = len(function.parameters) + len(function.optional) + (2 if function.rest else 0)
        given = chooser.randint(len(function.parameters), most)
        found.append(f"{function.name}({', '.join(chooser.choices(names, k=given))})")
    return found


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_any_arguments_give_a_value_or_an_error_at_its_place(name: str) -> None:
    for source in calls(FUNCTIONS[name], list(ARGUMENTS), 80):
        result = evaluate(source, ARGUMENTS, functions=FUNCTIONS)
        for problem in result.diagnostics:
            assert problem.range is not None, source
            assert problem.detail.endswith((".", "?")), (source, problem.detail)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_no_error_shows_a_secret_and_no_result_loses_it(name: str) -> None:
    variables = {**ARGUMENTS, **SECRETS}
    for source in calls(FUNCTIONS[name], [*ARGUMENTS, *SECRETS, *SECRETS], 120):
        result = evaluate(source, variables, functions=FUNCTIONS)
        assert all("s3cret" not in str(problem) for problem in result.diagnostics), (source, result.diagnostics)
        if result.ok and name != "nonsensitive":
            assert "s3cret" not in repr(result.value), (source, result.value)


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if not f.lazy and not callable(f.returns)])
def test_results_are_of_the_declared_type(name: str) -> None:
    function = FUNCTIONS[name]
    if function.returns not in (STRING, NUMBER, BOOL):
        return
    for source in calls(function, list(ARGUMENTS), 60):
        result = evaluate(source, ARGUMENTS, functions=FUNCTIONS)
        assert not result.ok or result.type == str(function.returns), source


def test_known_results_are_of_the_type_that_unknown_arguments_promise() -> None:
    """What is unknown while planning has the type that it turns out to have."""
    for name, function in FUNCTIONS.items():
        if function.lazy or name in ("issensitive", "type", "templatefile"):
            continue
        for source in calls(
            function, ["text", "numbers", "strings", "set", "map", "one", "lists", "time", "nested"], 60
        ):
            known = evaluate(source, ARGUMENTS, functions=FUNCTIONS)
            if not known.ok:
                continue
            arguments = source[len(name) + 1 : -1].split(", ") if not source.endswith("()") else []
            for at, argument in enumerate(arguments):
                changed = [*arguments[:at], "u", *arguments[at + 1 :]]
                of_type = evaluate(argument, ARGUMENTS).type
                later = evaluate(
                    f"{name}({', '.join(changed)})", {**ARGUMENTS, "u": Unknown(of_type)}, functions=FUNCTIONS
                )
                assert later.ok, (source, changed, later.diagnostics)
                assert later.type in (known.type, "any") or "any" in later.type, (source, changed, later.type)


def test_what_is_made_of_a_secret_is_secret() -> None:
    for source in (
        'format("%s", x)',
        "sha256(x)",
        'regexall(".", x)',
        'split("", x)',
        "try(x, 1)",
        "[x][0]",
        "yamlencode([x])",
    ):
        assert is_sensitive(evaluate(source, {"x": Sensitive("s3cret")}).value), source


LONG = {"s": "a" * 1_000_000, "lines": "\n" * 1_000_000, "list": ["a" * 1000] * 2000, "n": list(range(2000))}
BOMBS = [
    "range(1e9)",
    "range(0, 1e300)",
    "range(0, 1, 1e-300)",
    "setproduct(n, n, n)",
    "concat([for i in range(11): range(100000)]...)",
    'format("%99999d", 1)',
    'format("%*d", 1e9, 1)',
    'format("%.99999f", 1)',
    'format(replace(substr(s, 0, 10000), "a", "%[1]9999d"), 1)',
    'formatlist(replace(substr(s, 0, 2000), "a", "%[1]9999d"), n)',
    'indent(1e6, lines)',
    "indent(9007199254740992, lines)",
    "join(s, list)",
    'replace(s, "a", s)',
    'replace(s, "/a/", s)',
    'replace(s, "/(a+)/", "$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1")',
    'replace(s, "", s)',
    'split("", "${s}${s}")',
    'regexall("", "${s}${s}")',
    'regexall("a.*z|a", s)',
    'regex("((a{999}){999}){999}", s)',
    'regex("(a?){500}a{500}", s)',
    'regex(replace(substr(s, 0, 4000), "a", "("), s)',
    'regex(s, s)',
    'regex("(x+x+)+y", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")',
    'jsondecode(replace(s, "a", "["))',
    'jsondecode("[${replace(s, "a", "1,")}${replace(s, "a", "1,")}1]")',
    'jsondecode(replace(s, "a", "\\\\\\""))',
    'yamldecode(replace(s, "a", "["))',
    'yamldecode(replace(s, "a", "- "))',
    'yamldecode("a: &a [x,x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\\n'
    'd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]")',
    'csvdecode("a,b\\n${replace(s, "a", ",")}")',
    'csvdecode(replace(s, "a", "x,"))',
    'csvdecode("a\\n${replace("${s}${s}", "a", "1\\n")}")',
    "pow(10, 1e300)",
    "pow(1.0000001, 1e300)",
    'parseint(s, 36)',
    'formatdate(replace(s, "a", "\'"), "2026-01-31T08:30:00Z")',
    'timeadd("2026-01-31T08:30:00Z", "${s}h")',
    'timeadd("2026-01-31T08:30:00Z", replace(s, "a", "1h"))',
    'cidrsubnet("10.0.0.0/8", 1e15, 0)',
    'cidrsubnets("::/0", [for i in n: 128]...)',
    'textencodebase64("a", s)',
    "templatestring(s, {})",
    'templatestring("$${[for x in xs: [for y in xs: [for z in xs: x]]]}", {xs = n})',
    "[for i in range(1000): range(100000)]",
    '[for i in range(1000): format("%9999d", 1)]',
    '[for i in range(300): can(regex("(a?){500}a{500}", s))]',
]  # fmt: skip


@pytest.mark.parametrize("source", BOMBS)
def test_bombs_are_answered_in_bounded_time(source: str) -> None:
    start = process_time()
    result = evaluate(source, LONG, functions=FUNCTIONS)
    seconds = process_time() - start
    assert all(problem.range is not None for problem in result.diagnostics)
    assert len(repr(result.diagnostics)) < 5000
    assert seconds < 1 or seconds < 80 * peer_seconds(), "8 s where nothing else runs"


def test_limits_are_told() -> None:
    for source, code, told in (
        ("range(1e9)", "invalid_argument", str(MAX_ELEMENTS)),
        ("setproduct(n, n)", "invalid_argument", str(MAX_ELEMENTS)),
        ('join("", [for i in range(17): s])', "invalid_argument", str(MAX_STRING)),
    ):
        [problem] = evaluate(source, LONG).diagnostics
        assert (problem.code, told in problem.detail) == (code, True), problem


def test_giving_up_is_not_hidden_by_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenctl.lang.evaluator.MAX_ELEMENTS_OF_ALL_CALLS", 100)
    result = evaluate("[for i in range(20): can(range(10))]")
    assert [problem.code for problem in result.diagnostics] == ["too_much_made"]
    assert "more than 100 elements" in result.diagnostics[0].detail
    monkeypatch.setattr("zenctl.lang.evaluator.MAX_SECONDS_OF_ALL_CALLS", -1)
    monkeypatch.setattr("zenctl.lang.evaluator.MAX_ELEMENTS_OF_ALL_CALLS", 10**9)
    assert [problem.code for problem in evaluate("try(abs(1), 2)").diagnostics] == ["too_slow"]


def test_the_library_loads_nothing_before_a_function_is_called() -> None:
    heavy = ["yaml", "regex", "re2", "csv", "ipaddress", "uuid", "zlib", "gzip"]
    code = f"""
import sys
base = set(sys.modules)
from zenctl.lang.functions.library import standard_library
from zenctl.lang.evaluate import Scope
scope = Scope({{}}, standard_library(None, "2026-01-31T08:30:00Z"))
loaded = [m for m in sys.modules if m.startswith("zenctl.lang.functions.")]
assert loaded == ["zenctl.lang.functions.library"], loaded
scope.functions["upper"].run("a")
from zenctl.lang import evaluate
assert evaluate('[upper("a"), jsonencode([1]), format("%s", 1), sha256("x")]', functions=scope.functions).ok
print(*sorted(set({heavy}) & (set(sys.modules) - base)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
