"""Finds recorded results by fingerprint and checks that what they wrote is still whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from zenctl.addrs import Address
from zenctl.engine.refreshing import damage
from zenctl.engine.reusing import Trusted
from zenctl.jobs.storage import Storage
from zenctl.metadata.state import Recorded, WorkspaceState, find_results, read_recorded
from zenctl.metadata.store import MetadataStore


class ResultFinder:
    """Looks up results: the address's own current one first, then the newest of its workspace, then of others."""

    def __init__(self, store: MetadataStore, storage: Storage | None, state: WorkspaceState, allowed: Trusted) -> None:
        self._store = store
        self._storage = storage
        self._state = state
        self._allowed = allowed
        self._intact: dict[str, bool] = {}
        self._lock = threading.Lock()

    def __call__(self, addr: Address, fingerprint: str, not_before_ms: int = 0) -> Recorded | None:
        """An intact result with this fingerprint that was produced at that time or later, or None."""
        for result in self._candidates(addr, fingerprint):
            if result.produced_ms >= not_before_ms and self._whole(result):
                return result
        return None

    def _candidates(self, addr: Address, fingerprint: str) -> Iterator[Recorded]:
        """The results with this fingerprint, best first; what is here needs no query."""
        head = self._state.results.get(addr)
        if head is not None and head.fingerprint == fingerprint:
            yield head
        found = find_results(self._store, fingerprint, self._allowed.allows)
        yield from sorted(found, key=lambda result: not self._allowed.is_own(result))

    def pinned(self, execution_id: int, fingerprint: str) -> Recorded | None:
        """The result that a plan has pinned, if it is still there, intact and with the same fingerprint."""
        for found in read_recorded(self._store, self._store.executions_by_id([execution_id])):
            if found.is_result and found.fingerprint == fingerprint and self._whole(found):
                return found
        return None

    def _whole(self, recorded: Recorded) -> bool:
        if self._storage is None:
            return False
        if recorded.is_deleted:
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
