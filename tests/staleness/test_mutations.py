"""Changes every definition of projects in turn, runs the step for real, and compares the verdict with what was run.

Recall is the share of executed changes that made the step stale, and must be 100 %; precision is the share of changes
that made it stale which were executed. The project `plugins` loads modules by computed names: there all counts.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import pytest

from tests.staleness.corpus import lay, read_cases
from tests.staleness.runs import Runs
from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.source import WorkingTree

HERE = Path(__file__).parent
PROJECTS = sorted(path.name for path in (HERE / "projects").iterdir() if path.is_dir())

Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef]


@dataclass
class Tally:
    """How verdicts and runs agree."""

    caught: int = 0
    missed: int = 0
    false: int = 0
    fresh: int = 0

    def add(self, *, stale: bool, executed: bool) -> None:
        self.caught += stale and executed
        self.missed += executed and not stale
        self.false += stale and not executed
        self.fresh += not stale and not executed

    def __str__(self) -> str:
        count = self.caught + self.missed + self.false + self.fresh
        recall = 100 * self.caught / max(1, self.caught + self.missed)
        precision = 100 * self.caught / max(1, self.caught + self.false)
        return f"{count} changes, {self.fresh} of them fresh: recall {recall:.1f} %, precision {precision:.1f} %"


def definitions(tree: ast.Module) -> list[Definition]:
    """Functions, classes and methods, those inside of functions left out: they are parts of these."""
    found: list[Definition] = []
    pending: list[ast.AST] = [tree]
    while pending:
        for child in ast.iter_child_nodes(pending.pop()):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.append(child)
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                pending.append(child)
    return sorted(found, key=lambda node: node.lineno)


def changed(text: str) -> Iterator[tuple[str, str, int]]:
    """The text with each of its definitions changed, the definition's name and the line its code begins with."""
    for number in range(len(definitions(ast.parse(text)))):
        tree = ast.parse(text)
        node = definitions(tree)[number]
        node.body.insert(1 if ast.get_docstring(node) else 0, ast.parse("changed_by_test = 1").body[0])
        yield ast.unparse(tree), node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])


def find(root: Path, entry: str) -> Closure | None:
    return closure(WorkingTree(root), entry, "fit")[0]


def mutate(
    files: dict[str, str], entry: str, root: Path, runs: Runs, tally: Tally, *, sparing: bool = False
) -> list[str]:
    """Change a project's definitions one by one; gives the changes that were missed.

    `sparing`: what ran before the change and is called stale is not run again.
    """
    # Layout does not count, and so every text can be the one that a tree unparses to.
    files = {path: ast.unparse(ast.parse(text)) if path.endswith(".py") else text for path, text in files.items()}
    before = find(lay(root, files), entry)
    assert before is not None
    first = runs(root, entry, "fit")
    assert not first["result"].startswith(("raised", "ended")), first
    missed = []
    for path in [path for path in files if path.endswith(".py")]:
        for text, name, line in changed(files[path]):
            (root / path).write_text(text)
            after = find(root, entry)
            assert after is not None
            stale = after.digest != before.digest
            executed = [path, name, line] in first["executed"]
            second = first if sparing and stale and executed else runs(root, entry, "fit")
            executed |= any([path, name] == item[:2] and item not in first["executed"] for item in second["executed"])
            tally.add(stale=stale, executed=executed)
            if not stale:
                assert second["result"] == first["result"], f"{path}: {name}"
                missed += [f"{path}: {name}"] if executed else []
        (root / path).write_text(files[path])
    return missed


@pytest.mark.parametrize("project", PROJECTS)
def test_every_definition_of_a_project(project: str, tmp_path: Path) -> None:
    folder = HERE / "projects" / project
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}
    tally = Tally()
    with Runs() as runs:
        missed = mutate(files, "steps/fit.py", tmp_path, runs, tally)
    print(f"\n{project}: {tally}")
    assert not missed
    assert tally.caught
    assert tally.fresh or project == "plugins"


def test_every_definition_of_the_corpus(tmp_path: Path) -> None:
    cases = [case for case in read_cases().values() if case.runs and not case.files]
    tally = Tally()
    missed = []
    with Runs() as runs:
        for number, case in enumerate(cases):
            found = mutate(case.before, case.entry, tmp_path / str(number), runs, tally, sparing=True)
            missed += [f"{case.name}: {text}" for text in found]
    print(f"\ncorpus: {tally}")
    assert not missed
    assert tally.caught > 400
