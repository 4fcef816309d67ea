"""A copy of a store says what the original says, whatever was there before and wherever the copying was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.metadata.test_metadata_recording import COMPONENTS, CSV, F1, F2, FIT, SERVE, Begin, output
from tests.unit.metadata.test_metadata_recording import given as used
from zenctl.metadata.exclusive import exclusively
from zenctl.metadata.lock import Holder, acquire, force_unlock
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.migration import Content, Holdings, content, migrate
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import history, read_state
from zenctl.metadata.store import Artifact, ArtifactState, MetadataStore, StoreError, Transition, Where


def silent(done: int, of: int) -> None:
    assert 0 < done <= of


def everything(store: MetadataStore) -> Content:
    return content(store, Holdings.read(store))


def other_ids(store: MetadataStore) -> None:
    """Another project's records, so that ids in this store are not those of the other one."""
    recorder = Recorder(store, acquire(store, "other", "default", Holder.here("zenctl apply")))
    for number in range(3):
        done = recorder.start(FIT, f"other-{number}", "Train", COMPONENTS, F1, {}, backend="b")
        recorder.complete(done, {"model": output(str(number))})
    recorder.finish("complete")


def record(store: MetadataStore, workspace: str = "default", run: str = "1", fingerprint: str = F1) -> None:
    """One apply: a snapshot, a step that takes it, an endpoint that serves the step's model."""
    recorder = Recorder(store, acquire(store, "penguins", workspace, Holder.here("zenctl apply")))
    rows = recorder.start(CSV, f"{workspace}-rows-{run}", "Process", COMPONENTS, F1, {}, backend="b")
    snapshot = recorder.complete(rows, {"rows": output("e", "Dataset")})
    taken = replace(snapshot["rows"], address=CSV)
    fit = recorder.start(FIT, f"{workspace}-fit-{run}", "Train", COMPONENTS, fingerprint, {"train": taken}, backend="b")
    made = recorder.complete(fit, {"model": output("a"), "same": output("a")}, attributes={"seconds": 1.5})
    recorder.endpoint(SERVE, COMPONENTS, {"url": "http://127.0.0.1:1"}, {"model": made["model"]})
    recorder.finish("complete", {"url": "http://127.0.0.1:1"})


@pytest.fixture
def source() -> MemoryStore:
    """Two workspaces, one of which took its result from the other; an apply that failed; one taken over."""
    store = MemoryStore()
    record(store)
    record(store, run="2", fingerprint=F2)
    taken = read_state(store, "penguins", "default").results[FIT]
    recorder = Recorder(store, acquire(store, "penguins", "pr", Holder.here("zenctl apply")))
    recorder.reuse(FIT, taken, COMPONENTS, F2, {"train": used("e")})
    failed = recorder.start(CSV, "pr-rows", "Process", COMPONENTS, F1, {}, backend="b")
    recorder.fail(failed, "it broke")
    recorder.finish("failed")
    lost = acquire(store, "penguins", "pr", Holder.here("zenctl apply"))
    force_unlock(store, "penguins", "pr", lost.serial)
    lost.close()
    store.commit(Transition(artifacts=(Artifact("Dataset", "trees/alone", ArtifactState.DELETED),)))
    return store


def test_all_of_it_arrives(source: MemoryStore, store: MetadataStore) -> None:
    other_ids(store)
    done = migrate(source, store, silent)
    assert done.content == everything(source)
    assert done.written == done.content.contexts + done.content.executions + done.content.artifacts
    for workspace in ("default", "pr"):
        there, here = read_state(store, "penguins", workspace), read_state(source, "penguins", workspace)
        assert there.serial == here.serial
        assert there.results.keys() == here.results.keys()
        for addr, recorded in here.results.items():
            copied = there.results[addr]
            assert (copied.job_id, copied.serial, copied.components) == (
                recorded.job_id,
                recorded.serial,
                recorded.components,
            )
            assert {k: a.digest for k, a in copied.inputs.items()} == {k: a.digest for k, a in recorded.inputs.items()}
            assert {k: a.uri for k, a in copied.outputs.items()} == {k: a.uri for k, a in recorded.outputs.items()}


def test_executions_that_name_others_name_the_same_ones(source: MemoryStore, store: MetadataStore) -> None:
    other_ids(store)
    migrate(source, store, silent)
    reused = read_state(store, "penguins", "pr").results[FIT]
    [original] = store.executions_by_id([reused.source])
    assert original.name == "default-fit-2"
    fit = read_state(store, "penguins", "default").results[FIT]
    [producer] = store.executions_by_id([fit.producers["train"]])
    assert producer.name == "default-rows-2"


def test_applies_that_ran_side_by_side(store: MetadataStore) -> None:
    source = MemoryStore()
    long = Recorder(source, acquire(source, "penguins", "long", Holder.here("zenctl apply")))
    first = long.start(CSV, "long-rows", "Process", COMPONENTS, F1, {}, backend="b")
    long.complete(first, {"rows": output("e", "Dataset")})
    record(source)
    long.reuse(FIT, read_state(source, "penguins", "default").results[FIT], COMPONENTS, F1, {"train": used("e")})
    long.finish("complete")
    other_ids(store)
    migrate(source, store, silent)
    [original] = store.executions_by_id([read_state(store, "penguins", "long").results[FIT].source])
    assert original.name == "default-fit-1"


