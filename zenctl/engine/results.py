"""Finds recorded results by fingerprint and checks that what they wrote is still whole."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping

from zenctl.addrs import Address
from zenctl.engine.refreshing import damage
from zenctl.engine.reusing import Trusted, examples
from zenctl.jobs.storage import Storage
from zenctl.metadata.past import newest_results
from zenctl.metadata.state import Recorded, WorkspaceState, find_results, read_recorded
from zenctl.metadata.store import MetadataStore

OWN_NOTES = 3
"""Results of the workspace's own whose notes a job is given: data that goes back and forth is known still."""


class ResultFinder:
    """Looks up results: the address's own current one first, then the newest of its workspace, then of others."""

    def __init__(self, store: MetadataStore, storage: Storage | None, state: WorkspaceState, allowed: Trusted) -> None:
        self._store = store
        self._storage = storage
        self._state = state
        self._allowed = allowed
        self._intact: dict[str, bool] = {}
        self._examples: Mapping[Address, Recorded] | None = None
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

    def notes(self, addr: Address) -> dict[str, tuple[tuple[str, str], ...]]:
        """What the address's job may believe of earlier ones, by key, newest first: as far as results may be taken.

        Of other workspaces the current results of those that are named in full.
        """
        own = newest_results(self._store, self._allowed.project, self._allowed.workspace, addr, OWN_NOTES)
        with self._lock:
            if self._examples is None:
                self._examples = examples(self._allowed, self._store)
        found: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        for recorded in [*own, *(self._examples[a] for a in [addr] if a in self._examples)]:
            for key, (artifact, note) in recorded.notes.items():
                found[key][str(artifact), str(note)] = None
        return {key: tuple(pairs) for key, pairs in found.items()}

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
