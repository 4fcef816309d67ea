"""A connection to a MySQL or PostgreSQL database through MLMD. The server itself keeps its writers apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.metadata.mlmd.connection import Connection, Unreachable, newer_schema
from zenctl.metadata.mlmd.dialects import MYSQL, POSTGRESQL
from zenctl.metadata.mlmd.drivers import Driver
from zenctl.metadata.servers import Server
from zenctl.metadata.store import StoreError


class ServerConnection(Connection):
    """One process's connection to one database; with `create` the database and MLMD's tables are made if missing.

    Without `create` the caller has made sure that MLMD's tables are there: MLMD would make them.
    """

    def __init__(self, driver: Driver, *, create: bool) -> None:
        super().__init__(f"the metadata store {driver.server}", create=create)
        self._driver = driver
        self.dialect = MYSQL if driver.server.type == "mysql" else POSTGRESQL
        self._made = not create
        self._looked = not create
        # A server that is down when a command begins is told at once: nothing is lost by that.
        self.open(patience=0.0)

    def turn(self) -> AbstractContextManager[None]:
        """Any number of processes may write at once."""
        return nullcontext()

    def alone(self) -> AbstractContextManager[None]:
        """Hold the database's lock; StoreError if another process keeps it."""
        held: AbstractContextManager[None] = self._driver.alone()
        return held

    def execution_ids(self, name: str, value: str) -> list[int] | None:
        """The ids of executions that have this text as a property, read by the index."""
        return self.ask(lambda _: self._driver.execution_ids(name, value))

    def _open(self) -> Any:
        if self._made:
            if not self._looked:
                self._driver.reach()
            self._looked = False
            return _connect(self._driver.server)
        if self._driver.has_tables() is None:
            self._driver.create()
        # Two processes that make the tables at once would get in each other's way.
        with self.alone():
            mlmd = _connect(self._driver.server)
        self._made = True
        return mlmd

    def _failure(self, problem: Exception) -> StoreError:
        try:
            self._driver.reach()
        except StoreError as failure:
            return failure
        reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
        newer = newer_schema(self.name, reason)
        if newer is not None:
            return newer
        if any(words in reason for words in _LOST):
            return Unreachable(f"the connection to {self.name.removeprefix('the ')} was lost")
        if "mysql_real_connect failed" in reason:
            return StoreError(
                f"{self.name} lets zenctl in, but not ML Metadata: it signs in with mysql_native_password only",
                f"alter user '{self._driver.server.user}'@'%' identified with mysql_native_password by '...';",
            )
        return StoreError(f"{self.name} failed: {reason}")


_LOST = (
    "Lost connection", "server has gone away", "terminating connection", "server closed the connection",
    "no connection to the server", "connection pointer is NULL", "SSL SYSCALL", "shutting down", "starting up",
)  # fmt: skip
"""What MLMD says of a server that was stopped or started again."""


def _connect(server: Server) -> Any:
    config = pb.ConnectionConfig()
    config.retry_options.max_num_retries = 1
    if server.type == "mysql":
        mysql = config.mysql
        mysql.host, mysql.port, mysql.socket = (
            ("", 0, server.socket) if server.socket else (server.host, server.port, "")
        )
        mysql.database, mysql.user, mysql.password = server.database, server.user, server.password
        mysql.skip_db_creation = True
        if server.tls_ca:
            tls = mysql.ssl_options
            tls.ca, tls.cert, tls.key = server.tls_ca, server.tls_cert, server.tls_key
            # MLMD's client refuses every certificate that it is to check: the driver checks before each connection.
    else:
        # MLMD pastes these into a connection string as they are.
        postgresql = config.postgresql
        postgresql.host, postgresql.port, postgresql.dbname = (
            _quoted(server.host),
            str(server.port),
            _quoted(server.database),
        )
        postgresql.user = _quoted(server.user)
        if server.password:
            postgresql.password = _quoted(server.password)
        postgresql.skip_db_creation = True
    return metadata_store.MetadataStore(config)


def _quoted(text: str) -> str:
    """A value as PostgreSQL's connection strings want it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
