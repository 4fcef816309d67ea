"""Records what came of a job: its outputs, notes and warnings, or its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from zenctl.engine.execution import UNSETTLED
from zenctl.jobs.artifacts import tree_path
from zenctl.jobs.checkpoints import discard
from zenctl.jobs.result import JobResult
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.recording import OutputRecord, Recorder


def record_result(
    recorder: Recorder, execution_id: int, result: JobResult, machines: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Record a running execution as complete, failed or canceled, as its job's result says.

    `machines` is what happened to those that its jobs were to run on, as `MachineEvents.story` has it.
    Of a job that may still run nothing is recorded: that it runs is, and its handle, by which the next apply finds it.
    """
    if result.error is not None and result.error.kind == UNSETTLED:
        return
    if machines:
        recorder.report(execution_id, "attributes", {"machines": list(machines)})
    if result.error is not None:
        canceled = result.error.kind == "canceled"
        message, resumed = result.error.message, result.resumed
        recorder.fail(execution_id, message, canceled=canceled, warnings=result.warnings, resumed=resumed)
        return
    recorder.complete(
        execution_id,
        output_records(result),
        dict(result.environment),
        notes=_kept_notes(result),
        warnings=result.warnings,
        resumed=result.resumed,
    )


def discard_checkpoints(storage: Storage, key: str, result: JobResult) -> None:
    """Delete the checkpoints of a job that has succeeded. What cannot be deleted now `state gc` frees."""
    if result.ok and key:
        with suppress(StorageError):
            discard(storage, key)


def output_records(result: JobResult) -> dict[str, OutputRecord]:
    """The job's outputs as the recorder takes them."""
    return {
        name: OutputRecord(o.type, o.digest, tree_path(o.digest), o.bytes, dict(o.properties))
        for name, o in result.outputs.items()
    }


def _kept_notes(result: JobResult) -> dict[str, list[str]]:
    """What the job left for later ones, as `Recorded.notes` has it."""
    return {key: [o.digest, found] for o in result.outputs.values() for key, found in o.notes.items()}
