"""Values of variables: who wins, how texts are read, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenctl.config.loader import Loaded
from zenctl.config.variables import VariableInputs, resolve
from zenctl.diagnostics import Diagnostic
from zenctl.lang.values import is_sensitive, to_python
from zenctl.schema import Unknown

Load = Callable[..., Loaded]


@pytest.fixture
def resolve_text(load_text: Load) -> Callable[..., tuple[dict[str, Any], list[Diagnostic]]]:
    def run(text: str, **given: Any) -> tuple[dict[str, Any], list[Diagnostic]]:
        loaded = load_text(text)
        assert loaded.diagnostics == ()
        assert loaded.configuration is not None
        values, diagnostics = resolve(loaded.configuration, VariableInputs(**given))
        return {name: to_python(value) for name, value in values.items()}, diagnostics

    return run


Resolve = Callable[..., tuple[dict[str, Any], list[Diagnostic]]]


def test_the_later_source_wins(resolve_text: Resolve, tmp_path: Path) -> None:
    names = ["default", "environment", "zenvars", "auto_a", "auto_b", "file", "pair"]
    text = "".join(f'variable "{n}" {{ default = "default" }}\n' for n in names)
    environment = {f"ZENCTL_VAR_{n}": "environment" for n in names[1:]}
    (tmp_path / "zenctl.zenvars").write_text("".join(f'{n} = "zenvars"\n' for n in names[2:]))
    (tmp_path / "b.auto.zenvars").write_text("".join(f'{n} = "auto_b"\n' for n in names[4:]))
    (tmp_path / "a.auto.zenvars").write_text("".join(f'{n} = "auto_a"\n' for n in names[3:]))
    (tmp_path / "mine").write_text("".join(f'{n} = "file"\n' for n in names[5:]))
    values, diagnostics = resolve_text(
        text, environment=environment, files=[str(tmp_path / "mine")], pairs=[("pair", "no"), ("pair", "pair")]
    )
    assert diagnostics == []
    assert values == {n: n for n in names}


def test_texts_are_read_by_the_declared_type(resolve_text: Resolve) -> None:
    text = """
variable "s" { type = string }
variable "n" { type = number }
variable "b" { type = bool }
variable "l" { type = list(number) }
variable "o" { type = object({ a = string, b = optional(number, 3) }) }
variable "untyped" {}
variable "rounds" { default = 5 }
variable "layers" { default = [8] }
"""
    pairs = [
        ("s", "1.10"),
        ("n", "2.5"),
        ("b", "true"),
        ("l", "[1, 2]"),
        ("o", '{ a = "x" }'),
        ("untyped", "7"),
        ("rounds", "9"),
        ("layers", "[1]"),
    ]
    values, diagnostics = resolve_text(text, pairs=pairs)
    assert diagnostics == []
    assert values == {
        "s": "1.10",
        "n": 2.5,
        "b": True,
        "l": [1, 2],
        "o": {"a": "x", "b": 3},
        "untyped": "7",
        "rounds": 9,
        "layers": [1],
    }


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
        ('variable "n" { type = list(number) }', {"pairs": [("n", "[1,")]}, "-var n is not a value of type list"),
        ('variable "n" {}', {"pairs": [("m", "1")]}, '-var: there is no variable "m"'),
        ('variable "n" { default = 1 }', {"pairs": [("n ", " 1")]}, '-var: there is no variable "n "'),
        ('variable "n" { default = 1 }', {"files": ["gone.zenvars"]}, "gone.zenvars cannot be read"),
    ],
)
def test_wrong_values(resolve_text: Resolve, text: str, given: dict[str, Any], expected: str) -> None:
    diagnostics = resolve_text(text, **given)[1]
    assert diagnostics[0].is_error
    assert diagnostics[0].summary.startswith(expected)


def test_spaces_around_the_equals_sign_are_explained(resolve_text: Resolve) -> None:
    [found] = resolve_text('variable "n" { default = 1 }', pairs=[("n ", " 1")])[1]
    assert found.detail == 'Write it without spaces around the equals sign: -var "n=1"'


def test_a_wrong_value_in_a_file_has_its_place(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text('n = "many"\n')
    [found] = resolve_text('variable "n" { type = number }')[1]
    assert str(found.range) == "zenctl.zenvars:1:5"


def test_a_variable_file_holds_literal_values_only(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text('variable "n" {}\nn = var.m\n')
    codes = [d.code for d in resolve_text('variable "n" { default = 1 }')[1]]
    assert codes == ["unknown_block", "not_literal"]


def test_undeclared_names_warn_in_files_and_are_ignored_in_the_environment(
    resolve_text: Resolve, tmp_path: Path
) -> None:
    (tmp_path / "zenctl.zenvars").write_text("epochz = 1\nb = 2\nc = 3\nd = 4\n")
    text = 'variable "epochs" { default = 1 }'
    found = resolve_text(text, environment={"ZENCTL_VAR_zzz": "1"})[1]
    assert [d.is_error for d in found] == [False, False, False]
    assert 'Did you mean "epochs"?' in found[0].detail
    assert found[2].summary == "2 more values are given for variables that are not declared"


def test_sensitive_values_are_marked_and_never_shown(load_text: Load) -> None:
    loaded = load_text('variable "key" {\n  type = number\n  sensitive = true\n}')
    assert loaded.configuration is not None
    values, [found] = resolve(loaded.configuration, VariableInputs(pairs=[("key", "hunter2")]))
    assert is_sensitive(values["key"])
    assert "hunter2" not in str(found)
    values, found_ = resolve(loaded.configuration, VariableInputs(pairs=[("key", "7")]))
    assert found_ == []
    assert repr(to_python(values["key"])) == "(sensitive value)"


def test_null(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("a = null\nb = null\nc = null\n")
    text = 'variable "a" { default = 1 }\nvariable "b" {\n  default = 2\n  nullable = false\n}\n'
    values, [found] = resolve_text(text + 'variable "c" { nullable = false }')
    assert values["a"] is None
    assert values["b"] == 2
    assert found.summary == 'Variable "c" is null in zenctl.zenvars, but it is not nullable'


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
    assert found.summary == 'The condition of variable "n" must be true or false, not the number 3'


def test_a_plan_brings_its_values(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("n = 3\n")
    text = 'variable "n" { default = 1 }\nvariable "secret" { sensitive = true }'
    planned = {"n": 2, "gone": 1}
    values, diagnostics = resolve_text(text, planned=planned, environment={"ZENCTL_VAR_secret": "s"})
    assert diagnostics == []
    assert values["n"] == 2
    assert values["secret"].value == "s"
