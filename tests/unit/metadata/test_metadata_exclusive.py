"""What runs while no apply does: it waits or is refused, gives way, and is waited for; the dead are fenced off."""

from __future__ import annotations

import threading

import pytest

from tests.measuring import PATIENCE
from zenctl.metadata import exclusive as exclusive_module
from zenctl.metadata import lock as lock_module
from zenctl.metadata.applies import applies
from zenctl.metadata.exclusive import exclusively
from zenctl.metadata.holder import Holder
from zenctl.metadata.lock import ApplyLock, LockHeld, LockLost, acquire
from zenctl.metadata.store import Execution as StoredExecution
from zenctl.metadata.store import ExecutionState, MetadataStore, Transition
from zenctl.metadata.workspaces import COLLECTION, workspaces

ELSEWHERE = Holder("other-host", 4711, "zenctl apply -auto-approve", "ada")
COLLECTOR = Holder.here("zenctl state gc")
ONE = Transition(executions=(StoredExecution("Train", "job", ExecutionState.RUNNING),))


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(exclusive_module, "POLL_SECONDS", 0.01)


def take(store: MetadataStore, workspace: str = "w", holder: Holder | None = None, **options: float) -> ApplyLock:
    return acquire(store, "p", workspace, holder or Holder.here("zenctl apply"), **options)  # type: ignore[arg-type]


def test_it_is_refused_while_any_workspace_is_applied_to(store: MetadataStore) -> None:
    first, second = take(store, "one"), take(store, "two")
    first.finish("complete")
    with pytest.raises(LockHeld) as refused, exclusively(store, COLLECTOR):
        pytest.fail("an apply runs")
    assert (refused.value.workspace, refused.value.serial) == ("two", 1)
    second.finish("complete")
    with exclusively(store, COLLECTOR) as lock:
        lock.commit(ONE)


def test_it_waits_for_an_apply_to_end(store: MetadataStore) -> None:
    apply = take(store)
    told: list[LockHeld] = []

    def heard(held: LockHeld) -> None:
        told.append(held)
        apply.finish("complete")

    with exclusively(store, COLLECTOR, timeout=PATIENCE, on_wait=heard):
        pass
    assert [held.workspace for held in told] == ["w"]


def test_two_of_them_exclude_each_other_and_the_project_knows_nothing_of_it(store: MetadataStore) -> None:
    with exclusively(store, COLLECTOR), pytest.raises(LockHeld), exclusively(store, COLLECTOR):
        pytest.fail("one is at work")
    assert workspaces(store, "p") == []


def test_an_apply_that_begins_waits_until_it_ends(store: MetadataStore) -> None:
    said, taken = threading.Event(), threading.Event()

    def apply() -> None:
        lock = acquire(store, "p", "w", Holder.here("zenctl apply"), on_wait=lambda _: said.set())
        taken.set()
        lock.finish("complete")

    thread = threading.Thread(target=apply)
    with exclusively(store, COLLECTOR):
        thread.start()
        assert said.wait(PATIENCE)
        assert not taken.is_set()
    thread.join(PATIENCE)
    assert taken.is_set()


def test_an_apply_whose_patience_ends_gives_its_lock_back(
    store: MetadataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "COLLECTION_PATIENCE", 0.0)
    with exclusively(store, COLLECTOR), pytest.raises(LockHeld, match="garbage is being collected"):
        take(store)
    assert [apply.outcome for apply in applies(store, "p", "w", 0)] == ["failed"]
    take(store).finish("complete")


def test_it_gives_way_to_an_apply_that_came_between(store: MetadataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = exclusive_module.take, list[ApplyLock]()

    def late(*words: object, **options: object) -> ApplyLock:
        # No apply was seen; one begins before the lock is there.
        begun.append(lock_module.take(store, "p", "w", Holder.here("zenctl apply"), 60.0, 0.0, None, True))
        monkeypatch.setattr(exclusive_module, "take", real)
        return real(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(exclusive_module, "take", late)
    with pytest.raises(LockHeld), exclusively(store, COLLECTOR):
        pytest.fail("an apply runs")
    begun[0].finish("complete")
    assert [apply.outcome for apply in applies(store, *COLLECTION, 0)] == ["gave way"]


def test_a_dead_apply_is_fenced_off(store: MetadataStore) -> None:
    dead = take(store, holder=ELSEWHERE, lease_seconds=0.001)
    dead.close()
    with exclusively(store, COLLECTOR, timeout=PATIENCE):
        pass
    with pytest.raises(LockLost):
        dead.commit(ONE)
    assert [apply.outcome for apply in applies(store, "p", "w", 0)] == ["abandoned"]


def test_a_dead_collection_holds_nobody_up_and_learns_of_it(store: MetadataStore) -> None:
    dead = exclusively(store, ELSEWHERE, lease_seconds=0.001)
    lock = dead.__enter__()
    lock.close()
    take(store).finish("complete")
    with pytest.raises(LockLost):
        lock.keep(0.0005)
    with exclusively(store, COLLECTOR):
        pass


def test_keeping_a_lock_renews_it_only_if_need_be(store: MetadataStore) -> None:
    with exclusively(store, COLLECTOR, lease_seconds=600.0) as lock:
        lock.keep(30.0)
        first = _transitions(store)
        lock.keep(3600.0)
        assert (first, _transitions(store)) == (0, 1)


def _transitions(store: MetadataStore) -> int:
    newest = lock_module.newest_apply(store, *COLLECTION)
    assert newest is not None
    return int(newest.properties["transitions"])
