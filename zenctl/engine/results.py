"""Finds recorded results by fingerprint and checks that what they wrote is still whole."""

from __future__ import annotations

import threading

from zenctl.addrs import Address
from zenctl.engine.refreshing import damage
from zenctl.jobs.storage import Storage
from zenctl.metadata.state import Recorded, WorkspaceState, find_results
from zenctl.metadata.store import MetadataStore


class ResultFinder:
    """Looks up results of a project: the address's own current one first, then the newest of the workspaces given."""

    def __init__(
        self, store: MetadataStore, storage: Storage | None, state: WorkspaceState, workspaces: tuple[str, ...]
    ) -> None:
        self._store = store
        self._storage = storage
        self._state = state
        self._workspaces = workspaces
        self._intact: dict[str, bool] = {}
        self._lock = threading.Lock()

    def __call__(self, addr: Address, fingerprint: str) -> Recorded | None:
        """An intact result with this fingerprint, or None."""
        head = self._state.results.get(addr)
        if head is not None and head.fingerprint == fingerprint and self._whole(head):
            return head
        for found in find_results(self._store, self._state.project, fingerprint, self._workspaces):
            if self._whole(found):
                return found
        return None

    def _whole(self, recorded: Recorded) -> bool:
        if self._storage is None:
            return False
        for artifact in recorded.outputs.values():
            with self._lock:
                known = self._intact.get(artifact.digest)
            if known is None:
                known = damage(self._storage, artifact.digest) is None
                with self._lock:
                    self._intact[artifact.digest] = known
            if not known:
                return False
        return True
