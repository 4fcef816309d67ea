"""Cuts a table into parts: stretches of values of the column that it is partitioned by, as conditions in GoogleSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from zenctl.digests import sha256_json
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.bigquery.facts import Partitioning
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.grouping import Grouping

SIZE = PartSize(minimum=16 << 20, mean=16 << 20, maximum=64 << 20)
"""Logical bytes of partitions that are read together."""
MOST_RANGES = 10_000


@dataclass(frozen=True)
class Part:
    """Rows that meet `condition` ("" for all), in words for people, with a digest that changes with them.

    `rows` is how many there must be, None where that is not known.
    """

    condition: str
    words: str
    digest: str
    rows: int | None = None


@dataclass(frozen=True)
class Partition:
    """A partition as BigQuery tells of it. `changed` is the time of its last change, as it is told."""

    id: str
    rows: int
    bytes: int
    changed: str


def partitions_query(table: str) -> str:
    """What gives the partitions of a table, `project.dataset.table`."""
    project, dataset, name = table.rsplit(".", 2)
    source = f"`{project}.{dataset}.INFORMATION_SCHEMA.PARTITIONS`"
    columns = "partition_id, total_rows, total_logical_bytes, last_modified_time"
    return f"SELECT {columns} FROM {source} WHERE table_name = '{name}'"  # noqa: S608 - no name has a quote


def partitions_of(rows: Sequence[Sequence[Any]]) -> list[Partition]:
    """From the rows of that query. What lies outside of all ranges may come in two rows, by tier of storage."""
    found: dict[str, Partition] = {}
    for id, count, size, changed in sorted(rows, key=str):
        known = found.get(str(id), Partition(str(id), 0, 0, ""))
        when = f"{known.changed} {changed}".strip()
        found[str(id)] = Partition(str(id), known.rows + int(count or 0), known.bytes + int(size or 0), when)
    return list(found.values())


def of_partitions(table: Any, how: Partitioning, type: str, found: Sequence[Partition]) -> list[Part]:
    """Parts of partitions that follow each other, a few MiB each; missing values come last.

    `table` are facts of the table that no partition tells, `type` is that of the column. Empty if there are rows of
    which it is not known where they lie.
    """
    digests = {p.id: sha256_json([table, how.column, p.id, p.rows, p.bytes, p.changed]) for p in found}
    special = {p.id: p for p in found if p.id.startswith("__") and p.rows}
    parts = _bounded(how, type, [p for p in found if not p.id.startswith("__") and p.rows], digests)
    column = _quoted(how.column)
    outside = special.pop("__UNPARTITIONED__", None)
    if outside is not None:
        if how.unit != "RANGE":
            return []
        # How many rows are on which side is not told.
        low = Part(f"{column} < {how.start}", f"{how.column} before {how.start}", f"{digests[outside.id]}-low")
        high = Part(f"{column} >= {how.end}", f"{how.column} from {how.end}", f"{digests[outside.id]}-high")
        parts = [low, *parts, high]
    missing = special.pop("__NULL__", None)
    if missing is not None:
        parts.append(Part(f"{column} IS NULL", f"those without {how.column}", digests[missing.id], missing.rows))
    return [] if special else parts


def _bounded(how: Partitioning, type: str, found: Sequence[Partition], digests: Mapping[str, str]) -> list[Part]:
    bounded = sorted((_bounds(p.id, how), p) for p in found)
    ends = Grouping(SIZE).add(
        np.array([p.bytes for _, p in bounded], dtype=np.int64),
        np.array([int(digests[p.id][:8], 16) for _, p in bounded], dtype=np.uint32),
    )
    parts, begin = [], 0
    for end in sorted({*(end + 1 for end in ends), len(bounded)} - {0}):
        group, begin = bounded[begin:end], end
        (low, _), (_, high) = group[0][0], group[-1][0]
        condition = _between(how.column, _literal(low, type), _literal(high, type))
        words = f"{how.column} from {low} to before {high}"
        digest = sha256_json([digests[p.id] for _, p in group])
        parts.append(Part(condition, words, digest, sum(p.rows for _, p in group)))
    return parts


def _bounds(id: str, how: Partitioning) -> tuple[Any, Any]:
    """The first value of a partition, and the first one after it."""
    if how.unit == "RANGE":
        return int(id), min(int(id) + how.interval, how.end)
    forms = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}
    begin = datetime.strptime(id, forms[how.unit])
    if how.unit in ("DAY", "HOUR"):
        return begin, begin + timedelta(**{"days" if how.unit == "DAY" else "hours": 1})
    months = 12 if how.unit == "YEAR" else begin.month
    return begin, datetime(begin.year + months // 12, months % 12 + 1, 1)


def _literal(bound: Any, type: str) -> str:
    if isinstance(bound, int):
        return str(bound)
    if type == "DATE":
        return f"DATE '{bound:%Y-%m-%d}'"
    return f"{type} '{bound:%Y-%m-%d %H:%M:%S}{'+00' if type == 'TIMESTAMP' else ''}'"


def ranges(numbers: Sequence[int], column: str, size: int, *, some_missing: bool) -> list[Part]:
    """Ranges of `size` values by their numbers (value // size), without digests; missing values come last.

    Raises StorageError for too many.
    """
    if len(numbers) > MOST_RANGES:
        message = f"partition_size = {size} makes {len(numbers):,} ranges"
        raise StorageError("INVALID", message, f"Take a larger one: {MOST_RANGES:,} ranges are the most.")
    parts = [
        Part(
            _between(column, str(n * size), str((n + 1) * size)),
            f"{column} from {n * size} to before {(n + 1) * size}",
            "",
        )
        for n in sorted(numbers)
    ]
    missing = Part(f"{_quoted(column)} IS NULL", f"those without {column}", "")
    return [*parts, *([missing] if some_missing else [])]


def both(one: str, other: str) -> str:
    """The condition that both conditions hold; "" is always true."""
    return f"({one}\n) AND {other}" if one and other else one or other


def _between(column: str, low: str, high: str) -> str:
    return f"{_quoted(column)} >= {low} AND {_quoted(column)} < {high}"


def _quoted(column: str) -> str:
    return f"`{column}`"
