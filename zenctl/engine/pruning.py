"""Keeps the checkpoints of a job few while it runs: it may not delete any itself."""

from __future__ import annotations

import time
from contextlib import suppress

from zenctl.jobs.checkpoints import CheckpointStore
from zenctl.jobs.storage import Storage, StorageError

PRUNE_SECONDS = 60.0
"""How often checkpoints that newer ones have made useless are deleted."""


class Pruner:
    """Prunes the checkpoints of a key from time to time; without a key there is nothing to do."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._store = CheckpointStore(storage, key, "") if key else None
        self._next = time.monotonic() + PRUNE_SECONDS

    def prune(self) -> None:
        """Delete what is of no use any more, unless that was done just now."""
        if self._store is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PRUNE_SECONDS
        # Disk space is not worth failing for; what stays is found the next time.
        with suppress(StorageError):
            self._store.prune()
