"""A metadata store that fails while it is read is a diagnostic of every operation, never a bug."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zenctl.engine import drafting, workflow
from zenctl.engine.requests import Inputs, PlanOptions
from zenctl.metadata.store import StoreError

OPERATIONS: dict[str, Callable[[Inputs], Any]] = {
    "plan": lambda inputs: workflow.make_plan(inputs, PlanOptions(), lambda event: None),
    "state": workflow.read_state,
    "lineage": lambda inputs: workflow.state_lineage(inputs, "step.python.fit"),
    "logs": lambda inputs: workflow.logs(inputs, "step.python.fit"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the metadata database x is busy", "Wait.")

    (tmp_path / "main.zen.hcl").write_text('zenctl {\n  project = "p"\n}\n')
    monkeypatch.setattr(workflow, "read_workspace", fail)
    monkeypatch.setattr(drafting, "read_state", fail)
    [found] = OPERATIONS[operation](Inputs(tmp_path)).diagnostics
    assert (found.code, found.summary, found.detail) == ("metadata_store", "The metadata database x is busy", "Wait.")
