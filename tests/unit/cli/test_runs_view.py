"""The runs of an address as people and programs see them: attempts that failed, too, and what their machines did."""

from __future__ import annotations

from dataclasses import replace

import jsonschema

from zenctl.addrs import StepAddr
from zenctl.cli.state_schemas import runs_schema
from zenctl.cli.views.runs import run_rows, runs_document
from zenctl.cli.views.style import Style
from zenctl.metadata.records import Recorded
from zenctl.metadata.store import ExecutionState

BEGAN = 1_790_000_000_000
EVENT = {"name": "zenctl-1", "machine_type": "n1-standard-4", "location": "a", "reason": "", "at_ms": BEGAN}
DONE = Recorded(
    StepAddr("train", "fit"),
    7,
    "job-7",
    ExecutionState.COMPLETE,
    3,
    "Train",
    backend="backend.gce.vm",
    started_ms=BEGAN,
    ended_ms=BEGAN + 12_000,
    project="p",
    workspace="default",
)
LOST = replace(
    DONE,
    execution_id=6,
    state=ExecutionState.FAILED,
    error="it was preempted\nmore on that",
    ended_ms=BEGAN + 2_000,
    attributes={"machines": [{**EVENT, "change": "unavailable", "reason": "full"}, {**EVENT, "change": "lost"}]},
)
GONE = replace(DONE, execution_id=8, serial=4, operation="delete", backend="")


def test_people_see_each_attempt_and_its_machines() -> None:
    assert run_rows([GONE, DONE, LOST], Style(False)) == [
        "SERIAL  BEGAN                    TOOK  RESULT    ON",
        "4       2026-09-21 14:13:20 UTC  12s   deleted",
        "3       2026-09-21 14:13:20 UTC  12s   complete  backend.gce.vm",
        "3       2026-09-21 14:13:20 UTC  2.0s  failed    backend.gce.vm  it was preempted",
        "        14:13:20 UTC  no capacity for machine zenctl-1 (n1-standard-4, a): full",
        "        14:13:20 UTC  lost machine zenctl-1 (n1-standard-4, a)",
    ]


def test_programs_see_each_run_whole() -> None:
    document = runs_document("step.train.fit", [DONE, LOST], "default")
    jsonschema.Draft202012Validator(runs_schema()).validate(document)
    assert [run["values"]["state"] for run in document["runs"]] == ["COMPLETE", "FAILED"]
    assert document["runs"][1]["values"]["attributes"]["machines"][1]["change"] == "lost"
