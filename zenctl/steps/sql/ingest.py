"""The sql source in a job: the very rows that plan saw, range by range."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zenctl.digests import sha256_json
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.steps.data import ingesting
from zenctl.steps.data.bad_rows import BadRow, BadRows, Origin, shortened_row
from zenctl.steps.sql.connecting import Database, DatabaseProblem, Range, Rows, database_of, version_of
from zenctl.steps.sql.observe import rows_digest, version_digest
from zenctl.steps.sql.values import Seen, fetched, look, merged

if TYPE_CHECKING:
    from zenctl.sdk import Job

_AGAIN = "Nothing was recorded. Plan again to see what changed."


def ingest(job: Job) -> None:
    """Write the snapshot as output `data`.

    Raises StepError: source_changed if the rows are not those that plan saw, or the database is gone; bad_data for
    values that do not fit.
    """
    ingesting.ingest(job, SqlSource.of(job))


@dataclass(frozen=True)
class SqlSource:
    """Ranges of rows; see `steps.data.sources.Source`."""

    database: Database
    rows: Rows
    types: Mapping[str, str]
    ranges: tuple[Range | None, ...]
    seen: tuple[Seen, ...]

    @classmethod
    def of(cls, job: Job) -> SqlSource:
        """The source of a job: all rows are read once for their digests and types. Raises StepError."""
        params = job.params
        database = database_of(json.loads(job.locations["database"]), Path(job.locations["root"]))
        rows, declared = Rows.of(params), dict(params["types"])
        seen: list[Seen] = []
        digests: set[str] = set()
        try:
            with database.connected() as connection:
                if params["version_query"]:
                    digests.add(version_digest(database.place, params, version_of(connection, params["version_query"])))
                ranges = rows.ranges(connection)
                for part in ranges:
                    result = rows.select(connection, part)
                    names = list(result.keys())
                    seen.append(look(names, fetched(result, names), declared))
            all_rows = merged(seen)
            if params["version_query"]:
                # In a transaction of its own, which sees what was changed meanwhile.
                with database.connected() as connection:
                    digests.add(version_digest(database.place, params, version_of(connection, params["version_query"])))
            else:
                digests.add(rows_digest(all_rows))
        except DatabaseProblem as problem:
            raise _refused(problem) from problem
        expected = job.expect.get("source")
        if expected and digests != {expected}:
            raise _changed(database.place)
        kept = [(part, found) for part, found in zip(ranges, seen, strict=True) if found.rows]
        return cls(database, rows, all_rows.types, tuple(p for p, _ in kept), tuple(s for _, s in kept))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def declared(self) -> Mapping[str, str]:
        return {name: type for name, type in self.types.items() if type}

    @property
    def form(self) -> Mapping[str, Any]:
        return {"type": "sql"}

    @property
    def parts(self) -> int:
        return len(self.ranges)

    def digest(self, part: int) -> str:
        """Of the rows as a set, and of the range that they are all rows of."""
        return sha256_json([self.seen[part].digest, list(self.types)])

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """The range's rows; raises source_changed at their end if they are not those that were digested."""
        before = 0
        for batch in self._fetched(part):
            for row, wrong in self._misfits(batch):
                raise self.locate(part, before + row, wrong)
            yield self._batch(batch)
            before += len(batch)

    def salvage(self, part: int) -> Iterator[pa.RecordBatch | BadRows]:
        """The range's rows, and those with a value that does not have its column's declared type."""
        before = 0
        for batch in self._fetched(part):
            wrong = dict(reversed(list(self._misfits(batch))))
            if wrong:
                bad = (
                    BadRow(before + n, before + n, wrong[n], shortened_row(self._json(batch[n]))) for n in sorted(wrong)
                )
                yield BadRows(tuple(bad))
            yield self._batch([row for n, row in enumerate(batch) if n not in wrong])
            before += len(batch)

    def records(self, part: int) -> Iterator[tuple[int, bytes]]:
        """Rows before each row, and its values as JSON."""
        rows = (row for batch in self._fetched(part) for row in batch)
        return ((number, self._json(row)) for number, row in enumerate(rows))

    def origin(self, part: int) -> Origin:
        """The table; rows are counted over all ranges, sorted as they are read."""
        return Origin(self.rows.table or "query", "row", sum(seen.rows for seen in self.seen[:part]))

    def _fetched(self, part: int) -> Iterator[list[tuple[Any, ...]]]:
        """The range's rows as the database gives them, some thousand at a time."""
        found: list[Seen] = []
        try:
            with self.database.connected() as connection:
                result = self.rows.select(connection, self.ranges[part])
                names = list(result.keys())
                if names != list(self.types):
                    raise _changed(self.database.place)
                for batch in fetched(result, names):
                    found.append(look(names, [batch], self.types))
                    yield batch
        except DatabaseProblem as problem:
            raise _refused(problem) from problem
        if not found or merged(found).digest != self.seen[part].digest:
            raise _changed(self.database.place)

    def locate(self, part: int, row: int, problem: str) -> StepError:
        """With the range and the number of the row in it, sorted by all columns."""
        found = self.ranges[part] if self.ranges else None
        where = f"row {row + 1:,}"
        if found is not None:
            where += (
                f" of {self.rows.partition} from {found.low} to before {found.high}"
                if found.low is not None
                else (f" of those without {self.rows.partition}")
            )
        return StepError(
            f"{self.rows.table or 'query'}: {where}: {problem}", "Correct the value, or cast it in the query."
        )

    def _misfits(self, batch: list[tuple[Any, ...]]) -> Iterator[tuple[int, str]]:
        """Rows with a value that cannot have its column's type, and why, column by column."""
        for at, (name, type) in enumerate(self.types.items()):
            column = [row[at] for row in batch]
            if not _held(column, type):
                for row, value in enumerate(column):
                    if not _fits(value, type):
                        yield row, f'column "{name}" is declared as {type}, but holds {value!r}'

    def _batch(self, batch: list[tuple[Any, ...]]) -> pa.RecordBatch:
        arrays = []
        for at, type in enumerate(self.types.values()):
            column = [row[at] for row in batch]
            arrays.append(pa.array(column, _ARROW[type]) if _held(column, type) else _array(column, type))
        return pa.RecordBatch.from_arrays(arrays, names=list(self.types))

    def _json(self, row: tuple[Any, ...]) -> bytes:
        """A row's values; bytes as Python writes them."""
        return json.dumps(dict(zip(self.types, row, strict=True)), ensure_ascii=False, default=str).encode("utf-8")


_ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.large_string(), "bytes": pa.large_binary()}


_NONE = None.__class__
_HELD = {"int": {int, _NONE}, "float": {float, _NONE}, "string": {str, _NONE}, "bytes": {bytes, _NONE}}


def _held(column: list[Any], type: str) -> bool:
    """Whether Arrow takes all values as they are."""
    if not {value.__class__ for value in column} <= _HELD.get(type, set()):
        return False
    whole = [value for value in column if value is not None] if type == "int" else []
    return not whole or (min(whole) >= -(1 << 63) and max(whole) < 1 << 63)


def _fits(value: Any, type: str) -> bool:
    """Whether a value can be brought into the type."""
    if value is None or not type:
        return value is None
    if type == "bytes":
        return isinstance(value, bytes)
    if isinstance(value, bytes):
        return False
    try:
        return type == "string" or _made(value, type) is not None
    except (ValueError, OverflowError):
        return False


def _made(value: Any, type: str) -> Any:
    if value is None or type == "bytes":
        return value
    if type == "string":
        return str(value)
    if type == "float":
        return float(value)
    whole = int(value)
    if isinstance(value, float) and whole != value:
        raise ValueError(value)
    if not -(1 << 63) <= whole < 1 << 63:
        raise OverflowError(value)
    return whole


def _array(column: list[Any], type: str) -> Any:
    return pa.array([_made(value, type) for value in column], _ARROW[type]) if type else pa.nulls(len(column))


def _refused(problem: DatabaseProblem) -> StepError:
    """What is told when a database that plan could read cannot be read any more."""
    return StepError(problem.message, f"{problem.hint} It could be read when the plan was made.", kind="source_changed")


def _changed(place: str) -> StepError:
    return StepError(f"the rows in {place} changed after the plan was made", _AGAIN, kind="source_changed")
