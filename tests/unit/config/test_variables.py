"""Values of variables: types, defaults, validation, what a plan pins, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from zenctl.config.configuration import Configuration
from zenctl.config.given import Question, VariableFile, VariableText
from zenctl.config.loader import Loaded
from zenctl.config.plain import FAULTY
from zenctl.config.variables import VariableInputs, resolve, settle, validate
from zenctl.diagnostics import Diagnostic, Position, SourceRange
from zenctl.lang.model import EPHEMERAL, SENSITIVE
from zenctl.lang.values import DYNAMIC, Sensitive, Value, from_python, is_sensitive, to_python
from zenctl.schema import Unknown

Load = Callable[..., Loaded]
Resolve = Callable[..., tuple[dict[str, Any], list[Diagnostic]]]


@pytest.fixture
def resolve_text(load_text: Load) -> Resolve:
    """Values as plain data (what is faulty as it would be without the mark), and what is said of them."""

    def run(
        text: str, *, pairs: Sequence[tuple[str, str]] = (), files: Sequence[str] = (), **given: Any
    ) -> tuple[dict[str, Any], list[Diagnostic]]:
        arguments = [*(VariableFile(name) for name in files), *(VariableText(*pair) for pair in pairs)]
        values, diagnostics = resolve(read(load_text, text), VariableInputs(arguments=arguments, **given))
        return {name: to_python(Value(v.type, v.raw, v.marks - {FAULTY})) for name, v in values.items()}, diagnostics

    return run


def read(load_text: Load, text: str) -> Configuration:
    loaded = load_text(text)
    assert loaded.diagnostics == ()
    assert loaded.configuration is not None
    return loaded.configuration


def test_a_missing_value_says_how_to_give_it(resolve_text: Resolve) -> None:
    values, [found] = resolve_text('variable "bucket" {\n  type = string\n  description = "Where to."\n}')
    assert (found.code, str(found.range)) == ("missing_variable", "main.zen.hcl:1:1")
    assert found.detail.startswith("Where to. Give it with -var 'bucket=...', in zenctl.zenvars")
    assert "ZENCTL_VAR_bucket" in found.detail
    assert values == {"bucket": Unknown("string")}


def test_validate_needs_no_values(resolve_text: Resolve) -> None:
    values, diagnostics = resolve_text('variable "n" { type = number }', required=False)
    assert (values, diagnostics) == ({"n": Unknown("number")}, [])


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ('variable "n" { type = number }', {"pairs": [("n", "many")]}, 'Variable "n" does not fit its type number'),
        (
            'variable "n" { type = list(number) }',
            {"pairs": [("n", "[1,")]},
            "The value given by -var n is not of type list(number): ",
        ),
        ('variable "n" {}', {"pairs": [("m", "1")]}, '-var: there is no variable "m"'),
        ('variable "n" { default = 1 }', {"files": ["gone.zenvars"]}, "gone.zenvars cannot be read"),
    ],
)
def test_wrong_values(resolve_text: Resolve, text: str, given: dict[str, Any], expected: str) -> None:
    diagnostics = resolve_text(text, **given)[1]
    assert diagnostics[0].is_error
    assert diagnostics[0].summary.startswith(expected)


def test_sensitive_values_are_marked_and_never_shown(load_text: Load) -> None:
    loaded = load_text('variable "key" {\n  type = number\n  sensitive = true\n}')
    assert loaded.configuration is not None
    values, [found] = resolve(loaded.configuration, VariableInputs(arguments=[VariableText("key", "hunter2")]))
    assert is_sensitive(values["key"])
    assert "hunter2" not in str(found)
    values, found_ = resolve(loaded.configuration, VariableInputs(arguments=[VariableText("key", "7")]))
    assert found_ == []
    assert repr(to_python(values["key"])) == "(sensitive value)"


def test_null(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("a = null\nb = null\nc = null\n")
    text = 'variable "a" { default = 1 }\nvariable "b" {\n  default = 2\n  nullable = false\n}\n'
    values, [found] = resolve_text(text + 'variable "c" { nullable = false }')
    assert values["a"] is None
    assert values["b"] == 2
    assert found.summary == 'Variable "c" is null, but it is not nullable'
    assert (str(found.range), found.detail) == (
        "zenctl.zenvars:3:5",
        "A value must be given. It is null, given by zenctl.zenvars.",
    )


def test_validation(resolve_text: Resolve) -> None:
    text = """
