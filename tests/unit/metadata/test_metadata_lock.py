"""The lock: who wins, who is told what, who is dead, and what happens to one that lost it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from zenctl.metadata import lock as lock_module
from zenctl.metadata.holder import Holder, is_gone
from zenctl.metadata.lock import ApplyLock, LockHeld, LockLost, acquire, force_unlock
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.state import newest_apply, read_state
from zenctl.metadata.store import (
    AlreadyExists,
    Artifact,
    Execution,
    ExecutionState,
    MetadataStore,
    StoreError,
    Transition,
    Where,
)

ELSEWHERE = Holder("other-host", 4711, "zenctl apply -auto-approve", "ada")

Take = Callable[..., ApplyLock]


@pytest.fixture
def take(store: MetadataStore) -> Iterator[Take]:
    taken: list[ApplyLock] = []

    def take(holder: Holder | None = None, **options: object) -> ApplyLock:
        taken.append(acquire(store, "p", "w", holder or Holder.here("zenctl apply"), **options))  # type: ignore[arg-type]
        return taken[-1]

    yield take
    for held in taken:
        held.close()


def one(name: str) -> Transition:
    return Transition(executions=(Execution("Train", name, ExecutionState.RUNNING),))


def until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        pause.wait(0.005)


def test_what_did_not_complete_is_known_to_the_next_apply_and_to_readers(store: MetadataStore, take: Take) -> None:
    assert read_state(store, "p", "w").unfinished == 0
    first = take()
    assert not first.after_unfinished
    assert read_state(store, "p", "w").unfinished == 0, "it is under way"
    for serial, outcome in enumerate(("failed", "interrupted", "refused"), start=2):
        first.finish(outcome)
        assert read_state(store, "p", "w").unfinished == serial - 1
        first = take()
        assert first.after_unfinished
    force_unlock(store, "p", "w", first.serial)
    assert read_state(store, "p", "w").unfinished == first.serial
    last = take()
    assert last.after_unfinished
    last.finish("complete")
    assert read_state(store, "p", "w").unfinished == 0
    assert not take().after_unfinished


def test_serials_count_up(store: MetadataStore, take: Take) -> None:
    for serial in (1, 2, 3):
        lock = take()
        assert (lock.serial, lock.recovered, lock.lost) == (serial, (), False)
        lock.commit(one(f"j{serial}"))
        lock.finish("complete")
    assert len(store.executions(Where())) == 3
    apply = newest_apply(store, "p", "w")
    assert apply is not None
    assert (apply.name, apply.properties["state"], apply.properties["outcome"]) == ("p/w/3", "finished", "complete")
    assert acquire(store, "p", "other", Holder.here()).serial == 1


def test_a_held_lock_says_who_holds_it(take: Take) -> None:
    take()
    with pytest.raises(LockHeld) as caught:
        take()
    held = caught.value
    assert (held.serial, held.project, held.workspace) == (1, "p", "w")
    assert (held.holder.host, held.holder.pid, held.holder.command) == (
        socket.gethostname(),
        os.getpid(),
        "zenctl apply",
    )
    for part in (f"process {os.getpid()}", socket.gethostname(), "(zenctl apply)", "since 20", "UTC", "apply 1"):
        assert part in str(held)
    assert "zenctl force-unlock 1" in held.hint


def test_a_holder_elsewhere_is_held_until_its_lease_ends(take: Take) -> None:
    take(ELSEWHERE, lease_seconds=3600).close()
    with pytest.raises(LockHeld, match=r"ada@other-host, process 4711 \(zenctl apply -auto-approve\), since"):
        take()


def test_a_holder_elsewhere_whose_lease_ended_is_taken_over(store: MetadataStore, take: Take) -> None:
    dead = take(ELSEWHERE, lease_seconds=0.001)
    dead.close()
    until(lambda: _lease_of(store) < time.time() * 1000)
    lock = take()
    assert lock.serial == 2
    assert [held.serial for held in lock.recovered] == [1]
    assert lock.recovered[0].holder.host == "other-host"
    former = store.context("Apply", "p/w/1")
    assert former is not None
    assert former.properties["state"] == "abandoned"
    with pytest.raises(LockLost):
        dead.commit(one("late"))
    assert dead.lost
    assert store.executions(Where()) == []
    lock.commit(one("mine"))


def test_a_living_holder_elsewhere_is_not_dead_by_a_clock_that_is_wrong(
    store: MetadataStore, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = lock_module.now_ms
    # The holder's clock goes an hour slow: here its lease seems long ended, and yet is renewed again and again.
    slow = threading.current_thread().name
    monkeypatch.setattr(lock_module, "now_ms", lambda: real() - 3_600_000 * (threading.current_thread().name != slow))
    living = take(ELSEWHERE, lease_seconds=1.5)
    until(lambda: _lease_of(store) < real())
    told: list[LockHeld] = []
    with pytest.raises(LockHeld):
        take(on_wait=told.append, pause=lambda _: bool(threading.Event().wait(0.01)))
    assert [held.overdue for held in told] == [True]
    living.commit(one("mine"))


def test_a_clock_that_jumps_back_does_not_stop_the_renewal(
    store: MetadataStore, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(lease_seconds=0.3)
    real = lock_module.now_ms
    monkeypatch.setattr(lock_module, "now_ms", lambda: real() - 3_600_000)
    before = _transitions_of(store)
    until(lambda: _transitions_of(store) > before + 2)


def test_nobody_has_to_wait_on(take: Take) -> None:
    take()
    with pytest.raises(LockHeld):
        take(timeout=3600.0, pause=lambda seconds: True)


def _transitions_of(store: MetadataStore) -> int:
    apply = newest_apply(store, "p", "w")
    assert apply is not None
    return int(apply.properties["transitions"])


def _lease_of(store: MetadataStore) -> float:
    apply = newest_apply(store, "p", "w")
    assert apply is not None
    return float(apply.properties["lease_until_ms"])


def test_the_lease_is_renewed(store: MetadataStore, take: Take) -> None:
    lock = take(lease_seconds=0.3)
    first = _lease_of(store)
    until(lambda: _lease_of(store) > first)
    second = _lease_of(store)
    until(lambda: _lease_of(store) > second)
    lock.close()
    renewed = _lease_of(store)
    until(lambda: time.time_ns() // 1_000_000 > renewed - 300)
    lock.commit(one("j"))
    assert _lease_of(store) > renewed


def test_a_holder_that_is_slow_but_alive_keeps_its_lock(take: Take) -> None:
    lock = take(lease_seconds=0.001)
    lock.close()
    until(lambda: int(lock._apply.properties["lease_until_ms"]) < time.time() * 1000)
    with pytest.raises(LockHeld):
        take()
    lock.commit(one("j"))


def test_waiting_tells_once_and_then_gets_the_lock(store: MetadataStore, take: Take) -> None:
    first = take()
    told: list[str] = []

    def release(held: LockHeld) -> None:
        told.append(str(held))
        first.finish("complete")

    second = take(timeout=240.0, on_wait=release)
    assert second.serial == 2
    assert len(told) == 1


def test_waiting_ends_at_its_timeout(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "POLL_SECONDS", 0.01)
    take()
    told: list[LockHeld] = []
    began = time.monotonic()
    with pytest.raises(LockHeld):
        take(timeout=0.1, on_wait=told.append)
    assert 0.1 <= time.monotonic() - began < 10
    assert len(told) == 1


def test_force_unlock_names_the_holder_and_frees_the_lock(store: MetadataStore, take: Take) -> None:
    first = take()
    first.commit(one("before"))
    with pytest.raises(StoreError, match="apply 7 does not hold the lock") as caught:
        force_unlock(store, "p", "w", 7)
    assert "apply 1" in caught.value.hint
    assert force_unlock(store, "p", "w", 1).pid == os.getpid()
    with pytest.raises(StoreError, match="not locked"):
        force_unlock(store, "p", "w", 1)
    with pytest.raises(LockLost):
        first.commit(one("after"))
    with pytest.raises(LockLost):
        first.finish("complete", {"a": 1})
    second = take()
    assert second.serial == 2
    with pytest.raises(StoreError, match="apply 1 does not hold"):
        force_unlock(store, "p", "w", 1)
    second.commit(one("second"))
    assert [e.name for e in store.executions(Where())] == ["before", "second"]
    with pytest.raises(StoreError, match="not locked"):
        force_unlock(store, "p", "never", 1)


def test_the_lease_thread_finds_out_that_the_lock_is_lost(store: MetadataStore, take: Take) -> None:
    lock = take(lease_seconds=0.15)
    force_unlock(store, "p", "w", 1)
    until(lambda: lock.lost)
    apply = store.context("Apply", "p/w/1")
    assert apply is not None
    assert apply.properties["state"] == "abandoned"


def test_a_failing_store_does_not_end_the_renewal() -> None:
    store = MemoryStore()
    store.fail("commit", StoreError("connection lost"), times=1)
    with pytest.raises(StoreError, match="connection lost"):
        acquire(store, "p", "w", Holder.here())
    lock = acquire(store, "p", "w", Holder.here(), lease_seconds=0.15)
    store.fail("commit", StoreError("connection lost"), times=2)
    first = _lease_of(store)
    until(lambda: _lease_of(store) > first)
    assert not lock.lost
    lock.close()


def test_an_answer_that_was_lost_does_not_lose_the_lock() -> None:
    store = MemoryStore()
    lock = acquire(store, "p", "w", Holder.here())
    store.fail("commit", StoreError("connection lost"), after=True)
    with pytest.raises(StoreError, match="connection lost"):
        lock.commit(one("a"))
    lock.commit(one("b"))
    assert [e.name for e in store.executions(Where())] == ["a", "b"]
    force_unlock(store, "p", "w", 1)
    with pytest.raises(LockLost):
        lock.commit(one("c"))


def test_a_commit_that_was_made_again_after_a_lost_answer_lands_once() -> None:
    store = MemoryStore()
    # What a connection to a server does: it asks again, and hears that all of it exists.
    store.fail("commit", AlreadyExists("asked again"), after=True)
    lock = acquire(store, "p", "w", Holder.here())
    assert (lock.serial, lock.recovered) == (1, ())
    store.fail("commit", AlreadyExists("asked again"), after=True)
    done = lock.commit(
        Transition(
            executions=(Execution("Train", "job-1", ExecutionState.RUNNING),),
            artifacts=(Artifact("Model", "trees/d", name="d"),),
        )
    )
    [execution] = store.executions(Where())
    [artifact] = store.artifacts(Where())
    assert (done.execution_ids, done.artifact_ids) == ((execution.id,), (artifact.id,))
    lock.commit(one("b"))
    store.fail("commit", AlreadyExists("asked again"), after=True)
    lock.finish("complete")
    assert acquire(store, "p", "w", Holder.here()).serial == 2


def test_what_exists_already_is_no_lost_lock(store: MetadataStore, take: Take) -> None:
    lock = take()
    lock.commit(one("a"))
    with pytest.raises(AlreadyExists):
        lock.commit(one("a"))
    lock.commit(one("b"))
    assert not lock.lost


def test_a_finished_lock_takes_nothing_more(store: MetadataStore, take: Take) -> None:
    lock = take()
    lock.finish("complete")
    with pytest.raises(StoreError, match="has finished"):
        lock.commit(one("late"))
    assert store.executions(Where()) == []
    assert not lock.lost


def test_eight_threads_share_a_lock(store: MetadataStore, take: Take) -> None:
    lock = take(lease_seconds=0.05)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(10):
                lock.commit(one(f"j{number}-{i}"))
        except BaseException as problem:  # noqa: BLE001 - shown by the assertion below
            errors.append(problem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert errors == []
    assert len(store.executions(Where())) == 80


def test_names_with_slashes_stay_apart(store: MetadataStore) -> None:
    a = acquire(store, "a/b", "c", Holder.here())
    b = acquire(store, "a", "b/c", Holder.here())
    assert (a.serial, b.serial) == (1, 1)
    a.commit(one("a"))
    b.commit(one("b"))
    a.close()
    b.close()


# ---------------------------------------------------------------- who is dead


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = Holder.here()
    assert me.process
    assert not is_gone(me, 0, 1)
    assert is_gone(replace(me, process=f"7{me.process}"), 10**15, 1)
    assert is_gone(replace(me, pid=2**22 + 5), 10**15, 1)


def test_a_process_that_nobody_collected_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    holder = replace(Holder.here(), pid=child.pid, process="").completed()
    assert holder.process
    assert not is_gone(holder, 0, 1)
    child.kill()
    until(lambda: is_gone(holder, 10**15, 1))
    child.communicate(timeout=240)
    assert is_gone(holder, 10**15, 1)


def test_a_number_of_another_container_says_nothing_here() -> None:
    holder = replace(Holder.here(), pid=2**22 + 5, pid_namespace="pid:[1]")
    assert not is_gone(holder, 10**15, 1)
    assert not is_gone(holder, 2, 1)
    assert is_gone(holder, 2, 2)
