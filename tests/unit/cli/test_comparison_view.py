"""How runs side by side look: as rows, turned where that is too wide, and what is said below."""

from __future__ import annotations

from typing import Any

from zenctl.addrs import StepAddr
from zenctl.cli.views.comparison import comparison_lines
from zenctl.cli.views.style import PLAIN, Style, columns
from zenctl.engine.metrics import best, direction
from zenctl.engine.requests import CompareOutcome
from zenctl.engine.run_comparison import Column, Run, RunTable, Wanted
from zenctl.metadata.records import Recorded
from zenctl.metadata.store import ExecutionState

FIT, START = StepAddr("python", "fit"), 1_795_480_000_000
EPOCHS = Column("step.python.fit", "parameter", "epochs")
UP = Column("step.split.rows", "parameter", "seed")
DATA = Column("datasource.csv.rows", "data", "data")
CODE = Column("step.python.fit", "code", "code")


def table(*runs: tuple[dict[Column, Any], dict[str, Any]]) -> RunTable:
    made = [
        Run(
            Recorded(FIT, 9 - i, "j", ExecutionState.COMPLETE, 9 - i, "Train", ended_ms=START, workspace="default"),
            given,
            metrics,
        )
        for i, (given, metrics) in enumerate(runs)
    ]
    names = dict.fromkeys(name for run in made for name in run.metrics)
    ways = {name: direction(name) for name in names}
    values = {name: {i: run.metrics[name] for i, run in enumerate(made) if name in run.metrics} for name in names}
    found = {name: best(values[name], way) for name, way in ways.items()}
    given = dict.fromkeys(column for run in made for column in run.given)
    return RunTable(FIT, tuple(made), tuple(given), ways, found)


TABLE = table(
    (
        {EPOCHS: 8, UP: 7, DATA: {"digest": "a" * 64, "rows": 344}, CODE: "b" * 64},
        {"accuracy": 0.98123, "loss": 0.0701, "epochs": 8, "note": "x"},
    ),
    (
        {EPOCHS: 5, DATA: {"digest": "c" * 64, "rows": 1}, CODE: "d" * 64},
        {"accuracy": 0.98121, "loss": 0.0702, "epochs": 5, "rows": 3},
    ),
)


def test_runs_are_rows_where_that_fits(golden):
    golden("comparison.txt", "\n".join(comparison_lines([TABLE], PLAIN, 200)) + "\n")


def test_runs_are_columns_where_rows_are_too_wide(golden):
    lines = comparison_lines([TABLE], PLAIN, 78)
    assert max(map(columns, lines)) <= 78
    golden("comparison-turned.txt", "\n".join(lines) + "\n")


def test_colour_adds_nothing_but_colour():
    import re

    drawn = "\n".join(comparison_lines([TABLE, TABLE], Style(True), 200))
    assert re.sub(r"\x1b\[[0-9;]*m", "", drawn) == "\n".join(comparison_lines([TABLE, TABLE], PLAIN, 200))


def test_values_that_would_act_on_a_terminal_are_shown_as_text():
    drawn = "\n".join(comparison_lines([table(({EPOCHS: "a\x1b[2J"}, {"n\x07": "\x1b]0;x"}))], PLAIN, 200))
    assert "\x1b" not in drawn
    assert "\x07" not in drawn
    assert "only one run" in drawn


def test_same_names_of_several_addresses_are_told_apart():
    other = Column("step.split.rows", "parameter", "epochs")
    [head] = [line for line in comparison_lines([table(({EPOCHS: 1, other: 2}, {}))], PLAIN, 200) if "RUN" in line]
    assert "step.python.fit epochs" in head
    assert "step.split.rows epochs" in head


def test_the_command_line(zenctl, engine):
    engine.answers["compare_results"] = CompareOutcome((), (), project="p")
    ran = zenctl(
        "compare", "step.python.fit", "-last=3", "-metric", "loss", "-metric=a:b:min", "-workspace=a", "-workspace=b"
    )
    assert "No result has metrics yet" in ran.out
    assert engine.calls[0][1][1] == Wanted(("step.python.fit",), ("a", "b"), 3, {"loss": "", "a:b": "min"})
    assert zenctl("compare").code == 0
    assert engine.calls[1][1][1] == Wanted((), ("default",), 10, {})
    for words, said in (
        (["step.python"], "names no address"),
        (["-last=0"], "is no number"),
        (["-metric=:min"], "is not NAME"),
        (["-metric=loss:best"], "is not NAME"),
        (["-workspace=a b"], "no name of a workspace"),
    ):
        refused = zenctl("compare", *words)
        assert refused.code == 1
        assert said in " ".join(refused.err.split())
    assert len(engine.calls) == 2
