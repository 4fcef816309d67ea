"""The csv source in a job: the very files that plan saw, cut into parts, read and told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.counting import RecordCounter
from zenctl.steps.csv.cutting import PartSize, Span, cut_file
from zenctl.steps.csv.locating import line_of
from zenctl.steps.csv.reading import BLOCK_BYTES, Dialect, column_names, read_span
from zenctl.steps.csv.salvaging import read_records, salvage_span
from zenctl.steps.data import ingesting
from zenctl.steps.data.bad_rows import BadRows, Origin
from zenctl.steps.data.files import ordered, source_digest
from zenctl.steps.data.observing import difference
from zenctl.steps.data.reading import changed, gone
from zenctl.steps.data.unpacking import in_the_clear

if TYPE_CHECKING:
    import pyarrow as pa

    from zenctl.sdk import Job

PART = PartSize()


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what
    cannot be read, with file and line.
    """
    with in_the_clear(job) as clear:
        ingesting.ingest(clear, CsvSource.of(clear))


@dataclass(frozen=True)
class CsvPart:
    """A part: the number of its file, and where it lies in it."""

    file: int
    span: Span


@dataclass(frozen=True)
class CsvSource:
    """Files, cut into parts; see `steps.data.sources.Source`. `columns` are those of each file, in its own order."""

    files: tuple[Path, ...]
    columns: tuple[tuple[str, ...], ...]
    dialect: Dialect
    declared: Mapping[str, str]
    cut: tuple[CsvPart, ...]

    @classmethod
    def of(cls, job: Job, size: PartSize | None = None) -> CsvSource:
        """The source of a job, its files cut."""
        dialect = Dialect.of(job.params)
        files = ordered(job.locations)
        columns = _columns(files, dialect)
        digests, parts = [], []
        for number, path in enumerate(files):
            try:
                cut = cut_file(path, dialect.delimiter, size or PART)
            except OSError as problem:
                raise gone(path, problem) from problem
            digests.append(cut.sha256)
            parts += [CsvPart(number, span) for span in cut.spans]
        expected = job.expect.get("source")
        if expected and source_digest("csv", digests) != expected:
            raise changed(files[0] if len(files) == 1 else Path(", ".join(sorted(job.locations))))
        return cls(tuple(files), columns, dialect, dict(job.params["types"]), tuple(parts))

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns[0]

    @property
    def form(self) -> Mapping[str, Any]:
        dialect = self.dialect
        return {"type": "csv", "delimiter": dialect.delimiter, "null_values": sorted(set(dialect.null_values))}

    @property
    def parts(self) -> int:
        return len(self.cut)

    def digest(self, part: int) -> str:
        """Of the part's bytes, with the order of its columns, and whether it begins with a header."""
        found = self.cut[part]
        header = self.dialect.header and found.span.offset == 0
        return sha256_json([found.span.sha256, header, list(self.columns[found.file])])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows as strings."""
        found = self.cut[part]
        own = self.columns[found.file]
        for batch in read_span(self.files[found.file], own, self.dialect, found.span, block_bytes=BLOCK_BYTES):
            yield batch if own == self.names else batch.select(list(self.names))

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """The part's rows as strings, and those that cannot be read."""
        found = self.cut[part]
        own = self.columns[found.file]
        for item in salvage_span(self.files[found.file], own, self.dialect, found.span):
            yield item if isinstance(item, BadRows) or own == self.names else item.select(list(self.names))

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Lines before each record, and the record."""
        found = self.cut[part]
        for record in read_records(self.files[found.file], self.columns[found.file], self.dialect, found.span):
            yield record.before, record.raw

    def origin(self, part: int) -> Origin:
        """The part's file and place."""
        found = self.cut[part]
        path = self.files[found.file]
        return Origin(path.name, path=path, offset=found.span.offset)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the file and line of a row."""
        found = self.cut[part]
        path = self.files[found.file]
        record = row + int(self.dialect.header and found.span.offset == 0) + _records(path, found.span.offset)
        line = line_of(path, self.dialect.delimiter, record)
        if not line:
            return StepError(f"{path.name}: {problem}", "Check what should have written it.", file=str(path))
        hint = "Correct the value, add it to null_values, or declare the column with a wider type."
        return StepError(f"{path.name}:{line}: {problem}", hint, file=str(path), line=line)


def _records(path: Path, end: int) -> int:
    """How many records a file holds up to a place where one ends, a header included."""
    counter = RecordCounter()
    with open(path, "rb") as stream:
        while end > 0 and (chunk := stream.read(min(end, 1 << 20))):
            counter.update(chunk)
            end -= len(chunk)
    return counter.finish()


def _columns(files: list[Path], dialect: Dialect) -> tuple[tuple[str, ...], ...]:
    """The columns of each file; raises StepError where one has others than the first."""
    columns = [column_names(path, dialect) for path in files]
    for path, other in zip(files, columns, strict=True):
        if set(other) != set(columns[0]):
            message = f"{path.name} has other columns than {files[0].name}"
            raise StepError(message, difference(other, columns[0]), file=str(path), line=1)
    return tuple(columns)
