"""Small projects, each with one change: whether it makes the step stale, what is said of it, and a real run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staleness.corpus import Case, lay, read_cases
from tests.staleness.runs import Runs
from zenctl.engine.reasons import definition_changes, file_line
from zenctl.fingerprint.code import Closure, closure
from zenctl.fingerprint.source import WorkingTree

CASES = read_cases()


def find(root: Path, case: Case, files: dict[str, str]) -> Closure:
    found, diagnostics = closure(WorkingTree(lay(root, files)), case.entry, "fit", case.files)
    assert found is not None, diagnostics
    return found


def says(before: Closure, after: Closure) -> str:
    if before.digest == after.digest:
        return ""
    changes = definition_changes(vars(before), vars(after))
    return "; ".join(file_line(path, names) for path, names in changes.items()) or "nothing"


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    before = find(tmp_path / "before", case, case.before)
    after = find(tmp_path / "after", case, case.after)
    assert says(before, after) == case.says


def test_runs_agree(tmp_path: Path) -> None:
    """Each project is run for real, from what its closure holds: what stays fresh must give the same, again."""
    changed = 0
    with Runs() as runs:
        for number, case in enumerate(case for case in CASES.values() if case.runs):
            results = []
            for side, files in (("before", case.before), ("after", case.after)):
                found = find(tmp_path / f"{number}-{side}", case, files)
                folder = tmp_path / f"{number}-{side}-run"
                for path, data in found.sources.items():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_bytes(data)
                done = runs(folder, case.entry, "fit")
                assert not done["result"].startswith(("raised", "ended")), f"{case.name}: {done}"
                results.append((done["result"], done["printed"]))
            if not case.says:
                assert results[0] == results[1], f"{case.name} is called fresh"
            changed += results[0] != results[1]
    print(f"\nrun for real: {number + 1} projects, {changed} gave another result")
    assert changed > 100


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 150
    assert sum(not case.says for case in CASES.values()) >= 50
