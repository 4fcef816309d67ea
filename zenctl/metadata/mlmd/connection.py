"""A connection to ML Metadata: opened when it is needed, waited for where that helps, its errors given a meaning.

Each kind of store is a subclass in a module of its own: `sqlite`, `server` (MySQL, PostgreSQL) and `remote` (gRPC).
"""

from __future__ import annotations

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from ml_metadata import errors

from zenctl.metadata.mlmd.dialects import SQLITE
from zenctl.metadata.store import AlreadyExists, StoreError

BUSY_SECONDS = 60.0
"""How long to wait for another process that writes, or for a server that is away, before it is an error."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _NotOfMlmd(logging.Filter):
    """Keeps MLMD from telling stderr of its errors: this package waits them out, or reports them."""

    def filter(self, record: logging.LogRecord) -> bool:
        return Path(record.pathname).parent.name not in ("ml_metadata", "metadata_store")


logging.getLogger("absl").addFilter(_NotOfMlmd())


class Unreachable(StoreError):
    """The server does not answer; it may again."""


class Connection(ABC):
    """One process's connection to one store. Not thread-safe: its owner calls it under a lock.

    With `create` the store is made where it is missing; without it nothing is ever written. `name` is what messages
    call it, such as `the metadata database /home/me/project/.zenctl/metadata.db`; `dialect` is that of a new store.
    """

    def __init__(self, name: str, *, create: bool) -> None:
        self.name = name
        self.read_only = not create
        self.dialect = SQLITE
        self._closed = False
        self._mlmd: Any = None

    def open(self, patience: float) -> None:
        """Connect, waiting so many seconds where the store is busy or its server does not answer. Raises StoreError."""
        self.ask(lambda _: None, patience)

    @abstractmethod
    def turn(self) -> AbstractContextManager[None]:
        """Wait for the turn to write; StoreError if it does not come."""

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Wait until no other process makes the store or its types; StoreError if that does not end."""

    @abstractmethod
    def _open(self) -> Any:
        """MLMD's own store, newly connected; raises StoreError, or what MLMD raises."""

    @abstractmethod
    def _failure(self, problem: Exception) -> StoreError:
        """What an error of MLMD means: Unreachable if it may pass."""

    def execution_ids(self, name: str, value: str) -> list[int] | None:  # noqa: ARG002 - for those that can
        """The ids of executions that have this text as a property; None where MLMD is to be asked for them itself."""
        return None

    def close(self) -> None:
        """Let go of files and connections. May be called twice."""
        self._closed = True
        self._mlmd = None

    def ask(self, call: Callable[[Any], T], patience: float | None = None) -> T:
        """The answer of a call to MLMD's store; raises AlreadyExists or StoreError.

        Where a server went away the call is made again: one that writes must bring a unique context, so that it lands
        once.
        """
        deadline = time.monotonic() + (BUSY_SECONDS if patience is None else patience)
        pause, told = 0.002, False
        while True:
            try:
                if self._closed:
                    raise StoreError(f"{self.name} is closed")
                if self._mlmd is None:
                    self._mlmd = self._open()
                return call(self._mlmd)
            except errors.AlreadyExistsError as problem:
                raise AlreadyExists(_what_exists(problem)) from problem
            except errors.AbortedError as problem:
                if time.monotonic() >= deadline:
                    raise self._failure(problem) from problem
            except Unreachable as away:
                told = self._await(away, deadline, told)
            except (RuntimeError, errors.StatusError) as problem:
                # A connection that failed is not used again: after a full disk MLMD holds a transaction for open that
                # SQLite has rolled back, and after a lost MySQL server it crashes.
                self._mlmd = None
                if _collided(problem) and time.monotonic() < deadline:
                    _log.debug("another writer was in the way: %s", problem)
                else:
                    failure = self._failure(problem)
                    if not isinstance(failure, Unreachable):
                        raise failure from problem
                    told = self._await(failure, deadline, told)
            time.sleep(pause)
            pause = min(2 * pause, 0.1)

    def _await(self, failure: Unreachable, deadline: float, told: bool) -> bool:
        """Raise the failure if there is no time left; else say once that it is waited out."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise failure
        if not told:
            _log.warning("%s; waiting for it up to %.0f seconds", failure, left)
        return True


_COLLIDED = ("Deadlock found", "Lock wait timeout exceeded", "deadlock detected", "could not serialize access")
"""What MySQL and PostgreSQL say to the one of two writers in each other's way whose transaction they rolled back."""


def _collided(problem: Exception) -> bool:
    """Whether the database let another writer go first: this one may try again, for nothing of it was written."""
    return any(words in str(problem) for words in _COLLIDED)


def newer_schema(where: str, reason: str) -> StoreError | None:
    """The error of a database that a newer MLMD has written, if that is what MLMD complains of."""
    newer = re.search(r"database version (\d+) is greater than library version (\d+)", reason)
    if newer is None:
        return None
    return StoreError(
        f"{where} was written by a newer ML Metadata (its form is {newer[1]}, this one knows up to {newer[2]})",
        "Use the zenctl that wrote it, or a newer one.",
    )


def _what_exists(problem: Exception) -> str:
    """`Given node already exists: type_id: 10 name: "j1"`"""
    return " ".join(str(problem).partition("INTERNAL:")[0].split())
