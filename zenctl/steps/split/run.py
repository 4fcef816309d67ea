"""Runs a split: every row goes to one of the outputs, in the order of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.diagnostics import did_you_mean
from zenctl.sdk.errors import StepError
from zenctl.steps.data.composition import DatasetSource, as_dataset, write_rows
from zenctl.steps.split.partition import ByRatio, ByValue

if TYPE_CHECKING:
    from zenctl.sdk import Dataset, Job


def split(job: Job) -> None:
    """Write the outputs named by `ratio` or `values`. Raises StepError for a column that is not there."""
    data = as_dataset(job.inputs["data"])
    params = job.params
    divide: ByRatio | ByValue
    if params["values"]:
        _require(data, [params["column"]], "column")
        if data.schema.feature(params["column"]).type not in ("int", "string"):
            hint = "Divide by a column of whole numbers or texts, or by ratio."
            raise StepError(f'column "{params["column"]}" is of type float', hint)
        divide = ByValue(params["column"], params["values"])
    else:
        _require(data, params["by"], "by")
        divide = ByRatio(params["ratio"], params["seed"], tuple(params["by"]))
    names = params["values"] or params["ratio"]
    outputs = {name: job.outputs[name] for name in names}
    source = DatasetSource(data.path, data.name)
    write_rows(source, divide, data.schema.types, outputs, job, total=data.num_rows)


def _require(data: Dataset, columns: list[str], attribute: str) -> None:
    for name in columns:
        if name not in data.schema.names:
            known = ", ".join(data.schema.names[:20])
            hint = f"Columns are {known}.{did_you_mean(name, data.schema.names)}"
            raise StepError(f'{attribute} names the column "{name}", which the data does not have', hint)
