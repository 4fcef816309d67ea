"""The artifact store as a job's memory: notes beside artifacts, and files that need not be written again."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from zenctl.digests import sha256_bytes
from zenctl.jobs.artifacts import blob_path, note_path
from zenctl.jobs.storage import Distant, ObjectInfo, Storage, StorageError, each


class StoreMemory:
    """Reads the notes that the job's order names, and looks at sizes.

    A store that refuses, or has something else where a note was, is taken for an empty one: nothing depends on it.
    """

    def __init__(self, storage: Storage, notes: Mapping[str, Sequence[Tuple[str, str]]]) -> None:
        self._storage = storage
        self._notes = notes
        self._held: Dict[str, int] = {}
        self._refuses = False

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

    def expect(self, digests: Iterable[str]) -> None:
        """See `sdk.memory.Memory`. A folder is asked once it comes to it: that takes no time."""
        if isinstance(self._storage, Distant):
            self._look([digest for digest in dict.fromkeys(digests) if digest not in self._held])

    def holds(self, sha256: str, size: int) -> bool:
        """See `sdk.memory.Memory`."""
        if sha256 not in self._held:
            self._look([sha256])
        return self._held.get(sha256) == size

    def _look(self, digests: Sequence[str]) -> None:
        """Ask for their sizes; a store that has refused, or is away, is not asked again: each time could take long."""
        if self._refuses:
            return

        def ask(digest: str) -> Tuple[str, Optional[ObjectInfo]]:
            return digest, self._storage.stat(blob_path(digest))

        try:
            for digest, info in each(self._storage, ask, digests):
                self._held[digest] = info.size if info is not None else -1
        except StorageError:
            self._refuses = True
