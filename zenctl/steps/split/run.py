"""Runs a split: every row goes to one of the outputs, in the order of the input.

The rows of each shard of the input become shards of their own, so that those which come of a shard that was there the
last time are the same, and are named instead of made. There are as many shards as in the input, for each output: small
ones for a small share, never more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.diagnostics import did_you_mean
from zenctl.digests import sha256_json
from zenctl.sdk.errors import StepError
from zenctl.steps.data.composition import DatasetSource, Written, as_dataset, write_parts
from zenctl.steps.data.notes import recall
from zenctl.steps.split.partition import ByRatio, ByValue
from zenctl.steps.split.schema import SPLIT

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
    types = data.schema.types
    written = {}
    for name, output in outputs.items():
        output.compress(data.manifest.compression)
        rule = {"params": dict(params), "types": types, "output": name, "version": SPLIT.version}
        key = sha256_json({"split": rule, "form": output.form})
        written[name] = Written(output, recall(job.memory, key, types), key)
    digests = [shard.content for shard in data.manifest.shards]
    source = DatasetSource(data.path, data.name)
    write_parts(source, divide, types, written, job, digests=digests, apart=True, total=data.num_rows)


def _require(data: Dataset, columns: list[str], attribute: str) -> None:
    for name in columns:
        if name not in data.schema.names:
            known = ", ".join(data.schema.names[:20])
            hint = f"Columns are {known}.{did_you_mean(name, data.schema.names)}"
            raise StepError(f'{attribute} names the column "{name}", which the data does not have', hint)