variable "low" { default = 1 }
variable "n" {
  type = number
  validation {
    condition     = var.n > var.low
    error_message = "n must be above ${var.low}."
  }
}
"""
    assert resolve_text(text, pairs=[("n", "2")])[1] == []
    [found] = resolve_text(text, pairs=[("n", "1")])[1]
    assert (found.code, found.detail) == ("invalid_variable", "n must be above 1.")
    assert str(found.range) == "main.zen.hcl:6:21"
    assert resolve_text(text, required=False)[1] == []


def test_a_condition_must_be_true_or_false(resolve_text: Resolve) -> None:
    text = 'variable "n" {\n  default = 1\n  validation {\n    condition = var.n + 2\n    error_message = "x"\n  }\n}'
    [found] = resolve_text(text)[1]
    assert found.summary == 'The condition of variable "n" must be true or false'
    assert found.detail == "A bool is required, not a number."


def test_a_plan_brings_its_values(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("n = 3\n")
    text = 'variable "n" { default = 1 }\nvariable "secret" { sensitive = true }'
    planned = {"n": 2, "gone": 1}
    values, diagnostics = resolve_text(text, planned=planned, environment={"ZENCTL_VAR_secret": "s"})
    assert diagnostics == []
    assert values["n"] == 2
    assert values["secret"].value == "s"


def test_flags_cannot_change_what_is_planned(resolve_text: Resolve) -> None:
    text = 'variable "n" { type = number }\nvariable "xs" { type = list(string) }'
    planned = {"n": 2, "xs": ["a"]}
    assert resolve_text(text, planned=planned, pairs=[("n", "2.0"), ("xs", '["a"]')])[1] == []
    values, [found] = resolve_text(text, planned=planned, pairs=[("n", "3")], environment={"ZENCTL_VAR_xs": '["b"]'})
    assert found.code == "planned_variable"
    assert found.detail.startswith("It was made with 2, ")
    assert values == {"n": 2, "xs": ["a"]}
    assert resolve_text(text, planned=planned, environment={"ZENCTL_VAR_xs": "["})[1] == []
    [found] = resolve_text(text, planned=planned, pairs=[("xs", "[")])[1]
    assert found.summary.startswith("The value given by -var xs is not of type list(string): ")


def test_what_a_plan_must_not_hold_is_given_again_by_any_means(resolve_text: Resolve, tmp_path: Path) -> None:
    text = """
variable "n" { default = 1 }
variable "a" { sensitive = true }
variable "b" { ephemeral = true }
variable "c" { ephemeral = true }
"""
    (tmp_path / "x.auto.zenvars").write_text('a = "file"\ntypo = 1\n')
    given = {"environment": {"ZENCTL_VAR_b": "environment"}, "pairs": [("c", "flag")]}
    values, diagnostics = resolve_text(text, planned={"n": 5}, **given)
    assert diagnostics == [], "what is only a warning was told when the plan was made"
    assert values == {"n": 5, "a": Sensitive("file"), "b": Sensitive("environment"), "c": Sensitive("flag")}
    found = resolve_text(text, planned={"n": 5})[1]
    assert [d.summary for d in found] == ['Variable "b" has no value', 'Variable "c" has no value']
    assert "The plan does not hold it, as it is ephemeral: it must be given again." in found[0].detail


def test_a_person_is_asked_for_what_is_missing_in_the_order_of_the_names(resolve_text: Resolve) -> None:
    text = """