def test_work_goes_on_in_the_copy(source: MemoryStore, store: MetadataStore) -> None:
    migrate(source, store, silent)
    before = read_state(store, "penguins", "default").serial
    record(store, run="3")
    after = read_state(store, "penguins", "default")
    assert after.serial == before + 1
    assert after.results[FIT].job_id == "default-fit-3"
    assert history(store, "penguins", "default", FIT)[0].job_id == "default-fit-3"


def test_a_second_time_nothing_is_written(source: MemoryStore, store: MetadataStore) -> None:
    first = migrate(source, store, silent)
    again = migrate(source, store, silent)
    assert (again.content, again.written) == (first.content, 0)


def test_a_copy_catches_up(source: MemoryStore, store: MetadataStore) -> None:
    migrate(source, store, silent)
    record(source, run="4", fingerprint="4" * 64)  # what was current is so no more
    [artifact] = source.artifacts(Where(type="Model", properties={"digest": "a" * 64}))
    source.commit(Transition(artifacts=(replace(artifact, state=ArtifactState.DELETED),)))
    done = migrate(source, store, silent)
    assert done.content == everything(source) == everything(store)
    assert read_state(store, "penguins", "default").results[FIT].job_id == "default-fit-4"


def test_and_back(source: MemoryStore, store: MetadataStore) -> None:
    migrate(source, store, silent)
    back = MemoryStore()
    migrate(store, back, silent)
    assert everything(back) == everything(source)


def test_what_others_keep_there_stays(source: MemoryStore, store: MetadataStore) -> None:
    other_ids(store)
    before = read_state(store, "other", "default")
    migrate(source, store, silent)
    assert read_state(store, "other", "default") == before


@given(st.integers(0, 30), st.booleans())
@settings(max_examples=40, deadline=None)
def test_it_goes_on_where_it_was_interrupted(writes: int, after: bool) -> None:
    source, target = MemoryStore(), MemoryStore()
    record(source)
    record(source, workspace="pr")
    record(source, run="2", fingerprint=F2)
    commit, left = target.commit, writes

    def breaks(transition: Transition) -> object:
        nonlocal left
        left -= 1
        if left < 0 and not after:
            raise StoreError("gone")
        made = commit(transition)
        if left < 0:
            raise StoreError("its answer got lost")
        return made

    target.commit = breaks  # type: ignore[method-assign, assignment]
    try:
        migrate(source, target, silent)
    except StoreError:
        left = 10**6
        migrate(source, target, silent)
    assert everything(target) == everything(source)


def test_an_apply_that_is_under_way_is_waited_for(source: MemoryStore, store: MetadataStore) -> None:
    lock = acquire(source, "penguins", "default", Holder.here("zenctl apply"))
    with pytest.raises(StoreError, match="apply 3 of workspace default is under way") as refused:
        migrate(source, store, silent)
    assert "force-unlock" in refused.value.hint
    assert everything(store).contexts == 0
    lock.finish("complete")
    migrate(source, store, silent)


def test_a_collection_that_is_under_way_is_waited_for_and_a_dead_one_is_not(
    source: MemoryStore, store: MetadataStore
) -> None:
    alive = exclusively(source, Holder.here("zenctl state gc"))
    with alive, pytest.raises(StoreError, match="garbage is being collected"):
        migrate(source, store, silent)
    dead = exclusively(source, Holder("other-host", 4711, "zenctl state gc"), lease_seconds=-1.0)
    dead.__enter__().close()
    migrate(source, store, silent)
    acquire(store, "penguins", "default", Holder.here("zenctl apply")).finish("complete")


def test_two_histories_are_not_mixed(source: MemoryStore, store: MetadataStore) -> None:
    record(store)
    before = everything(store)
    with pytest.raises(StoreError, match="has an apply 1 of workspace default that is another one"):
        migrate(source, store, silent)
    assert everything(store) == before


def test_what_is_read_back_is_compared(source: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    target = MemoryStore()
    commit = target.commit

    def forgetful(transition: Transition) -> object:
        kept = tuple(
            replace(e, properties={k: v for k, v in e.properties.items() if k != "backend"})
            for e in transition.executions
        )
        return commit(replace(transition, executions=kept))

    monkeypatch.setattr(target, "commit", forgetful)
    with pytest.raises(StoreError, match=r"the copy has .* where the original has"):
        migrate(source, target, silent)


def test_progress_arrives_at_its_end(source: MemoryStore, store: MetadataStore) -> None:
    told: list[tuple[int, int]] = []
    done = migrate(source, store, lambda *at: told.append(at))
    nodes = done.content.contexts + done.content.executions + done.content.artifacts
    assert told == sorted(told)
    assert told[-1] == (nodes, nodes)


def test_many_applies_of_many_steps(begin: Begin, store: MetadataStore) -> None:
    make: Callable[[MetadataStore], Recorder] = lambda on: begin(on=on)  # noqa: E731
    source = MemoryStore()
    recorder = make(source)
    for number in range(60):
        done = recorder.start(FIT, f"job-{number}", "Train", COMPONENTS, F1, {"train": used("e")}, backend="b")
        recorder.complete(done, {"model": output(f"{number % 7}")})
    recorder.finish("complete")
    migrate(source, store, silent)
    assert everything(store) == everything(source)
