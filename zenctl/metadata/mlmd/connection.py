"""A connection to a SQLite file through MLMD: opens it, waits for its turn, and turns MLMD's errors into StoreError.

Writers of one file take turns by a file lock beside it, because MLMD's SQLite knows no waiting: a held lock would cost
seconds of blind retries. Reads take no lock; the moments in which a commit shuts them out are waited for here.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.metadata.store import AlreadyExists, StoreError

BUSY_SECONDS = 60.0
"""How long to wait for another process that writes, before it is an error."""

_READ_ONLY, _READ_WRITE, _CREATE = 1, 2, 3
"""MLMD's connection modes."""

T = TypeVar("T")


class _NotOfMlmd(logging.Filter):
    """Keeps MLMD from telling stderr of its errors: this module waits them out, or reports them."""

    def filter(self, record: logging.LogRecord) -> bool:
        return Path(record.pathname).parent.name not in ("ml_metadata", "metadata_store")


logging.getLogger("absl").addFilter(_NotOfMlmd())


class Connection:
    """One process's connection to one file. Not thread-safe: its owner calls it under a lock.

    With `create` the file and its folder are made where they are missing; without it nothing is ever written.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path.absolute()
        self._turn = FileLock(f"{self.path}.lock", thread_local=False)
        self._mode = _READ_WRITE if create else _READ_ONLY
        self._stuck = False
        self._mlmd: Any = self._create() if create else self._open_to_read()

    @property
    def mlmd(self) -> Any:
        """MLMD's own store; StoreError once closed."""
        if self._mlmd is None:
            raise StoreError(f"the metadata store {self.path} is closed")
        if self._stuck:
            self._mlmd = self._connect(self._mode)
            self._stuck = False
        return self._mlmd

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._mlmd = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to write; StoreError after `BUSY_SECONDS`."""
        try:
            self._turn.acquire(timeout=BUSY_SECONDS, poll_interval=0.005)
        except Timeout as problem:
            raise StoreError(
                f"another process has been writing to {self.path} for {BUSY_SECONDS:.0f} seconds",
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

    def ask(self, call: Callable[[], T]) -> T:
        """The answer of a call to MLMD; raises AlreadyExists or StoreError."""
        deadline = time.monotonic() + BUSY_SECONDS
        pause = 0.002
        while True:
            try:
                return call()
            except errors.AbortedError as problem:
                if time.monotonic() >= deadline:
                    raise self._failure(problem) from problem
                time.sleep(pause)
                pause = min(2 * pause, 0.1)
            except errors.AlreadyExistsError as problem:
                raise AlreadyExists(_what_exists(problem)) from problem
            except (RuntimeError, errors.StatusError) as problem:
                # After a full disk MLMD holds its transaction for open that SQLite has rolled back, and takes no other.
                self._stuck = True
                raise self._failure(problem) from problem

    def _create(self) -> Any:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"the folder {self.path.parent} cannot be made: {problem.strerror}") from problem
        with self.turn():
            return self._connect(_CREATE)

    def _open_to_read(self) -> Any:
        try:
            return self._connect(_READ_ONLY)
        except StoreError:
            # A writer that was killed leaves a journal, which only a connection that may write can roll back.
            if not Path(f"{self.path}-journal").exists():
                raise
        with self.turn():
            self._connect(_READ_WRITE)
        return self._connect(_READ_ONLY)

    def _connect(self, mode: int) -> Any:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = str(self.path)
        config.sqlite.connection_mode = mode
        config.retry_options.max_num_retries = 1
        return self.ask(lambda: metadata_store.MetadataStore(config))

    def _failure(self, problem: Exception) -> StoreError:
        reason = _first_line(problem)
        where = f"the metadata database {self.path}"
        if "not a database" in reason or "malformed" in reason:
            return StoreError(
                f"{where} is damaged, or is no database ({reason})",
                "Restore it from a backup; or move it away and apply again: "
                "what it recorded is then lost, and every step runs anew.",
            )
        newer = re.search(r"database version (\d+) is greater than library version (\d+)", reason)
        if newer:
            return StoreError(
                f"{where} was written by a newer ML Metadata (its form is {newer[1]}, this one knows up to {newer[2]})",
                "Use the zenctl that wrote it, or a newer one.",
            )
        if "unable to open" in reason:
            return StoreError(f"{where} cannot be opened", "Is it a file that you may read and write?")
        if "readonly database" in reason or "disk" in reason:
            return StoreError(f"{where} cannot be written ({reason})", "Check permissions and the space on the disk.")
        return StoreError(f"{where} failed: {reason}")


def _what_exists(problem: Exception) -> str:
    """`Given node already exists: type_id: 10 name: "j1"`"""
    return " ".join(str(problem).partition("INTERNAL:")[0].split())


def _first_line(problem: Exception) -> str:
    """What the database says, without the node that MLMD puts before it and the SQL after it."""
    text = str(problem).strip()
    found = re.search(r"Error when executing query: (.*?) query:", text)
    return found[1] if found else text.partition("\n")[0] or type(problem).__name__
