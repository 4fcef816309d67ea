"""The recorder: heads, attempts, reuse, artifacts, and what it refuses."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection

import pytest

from zenctl.addrs import DatasourceAddr, EndpointAddr, ModuleInstance, StepAddr
from zenctl.jobs.result import JobWarning
from zenctl.metadata.lock import Holder, LockLost, acquire, force_unlock
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.records import RecordedArtifact
from zenctl.metadata.state import find_results, history, read_state
from zenctl.metadata.store import (
    Artifact,
    ArtifactState,
    ExecutionState,
    MetadataStore,
    StoreError,
    Transition,
    Where,
)
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]

CSV = DatasourceAddr("csv", "penguins")
FIT = StepAddr("python", "fit")
SERVE = EndpointAddr("local", "penguins")
F1, F2 = "1" * 64, "2" * 64
COMPONENTS = Components(
    type="python/1",
    code={"entry": "steps/fit.py:fit", "digest": "c" * 64, "files": {"steps/fit.py": "d" * 64}},
    params={"epochs": 5, "rate": 0.1, "name": 'it\'s "ü" \0 \\', "layers": [1, {"units": None}]},
    inputs={"train": "e" * 64},
    environment={"python": "3.11", "distributions": {"numpy": "2.0"}},
)


def of(workspaces: Collection[str], project: str = "penguins") -> Callable[[str, str], bool]:
    """What `find_results` is told of whose results may be taken."""
    return lambda other, workspace: other == project and workspace in workspaces


def output(digest: str = "a", type: str = "Model", **properties: object) -> OutputRecord:
    return OutputRecord(type, digest * 64, f"trees/{digest}", 100, properties)


def given(digest: str, type: str = "Dataset", **kwargs: object) -> RecordedArtifact:
    return RecordedArtifact(0, type, f"trees/{digest}", digest * 64, **kwargs)  # type: ignore[arg-type]


def start(recorder: Recorder, job: str, fingerprint: str = F1, addr: object = FIT, inputs: object = None) -> int:
    return recorder.start(addr, job, "Train", COMPONENTS, fingerprint, inputs or {}, backend="backend.local.here")  # type: ignore[arg-type]


def heads(store: MetadataStore, mark: str = "head") -> list[str]:
    return [e.name for e in store.executions(Where()) if mark in e.properties]


def test_a_run_from_start_to_head(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    version = {"commit": "abc", "branch": "main", "dirty": True}
    execution_id = recorder.start(
        FIT,
        "job-1",
        "Train",
        COMPONENTS,
        F1,
        {"train": given("e")},
        backend="backend.local.here",
        code_version=version,
    )
    running = read_state(store, "penguins", "default")
    assert running.results == {}
    assert running.attempts[FIT].state is ExecutionState.RUNNING
    assert running.attempts[FIT].execution_id == execution_id

    recorder.report(execution_id, "handle", {"pid": 7, "started": 1.25})
    assert read_state(store, "penguins", "default").attempts[FIT].handle == {"pid": 7, "started": 1.25}

    outputs = {"model": output("a"), "metrics": output("b", "Metrics", accuracy=0.98, loss=math.inf)}
    written = recorder.complete(execution_id, outputs, environment={"python": "3.11"})
    recorder.finish("complete", {"accuracy": {"value": 0.98, "sensitive": False}})

    state = read_state(store, "penguins", "default")
    assert state.attempts == {}
    assert state.serial == 1
    assert state.outputs == {"accuracy": {"value": 0.98, "sensitive": False}}
    [recorded] = state.results.values()
    assert recorded.addr == FIT
    assert recorded.is_result
    assert (recorded.job_id, recorded.type, recorded.serial, recorded.fingerprint) == ("job-1", "Train", 1, F1)
    assert recorded.components["params"] == COMPONENTS.params
    assert recorded.components["code"] == COMPONENTS.code
    assert recorded.environment == {"python": "3.11"}
    assert recorded.code_version == version
    assert recorded.backend == "backend.local.here"
    assert recorded.handle == {"pid": 7, "started": 1.25}
    assert recorded.outputs == written
    assert recorded.outputs["metrics"].properties == {"accuracy": 0.98, "loss": math.inf}
    assert recorded.outputs["model"].uri == "trees/a"
    assert recorded.outputs["model"].bytes == 100
    assert recorded.inputs["train"].digest == "e" * 64
    assert 0 < recorded.started_ms <= recorded.ended_ms
    assert (recorded.project, recorded.workspace, recorded.operation) == ("penguins", "default", "run")


def test_after_complete_there_is_exactly_one_head(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-1"), {"model": output("a")})
    recorder.complete(start(recorder, "job-2", F2), {"model": output("b")})
    assert heads(store) == ["job-2"]
    assert heads(store, "attempt") == []
    recorder.finish("complete")
    recorder = begin()
    recorder.complete(start(recorder, "job-3"), {"model": output("c")})
    assert heads(store) == ["job-3"]
    assert read_state(store, "penguins", "default").results[FIT].job_id == "job-3"


@pytest.mark.parametrize("canceled", [False, True])
def test_after_a_failure_the_head_stays_and_the_attempt_is_seen(
    store: MetadataStore, begin: Begin, canceled: bool
) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-1"), {"model": output("a")})
    failed = start(recorder, "job-2", F2)
    assert heads(store) == ["job-1"]
    recorder.fail(failed, "it broke: \udc80 \0 'x'", canceled=canceled)
    state = read_state(store, "penguins", "default")
    assert heads(store) == ["job-1"]
    assert state.results[FIT].job_id == "job-1"
    assert state.attempts[FIT].job_id == "job-2"
    assert state.attempts[FIT].state is (ExecutionState.CANCELED if canceled else ExecutionState.FAILED)
    assert state.attempts[FIT].error == "it broke: \\udc80 \0 'x'"
    assert not state.attempts[FIT].is_result
    assert state.attempts[FIT].ended_ms > 0

    third = start(recorder, "job-3", F2)
    assert heads(store, "attempt") == ["job-3"]
    recorder.complete(third, {"model": output("b")})
    assert (heads(store), heads(store, "attempt")) == (["job-3"], [])


def test_after_reuse_the_cached_execution_is_head(store: MetadataStore, begin: Begin) -> None:
    other = begin("pr-1")
    other.complete(start(other, "job-1"), {"model": output("a", accuracy=1)}, environment={"python": "3.11"})
    other.finish("complete")
    [source] = find_results(store, F1, of(["pr-1"]))

    recorder = begin()
    recorder.fail(start(recorder, "job-2"), "no")
    execution_id = recorder.reuse(FIT, source, COMPONENTS, F1, {"train": given("e")}, code_version={"commit": "x"})
    state = read_state(store, "penguins", "default")
    head = state.results[FIT]
    assert (head.execution_id, head.state, head.operation) == (execution_id, ExecutionState.CACHED, "reuse")
    assert head.source == source.execution_id
    assert head.outputs == source.outputs
    assert head.environment == {"python": "3.11"}
    assert head.type == "Train"
    assert state.attempts == {}
    assert len(store.artifacts(Where(type="Model"))) == 1
    assert read_state(store, "penguins", "pr-1").results[FIT].job_id == "job-1"

    again = recorder.reuse(FIT, head, COMPONENTS, F1, {})
    assert read_state(store, "penguins", "default").results[FIT].execution_id == again
    assert read_state(store, "penguins", "default").results[FIT].source == source.execution_id
    assert len(heads(store)) == 2


def test_what_is_reported_of_a_job_stays_when_it_ends(store: MetadataStore, begin: Begin) -> None:
    recorder = begin("default")
    for name in ("done", "failed"):
        recorder.report(start(recorder, name), "attributes", {"machines": [name]})
        now = read_state(store, "penguins", "default").attempts[FIT].execution_id
        recorder.complete(now, {"model": output("a")}) if name == "done" else recorder.fail(now, "no")
    state = read_state(store, "penguins", "default")
    assert [r[FIT].attributes["machines"] for r in (state.results, state.attempts)] == [["done"], ["failed"]]


def test_warnings_stay_with_a_result_wherever_it_is_taken(store: MetadataStore, begin: Begin) -> None:
    said = (JobWarning("3 of 9 rows have no label", '  row 7: "ü"\n  row 8'), JobWarning("few rows"))
    other = begin("pr-1")
    other.complete(start(other, "job-1"), {"model": output("a")}, warnings=said)
    assert read_state(store, "penguins", "pr-1").results[FIT].warnings == said
    other.finish("complete")
    [source] = find_results(store, F1, of(["pr-1"]))

    recorder = begin()
    recorder.fail(start(recorder, "job-2"), "no", warnings=said[1:])
    assert read_state(store, "penguins", "default").attempts[FIT].warnings == said[1:]
    recorder.reuse(FIT, source, COMPONENTS, F1, {})
    head = read_state(store, "penguins", "default").results[FIT]
    assert head.warnings == said
    moved_to = StepAddr("python", "moved")
    recorder.move(head, moved_to)
    assert read_state(store, "penguins", "default").results[moved_to].warnings == said
    recorder.complete(start(recorder, "job-3", F2), {"model": output("b")})
    assert read_state(store, "penguins", "default").results[FIT].warnings == ()


def test_what_is_imported_is_a_result_that_says_so_also_where_it_is_reused(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-1"), {"model": output("a")})
    recorder.fail(start(recorder, "job-2"), "no")
    places = {"model": "old/model"}
    made = recorder.imported(FIT, "Train", COMPONENTS, F2, {"train": given("e")}, {"model": output("b")}, places)
    state = read_state(store, "penguins", "default")
    head = state.results[FIT]
    assert (head.state, head.operation, head.type, head.fingerprint) == (ExecutionState.COMPLETE, "import", "Train", F2)
    assert (head.imported_from, head.environment, head.produced_ms) == (places, {}, head.ended_ms)
    assert head.outputs == made
    assert head.inputs["train"].digest == "e" * 64
    assert state.attempts == {}
    assert len(heads(store)) == 1

    other = begin("pr-1")
    [source] = find_results(store, F2, of(["default"]))
    other.reuse(FIT, source, COMPONENTS, F2, {})
    assert read_state(store, "penguins", "pr-1").results[FIT].imported_from == places


def test_after_forget_there_is_nothing_but_history(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-1"), {"model": output("a")})
    recorder.fail(start(recorder, "job-2"), "no")
    recorder.forget(FIT)
    recorder.forget(CSV)
    state = read_state(store, "penguins", "default")
    assert (state.results, state.attempts) == ({}, {})
    assert [r.job_id for r in history(store, "penguins", "default", FIT)] == ["job-2", "job-1"]
    assert [r.job_id for r in find_results(store, F1, of(["default"]))] == ["job-1"]


def test_addresses_and_workspaces_keep_apart(store: MetadataStore, begin: Begin) -> None:
    odd = StepAddr("python", "fit", 'it\'s a "key" \\ / \0 ü', (ModuleInstance("eu", 0),))
    recorder, other = begin(), begin("pr")
    twin = begin(workspace="default", project="penguins/x")
    for number, (who, addr) in enumerate([(recorder, FIT), (recorder, odd), (other, FIT), (twin, FIT)]):
        who.complete(start(who, f"job-{number}", addr=addr), {"model": output(str(number))})
    assert {a: r.job_id for a, r in read_state(store, "penguins", "default").results.items()} == {
        FIT: "job-0",
        odd: "job-1",
    }
    assert [r.job_id for r in read_state(store, "penguins", "pr").results.values()] == ["job-2"]
    assert [r.job_id for r in read_state(store, "penguins/x", "default").results.values()] == ["job-3"]
    assert read_state(store, "penguins", "x/default").results == {}


def test_one_artifact_for_one_content(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    split = start(recorder, "split")
    recorder.complete(split, {"train": output("a", "Dataset", rows=3), "eval": output("a", "Dataset", rows=3)})
    both = {"train": given("a"), "eval": given("a")}
    fit = start(recorder, "fit", addr=StepAddr("python", "b"), inputs=both)
    recorder.complete(fit, {"data": output("a", "Dataset", rows=3), "model": output("a", "Model")})
    assert [(a.type, a.name) for a in store.artifacts(Where())] == [("Dataset", "a" * 64), ("Model", "a" * 64)]
    state = read_state(store, "penguins", "default")
    assert set(state.results[FIT].outputs) == {"train", "eval"}
    fitted = state.results[StepAddr("python", "b")]
    assert set(fitted.inputs) == {"train", "eval"}
    assert fitted.inputs["train"].properties == {"rows": 3}
    assert {a.id for a in fitted.inputs.values()} == {fitted.outputs["data"].id}


def test_a_content_written_again_is_live_where_it_was_written(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-1"), {"model": output("a")})
    [old] = store.artifacts(Where())
    store.commit(
        Transition(artifacts=(Artifact("Model", old.uri, ArtifactState.DELETED, old.properties, old.name, old.id),))
    )
    assert find_results(store, F1, of(["default"])) == []
    again = OutputRecord("Model", "a" * 64, "elsewhere/a", 100, {})
    recorder.complete(start(recorder, "job-2"), {"model": again})
    [now] = store.artifacts(Where())
    assert (now.id, now.uri, now.state) == (old.id, "elsewhere/a", ArtifactState.LIVE)
    assert [r.job_id for r in find_results(store, F1, of(["default"]))] == ["job-2", "job-1"]


def test_two_workspaces_that_record_one_content_at_once_share_it(begin: Begin) -> None:
    class Late(MemoryStore):
        """Lets another apply record the artifact between this one's look and its put."""

        def __init__(self) -> None:
            super().__init__()
            self.meanwhile: Callable[[], object] | None = None

        def artifacts(self, where: Where) -> list[Artifact]:
            found = super().artifacts(where)
            act, self.meanwhile = self.meanwhile, None
            if act is not None:
                act()
            return found

    late = Late()
    first, second = begin("one", on=late), begin("two", on=late)
    mine, theirs = start(first, "mine"), start(second, "theirs")
    late.meanwhile = lambda: second.complete(theirs, {"model": output("a")})
    first.complete(mine, {"model": output("a")})
    assert len(late.artifacts(Where())) == 1
    for workspace in ("one", "two"):
        assert read_state(late, "penguins", workspace).results[FIT].outputs["model"].digest == "a" * 64


