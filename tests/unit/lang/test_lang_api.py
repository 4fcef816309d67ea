"""The public functions of zenctl.lang, and what importing it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import zenctl.lang
from zenctl.lang import Sensitive, Unknown, evaluate, parse, references, typed
from zenctl.lang.syntax import BlockShape


def test_evaluate() -> None:
    result = evaluate("a + 1", {"a": 2})
    assert (result.ok, result.value, result.type, result.diagnostics) == (True, 3, "number", [])
    assert evaluate("a ${b}", {"b": "c"}, mode="template").value == "a c"
    assert evaluate("x: [1, '${a}']", {"a": "b"}, syntax="yaml").value == {"x": [1, "b"]}
    assert evaluate("a", {"a": Sensitive([1])}).value == Sensitive([1])
    assert evaluate("a", {"a": {"b": Unknown("string")}}).value == {"b": Unknown("string")}
    assert evaluate("a", {"a": typed([1], "set(string)")}).type == "set(string)"


def test_problems_are_diagnostics() -> None:
    result = evaluate("1 +\n  vra", {"var": 1}, filename="f.hcl")
    assert not result.ok
    (problem,) = result.diagnostics
    assert problem.severity == "error"
    assert (problem.filename, problem.line, problem.column) == ("f.hcl", 2, 3)
    assert (problem.end_line, problem.end_column) == (2, 6)
    assert problem.summary
    assert 'Did you mean "var"?' in problem.detail
    assert result.value == Unknown("number")
    broken = evaluate("(")
    assert (broken.ok, broken.value, broken.type) == (False, Unknown("any"), "any")


def test_the_signatures_are_those_promised() -> None:
    wanted = {
        evaluate: ("source", "variables", "mode", "syntax", "functions", "filename"),
        references: ("source", "mode"),
        typed: ("value", "type"),
    }
    for function, names in wanted.items():
        assert tuple(inspect.signature(function).parameters) == names
    assert {"source", "mode", "syntax", "filename"} <= inspect.signature(parse).parameters.keys()
    for function in (evaluate, parse):
        parameters = inspect.signature(function).parameters
        assert parameters["filename"].default == "<input>"
        assert parameters["mode"].kind is inspect.Parameter.KEYWORD_ONLY
    (reference,) = references("step.train.outputs.model")
    assert (reference.path, str(reference)) == (("step", "train", "outputs", "model"), "step.train.outputs.model")
    assert (reference.range.start.column, reference.range.end.column) == (1, 25)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "(",
        "1 +\n",
        '"${',
        "<<E",
        "a b",
        "\0",
        "\ud800",
        "x.y",
        "1/0",
        "f(",
        "[for",
        "{",
        "-",
        "/*",
        "'x'",
        "a: [",
        "*x",
    ],
)
def test_problems_of_users_never_raise_and_have_places(broken: str) -> None:
    results: list[Any] = [
        parse(broken, mode=mode, syntax=syntax, filename="f")
        for mode in ("config", "expression", "template")
        for syntax in ("hcl", "yaml")
    ]
    results += [evaluate(broken, mode=mode, filename="f") for mode in ("expression", "template")]
    results.append(evaluate(broken, syntax="yaml", filename="f"))
    for result in results:
        assert result.ok == (result.diagnostics == [])
        for problem in result.diagnostics:
            assert problem.severity == "error"
            assert problem.filename == "f"
            assert problem.summary
            assert problem.detail
            assert (1, 1) <= (problem.line, problem.column) <= (problem.end_line, problem.end_column)
    assert isinstance(references(broken), list)


def test_functions_are_plain_callables() -> None:
    given: list[Any] = []

    def take(*arguments: Any) -> Any:
        given.extend(arguments)
        return {"n": [1, 0.5, None]}

    result = evaluate('f(1, 0.5, "a", [true], {k = null}).n', functions={"f": take})
    assert result.value == [1, 0.5, None]
    assert given == [1, 0.5, "a", [True], {"k": None}]
    assert not evaluate('upper("a")', functions={}).ok


def test_misuse_raises() -> None:
    with pytest.raises(TypeError):
        evaluate("a", {"a": object()})
    with pytest.raises(ValueError, match="a number is required"):
        typed("x", "number")
    with pytest.raises(ValueError, match="Did you mean"):
        typed("x", "strin")


def test_parse() -> None:
    assert parse('a = 1\nb "c" {}\n').ok
    body = parse("b:\n  c: {x: 1}\n", syntax="yaml", shape=BlockShape(0, {"b": BlockShape(1)})).body
    assert body is not None
    assert body.blocks[0].labels == ("c",)
    assert parse("a.b", mode="expression").expression is not None
    assert parse("a ${b}", mode="template").expression is not None
    failed = parse("a = ")
    assert not failed.ok
    assert failed.body is not None


def test_names_survive_the_modules_of_the_same_name() -> None:
    import zenctl.lang.evaluate
    import zenctl.lang.references

    assert zenctl.lang.evaluate is evaluate
    assert zenctl.lang.references is references
    with pytest.raises(AttributeError):
        zenctl.lang.nothing  # noqa: B018


def test_every_public_name_is_there() -> None:
    for name in zenctl.lang.__all__:
        assert getattr(zenctl.lang, name) is not None


HEAVY = ("hcl2", "lark", "regex", "yaml", "pydantic", "numpy", "csv", "hashlib")


def test_importing_loads_nothing_heavy() -> None:
    script = (
        "import sys, zenctl.lang; r = zenctl.lang.evaluate('[for x in [1, 2] : x + 1]'); assert r.ok;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: evaluate("1", mode="tempalte"), ValueError),  # type: ignore[arg-type]
        (lambda: evaluate("1", mode="config"), ValueError),  # type: ignore[arg-type]
        (lambda: evaluate("1", syntax="json"), ValueError),  # type: ignore[arg-type]
        (lambda: evaluate(1), TypeError),  # type: ignore[arg-type]
        (lambda: parse("a = 1", mode="file"), ValueError),  # type: ignore[arg-type]
        (lambda: parse("a = 1", syntax="json"), ValueError),  # type: ignore[arg-type]
        (lambda: parse(b"a = 1"), TypeError),  # type: ignore[arg-type]
    ],
)
def test_misuse_is_no_answer(call: Callable[[], object], problem: type[Exception]) -> None:
    with pytest.raises(problem):
        call()
