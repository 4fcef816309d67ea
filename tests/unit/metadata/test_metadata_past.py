"""What a workspace's state was when an earlier apply had ended: what came later is not in it, nor what was gone."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.unit.metadata.test_metadata_lineage import CSV, FIT, SPLIT, given, out, run
from tests.unit.metadata.test_metadata_state import Counting
from zenctl.addrs import EndpointAddr, StepAddr
from zenctl.metadata.past import apply_of, newest_results, recorded_in, state_at
from zenctl.metadata.recording import Recorder
from zenctl.metadata.records import WorkspaceState
from zenctl.metadata.state import read_state
from zenctl.metadata.store import MetadataStore
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]
SERVE = EndpointAddr("local", "p")


def later() -> int:
    return time.time_ns() // 1_000_000


def tick() -> None:
    """Wait for the clock's next millisecond: what a store writes then is later."""
    now = later()
    while later() == now:
        pass


def at(store: MetadataStore, serial: int) -> WorkspaceState:
    found = state_at(store, "penguins", "default", serial, later())
    assert found is not None
    return found


def test_each_apply_as_it_left_the_workspace(store: MetadataStore, begin: Begin) -> None:
    first = begin()
    rows = run(first, CSV, {}, {"data": out("1")})
    old = run(first, SPLIT, {"data": given("1")}, {"train": out("t1")})
    first.finish("complete", {"n": {"value": 1, "sensitive": False}})
    tick()
    second = begin()
    new = run(second, SPLIT, {"data": given("1")}, {"train": out("t2")})
    failed = second.start(FIT, "job-f", "Train", Components("train/1"), "f", {})
    second.fail(failed, "broken")
    second.finish("failed", {"n": {"value": 2, "sensitive": False}})
    tick()
    third = begin()
    run(third, FIT, {"train": given("t2")}, {"model": out("m", "Model")})
    third.finish("complete")

    def ids(state: WorkspaceState) -> dict[str, int]:
        return {str(addr): recorded.execution_id for addr, recorded in state.results.items()}

    assert ids(at(store, 1)) == {str(CSV): rows, str(SPLIT): old}
    assert at(store, 1).outputs["n"]["value"] == 1
    assert ids(at(store, 2)) == {str(CSV): rows, str(SPLIT): new}
    assert at(store, 2).attempts[FIT].execution_id == failed
    assert at(store, 1).attempts == {}
    assert at(store, 3).attempts == {}
    assert at(store, 3).results == read_state(store, "penguins", "default").results
    assert state_at(store, "penguins", "default", 4, later()) is None
    assert state_at(store, "penguins", "other", 1, later()) is None


def test_what_was_forgotten_moved_or_deleted_is_there_before_and_not_after(store: MetadataStore, begin: Begin) -> None:
    moved_to = StepAddr("split", "moved")
    first = begin()
    for addr, name in ((CSV, "1"), (FIT, "2"), (SPLIT, "3")):
        run(first, addr, {}, {"data": out(name)})
    first.endpoint(SERVE, Components("endpoint.local/1"), {"url": "http://x"}, {})
    first.finish("complete")
    tick()
    second = begin()
    second.forget(CSV)
    second.move(read_state(store, "penguins", "default").results[SPLIT], moved_to)
    second.endpoint_deleted(SERVE)
    tick()
    second.finish("complete")
    tick()
    third = begin()
    run(third, CSV, {}, {"data": out("4")})
    third.finish("complete")
    assert set(at(store, 1).results) == {CSV, FIT, SPLIT, SERVE}
    assert set(at(store, 2).results) == {FIT, moved_to}
    assert set(at(store, 3).results) == {CSV, FIT, moved_to}


def test_one_apply_of_an_address_and_its_newest_results(store: MetadataStore, begin: Begin) -> None:
    made = []
    for number in range(4):
        recorder = begin()
        made.append(run(recorder, SPLIT, {}, {"data": out(str(number))}))
        recorder.finish("complete")
    counting = Counting(store)
    assert [r.execution_id for r in recorded_in(counting, "penguins", "default", SPLIT, 2)] == [made[1]]
    assert recorded_in(counting, "penguins", "default", SPLIT, 9) == []
    found = newest_results(counting, "penguins", "default", SPLIT, 2)
    assert [r.execution_id for r in found] == made[:1:-1]
    assert counting.calls.total() <= 9
    apply = apply_of(store, found[0], later())
    assert apply is not None
    assert (apply.serial, apply.outcome, apply.holder.command) == (4, "complete", "zenctl apply")
