"""The artifact store as a job's memory: notes beside artifacts, and files that need not be written again."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from zenctl.digests import sha256_bytes
from zenctl.jobs.artifacts import blob_path, note_path
from zenctl.jobs.storage import Storage, StorageError


class StoreMemory:
    """Reads the notes that the job's order names, and looks at sizes.

    A store that refuses, or has something else where a note was, is taken for an empty one: nothing depends on it.
    """

    def __init__(self, storage: Storage, notes: Mapping[str, Sequence[Tuple[str, str]]]) -> None:
        self._storage = storage
        self._notes = notes
        self._held: Dict[str, int] = {}

    def recall(self, key: str) -> List[bytes]:
        """See `sdk.memory.Memory`."""
        notes = []
        for artifact, note in self._notes.get(key, ()):
            try:
                with self._storage.open(note_path(artifact, note)) as stream:
                    data = stream.read()
            except StorageError:
                continue
            if sha256_bytes(data) == note:
                notes.append(data)
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
