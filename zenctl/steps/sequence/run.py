"""Runs the step `sequence`: brings the rows of each series together, then cuts windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zenctl.diagnostics import did_you_mean
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Dataset, StepError
from zenctl.steps.data.composition import as_dataset, write_rows
from zenctl.steps.data.hashing import row_hashes
from zenctl.steps.sequence.schema import SequenceSettings
from zenctl.steps.sequence.windows import Plan, windows
from zenctl.steps.transform.log import log

if TYPE_CHECKING:
    from zenctl.sdk import Job

PART_ROWS = 500_000
"""Rows of a part, about: what is held in memory at a time. A series is never divided."""


@dataclass(frozen=True)
class Series:
    """Windows, in parts. A part holds whole series: those whose hash leads to it, set aside in a file; or all."""

    path: Path
    name: str
    plan: Plan
    files: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        return max(1, len(self.files))

    def read(self, part: int) -> Iterator[Any]:
        """The windows of the series of one part."""
        if self.files:
            with pa.OSFile(self.files[part]) as file:
                table = pa.ipc.open_stream(file).read_all()
        else:
            table = Dataset(self.path, self.name).arrow(list(self.plan.needed))
        yield from windows(table, self.plan)


def sequence(job: Job) -> None:
    """Write the output `data`. Raises StepError for a column that is not there, or holds no times."""
    settings = SequenceSettings.model_validate(dict(job.params))
    data = as_dataset(job.inputs["data"])
    plan = _plan(data, settings)
    count = -(-data.num_rows // PART_ROWS) if settings.by else 1
    files = _set_aside(data, plan, count, job) if count > 1 else ()
    write_rows(Series(data.path, data.name, plan, files), _as_data, plan.made, {"data": job.outputs["data"]}, job)
    log(f"{data.num_rows:,} rows gave {job.outputs['data'].rows:,} windows of {settings.window}")


def _as_data(batch: Any) -> dict[str, Any]:
    return {"data": batch}


def _plan(data: Dataset, settings: SequenceSettings) -> Plan:
    names = data.schema.names
    for attribute, wanted in (
        ("time", [settings.time]),
        ("by", settings.by),
        ("columns", settings.columns or []),
        ("label", [settings.label] if settings.label is not None else []),
        ("aggregates", list(settings.aggregates)),
    ):
        for name in wanted:
            if name not in names:
                hint = f"Columns are {', '.join(names[:20])}.{did_you_mean(name, names)}"
                raise StepError(f'{attribute} names the column "{name}", which the data does not have', hint)
    others = [name for name in names if name not in (settings.time, *settings.by)]
    columns = tuple(settings.columns or others)
    if not columns:
        raise StepError("there is no column to take windows of", "The data has only those of time and by.")
    plan = Plan(settings, columns, data.schema.types)
    made = plan.made
    if len(made) != len(settings.by) + 1 + len(columns) * settings.window + (settings.label is not None):
        raise StepError("two columns of the windows would have the same name", "Rename one of them in the step before.")
    return plan


def _set_aside(data: Dataset, plan: Plan, count: int, job: Job) -> tuple[str, ...]:
    """Divide the rows among files by the hash of their series, so that each file holds whole series."""
    files = [job.scratch / f"series-{part:04}.arrow" for part in range(count)]
    writers: dict[int, Any] = {}
    try:
        for batch in data.batches(plan.needed, 65_536):
            part = (row_hashes(_keys(batch, plan), plan.settings.by) % np.uint64(count)).astype(np.int64)
            plain = _plain(batch)
            for number in np.unique(part).tolist():
                if number not in writers:
                    writers[number] = pa.ipc.new_stream(str(files[number]), plain.schema)
                writers[number].write_batch(plain.filter(pa.array(part == number)))
    finally:
        for writer in writers.values():
            writer.close()
    return tuple(str(files[number].absolute()) for number in sorted(writers))


def _keys(batch: Any, plan: Plan) -> Any:
    """The columns that tell series apart, fractions as their bits."""
    arrays = []
    for name in plan.settings.by:
        column = batch.column(batch.schema.get_field_index(name))
        if pa.types.is_floating(column.type):
            bits = column.fill_null(0).to_numpy(zero_copy_only=False).view(np.int32).astype(np.int64)
            missing = np.asarray(column.is_null().to_numpy(zero_copy_only=False))
            column = pa.array(bits, mask=missing)
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, names=list(plan.settings.by))


def _plain(batch: Any) -> Any:
    """Texts in one Arrow type, of which batches have several."""
    wanted = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    schema = pa.schema([pa.field(field.name, wanted.get(field.type, field.type)) for field in batch.schema])
    return batch.cast(schema)
