"""Runs a split: every row goes to one of the outputs, in the order of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.steps.data.composition import DatasetSource, as_dataset, write_rows
from zenctl.steps.split.choosing import choose

if TYPE_CHECKING:
    from zenctl.sdk import Job


def split(job: Job) -> None:
    """Write the outputs named by `ratio`, `values` or `until`. Raises StepError for a column that is not there."""
    data = as_dataset(job.inputs["data"])
    divide, names = choose(data, job.params, job)
    outputs = {name: job.outputs[name] for name in names}
    source = DatasetSource(data.path, data.name)
    write_rows(source, divide, data.schema.types, outputs, job, total=data.num_rows)
