"""The Beam composition: elements are parts and record batches; what workers make goes through a staging folder.

    parts -> read (part, number), batch -> function, encode, write one staged file per output and batch
          -> list of what was staged -> index

The caller then strings the staged records together in the order of the source, which is where shards are cut; so the
result does not depend on how a runner divides the work. Nothing but the staging folder, which any worker must reach,
is shared between processes.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from zenctl.sdk.errors import StepError
from zenctl.sdk.examples_encode import Encoded, encode
from zenctl.sdk.snapshot_statistics import Statistics, summarise
from zenctl.sdk.tables import unify
from zenctl.steps.data.bad_rows import BadRows

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job
    from zenctl.sdk.dataset import DatasetOutput
    from zenctl.steps.data.composition import RowFunction, SiftedSource, Source

T = TypeVar("T")

Order = tuple[int, int]
"""Number of the part, number of the batch in it."""


Element = tuple[Order, Any]
"""A batch, or the StepError that came in its place: runners would wrap an exception into one of their own."""


class Staged(NamedTuple):
    """Records of one batch for one output, in a file of the staging folder. `read` counts the rows read for it.

    With "" as output these are rows that are left out.
    """

    order: Order
    output: str
    path: str
    read: int
    statistics: Statistics


def write_rows(
    source: Source,
    function: RowFunction,
    types: Mapping[str, str],
    outputs: Mapping[str, DatasetOutput],
    job: Job,
    *,
    total: int = 0,
) -> None:
    """`composition.write_rows` by Beam. The outputs must be declared."""
    done = 0
    for staged in stage(source, range(source.parts), function, types, job):
        for block in unstaged([staged]):
            if not isinstance(block, BadRows):
                outputs[block[0]].append(*block[1:])
        done += staged.read
        job.progress(done, total, "rows")


def stage(
    source: SiftedSource, parts: Iterable[int], function: RowFunction, types: Mapping[str, str], job: Job
) -> list[Staged]:
    """Have workers encode what the function makes of these parts; what they wrote, in the order of the source."""
    staging = _staging(job)
    index = FileSystems.join(staging, "index")
    with _pipeline(job) as pipeline:
        _ = (
            pipeline
            | "Parts" >> beam.Create(list(parts))
            | "Read" >> beam.FlatMap(_read, source)
            | "Encode" >> beam.FlatMap(_stage, function, dict(types), staging)
            | "Gather" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Index" >> beam.Map(_write_pickle, index)
        )
    made = sorted(_read_pickle(index), key=lambda element: element[:2])
    _raise_first(made)
    return made


def unstaged(made: Iterable[Staged]) -> Iterator[tuple[str, Encoded, Statistics] | BadRows]:
    """What was staged, each with the output it is for. The files are removed."""
    for staged in made:
        with FileSystems.open(staged.path) as stream:
            data = stream.read()
        FileSystems.delete([staged.path])
        if staged.output:
            yield staged.output, Encoded.from_records(data), staged.statistics
        else:
            yield BadRows(pickle.loads(data))  # noqa: S301 - written by this job


def fold(source: Source, function: Callable[[pa.RecordBatch], T], merge: Callable[[T, T], T], empty: T, job: Job) -> T:
    """`composition.fold` by Beam."""
    result = FileSystems.join(_staging(job), "result")
    with _pipeline(job) as pipeline:
        _ = (
            pipeline
            | "Parts" >> beam.Create(range(source.parts))
            | "Read" >> beam.FlatMap(_read, source)
            | "Summarise" >> beam.Map(_apply, function)
            | "Merge" >> beam.CombineGlobally(_Merge(merge, empty))
            | "Result" >> beam.Map(_write_pickle, result)
        )
    found, failed = _read_pickle(result)
    _raise_first(failed)
    merged: T = found
    return merged


class _Merge(beam.CombineFn):  # type: ignore[misc]
    """Accumulates what was merged so far, and the elements that failed."""

    def __init__(self, merge: Callable[[Any, Any], Any], empty: Any) -> None:
        super().__init__()
        self._merge = merge
        self._empty = pickle.dumps(empty)

    def create_accumulator(self, *_: Any) -> Any:
        # Merging may change its first argument, so that each accumulator needs an empty one of its own.
        return pickle.loads(self._empty), []  # noqa: S301 - made above

    def add_input(self, accumulator: Any, element: Element, *_: Any) -> Any:
        order, value = element
        found, failed = accumulator
        if isinstance(value, StepError):
            return found, [*failed, (order, "", value)]
        return self._merge(found, value), failed

    def merge_accumulators(self, accumulators: Any, *_: Any) -> Any:
        found, failed = self.create_accumulator()
        for others, more in accumulators:
            found, failed = self._merge(found, others), [*failed, *more]
        return found, failed

    def extract_output(self, accumulator: Any, *_: Any) -> Any:
        return accumulator


def _pipeline(job: Job) -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions.from_dictionary(dict(job.processing)))


def _staging(job: Job) -> str:
    folder = FileSystems.join(str(job.scratch.absolute()), "beam")
    if FileSystems.exists(folder):
        FileSystems.delete([folder])
    FileSystems.mkdirs(folder)
    return str(folder)


def _read(part: int, source: SiftedSource) -> Iterator[Element]:
    number = 0
    try:
        for batch in source.read(part):
            yield (part, number), batch
            number += 1
    except StepError as error:
        yield (part, number), error


def _apply(element: Element, function: Callable[[pa.RecordBatch], Any]) -> Element:
    order, batch = element
    if isinstance(batch, StepError):
        return element
    try:
        return order, function(batch)
    except StepError as error:
        return order, error


def _stage(element: Element, function: RowFunction, types: Mapping[str, str], staging: str) -> Iterator[Any]:
    if isinstance(element[1], BadRows):
        path = FileSystems.join(staging, f"{element[0][0]:06}-{element[0][1]:06}-bad")
        _write_pickle(element[1].rows, path)
        yield Staged(element[0], "", path, 0, Statistics())
        return
    order, made = _apply(element, function)
    if isinstance(made, StepError):
        yield order, "", made
        return
    read = element[1].num_rows
    for output, part in sorted(made.items()):
        rows = unify(part, types, f"output {output!r}")
        # The path follows from the element: a bundle that is run again replaces its file by an equal one.
        path = FileSystems.join(staging, f"{order[0]:06}-{order[1]:06}-{output}.tfrecord")
        with FileSystems.create(path, compression_type=beam.io.filesystem.CompressionTypes.UNCOMPRESSED) as stream:
            stream.write(encode(rows).data)
        yield Staged(order, output, path, read, summarise(rows))
        read = 0


def _raise_first(made: list[Any]) -> None:
    """Raise the failure that comes first in the order of the source, so that the same one is told on any runner."""
    failed = [element for element in made if isinstance(element[2], StepError)]
    if failed:
        raise min(failed, key=lambda element: element[0])[2]


def _write_pickle(value: Any, path: str) -> None:
    with FileSystems.create(path) as stream:
        stream.write(pickle.dumps(value))


def _read_pickle(path: str) -> Any:
    with FileSystems.open(path) as stream:
        return pickle.loads(stream.read())  # noqa: S301 - written by this job
