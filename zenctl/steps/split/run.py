"""Runs a split: every row goes to one of the outputs, in the order of the input.

The rows of each shard of the input become shards of their own, so that those which come of a shard that was there the
last time are the same, and are named instead of made. There are as many shards as in the input, for each output: small
ones for a small share, never more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenctl.digests import sha256_json
from zenctl.steps.data.composition import DatasetSource, Written, as_dataset, write_parts
from zenctl.steps.data.notes import recall
from zenctl.steps.split.choosing import choose
from zenctl.steps.split.schema import SPLIT

if TYPE_CHECKING:
    from zenctl.sdk import Job


def split(job: Job) -> None:
    """Write the outputs named by `ratio`, `values` or `until`. Raises StepError for a column that is not there."""
    data = as_dataset(job.inputs["data"])
    divide, names = choose(data, job.params, job)
    types = data.schema.types
    written = {}
    for name in names:
        output = job.outputs[name]
        output.compress(data.manifest.compression)
        # Where bounds follow from all rows, as those of strata do, other bounds make other rows of a known shard.
        rule = {"divide": repr(divide), "types": types, "output": name, "version": SPLIT.version}
        key = sha256_json({"split": rule, "form": output.form})
        written[name] = Written(output, recall(job.memory, key, types), key)
    digests = [shard.content for shard in data.manifest.shards]
    source = DatasetSource(data.path, data.name)
    write_parts(source, divide, types, written, job, digests=digests, apart=True, total=data.num_rows)
