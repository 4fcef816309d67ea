"""The parquet source in a job: the very files that plan saw, told apart into their row groups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zenctl.digests import sha256_json, sha256_stream
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.data import ingesting
from zenctl.steps.data.bad_rows import BadRow, BadRows, Origin, shortened_row
from zenctl.steps.data.files import ordered
from zenctl.steps.data.observing import difference
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.reading import changed, digest_stretch, gone, open_file, require
from zenctl.steps.parquet.conversion import Misfit, converted, kind_of, misfits
from zenctl.steps.parquet.footer import footer_bytes
from zenctl.steps.parquet.observe import ORDER, together

if TYPE_CHECKING:
    from zenctl.sdk import Job

BATCH_ROWS = 32_768


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the content is not what plan saw (`job.expect["source"]`), bad_data for what
    cannot be read, with file and row.
    """
    ingesting.ingest(job, ParquetSource.of(job))


@dataclass(frozen=True)
class RowGroup:
    """A part: its file and number in it, rows of the file before it, and where its pages lie, with their digest."""

    file: int
    number: int
    before: int
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class ParquetSource:
    """Files of row groups; see `steps.data.sources.Source`. `types` are those of all columns."""

    files: tuple[Path, ...]
    footers: tuple[str, ...]
    schemas: tuple[str, ...]
    types: Mapping[str, str]
    groups: tuple[RowGroup, ...]

    @classmethod
    def of(cls, job: Job) -> ParquetSource:
        """The source of a job, its files digested. Raises StepError."""
        files = ordered(job.locations)
        seen = [_look(path, number) for number, path in enumerate(files)]
        require("parquet", [_whole(path) for path in files], job.locations, job.expect)
        wanted, given = list(job.params["columns"]), dict(job.params["types"])
        types: dict[str, str] = {}
        for path, (_, schema, _) in zip(files, seen, strict=True):
            names = wanted or list(schema.names)
            if types and set(types) != set(names):
                message = f"{path.name} has other columns than {files[0].name}"
                raise StepError(message, difference(names, types), file=str(path))
            for name in names:
                types[name] = _merged(types.get(name, ""), name, schema, path, given)
        footers = tuple(footer for footer, _, _ in seen)
        schemas = tuple(_form(schema, list(types)) for _, schema, _ in seen)
        groups = tuple(group for _, _, found in seen for group in found)
        return cls(tuple(files), footers, schemas, types, groups)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def declared(self) -> Mapping[str, str]:
        return {name: type for name, type in self.types.items() if type}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "parquet"}

    @property
    def parts(self) -> int:
        return len(self.groups)

    def digest(self, part: int) -> str:
        """Of the pages' bytes, and of the types that the file says they have."""
        found = self.groups[part]
        return sha256_json([found.sha256, self.schemas[found.file]])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The row group's rows, batch by batch."""
        done = 0
        for batch in self._batches(part):
            yield self._converted(part, batch, done)
            done += batch.num_rows

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """The row group's rows, and those with a value that cannot have its column's type."""
        done = 0
        for batch in self._batches(part):
            wrong: dict[int, str] = {}
            for name, type in self.types.items():
                wrong = misfits(name, _column(batch, name), type) | wrong
            if wrong:
                texts = {row: shortened_row(_json(batch, row)) for row in wrong}
                bad = (BadRow(done + row, done + row, wrong[row], texts[row]) for row in sorted(wrong))
                yield BadRows(tuple(bad))
            left = np.ones(batch.num_rows, dtype=np.bool_)
            left[list(wrong)] = False
            yield self._converted(part, batch.filter(pa.array(left)) if wrong else batch, done)
            done += batch.num_rows

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Rows before each row, and its values as JSON."""
        done = 0
        for batch in self._batches(part):
            yield from ((done + row, _json(batch, row)) for row in range(batch.num_rows))
            done += batch.num_rows

    def origin(self, part: int) -> Origin:
        """The part's file, and the rows before it."""
        found = self.groups[part]
        return Origin(self.files[found.file].name, "row", found.before)

    def _batches(self, part: int) -> Iterator[pa.RecordBatch]:
        """The row group's batches as they are stored."""
        found = self.groups[part]
        path = self.files[found.file]
        try:
            with open_file(path) as raw:
                reader = pq.ParquetFile(raw)
                if _footer(path) != self.footers[found.file]:
                    raise changed(path)
                yield from reader.iter_batches(BATCH_ROWS, [found.number], list(self.names), use_threads=False)
        except OSError as problem:
            self._unchanged(part)
            raise _unreadable(path, problem) from problem
        except pa.ArrowException as problem:
            self._unchanged(part)
            raise _unreadable(path, problem) from problem
        self._unchanged(part)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the file, and the row in it counted from 1."""
        if not self.groups:
            return StepError(problem, "Check what should have written the source.")
        found = self.groups[part]
        path = self.files[found.file]
        hint = "Correct the value, leave the column out with `columns`, or declare it with another type."
        return StepError(f"{path.name}: row {found.before + row + 1:,}: {problem}", hint, file=str(path))

    def _converted(self, part: int, batch: pa.RecordBatch, before: int) -> pa.RecordBatch:
        arrays = []
        for name, type in self.types.items():
            try:
                arrays.append(converted(name, _column(batch, name), type))
            except Misfit as problem:
                self._unchanged(part)
                raise self.locate(part, before + problem.row, str(problem)) from problem
        return pa.RecordBatch.from_arrays(arrays, names=list(self.types))

    def _unchanged(self, part: int) -> None:
        found = self.groups[part]
        path = self.files[found.file]
        if digest_stretch(path, found.offset, found.length) != found.sha256:
            raise changed(path)


def _column(batch: pa.RecordBatch, name: str) -> Any:
    return batch.column(batch.schema.names.index(name))


def _json(batch: pa.RecordBatch, row: int) -> bytes:
    """A row's values; bytes, dates and other types that JSON lacks as Python writes them."""
    return json.dumps(batch.slice(row, 1).to_pylist()[0], ensure_ascii=False, default=str).encode("utf-8")


