"""Runs GoogleSQL of the fake BigQuery on DuckDB: names of tables, quotes and strings are brought into its dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from tests.fakes.bigquery_tables import Stored, normal

_TOKENS = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?P<comment>--[^\n]*|\#[^\n]*|/\*.*?\*/)|(?P<quoted>`[^`]*`)"""
    r"""|(?P<name>[A-Za-z_][\w\-]*(?:\.[A-Za-z_][\w\-]*)+(?=\s*\())|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_FROM = re.compile(r"\b(from|join)\s+([A-Za-z][\w\-]*(?:\.[\w\-$]+)+)", re.IGNORECASE)
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "CALL", "EXPORT")


class BadQuery(Exception):
    """The query is wrong; the text says why."""


@dataclass
class Read:
    """What a query read."""

    tables: set[str] = field(default_factory=set)
    views: set[str] = field(default_factory=set)
    routines: set[str] = field(default_factory=set)


def statement(query: str) -> str:
    """The statement's type, as the API names it."""
    code = re.sub(r"--[^\n]*|/\*.*?\*/", " ", query, flags=re.DOTALL).strip().rstrip(";")
    if ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", code):
        return "SCRIPT"
    word = code.split(None, 1)[0].upper() if code else ""
    return word if word in _WRITING else "SELECT"


@lru_cache
def _database() -> duckdb.DuckDBPyConnection:
    """An empty database; what its cursors register is theirs alone."""
    made = duckdb.connect(config={"threads": "1"})
    made.execute("SET GLOBAL TimeZone = 'UTC'; CREATE MACRO rand() AS random()")
    return made


class Translation:
    """One query, with what it reads registered at a connection of its own."""

    def __init__(
        self, project: str, find: Callable[[str], Stored], partitions: Callable[[str], Any], routines: dict[str, Any]
    ) -> None:
        self.connection = _database().cursor()
        self.read = Read()
        self._project = project
        self._find = find
        self._partitions = partitions
        self._routines = routines

    def result(self, query: str) -> Any:
        """The rows, as an Arrow table. Raises BadQuery, and what `find` raises."""
        try:
            return normal(self.connection.execute(self._text(query)).to_arrow_table())
        except duckdb.Error as problem:
            raise BadQuery(str(problem).splitlines()[0]) from problem

    def _text(self, query: str) -> str:
        quoted = _FROM.sub(lambda found: f"{found[1]} `{found[2]}`", query.strip().rstrip(";"))
        return "".join(self._token(found) for found in _TOKENS.finditer(quoted))

    def _token(self, found: re.Match[str]) -> str:
        text = found[0]
        if found["text"]:
            return "'" + text[1:-1].replace("'", "''") + "'"
        if found["name"]:
            return self._routine(text)
        if not found["quoted"]:
            return " " if found["comment"] else text
        name = text[1:-1]
        if "." in name:
            name = self._table(name if name.count(".") > 1 else f"{self._project}.{name}")
        return f'"{name}"'

    def _table(self, name: str) -> str:
        if name.endswith(".INFORMATION_SCHEMA.PARTITIONS"):
            self.connection.register(name, self._partitions(name.removesuffix(".INFORMATION_SCHEMA.PARTITIONS")))
            return name
        stored = self._find(name)
        if stored.view:
            self.read.views.add(name)
            self.connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {self._text(stored.view)}')
            return name
        self.read.tables.add(name)
        self.connection.register(name, queryable(stored.content))
        return name

    def _routine(self, name: str) -> str:
        full = name if name.count(".") > 1 else f"{self._project}.{name}"
        found = self._routines.get(full)
        if found is None:
            return name
        self.read.routines.add(full)
        arguments = ", ".join(argument["name"] for argument in found["arguments"])
        self.connection.execute(f'CREATE OR REPLACE TEMP MACRO "{full}"({arguments}) AS ({found["definitionBody"]})')
        return f'"{full}"'


def queryable(content: Any) -> Any:
    """The columns that DuckDB can take."""
    kept = [f.name for f in content.schema if not pa.types.is_decimal256(f.type) and not pa.types.is_interval(f.type)]
    return content.select(kept)


def meeting(content: Any, condition: str) -> Any:
    """The rows of a table that meet a condition, which may name columns and nothing else. Raises BadQuery."""
    if not condition:
        return content
    if re.search(r"\b(select|from|join|limit|order\s+by)\b|;", condition, re.IGNORECASE):
        raise BadQuery(f"Unsupported row restriction: {condition}")
    translation = Translation("none", _no_table, _no_table, {})
    numbered = queryable(content).append_column("row of the fake", pa.array(range(content.num_rows), pa.int64()))
    translation.connection.register("rows", numbered)
    found = translation.result(f"SELECT `row of the fake` FROM rows WHERE {condition}\n ORDER BY 1")
    return content.take(found.column(0))


def _no_table(name: str) -> Any:
    raise BadQuery(f"Unsupported row restriction: {name}")
