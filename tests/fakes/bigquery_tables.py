"""Tables of the fake BigQuery: Arrow tables with all of their past, described as the API describes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NUMERIC, BIGNUMERIC = pa.decimal128(38, 9), pa.decimal256(76, 38)
_TYPES: list[tuple[Callable[[Any], bool], str]] = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_binary, "BYTES"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_decimal128, "NUMERIC"),
    (pa.types.is_decimal256, "BIGNUMERIC"),
    (pa.types.is_interval, "INTERVAL"),
    (pa.types.is_struct, "RECORD"),
]
FORMS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}


def described(field_: Any, given: str = "") -> dict[str, Any]:
    """A column as TableFieldSchema. `given` is its type where Arrow has none of its own (JSON, GEOGRAPHY)."""
    if pa.types.is_list(field_.type):
        return {**described(pa.field(field_.name, field_.type.value_type), given), "mode": "REPEATED"}
    if pa.types.is_timestamp(field_.type):
        type = "TIMESTAMP" if field_.type.tz else "DATETIME"
    else:
        type = next(name for fits, name in _TYPES if fits(field_.type))
    found: dict[str, Any] = {"name": field_.name, "type": given or type, "mode": "NULLABLE"}
    if type == "RECORD":
        found["fields"] = [described(inner) for inner in field_.type]
    return found


def normal(table: Any) -> Any:
    """What a query gives in the Arrow types of BigQuery."""
    for at, column in enumerate(table.schema):
        if pa.types.is_integer(column.type):
            wanted = pa.int64()
        elif pa.types.is_decimal(column.type):
            wanted = NUMERIC
        elif pa.types.is_floating(column.type):
            wanted = pa.float64()
        elif pa.types.is_large_string(column.type):
            wanted = pa.string()
        elif pa.types.is_timestamp(column.type) and column.type.tz:
            wanted = pa.timestamp("us", "UTC")
        else:
            continue
        table = table.set_column(at, column.name, table.column(at).cast(wanted))
    return table


class Clock:
    """Unix microseconds; no two changes happen in the same millisecond."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        return time.time_ns() // 1000

    def change(self) -> int:
        self._last = max(self.now(), self._last + 1000)
        while self.now() < self._last:
            pass
        return self._last


@dataclass
class Partition:
    """What INFORMATION_SCHEMA.PARTITIONS says of one."""

    rows: int
    bytes: int
    changed: int
    content: Any = field(repr=False)


@dataclass
class Stored:
    """A table `project.dataset.table`. `versions` are its contents, each with the time from which on it holds."""

    name: str
    created: int
    versions: list[tuple[int, Any]]
    types: Mapping[str, str] = field(default_factory=dict)
    time_partitioning: Mapping[str, str] | None = None
    range_partitioning: Mapping[str, Any] | None = None
    kind: str = "TABLE"
    view: str = ""
    streaming: Mapping[str, str] | None = None
    partitions: dict[str, Partition] = field(default_factory=dict)

    @property
    def content(self) -> Any:
        return self.versions[-1][1]

    def as_of(self, at: int) -> Any | None:
        """The content at a time in Unix microseconds; None before there was one."""
        return next((content for begin, content in reversed(self.versions) if begin <= at), None)

    def put(self, content: Any, at: int) -> None:
        """Another content; partitions with the same rows are left as they are."""
        self.versions.append((at, content))
        found: dict[str, Partition] = {}
        for id, rows in self._parted(content).items():
            old = self.partitions.get(id)
            same = old is not None and old.content.equals(rows)
            found[id] = old if same and old else Partition(rows.num_rows, rows.nbytes, at, rows)
        self.partitions = found

    def _parted(self, content: Any) -> dict[str, Any]:
        how = self.time_partitioning or self.range_partitioning
        if how is None or content is None:
            return {}
        column = content[how["field"]]
        if self.time_partitioning:
            ids = pc.strftime(column.cast(pa.timestamp("us")), FORMS[how["type"]])
        else:
            bounds = {name: int(value) for name, value in how["range"].items()}
            start, step = bounds["start"], bounds["interval"]
            whole = [None if v is None else start + (v - start) // step * step for v in column.to_pylist()]
            inside = [v is None or start <= v < bounds["end"] for v in column.to_pylist()]
            pairs = zip(whole, inside, strict=True)
            ids = pa.chunked_array([[None if v is None else str(v) if ok else "__UNPARTITIONED__" for v, ok in pairs]])
        ids = ids.fill_null("__NULL__")
        return {id: content.filter(pc.equal(ids, id)) for id in pc.unique(ids).to_pylist()}

    def resource(self) -> dict[str, Any]:
        """As `Table` of the API."""
        project, dataset, table = self.name.rsplit(".", 2)
        found: dict[str, Any] = {
            "kind": "bigquery#table", "etag": f"e{self.versions[-1][0]}", "id": f"{project}:{dataset}.{table}",
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table}, "type": self.kind,
            "creationTime": str(self.created // 1000), "lastModifiedTime": str(self.versions[-1][0] // 1000),
            "location": "US", "schema": {"fields": self.fields},
        }  # fmt: skip
        if self.kind in ("TABLE", "SNAPSHOT"):
            found |= {"numRows": str(self.content.num_rows), "numBytes": str(self.content.nbytes)}
        if self.time_partitioning:
            found["timePartitioning"] = dict(self.time_partitioning)
        if self.range_partitioning:
            found["rangePartitioning"] = dict(self.range_partitioning)
        if self.view:
            found["view"] = {"query": self.view, "useLegacySql": False}
        if self.streaming is not None:
            found["streamingBuffer"] = dict(self.streaming)
        return found

    @property
    def fields(self) -> list[dict[str, Any]]:
        return [described(column, self.types.get(column.name, "")) for column in self.content.schema]
