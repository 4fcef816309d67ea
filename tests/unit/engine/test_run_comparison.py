"""Runs side by side: parameters of a step and of those before it, code, data, packages, metrics, workspaces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.metadata.test_metadata_state import Counting
from zenctl.addrs import DatasourceAddr, StepAddr
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.run_comparison import Column, Wanted, compare_runs
from zenctl.metadata.artifacts import OutputRecord
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import Recorder
from zenctl.metadata.records import RecordedArtifact
from zenctl.metadata.state import read_state
from zenctl.metadata.workspaces import create_workspace
from zenctl.plans.actions import Components

CSV, FIT, EVALUATE = DatasourceAddr("csv", "rows"), StepAddr("python", "fit"), StepAddr("evaluate", "fit")


def digest(text: str) -> str:
    return text.encode().hex().ljust(64, "0")


class Past:
    """A project with a store, to which applies are added."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.count = 0
        create_workspace(self.store, "p", "pr-1")

    def apply(
        self,
        workspace: str = "default",
        *,
        rows: int = 3,
        code: str = "a",
        numpy: str = "2.1",
        loss: float = 0.5,
        **params: Any,
    ) -> None:
        recorder = Recorder(self.store, acquire(self.store, "p", workspace, Holder.here("zenctl apply")))
        source = Components("csv/1", source={"digest": digest(str(rows)), "rows": rows})
        data = self._run(recorder, CSV, source, {}, {"data": OutputRecord("Dataset", digest(f"d{rows}"), "u")})["data"]
        fit = Components("python/1", code={"entry": "fit.py:fit", "digest": digest(code)}, params=params)
        out = {"model": OutputRecord("Model", digest(f"m{self.count}"), "u")}
        model = self._run(recorder, FIT, fit, {"train": data}, out, {"distributions": {"numpy": numpy}})["model"]
        logged = OutputRecord(
            "Metrics", digest(f"e{self.count}"), "u", 1, {"loss": loss, "rows": rows, "size": 10 - rows}
        )
        gates = Components("evaluate/1", params={"gates": {"loss": {"max": 1}}})
        self._run(recorder, EVALUATE, gates, {"model": model}, {"metrics": logged})
        recorder.finish("complete")

    def _run(
        self,
        recorder: Recorder,
        addr: Any,
        components: Components,
        inputs: dict[str, RecordedArtifact],
        outputs: dict[str, OutputRecord],
        environment: dict[str, Any] | None = None,
    ) -> dict[str, RecordedArtifact]:
        self.count += 1
        run = recorder.start(addr, f"job-{self.count}", "Process", components, "f", inputs)
        return recorder.complete(run, outputs, environment)

    def compare(self, *addresses: str, **more: Any) -> Any:
        return compare_runs(self.store, "p", Wanted(addresses, **{"workspaces": ("default",), **more}))


@pytest.fixture
def past() -> Past:
    return Past()


def names(table: Any) -> list[tuple[str, str]]:
    return [(column.name, column.address) for column in table.columns]


def test_parameters_of_the_steps_before_it_that_differ(past: Past) -> None:
    past.apply(epochs=5, layers=[16], rate=0.1)
    past.apply(epochs=8, layers=[32, 16], rate=0.1, loss=0.2)
    [table] = past.compare("step.evaluate.fit")
    assert names(table) == [("epochs", "step.python.fit"), ("layers", "step.python.fit")]
    assert [run.recorded.serial for run in table.runs] == [2, 1]
    assert [[run.given[column] for column in table.columns] for run in table.runs] == [[8, [32, 16]], [5, [16]]]
    assert (table.ways["loss"], table.best["loss"], table.best["rows"]) == ("min", {0}, frozenset())


def test_code_data_and_packages_that_differ(past: Past) -> None:
    past.apply(rows=3, code="a", numpy="2.1")
    past.apply(rows=4, code="b", numpy="2.2")
    [table] = past.compare("step.python.fit")
    assert [(column.kind, column.name) for column in table.columns] == [
        ("code", "code"),
        ("data", "data"),
        ("package", "numpy"),
    ]
    assert table.runs[0].given[Column("datasource.csv.rows", "data", "data")] == {"digest": digest("4"), "rows": 4}


def test_without_addresses_all_that_have_metrics(past: Past) -> None:
    past.apply()
    assert [str(table.addr) for table in past.compare()] == ["step.evaluate.fit"]
    assert past.compare(workspaces=("pr-1",)) == []


def test_several_workspaces_and_the_newest_of_each(past: Past) -> None:
    past.apply(epochs=1)
    past.apply("pr-1", epochs=2)
    past.apply("pr-1", epochs=3)
    [table] = past.compare("step.python.fit", workspaces=("default", "pr-1"), last=1)
    assert [(run.recorded.workspace, run.recorded.serial) for run in table.runs] == [("pr-1", 2), ("default", 1)]
    [table] = past.compare("step.python.fit", workspaces=("default", "pr-1"))
    assert len(table.runs) == 3


def test_a_run_that_was_reused_counts_once_in_a_workspace(past: Past) -> None:
    past.apply(epochs=1)
    recorder = Recorder(past.store, acquire(past.store, "p", "default", Holder.here("zenctl apply")))
    mine = read_state(past.store, "p", "default").results[FIT]
    recorder.reuse(FIT, mine, Components("python/1"), "f", dict(mine.inputs))
    recorder.finish("complete")
    [table] = past.compare("step.python.fit")
    assert [run.recorded.serial for run in table.runs] == [1]


def test_metrics_that_were_asked_for_and_which_way_is_better(past: Past) -> None:
    past.apply(rows=3, loss=0.5)
    past.apply(rows=4, loss=0.6)
    [table] = past.compare("step.evaluate.fit", ways={"size": "min", "loss": "max"})
    assert table.ways == {"size": "min", "loss": "max"}
    assert table.best == {"size": {0}, "loss": {0}}
    assert list(table.runs[0].metrics) == ["size", "loss"]


@pytest.mark.parametrize(
    ("addresses", "more", "said"),
    [
        (["step.python.fti"], {}, 'Did you mean "step.python.fit"?'),
        (["step.python.fti", "step.python.no"], {}, "There is no result of step.python.no"),
        ([], {"ways": {"los": ""}}, 'Did you mean "loss"?'),
        ([], {"workspaces": ("pr-2",)}, 'Did you mean "pr-1"?'),
    ],
)
def test_what_is_not_there(past: Past, addresses: list[str], more: dict[str, Any], said: str) -> None:
    past.apply()
    with pytest.raises(DiagnosticError) as caught:
        past.compare(*addresses, **more)
    assert any(said in f"{problem.summary} {problem.detail}" for problem in caught.value.diagnostics)


def test_queries_do_not_grow_with_the_number_of_runs(past: Past) -> None:
    for epochs in range(3):
        past.apply(epochs=epochs)
    few = Counting(past.store)
    compare_runs(few, "p", Wanted(("step.evaluate.fit",), ("default",)))
    for epochs in range(12):
        past.apply(epochs=epochs)
    many = Counting(past.store)
    compare_runs(many, "p", Wanted(("step.evaluate.fit",), ("default",)))
    assert many.calls.total() == few.calls.total()
