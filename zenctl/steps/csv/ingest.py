"""Takes a snapshot of a csv source: reads the very content that plan saw, settles types over all of it, writes it.

Types follow from all values of a column, not from the first block: reading starts with what the first batch needs,
and where a later one needs a wider type after rows were written with the narrower, everything is read once more with
the types that hold it all. So the result depends neither on the size of blocks nor on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.conversion import Unfit, convert, widen
from zenctl.steps.csv.files import ordered, source_digest
from zenctl.steps.csv.locating import line_of
from zenctl.steps.csv.observe import difference
from zenctl.steps.csv.reading import (
    BLOCK_BYTES,
    MAX_BLOCK_BYTES,
    Dialect,
    Passed,
    TooLarge,
    column_names,
    read_batches,
)
from zenctl.steps.data.composition import write_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job
    from zenctl.sdk.dataset import DatasetOutput


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what
    cannot be read, with file and line.
    """
    dialect = Dialect.of(job.params)
    files = ordered(job.locations)
    output: DatasetOutput = job.outputs["data"]
    names = _columns(files, dialect)
    declared = dict(job.params["types"])
    unknown = [name for name in declared if name not in names]
    if unknown:
        raise StepError(f'types names the column "{unknown[0]}", which is not there', f"Columns: {', '.join(names)}.")
    block = BLOCK_BYTES
    while True:
        try:
            _ingest(job, CsvSource(tuple(files), names, dialect, block), declared, output)
            return
        except TooLarge as problem:
            if block >= MAX_BLOCK_BYTES:
                message = f"a record of the source is larger than {MAX_BLOCK_BYTES:,} bytes"
                raise StepError(message, 'Is a quote (") opened and never closed?') from problem
            block *= 8
            output.discard()
        except StepError as problem:
            # Bad data may be the sign of a file that is being written right now; that is what to say then.
            if problem.kind == "bad_data":
                _verify(job, [_digest(path) for path in files])
            raise


@dataclass(frozen=True)
class CsvSource:
    """Files with the columns `names`; `types` is empty as long as values are to be read as strings."""

    files: tuple[Path, ...]
    names: tuple[str, ...]
    dialect: Dialect
    block_bytes: int = BLOCK_BYTES
    types: Mapping[str, str] = field(default_factory=dict)
    digests: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        return len(self.files)

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """One file's rows; raises StepError source_changed at the end if its digest is not the one in `digests`."""
        passed = Passed()
        for batch in self.strings(part, passed):
            yield convert(batch, self.types)
        if passed.sha256 != self.digests[part]:
            raise _changed(self.files[part].name)

    def strings(self, part: int, passed: Passed) -> Iterator[pa.RecordBatch]:
        """The same as strings, unverified."""
        path = self.files[part]
        own = self.names if part == 0 else column_names(path, self.dialect)
        for batch in read_batches(path, own, self.dialect, passed, block_bytes=self.block_bytes):
            yield batch if own == self.names else batch.select(list(self.names))


def _ingest(job: Job, source: CsvSource, declared: Mapping[str, str], output: DatasetOutput) -> None:
    """One reading of all files, and a second one if the types of the first did not hold, or if Beam writes."""
    types: dict[str, str] = {}
    digests: list[str] = []
    rows, whole = 0, not job.processing
    for part in range(source.parts):
        passed, before = Passed(), rows
        for batch in source.strings(part, passed):
            found = widen(batch, types, declared)
            whole = whole and all(types.get(name, "") in ("", found[name]) for name in found)
            types = found
            try:
                converted = convert(batch, types)
            except Unfit as problem:
                raise _unfit(problem, source, part, rows - before) from problem
            if whole:
                output.write(converted)
            rows += batch.num_rows
            job.progress(rows, 0, "rows")
        digests.append(passed.sha256)
    _verify(job, digests)
    if rows == 0:
        raise StepError(f"{source.files[0].name} has a header, but no rows", "Check what should have written it.")
    if not whole:
        output.discard()
        typed = CsvSource(source.files, source.names, source.dialect, source.block_bytes, types, tuple(digests))
        write_rows(typed, _to_data, types, {"data": output}, job, total=rows)


def _to_data(batch: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
    return {"data": batch}


def _columns(files: list[Path], dialect: Dialect) -> tuple[str, ...]:
    """The columns of all files, in the order of the first; raises StepError where one has others."""
    names = column_names(files[0], dialect)
    for path in files[1:]:
        other = column_names(path, dialect)
        if set(other) != set(names):
            message = f"{path.name} has other columns than {files[0].name}"
            raise StepError(message, difference(other, names), file=str(path), line=1)
    return names


def _unfit(problem: Unfit, source: CsvSource, part: int, before: int) -> StepError:
    path = source.files[part]
    record = before + problem.row + int(source.dialect.header)
    line = line_of(path, source.dialect.delimiter, record)
    hint = f'Correct the value, add it to null_values, or declare "{problem.column}" with a wider type.'
    return StepError(f"{path.name}:{line}: {problem}", hint, file=str(path), line=line)


def _digest(path: Path) -> str:
    from zenctl.digests import sha256_file
    from zenctl.steps.csv.reading import gone

    try:
        return sha256_file(path)
    except OSError as problem:
        raise gone(path, problem) from problem


def _verify(job: Job, digests: list[str]) -> None:
    expected = job.expect.get("source")
    if expected and source_digest(digests) != expected:
        raise _changed(", ".join(sorted(job.locations)))


def _changed(name: str) -> StepError:
    message = f"{name} changed after the plan was made"
    return StepError(message, "Nothing was recorded. Plan again to see what changed.", kind="source_changed")
