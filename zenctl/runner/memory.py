"""The artifact store as a job's memory: notes beside artifacts, and files that need not be written again."""

from __future__ import annotations

from typing import Dict, List

from zenctl.jobs.artifacts import blob_path, notes_prefix
from zenctl.jobs.storage import Storage, StorageError

NEWEST = 4
"""Notes of one key that are read: of the last snapshot, and of other workspaces' beside it."""


class StoreMemory:
    """Reads notes and looks at sizes. A store that refuses is taken for an empty one: nothing depends on it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._held: Dict[str, int] = {}

    def recall(self, key: str) -> List[bytes]:
        """See `sdk.memory.Memory`."""
        try:
            found = sorted(self._storage.list(notes_prefix(key)), key=lambda info: (-info.modified, info.path))
        except StorageError:
            return []
        notes = []
        for info in found[:NEWEST]:
            try:
                with self._storage.open(info.path) as stream:
                    notes.append(stream.read())
            except StorageError:
                continue
        return notes

    def holds(self, sha256: str, size: int) -> bool:
        """See `sdk.memory.Memory`."""
        if sha256 not in self._held:
            try:
                info = self._storage.stat(blob_path(sha256))
            except StorageError:
                return False
            self._held[sha256] = info.size if info is not None else -1
        return self._held[sha256] == size