variable "size" {
  type = number
  description = "How much."
}
variable "key" { sensitive = true }
variable "given" {}
variable "defaulted" { default = 1 }
variable "names" { type = list(string) }
"""
    asked: list[Question] = []
    answers = {"key": "k", "names": '["a"]', "size": "many"}

    def ask(question: Question) -> str | None:
        asked.append(question)
        return answers.get(question.name)

    values, [found] = resolve_text(text, pairs=[("given", "g")], ask=ask)
    assert asked == [
        Question("key", "", hidden=True),
        Question("names", "list(string)"),
        Question("size", "number", "How much."),
    ]
    assert (values["key"], values["names"], values["given"]) == (Sensitive("k"), ["a"], "g")
    assert found.detail == 'A number is required. It is "many", given by the answer for var.size.'
    answers.clear()
    found_ = resolve_text(text, pairs=[("given", "g")], ask=ask)[1]
    assert [d.code for d in found_] == ["missing_variable"] * 3


def test_nobody_is_asked_where_values_need_not_be_given(resolve_text: Resolve) -> None:
    def ask(question: Question) -> str | None:
        raise AssertionError(question)

    assert resolve_text('variable "n" { type = number }', required=False, ask=ask)[1] == []
    found = resolve_text('variable "n" { type = number }', files=["gone.zenvars"], ask=ask)[1]
    assert [d.code for d in found] == ["unreadable_file"], "the file may well give it"


UNFIT: list[tuple[str, str, str]] = [
    ("list(number)", '[1, "x"]', 'At [1]: a number is required. It is "x", given by -var v.'),
    (
        "list(object({name=string}))",
        '[{name="a"},{nam="b"}]',
        'At [1]: attribute "name" is required. It is {nam',
    ),
    (
        "map(object({a=list(bool)}))",
        "{k={a=[1]}}",
        "At k.a[0]: a bool is required, not a number. It is 1, given by -var v.",
    ),
    ('object({"a b"=number})', '{"a b"="x"}', 'At ["a b"]: a number is required. It is "x", given by -var v.'),
    (
        "object({a=optional(object({b=number}))})",
        "{a={b=[]}}",
        "At a.b: a number is required, not a list. It is []",
    ),
    ("tuple([string,number])", '["a"]', '2 elements are required, not 1. It is ["a"], given by -var v.'),
    ("set(number)", "{}", "A set of numbers is required, not an object. It is {}, given by -var v."),
    ("map(any)", "{a=1,b=[]}", "All elements must have the same type. It is {a = 1, b = []}, given by -var v."),
]


@pytest.mark.parametrize(("type", "text", "told"), UNFIT)
def test_what_does_not_fit_is_told_with_its_path(resolve_text: Resolve, type: str, text: str, told: str) -> None:
    values, [found] = resolve_text(f'variable "v" {{ type = {type} }}', pairs=[("v", text)])
    assert found.summary.startswith('Variable "v" does not fit its type ')
    assert found.detail.startswith(told)
    assert isinstance(values["v"], Unknown)


def test_a_default_that_does_not_fit_is_pointed_at(load_text: Load) -> None:
    text = 'variable "v" {\n  type    = list(object({ n = number }))\n  default = [{ n = 1 }, { n = "x" }]\n}'
    [found] = load_text(text).diagnostics
    assert str(found.range) == "main.zen.hcl:3:31"
    assert found.summary == 'The default of variable "v" does not fit its type list(object({n=number}))'
    assert found.detail == "At [1].n: a number is required."


def test_a_wrong_type_is_pointed_at(load_text: Load) -> None:
    [found] = load_text('variable "v" { type = list(objct({})) }').diagnostics
    assert (str(found.range), found.summary) == ("main.zen.hcl:1:28", 'Invalid type of variable "v"')
    assert 'Did you mean "object"?' in found.detail


def test_defaults_are_filled_in_at_every_depth(resolve_text: Resolve) -> None:
    text = """
