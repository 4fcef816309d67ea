"""Whose results may be taken: what `reuse_from` can say, and what it means in which workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.engine.worlds import World
from zenctl.diagnostics import Diagnostic
from zenctl.engine.reusing import Trusted, examples, missing, trusted
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.workspaces import create_workspace


def read(tmp_path: Path, value: str, workspace: str = "default") -> tuple[Trusted, list[Diagnostic]]:
    world = World(
        f'zenctl {{\n  project = "p"\n  reuse_from = {value}\n}}\nvariable "from" {{ default = "main" }}\n'
        'step "python" "fit" { code = "steps/fit.py:count" }\n',
        tmp_path,
    )
    assert world.loaded == []
    return trusted(world.configuration, world.evaluator, workspace)


@pytest.mark.parametrize(
    ("value", "others"),
    [
        ("[]", ()),
        ('["main"]', (("p", "main"),)),
        ('["pr-*", "team/main"]', (("p", "pr-*"), ("team", "main"))),
        ("[var.from]", (("p", "main"),)),
        ('zenctl.workspace == "default" ? ["pr-*"] : ["default"]', (("p", "pr-*"),)),
    ],
)
def test_what_it_names(tmp_path: Path, value: str, others: tuple[tuple[str, str], ...]) -> None:
    found, diagnostics = read(tmp_path, value)
    assert diagnostics == []
    assert found == Trusted("p", "default", others)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ('"main"', "wrong_type"),
        ("[1]", "wrong_type"),
        ("null", "wrong_type"),
        ('["a/b/c"]', "invalid_workspace"),
        ('["*/main"]', "invalid_workspace"),
        ('["../main"]', "invalid_workspace"),
        ('[""]', "invalid_workspace"),
        ("[step.python.fit.result.value]", "not_literal"),
    ],
)
def test_what_it_cannot_be(tmp_path: Path, value: str, code: str) -> None:
    found, diagnostics = read(tmp_path, value)
    assert [d.code for d in diagnostics] == [code]
    assert found.others == ()
    assert all(d.range is not None for d in diagnostics)


def test_without_it_only_the_own_workspace_counts(tmp_path: Path) -> None:
    world = World('zenctl { project = "p" }\n', tmp_path)
    found, _ = trusted(world.configuration, world.evaluator, "pr-1")
    assert found.allows("p", "pr-1")
    assert not found.allows("p", "default")
    assert not found.allows("q", "pr-1")


def test_patterns_stay_in_their_project() -> None:
    found = Trusted("p", "main", (("p", "pr-*"), ("q", "main"), ("p", "main"), ("p", "[x]")))
    assert found.allows("p", "pr-12")
    assert not found.allows("q", "pr-12")
    assert not found.allows("p", "PR-12")
    assert not found.allows("p", "my-pr-12")
    assert found.allows("q", "main")
    assert found.named == (("q", "main"), ("p", "[x]"))


def test_names_that_are_not_there_are_told(tmp_path: Path) -> None:
    store = MemoryStore()
    create_workspace(store, "p", "main")
    world = World('zenctl {\n  project = "p"\n  reuse_from = ["mian", "main", "pr-*", "q/x", "default"]\n}\n', tmp_path)
    allowed, _ = trusted(world.configuration, world.evaluator, "default")
    [found] = missing(allowed, world.configuration, store)
    assert found.summary == 'There is no workspace "mian"'
    assert 'Did you mean "main"?' in found.detail
    assert examples(allowed, store) == {}
