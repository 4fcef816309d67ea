"""The bigquery source in a job: the rows that plan saw, as of one moment, in an order of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zenctl.diagnostics import DiagnosticError
from zenctl.digests import sha256_json
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.bigquery import cutting
from zenctl.steps.bigquery.cutting import Part
from zenctl.steps.bigquery.facts import Table
from zenctl.steps.bigquery.looking import Looked, look
from zenctl.steps.bigquery.reading import Reader, Reading
from zenctl.steps.bigquery.rest import Rest, Service
from zenctl.steps.bigquery.sorting import Sorter
from zenctl.steps.bigquery.values import columns_of, digest_of, key_of
from zenctl.steps.data import ingesting
from zenctl.steps.parquet.conversion import Misfit

if TYPE_CHECKING:
    from zenctl.sdk import Job

_AGAIN = "Nothing was recorded. Plan again to see what changed."
_KEY = "\x00key"
"""The column by which rows are sorted before all others."""


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the rows are not those that plan saw, or are gone; bad_data for values that do
    not fit, and for what BigQuery does not read.
    """
    ingesting.ingest(job, BigQuerySource.of(job))


@dataclass(frozen=True)
class BigQuerySource:
    """Parts of a table, or of a query's result; see `steps.data.sources.Source`.

    `expected` is the digest of the source, which holds until the last row is read; `key` the column that parts are
    stretches of, "" if there is one part; `table` holds the rows, be it the result of the query in `found`.
    """

    service: Service
    payer: str
    found: Mapping[str, Any]
    expected: str
    table: str
    at: float
    kinds: Mapping[str, str]
    key: str
    cut: tuple[Part, ...]

    @classmethod
    def of(cls, job: Job) -> BigQuerySource:
        """The source of a job; a query is run. Raises StepError."""
        found = {**job.params, **json.loads(job.locations["service"])}
        service = Service.of(found)
        rest = Rest.of(service)
        try:
            looked = look(rest, found)
            if job.expect.get("source", looked.digest) != looked.digest:
                raise _changed(found)
            types = dict(found["types"])
            kinds = {f.name: types.get(f.name, f.kind) for f in looked.fields}
            table = looked.table.name if looked.table is not None else rest.result(found["query"])
            whole = (Part("", "", looked.digest),)
            made = cls(service, rest.payer, found, looked.digest, table, looked.at, kinds, "", whole)
            made = made._cut(rest, looked)
            if looked.table is None or made.key:
                made._unchanged()
        except (StorageError, DiagnosticError) as problem:
            raise _refused(problem) from problem
        return made

    def _cut(self, rest: Rest, looked: Looked) -> BigQuerySource:
        """The source with its parts. Raises StorageError, StepError."""
        column = str(self.found["partition"])
        if column:
            return self._in_ranges(column, looked)
        table = looked.table
        if table is None or table.partitioning is None:
            return self
        # Rows come in the same order whether the table can be cut or not.
        whole = replace(self, key=table.partitioning.column)
        parts = () if self.found["snapshot_time"] else _partitions(rest, table, self.found["filter"])
        return replace(whole, cut=parts) if parts else whole

    def _in_ranges(self, column: str, looked: Looked) -> BigQuerySource:
        fields = looked.table.fields if looked.table is not None else looked.fields
        if next((f.kind for f in fields if f.name == column and f.type in ("INTEGER", "INT64")), "") != "int":
            message = f'partition names the column "{column}", which is not there or holds no whole numbers'
            raise StepError(message, "Name a column of type INT64, or leave partition out.")
        size = int(self.found["partition_size"])
        numbers: set[int] = set()
        missing = False
        with Reader(self.service, self.payer) as reader:
            for batch in reader.batches(Reading(self.table, (column,), self.found["filter"], self.at)):
                values = key_of(batch, column)
                missing |= values.null_count > 0
                numbers.update(np.unique(values.drop_null().to_numpy() // size).tolist())
        whole = replace(
            self, key=column, cut=tuple(cutting.ranges(sorted(numbers), column, size, some_missing=missing))
        )
        # The digest of a range is that of its rows.
        return replace(whole, cut=tuple(replace(p, digest=digest_of(whole._sorted(p))) for p in whole.cut))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.kinds)

    @property
    def declared(self) -> Mapping[str, str]:
        return self.kinds

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "bigquery"}

    @property
    def parts(self) -> int:
        return len(self.cut)

    def digest(self, part: int) -> str:
        """Of the rows, or of what BigQuery says of the partitions that hold them."""
        return sha256_json([self.cut[part].digest, dict(self.kinds), self.found["filter"]])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The part's rows; raises source_changed at their end if they are not those that plan saw."""
        try:
            yield from self._sorted(self.cut[part])
            # A result stays what it is, and to look at its query may cost something.
            if self.found["table"] or part + 1 == self.parts:
                self._unchanged()
        except (StorageError, DiagnosticError) as problem:
            raise _refused(problem) from problem

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the stretch of the part and the number of the row in it, sorted."""
        words = self.cut[part].words if self.cut else ""
        where = f"row {row + 1:,}" + (f" of {words}" if words else "")
        hint = "Correct the value, or cast it in a query."
        return StepError(f"{self.found['table'] or 'query'}: {where}: {problem}", hint)

    def _sorted(self, part: Part) -> Iterator[pa.RecordBatch]:
        """The rows of a part, sorted by the key and then by all columns. Raises StorageError, StepError."""
        columns = tuple(dict.fromkeys((*self.kinds, *([self.key] if self.key else []))))
        condition = cutting.both(self.found["filter"], part.condition)
        count = 0
        with TemporaryDirectory(prefix="zenctl-bigquery-") as folder:
            sorter = Sorter(Path(folder))
            with Reader(self.service, self.payer) as reader:
                for batch in reader.batches(Reading(self.table, columns, condition, self.at)):
                    count += batch.num_rows
                    sorter.add(self._converted(batch))
            if part.rows is not None and not self.found["filter"] and count != part.rows:
                message = f"{self.table} gave {count:,} rows of {part.words} instead of {part.rows:,}"
                hint = f"{_AGAIN} If a row access policy hides some from you, read the table with a query."
                raise StepError(message, hint, kind="source_changed")
            for batch in sorter.batches():
                yield batch.select(list(self.kinds))

    def _converted(self, batch: Any) -> Any:
        try:
            arrays = columns_of(batch, self.kinds)
        except Misfit as problem:
            hint = "Correct the value, or cast it in a query."
            raise StepError(f"{self.found['table'] or 'query'}: {problem}", hint) from problem
        names = list(self.kinds)
        if self.key:
            arrays, names = [key_of(batch, self.key), *arrays], [_KEY, *names]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _unchanged(self) -> None:
        """Raises StepError source_changed if the source is no more what it was."""
        if look(Rest.of(self.service), self.found).digest != self.expected:
            raise _changed(self.found)


def _partitions(rest: Rest, table: Table, filter: str) -> tuple[Part, ...]:
    """Parts of a table by what BigQuery says of its partitions as they are now; none if that does not tell all rows.

    Raises StorageError, but not for who may run no query: then the table is one part.
    """
    how = table.partitioning
    if how is None:
        return ()
    try:
        told = cutting.partitions_of(rest.rows(cutting.partitions_query(table.name)))
    except StorageError as problem:
        if problem.kind == "UNAUTHORIZED":
            return ()
        raise
    if sum(partition.rows for partition in told) != table.rows:
        return ()
    type = next(f.type for f in table.fields if f.name == how.column)
    facts = [table.name, table.created, table.facts["fields"], filter]
    return tuple(cutting.of_partitions(facts, how, type, told))


def _refused(problem: StorageError | DiagnosticError) -> StepError:
    """What is told when a source that plan could look at is there no more, or cannot be read."""
    if isinstance(problem, DiagnosticError):
        found = problem.diagnostics[0]
        return StepError(found.summary, f"{found.detail} {_AGAIN}", kind="source_changed")
    if problem.kind == "NOT_FOUND":
        return StepError(str(problem), f"It was there when the plan was made. {_AGAIN}", kind="source_changed")
    return StepError(str(problem), problem.hint)


def _changed(found: Mapping[str, Any]) -> StepError:
    what = f"the table {found['table']}" if found["table"] else "what the query reads"
    return StepError(f"{what} changed after the plan was made", _AGAIN, kind="source_changed")