variable "v" {
  type = map(object({
    port = optional(number, 80)
    tls  = optional(object({ on = optional(bool, true), names = optional(list(string)) }), {})
    tags = optional(map(object({ weight = optional(number, 1) })))
  }))
  default = { d = {} }
}
"""
    filled = {"port": 80, "tls": {"on": True, "names": None}, "tags": None}
    assert resolve_text(text)[0]["v"] == {"d": filled}
    given = "{ a = { tls = { on = false }, tags = { x = {} } }, b = { port = null } }"
    assert resolve_text(text, pairs=[("v", given)])[0]["v"] == {
        "a": {"port": 80, "tls": {"on": False, "names": None}, "tags": {"x": {"weight": 1}}},
        "b": filled,
    }


RULES = """
variable "low" { default = 1 }
variable "n" {
  type = number
  %s
  validation {
    condition     = var.n > var.low
    error_message = "n must be above ${var.low}."
  }
  validation {
    condition     = var.n %% 2 == 0 || var.unknown
    error_message = "n = ${var.n} is odd."
  }
}
variable "unknown" { default = false }
"""


def test_every_validation_is_told_with_the_values_involved(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("n = -1\n")
    below, odd = resolve_text(RULES % "")[1]
    assert below.values == (("var.n", "is -1"), ("var.low", "is 1"))
    assert (str(below.range), below.detail) == (
        "zenctl.zenvars:1:5",
        "n must be above 1.\n\nThis was checked by the validation at main.zen.hcl:7:21.",
    )
    assert odd.detail.startswith("n = -1 is odd.")
    assert odd.values == (("var.n", "is -1"), ("var.unknown", "is false"))


def test_a_validation_of_a_secret_shows_nothing_of_it(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("n = -1231\n")
    for mark in ("sensitive = true", "ephemeral = true"):
        below, odd = resolve_text(RULES % mark)[1]
        assert below.values[0] == ("var.n", f"is ({mark.split()[0]} value)")
        assert below.range is not None
        assert below.range.filename == "main.zen.hcl", "the line of the file would show it"
        assert odd.detail == "It does not meet its validation (the message is not a text that may be shown)."
        assert "1231" not in f"{below}{below.values}{odd}{odd.values}"


def test_a_condition_is_converted_and_null_is_no_answer(resolve_text: Resolve) -> None:
    text = 'variable "n" {\n  default = %s\n  validation {\n    condition = var.n\n    error_message = "no"\n  }\n}'
    assert resolve_text(text % '"true"')[1] == []
    assert resolve_text(text % '"false"')[1][0].detail == "no"
    [found] = resolve_text(text % "null")[1]
    assert (found.code, found.detail) == ("wrong_type", "Not null.")


def test_a_deprecated_variable_warns_where_it_is_given(resolve_text: Resolve, tmp_path: Path) -> None:
    text = 'variable "n" {\n  default = 1\n  deprecated = "Use m."\n}'
    assert resolve_text(text)[1] == []
    (tmp_path / "zenctl.zenvars").write_text("n = 2\n")
    [found] = resolve_text(text)[1]
    assert (found.is_error, found.summary, found.detail) == (False, 'Variable "n" is deprecated', "Use m.")
    assert str(found.range) == "zenctl.zenvars:1:5"


PLACE = SourceRange("main.zen.hcl", Position(9, 5, 90), Position(9, 9, 94))


def variable(load_text: Load, text: str) -> Any:
    return next(iter(read(load_text, text).variables.values()))


def test_settling_a_module_s_variable(load_text: Load) -> None:
    config = variable(load_text, 'variable "v" {\n  type = object({ a = optional(number, 1) })\n  sensitive = true\n}')
    value, found = settle(config, from_python({"a": "2"}), PLACE)
    assert (to_python(value), found) == (Sensitive({"a": 2}), [])
    value, found = settle(config, None, None)
    assert (to_python(value), found) == (Sensitive(Unknown("object({a=number})")), []), "missing is for the caller"
    value, [problem] = settle(config, from_python("hunter2"), PLACE)
    assert (problem.range, FAULTY in value.marks) == (PLACE, True)
    assert "hunter2" not in str(problem)
    value, found = settle(config, DYNAMIC, PLACE)
    assert (value.raw, str(value.type), found) == (DYNAMIC.raw, "object({a=number})", [])


def test_settling_keeps_the_marks_of_what_is_given(load_text: Load) -> None:
    plain = variable(load_text, 'variable "v" { type = list(string) }')
    secret = from_python([Sensitive("a")])
    value, found = settle(plain, secret, PLACE)
    assert (to_python(value), found) == ([Sensitive("a")], [])
    short_lived = from_python("t").with_marks(frozenset({EPHEMERAL}))
    value, [problem] = settle(plain, from_python([short_lived]), PLACE)
    assert problem.summary == 'An ephemeral value is given to variable "v", which is not ephemeral'
    taken = variable(load_text, 'variable "v" {\n  ephemeral = true\n  sensitive = true\n}')
    value, found = settle(taken, short_lived, PLACE)
    assert (value.marks, found) == ({EPHEMERAL, SENSITIVE}, [])


def test_validating_reads_the_other_variables_that_its_validations_refer_to(load_text: Load) -> None:
    config = read(load_text, RULES % "default = 4").variables["n"]
    others = {"low": from_python(7), "unknown": from_python(False)}
    [problem] = validate(config, from_python(8.5), PLACE, others)
    assert problem.values == (("var.n", "is 8.5"), ("var.unknown", "is false"))
    assert problem.range == PLACE
    [problem] = validate(config, settle(config, None, None)[0], None, others)
    assert problem.detail == "n must be above 7."
    assert str(problem.range) == "main.zen.hcl:7:21"
    assert validate(config, from_python(3), PLACE, {}) == [], "what is not known passes"
    null, [problem] = settle(variable(load_text, 'variable "v" { nullable = false }'), from_python(None), PLACE)
    assert (problem.summary, FAULTY in null.marks) == ('Variable "v" is null, but it is not nullable', True)


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("list(string)", "list(string)"),
        ('"${list(string)}"', "list(string)"),
        ('"${object({\\"a b\\" = string})}"', 'object({"a b"=string})'),
    ],
)
def test_a_type_in_yaml_is_a_text_or_an_expression(load_text: Any, written: str, type_: str) -> None:
    loaded = load_text(files={"a.zen.yaml": f"variable: {{x: {{type: {written}}}}}"})
    assert loaded.diagnostics == ()
    assert loaded.configuration.variables["x"].type == type_


def test_a_type_whose_text_cannot_be_found_is_refused(load_text: Any) -> None:
    text = 'variable: {x: {type: "${object({a = optional(string, \\"b\\")})}"}}'
    [problem] = load_text(files={"a.zen.yaml": text}).diagnostics
    assert (problem.code, problem.detail) == ("invalid_type", "Write it as a text, without ${...}.")
