"""What BigQuery says of a table or of a query's result, as data: columns, versions, partitions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.data.observing import unknown_columns

_KINDS = {
    "INTEGER": "int", "INT64": "int", "BOOLEAN": "int", "BOOL": "int", "FLOAT": "float", "FLOAT64": "float",
    "BYTES": "bytes", "STRING": "string", "NUMERIC": "string", "BIGNUMERIC": "string", "DATE": "string",
    "TIME": "string", "DATETIME": "string", "TIMESTAMP": "string", "GEOGRAPHY": "string", "JSON": "string",
    "INTERVAL": "string",
}  # fmt: skip
READABLE = ("TABLE", "SNAPSHOT")
"""Types of tables of which BigQuery knows when they changed, and which the Storage Read API reads."""


@dataclass(frozen=True)
class Field:
    """A column as BigQuery has it."""

    name: str
    type: str
    is_repeated: bool

    @property
    def kind(self) -> str:
        """int, float, string or bytes; "" for a column that no data set can hold."""
        return "" if self.is_repeated else _KINDS.get(self.type, "")

    @property
    def refusal(self) -> Diagnostic:
        """What is told of a column without a kind."""
        sql = f"ARRAY of {self.type}" if self.is_repeated else {"RECORD": "STRUCT"}.get(self.type, self.type)
        advice = {
            "STRUCT": f"select its fields (`{self.name}.a AS {self.name}_a`)",
            "RANGE": f"select its bounds (`RANGE_START({self.name}) AS {self.name}_start`)",
        }.get(sql, f"unnest it, or keep it as text (`TO_JSON_STRING({self.name}) AS {self.name}`)")
        detail = f"A data set holds numbers, text and bytes: leave it out with `columns`, or use a query: {advice}."
        return error("source_column", f'column "{self.name}" is of type {sql}', detail)


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """The columns of a schema of the API."""
    return tuple(Field(str(f["name"]), str(f["type"]), f.get("mode") == "REPEATED") for f in schema.get("fields", ()))


def chosen(fields: Sequence[Field], columns: Sequence[str], types: Mapping[str, str]) -> list[Diagnostic]:
    """What is wrong with the columns that are to be read; without `columns` that is all of them."""
    names = [f.name for f in fields]
    problems = unknown_columns("columns", columns, names)
    if problems:
        return problems
    wanted = [f for f in fields if not columns or f.name in columns]
    problems = [f.refusal for f in wanted if not f.kind]
    return problems + unknown_columns("types", types, [f.name for f in wanted])


@dataclass(frozen=True)
class Partitioning:
    """How a table is partitioned by a column: `unit` is HOUR, DAY, MONTH, YEAR, or RANGE of `start`, `interval`."""

    column: str
    unit: str
    start: int = 0
    interval: int = 0
    end: int = 0


@dataclass(frozen=True)
class Table:
    """A table. Times are Unix times in milliseconds; `bytes` are logical ones. `view` is the query of a view."""

    name: str
    type: str
    created: int
    modified: int
    rows: int
    bytes: int
    fields: tuple[Field, ...]
    is_streamed: bool
    partitioning: Partitioning | None
    view: str

    @property
    def facts(self) -> dict[str, Any]:
        """What changes whenever its rows do, as JSON."""
        return {
            "table": self.name,
            "created": self.created,
            "modified": self.modified,
            "rows": self.rows,
            "bytes": self.bytes,
            "fields": [[f.name, f.type, f.is_repeated] for f in self.fields],
            **({"view": self.view} if self.view else {}),
        }


def table_of(name: str, found: Mapping[str, Any]) -> Table:
    """From the API's resource."""
    fields = fields_of(found.get("schema", {}))
    return Table(
        name,
        str(found.get("type", "TABLE")),
        int(found.get("creationTime", 0)),
        int(found.get("lastModifiedTime", 0)),
        int(found.get("numRows", 0)),
        int(found.get("numBytes", 0)),
        fields,
        "streamingBuffer" in found,
        _partitioning(found),
        str(found.get("view", {}).get("query", "")),
    )


def _partitioning(found: Mapping[str, Any]) -> Partitioning | None:
    """None also for tables that are partitioned by the time of ingestion, which no column tells."""
    time, whole = found.get("timePartitioning", {}), found.get("rangePartitioning")
    if time.get("field"):
        return Partitioning(str(time["field"]), str(time["type"]))
    if whole:
        bounds = whole["range"]
        return Partitioning(
            str(whole["field"]), "RANGE", int(bounds["start"]), int(bounds["interval"]), int(bounds["end"])
        )
    return None


_MEANINGLESS = re.compile(
    r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|--[^\n]*|\#[^\n]*|/\*.*?\*/""", re.DOTALL
)
"""Texts and comments."""
_BEYOND = re.compile(
    r"(?<![`.\w])(?:current_(?:date|datetime|time|timestamp)\b|(?:rand|generate_uuid|session_user|external_query)(?=\s*\()"
    r"|(?:ml|ai)\s*\.\s*\w+(?=\s*\()|vector_search(?=\s*\()|tablesample\b|_table_suffix\b|@@\w+)|\binformation_schema\b",
    re.IGNORECASE,
)


def beyond_tables(query: str) -> str:
    """What in a query makes its rows depend on more than tables, as it is written there; "" if nothing does."""
    code = _MEANINGLESS.sub(" ", query)
    found = _BEYOND.search(code)
    if found:
        return found[0]
    wild = re.search(r"`[^`]*\*[^`]*`", code)
    return wild[0] if wild else ""
