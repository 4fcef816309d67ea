"""A corpus of hostile and once broken input: it is answered at once, with places within the text and no exception."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.measuring import peer_seconds
from zenctl.diagnostics import Diagnostic
from zenctl.lang import Sensitive, Unknown, evaluate, parse, references
from zenctl.lang.syntax import BlockShape

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
SHAPE = BlockShape(0, {"step": BlockShape(2, {"lifecycle": BlockShape(0)})})
VARIABLES = {"x": [1, "b", None], "y": {"k": Unknown("string")}, "z": Sensitive("s3cret"), "a": Unknown("any")}


def check_places(text: str, problems: list[Diagnostic]) -> None:
    """Every problem has a place in the text, its end not before its start."""
    lines = text.removeprefix("\ufeff").split("\n")
    for problem in problems:
        assert problem.range is not None
        assert problem.range.start <= problem.range.end
        for position in (problem.range.start, problem.range.end):
            assert 1 <= position.line <= len(lines)
            assert 1 <= position.column <= len(lines[position.line - 1]) + 1


@pytest.mark.parametrize("path", CORPUS, ids=[path.name for path in CORPUS])
def test_the_corpus(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    began = time.process_time()
    if path.suffix in (".hcl", ".yaml"):
        syntax = path.suffix[1:]
        result = parse(text, syntax=syntax, shape=SHAPE)
        assert result.ok == path.name.startswith("ok-")
        assert len(result.diagnostics) <= 200
        check_places(text, result.diagnostics)
        if syntax == "yaml":
            check_places(text, evaluate(text, VARIABLES, syntax="yaml").diagnostics)
        else:
            references(text, mode="config")
    else:
        mode = path.suffix[1:]
        evaluated = evaluate(text, VARIABLES, mode=mode)
        check_places(text, evaluated.diagnostics)
        assert len(evaluated.diagnostics) <= 200
        references(text, mode=mode)
    spent = time.process_time() - began
    assert spent < 1 or spent < 20 * peer_seconds()


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 100
    assert sum(path.stat().st_size for path in CORPUS) < 200_000
