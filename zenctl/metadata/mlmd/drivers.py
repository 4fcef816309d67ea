"""Talks to database servers without MLMD: is one there, is there a database, which executions have a property.

MLMD tells a server that is down from a wrong password as little as from a missing database, makes tables wherever it is
pointed to, and has no lock for that. The drivers say which it is, and lend their locks. And MLMD asks for executions in
pages, in the order of their ids: where thousands have the property, servers take that for a reason to walk the whole
table in this order, which grows with all that was ever recorded, instead of looking into the index.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any

from zenctl.metadata.mlmd.connection import BUSY_SECONDS, Unreachable
from zenctl.metadata.servers import Server
from zenctl.metadata.store import StoreError

CONNECT_SECONDS = 10
"""How long a server may take to answer."""

_WITH_TEXT = (
    "select execution_id from ExecutionProperty where name = %s and is_custom_property = false and string_value = %s"
)

_LOCK = "zenctl metadata"
_LOCK_NUMBER = 0x7A656E63
"""PostgreSQL's locks are numbers: "zenc"."""


class Driver(ABC):
    """A driver for one server. Every method connects anew; raises Unreachable or StoreError."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @abstractmethod
    def has_tables(self) -> bool | None:
        """Whether MLMD has its tables there; None if there is no such database."""

    @abstractmethod
    def create(self) -> None:
        """Make the database, if it is missing."""

    @abstractmethod
    def alone(self) -> Any:
        """A context in which no other process that asks for it has it."""

    @abstractmethod
    def execution_ids(self, name: str, value: str) -> list[int]:
        """The ids of executions that have this text as a property."""

    def reach(self) -> None:
        """Raise Unreachable if the server does not answer, and StoreError if it refuses."""
        self.has_tables()

    def _unreachable(self, problem: object) -> Unreachable:
        return Unreachable(
            f"the metadata server {self.server} cannot be reached: {_text(problem)}",
            "Is it running, and are host and port right? `zenctl config metadata get` says where they are set.",
        )

    def _refused(self, problem: object) -> StoreError:
        return StoreError(
            f"the metadata server {self.server} does not let {self.server.user} in: {_text(problem)}",
            "Check user and password; set them with "
            f"`zenctl config metadata set {self.server.type} -username=... -passwd=...`.",
        )

    def _failed(self, problem: object) -> StoreError:
        return StoreError(f"the metadata server {self.server} failed: {_text(problem)}")

    def _no_right(self, problem: object) -> StoreError:
        return StoreError(
            f"there is no database {self.server.database} on {self.server}, and it may not be made: {_text(problem)}",
            f"Let an administrator create it and give {self.server.user} all rights in it.",
        )


class MysqlDriver(Driver):
    """MySQL and MariaDB, through PyMySQL."""

    def has_tables(self) -> bool | None:
        """Whether MLMD has its tables there; None if there is no such database."""
        try:
            with closing(self._connect(self.server.database)) as connection, connection.cursor() as cursor:
                query = "select count(*) from information_schema.tables where table_schema = %s and table_name = %s"
                cursor.execute(query, (self.server.database, "MLMDEnv"))
                return bool(cursor.fetchone()[0])
        except _MissingDatabase:
            return None

    def create(self) -> None:
        """Make the database, if it is missing."""
        errors = _pymysql().err
        name = self.server.database.replace("`", "``")
        with closing(self._connect("")) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(f"create database if not exists `{name}` character set utf8mb4")
            except errors.MySQLError as problem:
                raise self._no_right(problem) from problem

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which no other process that asks for it has it."""
        with closing(self._connect(self.server.database)) as connection, connection.cursor() as cursor:
            cursor.execute("select get_lock(%s, %s)", (_LOCK, int(BUSY_SECONDS)))
            if not cursor.fetchone()[0]:
                raise _busy(self.server)
            yield

    def execution_ids(self, name: str, value: str) -> list[int]:
        """The ids of executions that have this text as a property."""
        with closing(self._connect(self.server.database)) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(_WITH_TEXT, (name, value))
                return [int(row[0]) for row in cursor.fetchall()]
            except _pymysql().err.MySQLError as problem:
                lost = bool(problem.args) and problem.args[0] in _AWAY
                raise (self._unreachable(problem) if lost else self._failed(problem)) from problem

    def _connect(self, database: str) -> Any:
        pymysql = _pymysql()
        server = self.server
        given: dict[str, Any] = {"unix_socket": server.socket} if server.socket else {"host": server.host}
        if server.tls_ca:
            files = {"ssl_ca": server.tls_ca, "ssl_cert": server.tls_cert or None, "ssl_key": server.tls_key or None}
            given |= {**files, "ssl_verify_cert": True}
        else:
            given["ssl_disabled"] = True  # as MLMD's own client
        try:
            return pymysql.connect(
                **given,
                port=server.port,
                user=server.user,
                password=server.password.encode(),  # a text would be sent as Latin-1
                database=database or None,
                connect_timeout=CONNECT_SECONDS,
                autocommit=True,
            )
        except (pymysql.err.MySQLError, RuntimeError) as problem:
            code = problem.args[0] if problem.args else 0
            if code == 1049:
                raise _MissingDatabase from problem
            if code in _AWAY:
                raise self._unreachable(problem) from problem
            if code in (1044, 1045, 1698) or isinstance(problem, RuntimeError):
                raise self._refused(problem) from problem
            raise self._failed(problem) from problem
        except OSError as problem:
            raise self._unreachable(problem) from problem


