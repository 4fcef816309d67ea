"""Reading the state: a bounded number of queries, one moment, histories and results by fingerprint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.measuring import peer_seconds
from zenctl.addrs import StepAddr
from zenctl.metadata.encoding import address_key, json_text, workspace_key
from zenctl.metadata.lock import Holder, acquire
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.mlmd import MlmdStore, SqliteConnection
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import find_results, history, newest_apply, outputs_until, read_state
from zenctl.metadata.store import (
    Artifact,
    Context,
    Event,
    EventType,
    Execution,
    ExecutionState,
    MetadataStore,
    StoreError,
    Transition,
    Where,
)
from zenctl.metadata.workspaces import MARKED_DELETED, create_workspace
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]

FIT = StepAddr("python", "fit")
F1, F2 = "1" * 64, "2" * 64
PORT = ("executions", "executions_by_id", "artifacts", "artifacts_by_id", "events", "context", "contexts", "commit")


def of(workspaces: Collection[str], project: str = "penguins") -> Callable[[str, str], bool]:
    """What `find_results` is told of whose results may be taken."""
    return lambda other, workspace: other == project and workspace in workspaces


class Counting:
    """A store that counts the calls it passes on."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        if name in PORT:
            self.calls[name] += 1
        return getattr(self._store, name)


def run(recorder: Recorder, job: str, addr: StepAddr = FIT, fingerprint: str = F1, digest: str = "a") -> None:
    execution_id = recorder.start(addr, job, "Train", Components("train/1"), fingerprint, {})
    recorder.complete(execution_id, {"model": OutputRecord("Model", digest * 64, f"trees/{digest}")})


def fill(store: MetadataStore, addresses: int, versions: int = 1) -> None:
    """Write that many addresses with that many executions each, the last of which is head."""
    key = workspace_key("penguins", "default")
    for version in range(versions):
        batch = []
        for number in range(addresses):
            addr = StepAddr("python", f"step{number}")
            batch.append(
                Execution(
                    "Train",
                    f"job-{version}-{number}",
                    ExecutionState.COMPLETE,
                    {
                        "address": str(addr),
                        "address_key": address_key(addr),
                        "workspace_key": key,
                        "components": json_text({"type": "train/1", "params": {"epochs": version, "text": "x" * 400}}),
                        "fingerprint": F1,
                        "serial": version + 1,
                        **({"head": key} if version == versions - 1 else {}),
                    },
                )
            )
        for start in range(0, addresses, 500):
            part = tuple(batch[start : start + 500])
            artifacts = tuple(
                Artifact("Model", f"trees/{e.name}", properties={"digest": e.name}, name=e.name) for e in part
            )
            events = tuple(Event(i, i, EventType.OUTPUT, "model") for i in range(len(part)))
            store.commit(Transition(executions=part, artifacts=artifacts, events=events))


def test_an_empty_store_has_an_empty_state(store: MetadataStore) -> None:
    state = read_state(store, "penguins", "default")
    assert (state.serial, state.results, state.attempts, state.outputs) == (0, {}, {}, {})
    assert history(store, "penguins", "default", FIT) == []
    assert find_results(store, F1, of(["default"])) == []


def test_reading_costs_the_same_however_long_the_history(store: MetadataStore, begin: Begin) -> None:
    counts = []
    for _ in range(3):
        for _ in range(4):
            recorder = begin()
            for number in range(3):
                run(recorder, f"job-{recorder.serial}-{number}", StepAddr("python", f"s{number}"))
            failed = recorder.start(FIT, f"bad-{recorder.serial}", "Train", Components("t/1"), F2, {})
            recorder.fail(failed, "no")
            recorder.finish("complete", {})
        counting = Counting(store)
        state = read_state(counting, "penguins", "default")
        assert (len(state.results), len(state.attempts)) == (3, 1)
        counts.append(counting.calls)
    assert counts[0] == counts[1] == counts[2]
    assert counts[0].total() == 9
    assert counts[0]["contexts"] == 0, "a query for the contexts of a workspace reads every apply that it ever had"


