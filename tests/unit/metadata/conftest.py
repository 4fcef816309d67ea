"""Fixtures: a store of either kind, and applies that record into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zenctl.metadata.lock import ApplyLock, Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.recording import Recorder
from zenctl.metadata.store import MetadataStore, StoreError

Begin = Callable[..., Recorder]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MetadataStore]:
    store: MetadataStore = (
        MemoryStore()
        if request.param == "memory"
        else MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True))
    )
    yield store
    store.close()


@pytest.fixture
def begin(store: MetadataStore) -> Iterator[Begin]:
    """Begins an apply: `begin()`, `begin(workspace="pr")`. What is not finished is closed at the end."""
    locks: list[ApplyLock] = []

    def start(workspace: str = "default", project: str = "penguins", on: MetadataStore | None = None) -> Recorder:
        locks.append(acquire(on or store, project, workspace, Holder.here("zenctl apply")))
        return Recorder(on or store, locks[-1])

    yield start
    for lock in locks:
        try:
            lock.close()
        except StoreError:
            pytest.fail("closing a lock does not touch the store")