def _look(path: Path, number: int) -> tuple[str, pa.Schema, list[RowGroup]]:
    """A file's footer's digest, schema and row groups; the pages are read for their digests only."""
    footer = _footer(path)
    try:
        with open_file(path) as raw:
            reader = pq.ParquetFile(raw)
            metadata, schema = reader.metadata, reader.schema_arrow
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    except pa.ArrowException as problem:
        raise _unreadable(path, problem) from problem
    groups, before = [], 0
    for at in range(metadata.num_row_groups):
        group = metadata.row_group(at)
        begin, end = _stretch(group)
        groups.append(RowGroup(number, at, before, begin, end - begin, digest_stretch(path, begin, end - begin)))
        before += group.num_rows
    return footer, schema, groups


def _stretch(group: Any) -> tuple[int, int]:
    """Where the pages of a row group begin and end in the file."""
    begin, end = [], []
    for at in range(group.num_columns):
        column = group.column(at)
        start = column.data_page_offset
        if column.has_dictionary_page and column.dictionary_page_offset:
            start = min(start, column.dictionary_page_offset)
        begin.append(start)
        end.append(start + column.total_compressed_size)
    return min(begin, default=0), max(end, default=0)


def _merged(known: str, name: str, schema: pa.Schema, path: Path, given: Mapping[str, str]) -> str:
    """A column's type after one more file."""
    if name not in schema.names:
        raise StepError(f'{path.name} has no column "{name}"', f"Columns: {', '.join(schema.names)}.", file=str(path))
    if schema.names.count(name) > 1:
        raise StepError(f'{path.name}: two columns are named "{name}"', "Give each a name of its own.", file=str(path))
    found = kind_of(name, schema.field(name).type, path.name)
    if name in given:
        return given[name]
    if not together(known, found):
        hint = "A column must have the same type in all files of a source, or be declared in `types`."
        raise StepError(f'{path.name}: column "{name}" is {found}, but {known} in files before', hint, file=str(path))
    return max(known, found, key=ORDER.index)


def _form(schema: pa.Schema, names: list[str]) -> str:
    """What the pages' values follow from besides their bytes."""
    return sha256_json([[name, str(schema.field(name).type)] for name in names])


def _footer(path: Path) -> str:
    try:
        return hashlib.sha256(footer_bytes(path)).hexdigest()
    except OSError as problem:
        raise gone(path, problem) from problem
    except FileProblem as problem:
        raise StepError(f"{path.name}: {problem.message}", problem.hint, file=str(path)) from problem


def _whole(path: Path) -> str:
    try:
        with open_file(path) as raw:
            return sha256_stream(raw)
    except OSError as problem:
        raise gone(path, problem) from problem


def _unreadable(path: Path, problem: Exception) -> StepError:
    reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    return StepError(f"{path.name} cannot be read as Parquet: {reason}", "Write the file anew.", file=str(path))
