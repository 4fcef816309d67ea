"""docs/language.md says what is so: its examples are read and give what it says, and the tests it names exist."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from tests.unit.lang.document import DOCUMENT, rows
from zenctl.lang import evaluate, parse

HERE = Path(__file__).parent
STRUCTURE = rows("Structure")
EXPRESSIONS = rows("Expressions") + rows("Strings and templates") + rows("Values")
YAML = rows("YAML")


@pytest.mark.parametrize("row", STRUCTURE, ids=[row[0] for row in STRUCTURE])
def test_structure(row: list[str]) -> None:
    result = parse(row[1])
    assert [str(problem) for problem in result.diagnostics] == []
    assert result.body is not None
    assert result.body.attributes or result.body.blocks


@pytest.mark.parametrize("row", EXPRESSIONS, ids=[row[0] for row in EXPRESSIONS])
def test_expressions(row: list[str]) -> None:
    result = evaluate(row[1])
    assert [str(problem) for problem in result.diagnostics] == []
    assert result.value == json.loads(row[2])


@pytest.mark.parametrize("row", YAML, ids=[row[0] for row in YAML])
def test_yaml(row: list[str]) -> None:
    result = evaluate(row[1], syntax="yaml")
    assert [str(problem) for problem in result.diagnostics] == []
    assert result.value == json.loads(row[2])


def test_the_tests_it_names_exist() -> None:
    named = re.findall(r"`((?:tests/)?[\w/]+\.py)(?:::(\w+))?`", DOCUMENT.read_text(encoding="utf-8"))
    assert len(named) > 60
    defined: dict[Path, set[str]] = {}
    for file, test in named:
        path = (DOCUMENT.parents[1] if file.startswith("tests/") else HERE) / file
        if path not in defined:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            defined[path] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not test or test in defined[path], f"{file}::{test}"


def test_every_row_names_a_test() -> None:
    for row in (*STRUCTURE, *EXPRESSIONS, *YAML):
        assert "::test_" in row[-1]
