"""Workspaces as recorded: made, listed, renewed by applies, deleted and begun again; none waits for another."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from zenctl.addrs import StepAddr
from zenctl.metadata.lock import Holder, LockHeld, acquire
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.state import find_results, read_state
from zenctl.metadata.store import AlreadyExists, MetadataStore
from zenctl.metadata.workspaces import Workspace, create_workspace, workspace, workspaces
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]

FIT = StepAddr("python", "fit")
F1 = "1" * 64
HOUR = 3600


def names(store: MetadataStore, project: str = "penguins") -> list[str]:
    return [item.name for item in workspaces(store, project)]


def now() -> int:
    return time.time_ns() // 1_000_000


def run(recorder: Recorder, job: str) -> None:
    execution = recorder.start(FIT, job, "Train", Components("t/1"), F1, {})
    recorder.complete(execution, {"model": OutputRecord("Model", "a" * 64, "trees/a", 1, {})})


def test_new_ones_are_listed_by_name_and_project(store: MetadataStore) -> None:
    assert names(store) == []
    create_workspace(store, "penguins", "pr-2")
    create_workspace(store, "penguins", "pr-1", 2 * HOUR)
    create_workspace(store, "others", "pr-3")
    assert names(store) == ["pr-1", "pr-2"]
    found = workspace(store, "penguins", "pr-1")
    assert found is not None
    assert found.ttl_seconds == 2 * HOUR
    assert 0 < found.expires_ms - now() <= 2 * HOUR * 1000
    assert workspace(store, "penguins", "pr-3") is None
    with pytest.raises(AlreadyExists):
        create_workspace(store, "penguins", "pr-1")


@pytest.mark.parametrize(("expires", "now_ms", "expired"), [(0, 5, False), (5, 4, False), (5, 5, True), (5, 6, True)])
def test_when_one_is_expired(expires: int, now_ms: int, expired: bool) -> None:
    assert Workspace("pr", expires_ms=expires).expired(now_ms) is expired


def test_an_apply_makes_and_renews_it(store: MetadataStore, begin: Begin) -> None:
    begin("pr-1").finish("complete")
    assert names(store) == ["pr-1"]
    create_workspace(store, "penguins", "pr-2", 1)
    first = workspace(store, "penguins", "pr-2")
    assert first is not None
    while now() <= first.created_ms + 2:
        pass
    begin("pr-2").finish("complete")
    second = workspace(store, "penguins", "pr-2")
    assert second is not None
    assert second.expires_ms > first.expires_ms
    lock = acquire(store, "penguins", "pr-2", Holder.here("zenctl destroy"), renew=False)
    lock.finish("complete")
    assert workspace(store, "penguins", "pr-2") == second


def test_what_is_deleted_has_no_results_but_its_records_stay(store: MetadataStore, begin: Begin) -> None:
    create_workspace(store, "penguins", "pr-1", HOUR)
    recorder = begin("pr-1")
    run(recorder, "job-1")
    recorder.finish("complete", {"accuracy": {"value": 1}})
    recorder = begin("pr-1")
    recorder.delete_workspace()
    recorder.finish("complete", {})
    assert names(store) == []
    state = read_state(store, "penguins", "pr-1")
    assert (dict(state.results), dict(state.attempts), state.outputs) == ({}, {}, {})
    assert [r.job_id for r in find_results(store, F1, lambda *_: True)] == ["job-1"]
    # The same name begins again, without the time to live that it had.
    create_workspace(store, "penguins", "pr-1")
    assert workspaces(store, "penguins")[0].ttl_seconds == 0
    assert read_state(store, "penguins", "pr-1").serial == 2


def test_an_apply_begins_a_deleted_one_again(store: MetadataStore, begin: Begin) -> None:
    recorder = begin("pr-1")
    recorder.delete_workspace()
    recorder.finish("complete", {})
    assert names(store) == []
    run(begin("pr-1"), "job-1")
    assert names(store) == ["pr-1"]
    assert list(read_state(store, "penguins", "pr-1").results) == [FIT]


def test_one_with_a_running_job_is_not_deleted(begin: Begin) -> None:
    recorder = begin("pr-1")
    recorder.start(FIT, "job-1", "Train", Components("t/1"), F1, {})
    with pytest.raises(ValueError, match="running"):
        recorder.delete_workspace()


def test_two_workspaces_never_wait_for_each_other(store: MetadataStore, begin: Begin) -> None:
    recorders = [begin(name) for name in ("default", "pr-1", "pr-2")]
    for number, recorder in enumerate(recorders):
        run(recorder, f"job-{number}")
    with pytest.raises(LockHeld):
        acquire(store, "penguins", "pr-1", Holder("elsewhere", 1, "zenctl apply"))
    for recorder in recorders:
        recorder.finish("complete")
    assert [read_state(store, "penguins", name).serial for name in ("default", "pr-1", "pr-2")] == [1, 1, 1]


def test_a_reused_result_keeps_the_time_it_was_produced(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    run(recorder, "job-1")
    recorder.finish("complete")
    [source] = find_results(store, F1, lambda *_: True)
    assert source.produced_ms == source.ended_ms > 0
    for name in ("pr-1", "pr-2"):
        recorder = begin(name)
        [*_, newest] = find_results(store, F1, lambda *_: True)
        recorder.reuse(FIT, newest, Components("t/1"), F1, {})
        assert read_state(store, "penguins", name).results[FIT].produced_ms == source.produced_ms


def test_an_older_store_has_workspaces_too(tmp_path: Path, store: MetadataStore) -> None:
    """A workspace recorded before there were states and times to live reads as one that is there for ever."""
    from zenctl.metadata.encoding import context_name, workspace_key
    from zenctl.metadata.store import Context, Transition
    from zenctl.metadata.types import WORKSPACE

    del tmp_path
    identity = {"project": "p", "workspace": "old", "workspace_key": workspace_key("p", "old")}
    store.commit(Transition(create_contexts=(Context(WORKSPACE, context_name("p", "old"), identity),)))
    [found] = workspaces(store, "p")
    assert (found.name, found.ttl_seconds, found.expires_ms) == ("old", 0, 0)
