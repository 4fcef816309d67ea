"""Connects to the database of an sql datasource, and reads rows of its query in an order that holds still."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from zenctl.lazy_dataclasses import dataclass

FETCHED = 10_000
"""Rows that are fetched at a time."""
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_PORTS = {"postgresql": 5432, "mysql": 3306}
_SECONDS = 10
"""How long a server may take to let one in."""


class DatabaseProblem(Exception):
    """The database cannot be read; the text says why and holds no secret, `hint` says what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Database:
    """Where a database is. `password` is a reference; `root` is where its relative paths start."""

    dialect: str
    database: str
    host: str
    port: int
    user: str
    password: str
    root: str

    @property
    def place(self) -> str:
        """The database as it is named to people."""
        if self.dialect == "sqlite":
            return self.database
        return f"{self.dialect}://{self.user}@{self.host}:{self.port}/{self.database}"

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A connection, closed at the end. Raises DatabaseProblem, also for what fails while it is open."""
        try:
            engine = sa.create_engine(self._url(), poolclass=NullPool, connect_args=self._arguments())
        except ModuleNotFoundError as problem:
            hint = f"Install it with zenctl[sql,{self.dialect}]."
            raise DatabaseProblem(f"{problem.name} is not installed", hint) from problem
        try:
            with engine.connect() as connection:
                yield connection.execution_options(stream_results=True, max_row_buffer=FETCHED)
        except sa.exc.SQLAlchemyError as problem:
            reason = str(getattr(problem, "orig", None) or problem).strip().splitlines()[0]
            hint = "Check that it runs and lets you in, and that the query is one that it takes."
            raise DatabaseProblem(f"cannot read {self.place}: {reason}", hint) from problem

    def _url(self) -> sa.URL:
        if self.dialect == "sqlite":
            return sa.URL.create("sqlite", database=f"file:{self.database}", query={"mode": "ro", "uri": "true"})
        return sa.URL.create(
            _DRIVERS[self.dialect],
            username=self.user or None,
            host=self.host,
            port=self.port,
            database=self.database,
        )

    def _arguments(self) -> dict[str, Any]:
        if self.dialect == "sqlite":
            return {}
        # Plan has the server run what the configuration says: it must not change anything, be it through a function.
        reading = (
            {"options": "-c default_transaction_read_only=on"}
            if self.dialect == "postgresql"
            else {"init_command": "SET SESSION TRANSACTION READ ONLY"}
        )
        secret = self._secret()
        # PyMySQL would send a text as Latin-1.
        password = {"password": secret.encode("utf-8") if self.dialect == "mysql" else secret} if secret else {}
        return {"connect_timeout": _SECONDS, **reading, **password}

    def _secret(self) -> str:
        kind, _, where = self.password.partition(":")
        if kind == "env":
            if where not in os.environ:
                raise DatabaseProblem(f"the environment variable {where} is not set", f"Set {where} to the password.")
            return os.environ[where]
        if kind == "file":
            try:
                return (Path(self.root) / Path(where).expanduser()).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as problem:
                reason = getattr(problem, "strerror", None) or "it is not UTF-8"
                raise DatabaseProblem(
                    f"cannot read the password from {where}: {reason}", "Check the file."
                ) from problem
        return ""


def database_of(found: Mapping[str, Any], root: Path) -> Database:
    """From the block's attributes."""
    dialect, name = str(found["dialect"]), str(found["database"])
    place = os.path.normpath(root.absolute() / name) if dialect == "sqlite" else name
    port = int(found["port"] or _PORTS.get(dialect, 0))
    return Database(
        dialect, place, str(found["host"]), port, str(found["user"]), str(found["password"]), str(root.absolute())
    )


@dataclass(frozen=True)
class Range:
    """Values of the partition column from `low` to before `high`; None for both: rows that have none."""

    low: int | None
    high: int | None


@dataclass(frozen=True)
class Rows:
    """What is read: a table or a query, range by range of `partition`, or as a whole."""

    table: str
    query: str
    partition: str
    size: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Rows:
        """From the block's attributes."""
        return cls(found["table"], found["query"].strip().rstrip(";"), found["partition"], found["partition_size"])

    def ranges(self, connection: sa.Connection) -> tuple[Range | None, ...]:
        """The ranges that there may be rows in; one None without a partition. Raises DatabaseProblem."""
        if not self.partition:
            return (None,)
        column = self._quoted(connection, self.partition)
        found = _text(
            f"SELECT MIN({column}), MAX({column}), COUNT(*) - COUNT({column})", "FROM", self._from(connection)
        )
        low, high, missing = connection.execute(found).one()
        ranges: list[Range | None] = []
        if low is not None:
            if not isinstance(low, int) or not isinstance(high, int):
                message = f'partition names the column "{self.partition}", which holds {low!r}: no whole number'
                raise DatabaseProblem(message, "Name a column of whole numbers, or leave partition out.")
            first, last = low // self.size, high // self.size
            if last - first >= _MAX_RANGES:
                message = f"partition_size = {self.size} makes {last - first + 1:,} ranges of {low:,} to {high:,}"
                raise DatabaseProblem(message, f"Take a larger one: {_MAX_RANGES:,} ranges are the most.")
            ranges += [Range(at * self.size, (at + 1) * self.size) for at in range(first, last + 1)]
        return (*ranges, *([Range(None, None)] if missing else []))

    def select(self, connection: sa.Connection, part: Range | None) -> sa.CursorResult[Any]:
        """The rows of a range, sorted by all columns."""
        where = ""
        if part is not None:
            column = self._quoted(connection, self.partition)
            inside = f"{column} >= {part.low} AND {column} < {part.high}"
            where = f"WHERE {inside}" if part.low is not None else f"WHERE {column} IS NULL"
        every = ("SELECT * FROM", self._from(connection))
        width = len(connection.execute(_text(*every, "WHERE 1 = 0")).keys())
        order = ", ".join(str(at) for at in range(1, width + 1))
        return connection.execute(_text(*every, where, "ORDER BY", order))

    def _from(self, connection: sa.Connection) -> str:
        if self.table:
            return ".".join(self._quoted(connection, name) for name in self.table.split("."))
        # As a subquery it can only read.
        return f"({self.query}\n) AS zenctl_rows"

    def _quoted(self, connection: sa.Connection, name: str) -> str:
        return connection.dialect.identifier_preparer.quote_identifier(name)


_MAX_RANGES = 100_000


def version_of(connection: sa.Connection, query: str) -> str:
    """The one value of a version query as text. Raises DatabaseProblem."""
    inner = query.strip().rstrip(";")
    found = connection.execute(_text("SELECT * FROM (", inner, "\n) AS zenctl_version")).fetchmany(2)
    if len(found) != 1 or len(found[0]) != 1 or found[0][0] is None:
        raise DatabaseProblem("version_query gives no value, or more than one", "Select one value that is not null.")
    return str(found[0][0])


def _text(*words: str) -> sa.TextClause:
    """A statement of words that are our own, quoted names, or the user's query."""
    sql = " ".join(words)
    # A colon would begin a parameter; there are none.
    return sa.text(sql.replace(":", r"\:"))