def test_taking_the_lock_costs_the_same_however_many_applies(store: MetadataStore) -> None:
    costs = []
    for _ in range(3):
        for _ in range(5):
            acquire(store, "p", "w", Holder.here()).finish("complete", {"n": 1})
        counting = Counting(store)
        lock = acquire(counting, "p", "w", Holder.here())
        lock.finish("complete")
        costs.append(counting.calls)
    assert costs[0] == costs[1] == costs[2]
    assert costs[0]["contexts"] == 0
    assert (lock.serial, read_state(store, "p", "w").outputs) == (18, {"n": 1})


def older(store: MetadataStore, apply: Context | None) -> None:
    """Leave what this zenctl writes besides out of an apply and its workspace, as those before it did."""
    assert apply is not None
    group = store.context("Workspace", "p/w")
    assert group is not None
    for context, added in ((apply, "outputs_serial"), (group, "serial")):
        kept = {name: value for name, value in context.properties.items() if name != added}
        store.commit(Transition(update_contexts=(replace(context, properties=kept),)))


def test_applies_of_an_older_zenctl_count(store: MetadataStore) -> None:
    for number in range(1, 8):
        acquire(store, "p", "w", Holder.here()).finish("complete", {"n": number} if number in (2, 3) else None)
    for serial in range(1, 8):
        older(store, store.context("Apply", f"p/w/{serial}"))
    state = read_state(store, "p", "w")
    assert (state.serial, state.outputs) == (7, {"n": 3})
    assert outputs_until(store, store.context("Apply", "p/w/2")) == {"n": 2}
    acquire(store, "p", "w", Holder.here()).finish("complete")
    state = read_state(store, "p", "w")
    assert (state.serial, state.outputs) == (8, {"n": 3})
    older(store, newest_apply(store, "p", "w"))
    lock = acquire(store, "p", "w", Holder.here())
    lock.finish("complete", {"n": 9})
    assert lock.serial == 9
    older(store, newest_apply(store, "p", "w"))
    counting = Counting(store)
    state = read_state(counting, "p", "w")
    assert (state.serial, state.outputs) == (9, {"n": 9})
    assert counting.calls["contexts"] == 1


def test_an_apply_that_is_not_understood_is_not_waited_for_for_ever() -> None:
    class Forgetful(MemoryStore):
        forgets = False

        def context(self, type: str, name: str) -> Context | None:
            return None if self.forgets and type == "Apply" else super().context(type, name)

    store = Forgetful()
    acquire(store, "p", "w", Holder.here()).close()
    store.forgets = True
    with pytest.raises(StoreError, match="does not say who holds"):
        acquire(store, "p", "w", Holder.here())


def test_a_workspace_that_is_made_again_goes_on_with_its_serials(store: MetadataStore) -> None:
    for _ in range(5):
        lock = acquire(store, "p", "w", Holder.here())
        lock.finish("complete")
    lock = acquire(store, "p", "w", Holder.here())
    lock.commit(Transition(), MARKED_DELETED)
    lock.finish("complete")
    create_workspace(store, "p", "w")
    counting = Counting(store)
    found = newest_apply(counting, "p", "w")
    assert found is not None
    assert found.properties["serial"] == 6
    assert counting.calls.total() == 3


def test_a_thousand_addresses_are_read_at_once(tmp_path: Path) -> None:
    store = MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True))
    fill(store, 1000, versions=2)
    began = time.process_time()
    state = read_state(store, "penguins", "default")
    seconds = time.process_time() - began
    store.close()
    assert len(state.results) == 1000
    assert all(r.components["params"]["epochs"] == 1 and r.outputs["model"].digest for r in state.results.values())
    assert seconds < 10 * peer_seconds()  # 0.1 s on two idle cores


def test_a_state_is_of_one_moment(begin: Begin) -> None:
    class Meddled(MemoryStore):
        """An apply supersedes a head between the two queries of a reader."""

        act: Callable[[], None] | None = None

        def executions(self, where: Where) -> list[Execution]:
            found = super().executions(where)
            if "head" in where.properties and self.act is not None:
                act, self.act = self.act, None
                act()
            return found

    store = Meddled()
    recorder = begin(on=store)
    run(recorder, "job-1")
    store.act = lambda: run(recorder, "job-2", fingerprint=F2, digest="b")
    state = read_state(store, "penguins", "default")
    assert state.results[FIT].job_id == "job-2"
    assert state.results[FIT].outputs["model"].digest == "b" * 64


