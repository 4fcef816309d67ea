"""docs/functions.md and the library say the same: each function once, each example with the result it gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from zenctl.config.module_files import ModuleFiles
from zenctl.lang import evaluate
from zenctl.lang.functions.library import LEFT_OUT, standard_library

PAGE = (Path(__file__).parents[3] / "docs/functions.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(?P<signature>\w+\(.*?\))` \| (?P<says>.*?) \| `(?P<example>.*?)` → `(?P<result>.*?)` \|$", re.M
)
ROWS = [{name: cell.replace("\\|", "|") for name, cell in found.groupdict().items()} for found in ROW.finditer(PAGE)]
FILES: dict[str, str] = evaluate(PAGE.split("```hcl\n")[1].split("```")[0]).value
LIBRARY = standard_library()


def name(row: dict[str, str]) -> str:
    return row["signature"].split("(")[0]


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("module")
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return standard_library(ModuleFiles(folder), "2026-01-31T08:30:00Z")


def test_every_function_is_documented_once_and_no_other() -> None:
    assert sorted(name(row) for row in ROWS) == sorted(LIBRARY)
    assert PAGE.count("` → `") == len(ROWS), "a row of a table is not written as the others are"


@pytest.mark.parametrize("row", ROWS, ids=[name(row) for row in ROWS])
def test_signatures_and_descriptions_are_the_code_s(row: dict[str, str]) -> None:
    function = LIBRARY[name(row)]
    assert function.name == name(row)
    assert (row["signature"], row["says"]) == (function.signature(), function.description)
    assert function.description.endswith(".")


@pytest.mark.parametrize("row", ROWS, ids=[name(row) for row in ROWS])
def test_examples_give_what_is_printed(row: dict[str, str], functions: Any) -> None:
    assert f"{name(row)}(" in row["example"]
    found, printed = evaluate(row["example"], functions=functions), evaluate(row["result"])
    assert [str(problem) for problem in (*found.diagnostics, *printed.diagnostics)] == []
    assert (found.value, type(found.value)) == (printed.value, type(printed.value))


def test_what_is_left_out_is_documented_with_the_reason_that_messages_give() -> None:
    table = PAGE.split("## Left out")[1].split("## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.M))
    assert documented == {name: f"{why[:1].upper()}{why[1:]}." for name, why in LEFT_OUT.items()}
    for name, why in LEFT_OUT.items():
        [problem] = evaluate(f"{name}()").diagnostics
        assert (problem.code, problem.detail) == ("unknown_function", f'There is no function "{name}": {why}.')