def test_endpoints_are_published_and_deleted(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    components = Components("endpoint.local/1", params={"port": 8501}, inputs={"model": "a" * 64})
    first = recorder.endpoint(SERVE, components, {"url": "http://x"}, {"model": given("a", "Model")})
    second = recorder.endpoint(SERVE, components, {"url": "http://y"}, {"model": given("a", "Model")}, job_id="p-2")
    state = read_state(store, "penguins", "default")
    assert state.results[SERVE].execution_id == second
    assert state.results[SERVE].attributes == {"url": "http://y"}
    assert state.results[SERVE].job_id == "p-2"
    recorder.endpoint_deleted(SERVE)
    assert read_state(store, "penguins", "default").results == {}
    past = history(store, "penguins", "default", SERVE)
    assert [r.operation for r in past] == ["delete", "publish", "publish"]
    assert past[2].execution_id == first
    recorder.endpoint_deleted(SERVE)
    assert len(history(store, "penguins", "default", SERVE)) == 4


def test_what_a_dead_apply_left_running_can_be_adopted_or_failed(store: MetadataStore, begin: Begin) -> None:
    dead = begin()
    adopted, canceled = start(dead, "job-1"), start(dead, "job-2", addr=CSV)
    force_unlock(store, "penguins", "default", 1)
    recorder = begin()
    attempts = read_state(store, "penguins", "default").attempts
    assert {a.state for a in attempts.values()} == {ExecutionState.RUNNING}
    recorder.complete(attempts[FIT].execution_id, {"model": output("a")})
    recorder.fail(attempts[CSV].execution_id, "its apply was interrupted", canceled=True)
    state = read_state(store, "penguins", "default")
    assert (state.results[FIT].execution_id, state.results[FIT].serial, state.serial) == (adopted, 1, 2)
    assert state.attempts[CSV].execution_id == canceled
    assert state.attempts[CSV].state is ExecutionState.CANCELED


def test_a_running_attempt_is_not_lost_by_starting_another(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.complete(start(recorder, "job-0"), {"model": output("a")})
    [source] = find_results(store, F1, of(["default"]))
    execution_id = start(recorder, "job-1")
    for act in (
        lambda: start(recorder, "job-2"),
        lambda: recorder.reuse(FIT, source, COMPONENTS, F1, {}),
        lambda: recorder.imported(FIT, "Train", COMPONENTS, F1, {}, {}, {}),
        lambda: recorder.endpoint(FIT, COMPONENTS, {}, {}),
        lambda: recorder.forget(FIT),
        lambda: recorder.endpoint_deleted(FIT),
    ):
        with pytest.raises(ValueError, match=rf"recorded as running.*{execution_id}"):
            act()
    assert len(store.executions(Where())) == 2


def test_only_what_runs_can_be_completed(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    execution_id = start(recorder, "job-1")
    recorder.complete(execution_id, {})
    for act in (
        lambda: recorder.complete(execution_id, {}),
        lambda: recorder.fail(execution_id, "x"),
        lambda: recorder.report(execution_id, "handle", {}),
        lambda: recorder.complete(4711, {}),
    ):
        with pytest.raises(ValueError, match="not recorded as running"):
            act()


def test_a_job_id_is_used_once(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    recorder.fail(start(recorder, "job-1"), "x")
    with pytest.raises(StoreError, match="job-1"):
        start(recorder, "job-1")
    assert [a.job_id for a in read_state(store, "penguins", "default").attempts.values()] == ["job-1"]
    recorder.complete(start(recorder, "job-2"), {})


def test_after_a_failed_put_nothing_is_half_known(begin: Begin) -> None:
    store = MemoryStore()
    recorder = begin(on=store)
    execution_id = start(recorder, "job-1")
    store.fail("commit", StoreError("disk full"))
    with pytest.raises(StoreError, match="disk full"):
        recorder.complete(execution_id, {"model": output("a")})
    assert read_state(store, "penguins", "default").results == {}
    assert store.artifacts(Where()) == []
    recorder.complete(execution_id, {"model": output("a")})
    assert heads(store) == ["job-1"]


def test_a_put_whose_answer_was_lost_is_found_to_have_landed(begin: Begin) -> None:
    store = MemoryStore()
    recorder = begin(on=store)
    execution_id = start(recorder, "job-1")
    store.fail("commit", StoreError("connection lost"), after=True)
    with pytest.raises(StoreError, match="connection lost"):
        recorder.complete(execution_id, {"model": output("a")})
    recorder.complete(start(recorder, "job-2"), {"model": output("b")})
    assert heads(store) == ["job-2"]
    recorder.finish("complete")
    assert acquire(store, "penguins", "default", Holder.here()).serial == 2


def test_outputs_stay_until_an_apply_records_others(store: MetadataStore, begin: Begin) -> None:
    begin().finish("complete", {"a": {"value": 1, "sensitive": False}})
    begin().finish("failed", None)
    state = read_state(store, "penguins", "default")
    assert (state.serial, state.outputs) == (2, {"a": {"value": 1, "sensitive": False}})
    begin().finish("complete", {})
    assert read_state(store, "penguins", "default").outputs == {}


def test_eight_threads_record(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(5):
                addr = StepAddr("python", f"s{number}")
                execution_id = start(recorder, f"job-{number}-{i}", addr=addr)
                recorder.report(execution_id, "handle", {"i": i})
                recorder.complete(execution_id, {"model": output("a")})
        except BaseException as problem:  # noqa: BLE001 - shown by the assertion below
            errors.append(problem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    state = read_state(store, "penguins", "default")
    assert sorted(r.job_id for r in state.results.values()) == [f"job-{n}-4" for n in range(8)]
    assert len(store.artifacts(Where())) == 1


def test_a_zombie_records_nothing(store: MetadataStore, begin: Begin) -> None:
    zombie = begin()
    execution_id = start(zombie, "job-1")
    assert force_unlock(store, "penguins", "default", 1).command == "zenctl apply"
    before = (store.executions(Where()), store.artifacts(Where()))
    acts: list[Callable[[], object]] = [
        lambda: zombie.complete(execution_id, {"model": output("a")}),
        lambda: zombie.fail(execution_id, "x"),
        lambda: zombie.report(execution_id, "handle", {"pid": 1}),
        lambda: start(zombie, "job-2", addr=CSV),
        lambda: zombie.finish("complete", {"a": {"value": 1}}),
    ]
    for act in acts:
        with pytest.raises(LockLost, match="apply 1 lost its lock"):
            act()
    assert (store.executions(Where()), store.artifacts(Where())) == before
    state = read_state(store, "penguins", "default")
    assert state.outputs == {}
    assert state.attempts[FIT].state is ExecutionState.RUNNING


def test_a_zombie_of_several_applies_ago_records_nothing(store: MetadataStore, begin: Begin) -> None:
    zombie = begin()
    execution_id = start(zombie, "job-1")
    force_unlock(store, "penguins", "default", 1)
    recorder = begin()
    recorder.fail(execution_id, "interrupted", canceled=True)
    recorder.complete(start(recorder, "job-2"), {"model": output("b")})
    with pytest.raises(LockLost):
        zombie.complete(execution_id, {"model": output("a")})
    recorder.finish("complete")
    state = read_state(store, "penguins", "default")
    assert state.results[FIT].job_id == "job-2"
    assert [r.state for r in history(store, "penguins", "default", FIT)] == [
        ExecutionState.COMPLETE,
        ExecutionState.CANCELED,
    ]


def test_nothing_of_the_environment_is_recorded(
    store: MetadataStore, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-value")
    recorder = begin()
    recorder.complete(start(recorder, "job-1", inputs={"train": given("e")}), {"model": output("a")})
    recorder.finish("complete", {})
    everything = repr(
        [
            store.executions(Where()),
            store.artifacts(Where()),
            store.contexts("Apply", {}),
            store.contexts("Workspace", {}),
        ]
    )
    assert "job-1" in everything
    assert "s3cr3t" not in everything
