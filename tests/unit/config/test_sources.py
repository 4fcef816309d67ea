"""What is given for variables: who wins, how texts and files are read, and what is said of what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenctl.config.given import VariableFile, VariableText
from zenctl.config.loader import Loaded
from zenctl.config.sources import automatic_files
from zenctl.config.variables import VariableInputs, resolve
from zenctl.diagnostics import Diagnostic
from zenctl.lang.values import to_python

Load = Callable[..., Loaded]
Resolve = Callable[..., tuple[dict[str, Any], list[Diagnostic]]]


@pytest.fixture
def given(load_text: Load) -> Resolve:
    """Resolve with flags as they would be typed: `name=text`, or `@path` for a file."""

    def run(text: str, *flags: str, environment: dict[str, str] | None = None) -> Any:
        loaded = load_text(text)
        assert loaded.diagnostics == ()
        assert loaded.configuration is not None
        arguments = [VariableFile(f[1:]) if f[0] == "@" else VariableText(*f.split("=", 1)) for f in flags]
        inputs = VariableInputs(environment or {}, arguments)
        values, diagnostics = resolve(loaded.configuration, inputs)
        return {name: to_python(value) for name, value in values.items()}, diagnostics

    return run


LEVELS = ["environment", "zenvars", "zenvars_json", "auto_a", "auto_a_json", "auto_b"]


def test_the_later_source_wins(given: Resolve, tmp_path: Path) -> None:
    names = ["default", *LEVELS, "flags"]
    text = "".join(f'variable "{n}" {{ default = "default" }}\n' for n in names)
    files = ["zenctl.zenvars", "zenctl.zenvars.json", "a.auto.zenvars", "a.auto.zenvars.json", "b.auto.zenvars"]
    for level, (name, file) in enumerate(zip(LEVELS[1:], files, strict=True), start=2):
        values = dict.fromkeys(names[level:], name)
        data = json.dumps(values) if file.endswith(".json") else "".join(f'{n} = "{name}"\n' for n in values)
        (tmp_path / file).write_text(data)
    environment = {f"ZENCTL_VAR_{n}": "environment" for n in names[1:]}
    found, diagnostics = given(text, "flags=flags", environment=environment)
    assert diagnostics == []
    assert found == {n: n for n in names}


@pytest.mark.parametrize(
    ("flags", "winner"),
    [
        (["n=flag", "@one"], "one"),
        (["@one", "n=flag"], "flag"),
        (["@one", "@two.json"], "two"),
        (["@two.json", "n=first", "@one", "n=last"], "last"),
        (["n=last", "@two.json", "@other"], "two"),
    ],
)
def test_flags_win_in_the_order_typed(given: Resolve, tmp_path: Path, flags: list[str], winner: str) -> None:
    (tmp_path / "one").write_text('n = "one"')
    (tmp_path / "two.json").write_text('{"n": "two"}')
    (tmp_path / "other").write_text("m = 1")
    text = 'variable "n" {}\nvariable "m" { default = 0 }'
    values, diagnostics = given(text, *flags)
    assert (values["n"], diagnostics) == (winner, [])


def test_files_are_taken_in_one_lexical_order(tmp_path: Path) -> None:
    names = [
        "b.auto.zenvars",
        "a.auto.zenvars.json",
        "zenctl.zenvars.json",
        "B.auto.zenvars",
        "a.zenvars",
        "auto.zenvars",
    ]
    for name in names:
        (tmp_path / name).write_text("")
    assert [path.name for path in automatic_files(tmp_path)] == [
        "zenctl.zenvars.json",
        "B.auto.zenvars",
        "a.auto.zenvars.json",
        "b.auto.zenvars",
    ]


TEXTS: list[tuple[str, str, Any]] = [
    ("type = string", "1.10", "1.10"),
    ("type = string", '"quoted"', '"quoted"'),
    ("type = number", "2.5", 2.5),
    ("type = bool", "true", True),
    ("type = list(number)", "[1, 2]", [1, 2]),
    ("type = set(string)", '["b", "a", "b"]', ["a", "b"]),
    ("type = map(string)", "{ a = 1 }", {"a": "1"}),
    ("type = tuple([string, number])", '["a", "1"]', ["a", 1]),
    ("type = object({ a = string, b = optional(number, 3) })", '{ a = "x" }', {"a": "x", "b": 3}),
    ("type = any", "[1, true]", [1, True]),
    ("type = any", '"7"', "7"),
    ("type = any", "7", 7),
    ("", "7", "7"),
    ("", "[1]", "[1]"),
    ("default = 5", "9", 9),
    ("default = true", "false", False),
    ("default = [8]", "[1]", [1]),
    ("default = [8]", "no list", "no list"),
    ("type = string", "${var.x}", "${var.x}"),
    ("type = number", "1e3", 1000),
]


@pytest.mark.parametrize(("body", "text", "value"), TEXTS)
def test_texts_are_read_by_the_declared_type(given: Resolve, body: str, text: str, value: Any) -> None:
    declared = f'variable "v" {{\n  {body}\n}}'
    assert given(declared, f"v={text}") == ({"v": value}, [])
    assert given(declared, environment={"ZENCTL_VAR_v": text}) == ({"v": value}, [])


def test_what_is_replaced_may_be_wrong(given: Resolve, tmp_path: Path) -> None:
    text = 'variable "v" { type = list(number) }'
    (tmp_path / "zenctl.zenvars").write_text("v = var.x\n")
    assert given(text, "v=[2]", environment={"ZENCTL_VAR_v": "no list"}) == ({"v": [2]}, [])
    (tmp_path / "bad.json").write_text('{"v": "x"}')
    assert given(text, "v=[", "@bad.json", "v=[3]") == ({"v": [3]}, [])
    _, [found] = given(text, "v=[3]", "v=[")
    assert found.summary.startswith("The value given by -var v is not of type list(number)")


def test_a_text_that_is_no_expression_is_told_once(given: Resolve, tmp_path: Path) -> None:
    _, [found] = given('variable "v" { type = list(string) }', "v=[a]")
    assert found.summary.startswith(
        'The value given by -var v is not of type list(string): The value of variable "v" must be'
    )
    assert found.detail.startswith("It is '[a]'. It is read as an expression")
    _, [found] = given('variable "v" {\n  type = list(string)\n  sensitive = true\n}', "v=[hunter2]")
    assert "hunter2" not in str(found)
    _, [found] = given('variable "v" { type = any }', environment={"ZENCTL_VAR_v": "a b"})
    assert found.summary.startswith("The value given by the environment variable ZENCTL_VAR_v is not of type any: ")


def test_undeclared_names_warn_in_files_and_are_ignored_in_the_environment(given: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text("epochz = 1\nb = 2\n")
    (tmp_path / "x.auto.zenvars.json").write_text('{"c": 3, "d": 4, "//": "a comment"}')
    _, found = given('variable "epochs" { default = 1 }', environment={"ZENCTL_VAR_zzz": "1"})
    assert [d.is_error for d in found] == [False, False, False]
    assert found[0].summary == 'There is no variable "epochz", which zenctl.zenvars:1:1 gives a value'
    assert 'Did you mean "epochs"?' in found[0].detail
    assert found[2].summary == "2 more values are given for variables that are not declared"
    assert found[2].detail == "c (x.auto.zenvars.json:1:2), d (x.auto.zenvars.json:1:10)"
    assert all(d.range is None for d in found), "the line may hold a secret under a misspelt name"


def test_an_undeclared_flag_is_an_error(given: Resolve) -> None:
    _, [found] = given('variable "epoch" { default = 1 }', "epochs=1")
    assert (found.is_error, found.summary) == (True, '-var: there is no variable "epochs"')
    assert 'Did you mean "epoch"?' in found.detail


FILES: list[tuple[str, str, str, str]] = [
    ("x.zenvars", 'n = "many"\n', 'Variable "n" does not fit its type list(number)', "x.zenvars:1:5"),
    ("x.zenvars", 'n = [1,\n  "x"]\n', 'Variable "n" does not fit its type list(number)', "x.zenvars:2:3"),
    ("x.json", '{"n": [1,\n\t"x"]}', 'Variable "n" does not fit its type list(number)', "x.json:2:2"),
    (
        "x.zenvars",
        'variable "n" {}\n',
        "x.zenvars is a file of variables' values, so it cannot declare one",
        "x.zenvars:1:1",
    ),
    (
        "x.zenvars",
        'step "a" "b" {}\n',
        'x.zenvars is a file of variables\' values, so it cannot hold the block "step"',
        "x.zenvars:1:1",
    ),
    ("x.zenvars", "n = var.m\n", 'The value of variable "n" must be a literal value', "x.zenvars:1:5"),
    ("x.zenvars", "n = [\n", "Missing expression", "x.zenvars:2:1"),
    ("x.json", '{"n": [1,]}', "Invalid JSON", "x.json:1:10"),
    ("x.json", "[1]", "x.json must hold an object of variables' values", "x.json:1:1"),
    ("x.json", '{"n": [1], "n": [2]}', "Key set twice", "x.json:1:12"),
]


@pytest.mark.parametrize(("name", "text", "summary", "place"), FILES)
def test_what_is_wrong_in_a_file_is_pointed_at(
    given: Resolve, tmp_path: Path, name: str, text: str, summary: str, place: str
) -> None:
    (tmp_path / name).write_text(text)
    _, diagnostics = given('variable "n" {\n  type = list(number)\n  default = []\n}', f"@{name}")
    [found] = [d for d in diagnostics if d.is_error]
    assert found.summary == summary
    assert str(found.range) == place


def test_a_secret_s_line_is_not_shown(given: Resolve, tmp_path: Path) -> None:
    (tmp_path / "zenctl.zenvars").write_text('key = "hunter2"\npin = hunter2\n')
    text = 'variable "key" {\n  type = number\n  sensitive = true\n}\nvariable "pin" { ephemeral = true }'
    _, diagnostics = given(text)
    assert [d.range.filename if d.range else None for d in diagnostics] == [None, "main.zen.hcl"]
    assert "zenctl.zenvars:2:7" in diagnostics[0].detail
    assert "zenctl.zenvars:1:7" in diagnostics[1].detail
    assert "hunter2" not in "".join(f"{d} {d.values}" for d in diagnostics)


def test_json_values_are_literal(given: Resolve, tmp_path: Path) -> None:
    data = {"t": "${var.x} %{if}", "n": 12345678901234567890, "o": {"a": [True, None]}, "u": "\U0001f427\u00e9"}
    text = "".join(f'variable "{name}" {{ type = any }}\n' for name in data)
    for ascii_only in (True, False):
        (tmp_path / "x.json").write_text(json.dumps(data, ensure_ascii=ascii_only, indent="\t"), encoding="utf-8")
        assert given(text, "@x.json") == (data, [])


def test_files_that_cannot_be_read(given: Resolve, tmp_path: Path) -> None:
    (tmp_path / "prod.zenvars").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\xff")
    (tmp_path / "large").write_bytes(b"#" * (5 << 20))
    _, found = given('variable "n" {}', "@prdo.zenvars", "@folder", "@binary", "@large")
    assert [d.summary for d in found] == [
        "prdo.zenvars cannot be read: No such file or directory",
        "folder cannot be read: Is a directory",
        "binary is not UTF-8 text: byte 0x89 on line 1",
        "large is larger than 4 MiB",
    ]
    assert 'Did you mean "prod.zenvars"?' in found[0].detail
    assert found[0].range is None