def test_a_store_that_never_rests_is_still_read(begin: Begin) -> None:
    class Restless(MemoryStore):
        on = False

        def executions(self, where: Where) -> list[Execution]:
            found = super().executions(where)
            if self.on and "attempt" in where.properties:
                lock.commit(Transition())
            return found

    store = Restless()
    lock = acquire(store, "penguins", "default", Holder.here())
    run(Recorder(store, lock), "job-1")
    store.on = True
    assert read_state(store, "penguins", "default").results[FIT].job_id == "job-1"
    lock.close()


def test_history_is_newest_first_and_whole(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    run(recorder, "job-1")
    recorder.fail(recorder.start(FIT, "job-2", "Train", Components("t/1"), F2, {}), "no")
    run(recorder, "job-3", fingerprint=F2, digest="b")
    run(recorder, "other", StepAddr("python", "other"))
    found = history(store, "penguins", "default", FIT)
    assert [(r.job_id, r.state.value) for r in found] == [
        ("job-3", "COMPLETE"),
        ("job-2", "FAILED"),
        ("job-1", "COMPLETE"),
    ]
    assert found[2].outputs["model"].digest == "a" * 64


def test_results_are_found_in_the_workspaces_named_only(store: MetadataStore, begin: Begin) -> None:
    for number, workspace in enumerate(["one", "two", "three"]):
        recorder = begin(workspace)
        run(recorder, f"job-{number}")
        recorder.fail(recorder.start(FIT, f"bad-{number}", "Train", Components("t/1"), F1, {}), "no")
    other = begin("one", project="other")
    run(other, "foreign")

    def found(fingerprint: str, *workspaces: str) -> list[tuple[str, str]]:
        return [(r.workspace, r.job_id) for r in find_results(store, fingerprint, of(workspaces))]

    assert found(F1, "one", "two") == [("two", "job-1"), ("one", "job-0")]
    assert found(F1, "three") == [("three", "job-2")]
    assert found(F1) == []
    assert found(F2, "one") == []
    assert found("", "one") == []


def test_an_address_that_cannot_be_read_is_an_error(store: MetadataStore) -> None:
    key = workspace_key("penguins", "default")
    bad = Execution("Train", "j", ExecutionState.COMPLETE, {"head": key, "address": "robot.arm"})
    store.commit(Transition(executions=(bad,)))
    with pytest.raises(StoreError, match="no address that can be read") as caught:
        read_state(store, "penguins", "default")
    assert "newer zenctl" in caught.value.hint


@pytest.mark.benchmark
def test_five_thousand_executions(tmp_path: Path) -> None:
    store = MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True))
    began = time.perf_counter()
    fill(store, 500, versions=10)
    written = time.perf_counter()
    state = read_state(store, "penguins", "default")
    read = time.perf_counter()
    store.close()
    reopened = MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=False))
    opened = time.perf_counter()
    reopened.close()
    size = (tmp_path / "metadata.db").stat().st_size
    print(
        f"\n5,000 executions: written {written - began:.2f} s, {size / 2**20:.1f} MiB;"
        f" state of 500 addresses read {1000 * (read - written):.0f} ms, opened {1000 * (opened - read):.1f} ms"
    )
    assert len(state.results) == 500
    assert read - written < 1.0
    assert opened - read < 0.5


@pytest.mark.benchmark
def test_a_run_costs_few_milliseconds(tmp_path: Path) -> None:
    store = MlmdStore(SqliteConnection(tmp_path / "metadata.db", create=True))
    recorder = Recorder(store, acquire(store, "penguins", "default", Holder.here()))
    fill(store, 500, versions=4)
    began = time.perf_counter()
    for number in range(100):
        run(recorder, f"run-{number}", StepAddr("python", f"new{number % 10}"), digest=f"{number:x}"[0])
    each = (time.perf_counter() - began) / 100
    recorder.finish("complete", {})
    store.close()
    print(f"\nstart and complete of one run: {1000 * each:.1f} ms")
    assert each < 0.1
