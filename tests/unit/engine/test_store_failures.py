"""A metadata store that fails while it is read is a diagnostic of every operation, never a bug."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.engine import applies, opening, workflow
from zenctl.engine.exporting import export_state
from zenctl.engine.requests import Inputs, PlanOptions
from zenctl.engine.run_comparison import Wanted
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.store import StoreError

OPERATIONS: dict[str, Callable[[Inputs], Any]] = {
    "plan": lambda inputs: workflow.make_plan(inputs, PlanOptions(), lambda event: None),
    "state": workflow.read_state,
    "lineage": lambda inputs: workflow.state_lineage(inputs, "step.python.fit"),
    "lineage of a digest": lambda inputs: workflow.state_lineage(inputs, "abcdef"),
    "lineage of a URL": lambda inputs: workflow.state_lineage(inputs, "http://127.0.0.1:1"),
    "diff": lambda inputs: workflow.diff_states(inputs, "1", ""),
    "compare": lambda inputs: workflow.compare_results(inputs, Wanted(workspaces=("default",))),
    "history": applies.list_applies,
    "history of an address": lambda inputs: applies.list_runs(inputs, "step.python.fit"),
    "logs": lambda inputs: workflow.logs(inputs, "step.python.fit"),
}


class Busy(MemoryStore):
    """A store that nothing can be read from."""

    def _enter(self, method: str) -> None:
        raise StoreError("the metadata database x is busy", "Wait.")


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """A project whose store fails."""
    (tmp_path / "main.zen.hcl").write_text('zenctl {\n  project = "p"\n}\n')
    monkeypatch.setattr(opening, "open_store", lambda *_, **__: Busy())
    return Inputs(tmp_path)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_is_told(inputs: Inputs, operation: str) -> None:
    [found] = OPERATIONS[operation](inputs).diagnostics
    assert (found.code, found.summary, found.detail) == ("metadata_store", "The metadata database x is busy", "Wait.")


def test_a_store_that_fails_while_events_are_written(inputs: Inputs) -> None:
    events = export_state(inputs).events
    assert events is not None
    with pytest.raises(DiagnosticError, match="is busy"):
        list(events)
