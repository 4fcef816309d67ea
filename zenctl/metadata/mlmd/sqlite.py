"""A connection to a SQLite file. Writers of one file take turns by a file lock beside it.

MLMD's SQLite knows no waiting: a held lock would cost seconds of blind retries. Reads take no lock; the moments in
which a commit shuts them out are waited for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.metadata.mlmd import connection
from zenctl.metadata.mlmd.connection import Connection, newer_schema
from zenctl.metadata.store import StoreError

if TYPE_CHECKING:
    from filelock import FileLock

_READ_ONLY, _READ_WRITE, _CREATE = 1, 2, 3
"""MLMD's connection modes."""


class SqliteConnection(Connection):
    """One process's connection to one file; with `create` the file and its folder are made where they are missing."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path.absolute()
        super().__init__(f"the metadata database {self.path}", create=create)
        self._turn: FileLock | None = None
        self._first = True
        self.open(connection.BUSY_SECONDS)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to write; StoreError after `BUSY_SECONDS`."""
        from filelock import FileLock, Timeout  # who only reads needs none

        if self._turn is None:
            self._turn = FileLock(f"{self.path}.lock", thread_local=False)
        try:
            self._turn.acquire(timeout=connection.BUSY_SECONDS, poll_interval=0.005)
        except Timeout as problem:
            raise StoreError(
                f"another process has been writing to {self.path} for {connection.BUSY_SECONDS:.0f} seconds",
                f"Look for a zenctl that hangs: it has {self.path}.lock open.",
            ) from problem
        except OSError as problem:
            raise StoreError(
                f"{self.path}.lock cannot be written: {problem.strerror}", "Check the permissions of its folder."
            ) from problem
        try:
            yield
        finally:
            self._turn.release()

    def alone(self) -> AbstractContextManager[None]:
        """Whoever writes is alone."""
        return self.turn()

    def _open(self) -> Any:
        if self.read_only:
            return self._open_to_read()
        if not self._first:
            return _connect(self.path, _READ_WRITE)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"the folder {self.path.parent} cannot be made: {problem.strerror}") from problem
        with self.turn():
            mlmd = _connect(self.path, _CREATE)
        self._first = False
        return mlmd

    def _open_to_read(self) -> Any:
        try:
            return _connect(self.path, _READ_ONLY)
        except RuntimeError:
            # A writer that was killed leaves a journal, which only a connection that may write can roll back.
            if not Path(f"{self.path}-journal").exists():
                raise
        with self.turn():
            _connect(self.path, _READ_WRITE)
        return _connect(self.path, _READ_ONLY)

    def _failure(self, problem: Exception) -> StoreError:
        reason = _first_line(problem)
        where = self.name
        if "not a database" in reason or "malformed" in reason:
            return StoreError(
                f"{where} is damaged, or is no database ({reason})",
                "Restore it from a backup; or move it away and apply again: "
                "what it recorded is then lost, and every step runs anew.",
            )
        newer = newer_schema(where, reason)
        if newer is not None:
            return newer
        if "unable to open" in reason:
            return StoreError(f"{where} cannot be opened", "Is it a file that you may read and write?")
        if "readonly database" in reason or "disk" in reason:
            return StoreError(f"{where} cannot be written ({reason})", "Check permissions and the space on the disk.")
        return StoreError(f"{where} failed: {reason}")


def _connect(path: Path, mode: int) -> Any:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mode
    config.retry_options.max_num_retries = 1
    return metadata_store.MetadataStore(config)


def _first_line(problem: Exception) -> str:
    """What the database says, without the node that MLMD puts before it and the SQL after it."""
    text = str(problem).strip()
    found = re.search(r"Error when executing query: (.*?) query:", text)
    return found[1] if found else text.partition("\n")[0] or type(problem).__name__
