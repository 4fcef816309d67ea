"""Applies a column function to all batches of a source: in process, or by Beam where the job names a backend for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, Union

import pyarrow as pa

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk import Dataset, Job
from zenctl.sdk.dataset import BLOCK_ROWS, DatasetOutput
from zenctl.sdk.examples_encode import Encoded, encode
from zenctl.sdk.snapshot_statistics import Statistics, summarise
from zenctl.sdk.tables import unify
from zenctl.steps.data.assembling import Assembly
from zenctl.steps.data.bad_rows import BadRowLog, BadRows
from zenctl.steps.data.notes import Notes

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


class SiftedSource(Protocol):
    """A source that may leave rows out, and tells of them."""

    @property
    def parts(self) -> int:
        """As `Source.parts`."""
        ...

    def read(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """As `Source.read`, with the rows that are left out before the batch of those around them."""
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


@dataclass(frozen=True)
class Written:
    """An output that is written part by part: what is known of it, and the key under which to note that."""

    output: DatasetOutput
    notes: Notes
    key: str


def write_parts(
    source: SiftedSource,
    function: RowFunction,
    types: Mapping[str, str],
    outputs: Mapping[str, Written],
    job: Job,
    *,
    digests: Sequence[str],
    apart: bool = False,
    total: int = 0,
    bad: BadRowLog | None = None,
) -> int:
    """`write_rows`, but for the parts whose shards are known by the parts' `digests`; gives the number of rows.

    `types` may be settled while rows are read, where a type was "" so far. `apart`: see `Assembly`. `bad` takes the
    rows that the source leaves out; their parts' notes must be those of the outputs.
    """
    for written in outputs.values():
        written.output.declare(types)
    assemblies = {
        name: Assembly(written.output, digests, written.notes, job.memory, apart=apart)
        for name, written in outputs.items()
    }
    around = 0 if apart else AROUND
    left_out = [part for part, digest in enumerate(digests) if bad is not None and bad.wants(digest)]
    staged = _staged(source, function, types, assemblies, job, around, left_out) if job.processing else {}
    done = 0
    for part, digest in enumerate(digests):
        wanting = {name: assembly for name, assembly in assemblies.items() if assembly.wants(part)}
        read = bool(wanting) or part in left_out
        if read:
            blocks = staged[part]() if part in staged else _blocks(source, function, types, part, wanting)
            for block in blocks:
                if isinstance(block, BadRows):
                    if bad is not None:
                        bad.add(part, block)
                elif block[0] in wanting:
                    wanting[block[0]].feed(part, *block[1:])
        if bad is not None:
            bad.end_part(part, digest, read=read)
        for assembly in assemblies.values():
            assembly.end_part(part)
        done += sum(written.notes.rows[digest] for written in outputs.values())
        job.progress(done, total, "rows")
    for name, written in outputs.items():
        written.output.declare(types)
        written.notes.types = dict(types)
        assemblies[name].finish(written.key)
    return done


Block = Union[tuple[str, "Encoded", "Statistics | None"], BadRows]
"""Records for an output, by its name, and their statistics where they are not known; or rows that are left out."""

AROUND = 2
"""Parts before and after one that is not known, of which shards are likely to be made anew with it."""


def _blocks(
    source: SiftedSource, function: RowFunction, types: Mapping[str, str], part: int, wanting: Mapping[str, Assembly]
) -> Iterator[Block]:
    for batch in source.read(part):
        if isinstance(batch, BadRows):
            yield batch
            continue
        for at in range(0, batch.num_rows, BLOCK_ROWS):
            for name, rows in function(batch.slice(at, BLOCK_ROWS)).items():
                if name not in wanting or not rows.num_rows:
                    continue
                block = unify(rows, types, f"output {name!r}")
                known = wanting[name].knows(part)
                yield name, encode(block), None if known else summarise(block, wanting[name].uncounted)


def _staged(
    source: SiftedSource,
    function: RowFunction,
    types: Mapping[str, str],
    assemblies: Mapping[str, Assembly],
    job: Job,
    around: int,
    besides: Sequence[int],
) -> dict[int, Callable[[], Iterator[Block]]]:
    """What Beam's workers make of the parts that are not known, as many around each, and those `besides`, by part."""
    from zenctl.steps.data import beam_pipeline

    every = range(source.parts)
    new = [part for part in every if not all(assembly.knows(part) for assembly in assemblies.values())]
    near = {near for part in new for near in range(part - around, part + around + 1) if near in every}
    wanted = sorted(near | set(besides))
    found: dict[int, list[beam_pipeline.Staged]] = {part: [] for part in wanted}
    for staged in beam_pipeline.stage(source, wanted, function, types, job):
        found[staged.order[0]].append(staged)
    return {part: partial(beam_pipeline.unstaged, made) for part, made in found.items()}


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