_AWAY = (2002, 2003, 2006, 2013, 1040, 1053)
"""PyMySQL's numbers of a server that does not answer, was lost, is full or is shutting down."""


class PostgresqlDriver(Driver):
    """PostgreSQL, through psycopg."""

    def has_tables(self) -> bool | None:
        """Whether MLMD has its tables there; None if there is no such database."""
        try:
            with closing(self._connect(self.server.database)) as connection:
                found = connection.execute("select to_regclass('mlmdenv') is not null").fetchone()
                return bool(found[0])
        except _MissingDatabase:
            return None

    def create(self) -> None:
        """Make the database, if it is missing."""
        psycopg = _psycopg()
        from psycopg import sql

        with closing(self._connect("postgres")) as connection:
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(self.server.database)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # another process was faster
            except psycopg.Error as problem:
                raise self._no_right(problem) from problem

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which no other process that asks for it has it."""
        psycopg = _psycopg()
        with closing(self._connect(self.server.database)) as connection:
            try:
                connection.execute(f"set lock_timeout = '{int(BUSY_SECONDS)}s'")
                connection.execute("select pg_advisory_lock(%s)", (_LOCK_NUMBER,))
            except psycopg.errors.LockNotAvailable as problem:
                raise _busy(self.server) from problem
            yield

    def execution_ids(self, name: str, value: str) -> list[int]:
        """The ids of executions that have this text as a property."""
        with closing(self._connect(self.server.database)) as connection:
            try:
                found = connection.execute(_WITH_TEXT, (name, value)).fetchall()
            except _psycopg().Error as problem:
                lost = isinstance(problem, _psycopg().OperationalError)
                raise (self._unreachable(problem) if lost else self._failed(problem)) from problem
            return [int(row[0]) for row in found]

    def _connect(self, database: str) -> Any:
        psycopg = _psycopg()
        server = self.server
        try:
            return psycopg.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=server.password or None,
                dbname=database,
                connect_timeout=CONNECT_SECONDS,
                autocommit=True,
                sslmode="disable",  # as MLMD's own client, which has no TLS
            )
        except psycopg.OperationalError as problem:
            text = str(problem)
            if f'database "{database}" does not exist' in text:
                raise _MissingDatabase from problem
            if ("FATAL" in text or "no password supplied" in text) and not any(words in text for words in _PASSING):
                raise self._refused(problem) from problem
            raise self._unreachable(problem) from problem


_PASSING = ("starting up", "shutting down", "in recovery mode", "terminating connection", "too many")
"""What PostgreSQL says while it is not ready; after a while it is."""


def driver(server: Server) -> Driver:
    """The driver for a server; its package is imported with the first call."""
    return MysqlDriver(server) if server.type == "mysql" else PostgresqlDriver(server)


class _MissingDatabase(Exception):
    """The server has no such database."""


def _busy(server: Server) -> StoreError:
    return StoreError(
        f"another process has been making the tables in {server} for {BUSY_SECONDS:.0f} seconds", "Try again later."
    )


def _text(problem: object) -> str:
    """The driver's own words, on one line, without the driver's number."""
    if isinstance(problem, Exception) and len(problem.args) == 2 and isinstance(problem.args[0], int):
        problem = problem.args[1]
    return " ".join(str(problem).split()) or type(problem).__name__


def _pymysql() -> ModuleType:
    try:
        import pymysql
        import pymysql.err
    except ImportError as problem:
        raise _not_installed("mysql") from problem
    return pymysql


def _psycopg() -> ModuleType:
    try:
        import psycopg
        import psycopg.errors
    except ImportError as problem:
        raise _not_installed("postgresql") from problem
    return psycopg


def _not_installed(extra: str) -> StoreError:
    return StoreError(
        f"the driver for metadata servers of type {extra} is not installed",
        f"Install it: pip install 'zenctl[{extra}]'",
    )
