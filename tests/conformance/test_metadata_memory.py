"""MemoryStore passes the conformance suite; its failure injection does what tests rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.metadata_store import MetadataStoreConformance, execution
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.store import StoreError, Transition, Where


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


class TestMemoryStore(MetadataStoreConformance):
    pass


def test_an_injected_failure_leaves_nothing(store: MemoryStore) -> None:
    store.fail("commit", StoreError("disk full"), times=2)
    for _ in range(2):
        with pytest.raises(StoreError, match="disk full"):
            store.commit(Transition(executions=(execution("j"),)))
    assert store.executions(Where()) == []
    store.commit(Transition(executions=(execution("j"),)))
    assert len(store.executions(Where())) == 1


def test_a_lost_answer_leaves_everything(store: MemoryStore) -> None:
    store.fail("commit", StoreError("connection lost"), after=True)
    with pytest.raises(StoreError, match="connection lost"):
        store.commit(Transition(executions=(execution("j"),)))
    assert len(store.executions(Where())) == 1


def test_a_read_only_store_takes_no_commit() -> None:
    with pytest.raises(StoreError, match="reading only"):
        MemoryStore(read_only=True).commit(Transition())
