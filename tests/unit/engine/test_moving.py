"""moved blocks: where records stand afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.engine.worlds import World
from zenctl.addrs import parse
from zenctl.engine.moving import moved_state, targets
from zenctl.metadata.state import Recorded, WorkspaceState
from zenctl.metadata.store import ExecutionState


def moved(tmp_path: Path, moves: dict[str, str], *recorded: str) -> dict[str, str]:
    """The recorded addresses after the moves, each with its former one ("" if it did not move)."""
    text = "\n".join(f"moved {{\n  from = {a}\n  to = {b}\n}}" for a, b in moves.items())
    world = World(text, tmp_path)
    assert world.loaded == []
    results = {
        parse(a): Recorded(parse(a), number, f"j{number}", ExecutionState.COMPLETE, 1, "Process")
        for number, a in enumerate(recorded)
    }
    state, former, problems = moved_state(WorkspaceState("p", "default", 1, results), world.configuration, ())
    assert problems == []
    assert all(addr == found.addr for addr, found in state.results.items())
    return {str(addr): former.get(addr, "") for addr in state.results}


A, B = "step.python.a", "step.python.b"


@pytest.mark.parametrize(
    ("moves", "recorded", "expected"),
    [
        ({A: B}, [A], {B: A}),
        ({A: B}, [A, B], {A: "", B: ""}),
        ({A: B}, [f'{A}["x"]', f"{A}[0]"], {f'{B}["x"]': f'{A}["x"]', f"{B}[0]": f"{A}[0]"}),
        ({A: f'{A}["x"]'}, [A], {f'{A}["x"]': A}),
        ({f"{A}[0]": f'{A}["x"]'}, [f"{A}[0]", f"{A}[1]"], {f'{A}["x"]': f"{A}[0]", f"{A}[1]": ""}),
        ({A: B, B: "step.python.c"}, [A], {"step.python.c": A}),
        ({B: "step.python.c", A: B}, [A], {"step.python.c": A}),
        ({A: "step.train.a"}, [A], {"step.train.a": A}),
        ({A: f"module.m.{A}"}, [A], {f"module.m.{A}": A}),
        ({f"module.m.{A}": A}, [f"module.m.{A}"], {A: f"module.m.{A}"}),
        ({"module.m": "module.n"}, [f'module.m["k"].{A}', B], {f'module.n["k"].{A}': f'module.m["k"].{A}', B: ""}),
        ({"module.m": 'module.m["k"]'}, [f"module.m.{A}"], {f'module.m["k"].{A}': f"module.m.{A}"}),
        (
            {"module.m.module.i": "module.j"},
            [f"module.m.module.i.module.deep.{A}[1]"],
            {f"module.j.module.deep.{A}[1]": f"module.m.module.i.module.deep.{A}[1]"},
        ),
    ],
)
def test_records_follow(tmp_path: Path, moves: dict[str, str], recorded: list[str], expected: dict[str, str]) -> None:
    assert moved(tmp_path, moves, *recorded) == expected


def test_what_has_moved_away_must_not_be_there(tmp_path: Path) -> None:
    text = f'step "python" "a" {{ code = "s.py:make" }}\nmoved {{\n  from = {A}\n  to = {B}\n}}'
    world = World(text, tmp_path)
    _, _, [problem] = moved_state(WorkspaceState("p", "default"), world.configuration, world.evaluator.nodes)
    assert problem.summary == "step.python.a has moved, and is still configured"
    assert problem.range is not None
    assert problem.range.start.line == 2


def test_a_module_that_has_moved_away_must_not_be_there(tmp_path: Path) -> None:
    text = 'module "m" { source = "./m" }\nmoved {\n  from = module.m\n  to = TO\n}'
    child = {"m/main.zen.hcl": 'step "python" "a" { code = "s.py:make" }'}

    def problems(target: str) -> list[str]:
        world = World(text.replace("TO", target), tmp_path, child)
        _, _, found = moved_state(WorkspaceState("p", "default"), world.configuration, world.evaluator.nodes)
        return [d.summary for d in found]

    assert problems("module.n") == ["module.m has moved, and is still configured"]
    assert problems("module.m[0]") == []


@pytest.mark.parametrize(
    ("source", "target", "recorded", "expected"),
    [
        (A, B, [A, "step.python.c"], {A: B}),
        (A, B, [f'{A}["x"]', f"{A}[0]"], {f'{A}["x"]': f'{B}["x"]', f"{A}[0]": f"{B}[0]"}),
        (f'{A}["x"]', f'{A}["y"]', [f'{A}["x"]', f'{A}["z"]'], {f'{A}["x"]': f'{A}["y"]'}),
        ("module.m", "module.n", [f"module.m.{A}", A], {f"module.m.{A}": f"module.n.{A}"}),
        ("module.m", 'module.m["k"]', [f"module.m.{A}"], {f"module.m.{A}": f'module.m["k"].{A}'}),
        (A, f"module.m.{A}", [A], {A: f"module.m.{A}"}),
    ],
)
def test_where_one_move_leads(source: str, target: str, recorded: list[str], expected: dict[str, str]) -> None:
    found = targets([parse(text) for text in recorded], source, target)
    assert {str(addr): str(to) for addr, to in found.items()} == expected
