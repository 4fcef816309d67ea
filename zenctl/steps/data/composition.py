"""Applies a column function to all batches of a source: in process, or by Beam where the job names a backend for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Dataset, Job
from zenctl.sdk.dataset import BLOCK_ROWS, DatasetOutput

T = TypeVar("T")


class Source(Protocol):
    """Rows in parts that can be read independently of each other. Must be picklable."""

    @property
    def parts(self) -> int:
        """How many parts there are; the rows of part 0 come first."""
        ...

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The rows of one part, in order."""
        ...


@dataclass(frozen=True)
class DatasetSource:
    """The rows of a Dataset; its parts are its shards. `columns` None = all."""

    path: Path
    name: str
    columns: tuple[str, ...] | None = None

    @property
    def parts(self) -> int:
        return len(Dataset(self.path, self.name).shards)

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        dataset = Dataset(self.path, self.name)
        return dataset.shard_batches(dataset.shards[part], self.columns, BLOCK_ROWS)


RowFunction = Callable[[pa.RecordBatch], Mapping[str, pa.RecordBatch]]
"""From a batch to the rows that go to each output, by name. Pure and picklable."""


def write_rows(
    source: Source,
    function: RowFunction,
    types: Mapping[str, str],
    outputs: Mapping[str, DatasetOutput],
    job: Job,
    *,
    total: int = 0,
) -> None:
    """Write what the function makes of each batch, in the order of the source.

    `types` are the feature types of every output's columns; `total` the rows to read, if known, for the progress.
    """
    for output in outputs.values():
        output.declare(types)
    if job.processing:
        from zenctl.steps.data import beam_pipeline

        beam_pipeline.write_rows(source, function, types, outputs, job, total=total)
        return
    done = 0
    for part in range(source.parts):
        for batch in source.read(part):
            for name, rows in function(batch).items():
                outputs[name].write(rows)
            done += batch.num_rows
            job.progress(done, total, "rows")


def fold(
    source: Source,
    function: Callable[[pa.RecordBatch], T],
    merge: Callable[[T, T], T],
    empty: T,
    job: Job,
    *,
    total: int = 0,
) -> T:
    """Merge what the function makes of each batch. `merge` must be associative and commutative, and may change its
    first argument; `empty` is its neutral element.
    """
    if job.processing:
        from zenctl.steps.data import beam_pipeline

        return beam_pipeline.fold(source, function, merge, empty, job)
    found, done = empty, 0
    for part in range(source.parts):
        for batch in source.read(part):
            found = merge(found, function(batch))
            done += batch.num_rows
            job.progress(done, total, "rows")
    return found


def as_dataset(value: Any) -> Dataset:
    """A job's input as a Dataset, also where the runner handed over a plain Artifact."""
    return value if isinstance(value, Dataset) else Dataset(value.path, value.name, value.digest)
