"""Modules and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted([*(ROOT / "zenctl").rglob("*.py"), *(ROOT / "providers").rglob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_modules_are_at_most_four_hundred_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in CODE if (n := len(p.read_text().splitlines())) > 400}
    assert long == {}


def test_test_modules_are_at_most_five_hundred_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in TESTS if (n := len(p.read_text().splitlines())) > 500}
    assert long == {}


def test_functions_are_at_most_seventy_lines() -> None:
    long = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > 70:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {size}")
    assert long == []


@pytest.mark.parametrize("path", [p for p in CODE if p.read_text().strip()], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", ":")) or "\n" in said
