"""Lineage: up to the data, down to what was made of it, through reuse, equal contents and deep pipelines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.metadata.test_metadata_state import Counting
from zenctl.addrs import Address, DatasourceAddr, EndpointAddr, StepAddr
from zenctl.metadata.lineage import LineageNode, UseNode, ancestry, lineage, lineages, uses
from zenctl.metadata.recording import OutputRecord, Recorder
from zenctl.metadata.records import Recorded, RecordedArtifact
from zenctl.metadata.state import history, read_heads, read_recorded, read_state
from zenctl.metadata.store import MetadataStore, StoreError
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]

CSV = DatasourceAddr("csv", "penguins")
SPLIT, FIT, EVALUATE = StepAddr("split", "p"), StepAddr("train", "p"), StepAddr("evaluate", "p")
SERVE = EndpointAddr("local", "p")


def digest(text: str) -> str:
    return text.encode().hex().ljust(64, "0")


def out(content: str, type: str = "Dataset") -> OutputRecord:
    return OutputRecord(type, digest(content), f"trees/{content}")


def given(content: str, type: str = "Dataset", address: Address | None = None) -> RecordedArtifact:
    return RecordedArtifact(0, type, f"trees/{content}", digest(content), address=address)


jobs = iter(range(10**9))


def run(
    recorder: Recorder, addr: Address, inputs: dict[str, RecordedArtifact], outputs: dict[str, OutputRecord]
) -> int:
    components = Components(f"{addr.type}/1")
    execution_id = recorder.start(addr, f"job-{next(jobs)}", "Process", components, digest(str(addr)), inputs)
    recorder.complete(execution_id, outputs)
    return execution_id


def pipeline(recorder: Recorder) -> dict[str, int]:
    ids = {"csv": run(recorder, CSV, {}, {"data": out("rows")})}
    ids["split"] = run(recorder, SPLIT, {"data": given("rows")}, {"train": out("t"), "eval": out("e")})
    ids["fit"] = run(recorder, FIT, {"train": given("t"), "eval": given("e")}, {"model": out("m", "Model")})
    ids["evaluate"] = run(
        recorder,
        EVALUATE,
        {"model": given("m", "Model"), "data": given("e")},
        {"metrics": out("acc", "Metrics"), "model": out("m", "Model")},
    )
    return ids


def one(store: MetadataStore, execution_id: int) -> Recorded:
    [found] = read_recorded(store, store.executions_by_id([execution_id]))
    return found


def up(node: LineageNode) -> dict[str, object]:
    return {name: (str(child.recorded.addr), up(child)) for name, child in node.inputs.items()}


def down(node: UseNode) -> dict[str, object]:
    return {str(child.recorded.addr): down(child) for child in node.uses}


def test_a_model_is_traced_to_its_data(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    ids = pipeline(recorder)
    serve = recorder.endpoint(SERVE, Components("endpoint.local/1"), {}, {"model": given("m", "Model")})
    root = lineage(store, serve)
    data = {"data": ("datasource.csv.penguins", {})}
    split = ("step.split.p", data)
    fit = ("step.train.p", {"eval": split, "train": split})
    assert up(root) == {"model": ("step.evaluate.p", {"data": split, "model": fit})}
    fitted = root.inputs["model"].inputs["model"]
    assert fitted.recorded.execution_id == ids["fit"]
    assert fitted.inputs["train"] is fitted.inputs["eval"]
    assert fitted.inputs["train"].inputs["data"].recorded.outputs["data"].uri == "trees/rows"


def test_an_input_leads_to_the_address_it_was_taken_from(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    pipeline(recorder)
    inputs = {"model": given("m", "Model", address=FIT)}
    serve = recorder.endpoint(SERVE, Components("endpoint.local/1"), {}, inputs)
    assert lineage(store, serve).inputs["model"].recorded.addr == FIT
    assert read_state(store, "penguins", "default").results[SERVE].producers == {
        "model": read_state(store, "penguins", "default").results[FIT].execution_id
    }


def test_later_runs_do_not_change_what_something_was_made_from(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    first = pipeline(recorder)
    again = pipeline(recorder)
    assert lineage(store, first["fit"]).inputs["train"].recorded.execution_id == first["split"]
    assert lineage(store, again["fit"]).inputs["train"].recorded.execution_id == again["split"]


def test_lineage_goes_through_reuse_and_stays_in_the_workspace(store: MetadataStore, begin: Begin) -> None:
    other = begin("pr-1")
    theirs = pipeline(other)
    there = read_state(store, "penguins", "pr-1").results
    recorder = begin()
    mine = recorder.reuse(CSV, there[CSV], Components("csv/1"), digest("f"), {})
    run(other, CSV, {}, {"data": out("rows")})
    fit = recorder.reuse(FIT, there[FIT], Components("t/1"), digest("g"), {"train": given("t"), "eval": given("e")})
    split = run(recorder, SPLIT, {"data": given("rows")}, {"train": out("t"), "eval": out("e")})
    assert lineage(store, split).inputs["data"].recorded.execution_id == mine
    reused = lineage(store, fit)
    assert reused.recorded.source == theirs["fit"]
    assert reused.inputs["train"].recorded.execution_id == theirs["split"]


def test_the_ancestry_of_several_has_each_once_and_that_of_what_they_stand_for(
    store: MetadataStore, begin: Begin
) -> None:
    ids = pipeline(begin())
    found = {recorded.execution_id for recorded in ancestry(store, [ids["evaluate"], ids["fit"]])}
    assert found == set(ids.values())
    assert [recorded.execution_id for recorded in ancestry(store, [ids["csv"]])] == [ids["csv"]]
    assert ancestry(store, []) == []

    other = begin(workspace="pr")
    [source] = [r for r in ancestry(store, [ids["fit"]]) if r.execution_id == ids["fit"]]
    reused = other.reuse(FIT, source, Components("train/1"), digest("f"), {})
    assert {recorded.execution_id for recorded in ancestry(store, [reused])} == {reused, *ids.values()} - {
        ids["evaluate"]
    }


def test_an_input_that_nothing_produced_has_no_node(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    execution_id = run(recorder, FIT, {"train": given("imported")}, {"model": out("m", "Model")})
    root = lineage(store, execution_id)
    assert root.inputs == {}
    assert root.recorded.inputs["train"].uri == "trees/imported"


def test_a_step_that_passes_its_data_through_is_no_cycle(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    run(recorder, CSV, {}, {"data": out("rows")})
    first = run(recorder, StepAddr("validate", "a"), {"data": given("rows")}, {"data": out("rows")})
    second = run(recorder, StepAddr("validate", "b"), {"data": given("rows")}, {"data": out("rows")})
    assert up(lineage(store, second)) == {
        "data": ("step.validate.a", {"data": ("datasource.csv.penguins", {})}),
    }
    assert down(uses(one(store, first), read_heads(store, "penguins", "default"))) == {"step.validate.b": {}}


def test_what_was_made_of_the_data(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    ids = pipeline(recorder)
    heads = read_heads(store, "penguins", "default")
    assert down(uses(one(store, ids["csv"]), heads)) == {"step.split.p": {"step.train.p": {}, "step.evaluate.p": {}}}
    assert down(uses(one(store, ids["evaluate"]), heads)) == {}
    assert [a.artifact and a.artifact.uri for a in uses(one(store, ids["fit"]), heads).uses] == ["trees/m"]


def test_who_takes_what_a_step_passes_on_stands_below_that_step(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    ids = pipeline(recorder)
    passed = {"model": given("m", "Model", address=EVALUATE)}
    recorder.endpoint(SERVE, Components("endpoint.local/1"), {}, passed)
    other = EndpointAddr("local", "other")
    recorder.endpoint(other, Components("endpoint.local/1"), {}, {"model": given("m", "Model", address=FIT)})
    tree = uses(one(store, ids["fit"]), read_heads(store, "penguins", "default"))
    assert down(tree) == {"step.evaluate.p": {"endpoint.local.p": {}}, "endpoint.local.other": {}}


def test_only_what_is_current_uses_it_and_other_workspaces_do_too(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    first = pipeline(recorder)
    run(recorder, SPLIT, {"data": given("rows")}, {"train": out("t2"), "eval": out("e2")})
    preview = begin("pr-1")
    run(preview, StepAddr("statistics", "p"), {"data": given("t")}, {"statistics": out("s", "Statistics")})
    heads = [r for name in ("default", "pr-1") for r in read_heads(store, "penguins", name)]
    assert down(uses(one(store, first["csv"]), heads)) == {"step.split.p": {}}
    assert set(down(uses(one(store, first["split"]), heads))) == {
        "step.train.p",
        "step.evaluate.p",
        "step.statistics.p",
    }


def test_several_lineages_are_read_at_once_and_share_what_they_share(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    first = pipeline(recorder)
    second = run(recorder, FIT, {"train": given("t"), "eval": given("e")}, {"model": out("m2", "Model")})
    counting = Counting(store)
    found = lineages(counting, [first["fit"], second, second])
    assert found.keys() == {first["fit"], second}
    assert found[second].inputs["train"] is found[first["fit"]].inputs["train"]
    assert counting.calls.total() <= 8 * 4
    with pytest.raises(StoreError, match="no execution 4711"):
        lineages(store, [second, 4711])


def test_no_such_execution(store: MetadataStore) -> None:
    with pytest.raises(StoreError, match="no execution 4711"):
        lineage(store, 4711)


def test_queries_grow_with_depth_only(begin: Begin, store: MetadataStore) -> None:
    recorder = begin()
    run(recorder, CSV, {}, {"data": out("0")})
    depth, width = 6, 12
    for level in range(1, depth):
        names = [f"{level}-{i}" for i in range(width)] if level % 2 else [f"{level}"]
        sources = [f"{level - 1}-{i}" for i in range(width)] if level % 2 == 0 else [f"{level - 1}"]
        for name in names:
            run(recorder, StepAddr("python", f"s{name}"), {f"i{s}": given(s) for s in sources}, {"data": out(name)})
    last = run(recorder, FIT, {f"i{i}": given(f"{depth - 1}-{i}") for i in range(width)}, {})
    counting = Counting(store)
    root = lineage(counting, last)
    assert len(root.inputs) == width
    assert counting.calls.total() <= 8 * (depth + 1)

    seen = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            stack += node.inputs.values()
    assert len(seen) == 1 + 3 * width + 3
    counting = Counting(store)
    heads = read_heads(counting, "penguins", "default")
    assert counting.calls.total() == 3
    below = uses(history(store, "penguins", "default", CSV)[0], heads)
    assert len(below.uses) == width


def test_a_pipeline_of_a_thousand_steps_is_no_recursion_error(begin: Begin) -> None:
    from zenctl.metadata.memory import MemoryStore
    from zenctl.metadata.store import Artifact, Event, EventType, Execution, ExecutionState, Transition

    store = MemoryStore()
    count = 1200
    executions = tuple(
        Execution("Process", f"j{i}", ExecutionState.COMPLETE, {"address": f"step.python.s{i}"}) for i in range(count)
    )
    artifacts = tuple(Artifact("Dataset", f"t{i}", properties={"digest": f"{i}"}, name=f"{i}") for i in range(count))
    events = tuple(Event(i, i, EventType.OUTPUT, "data") for i in range(count))
    events += tuple(Event(i, i - 1, EventType.INPUT, "data") for i in range(1, count))
    ids = store.commit(Transition(executions=executions, artifacts=artifacts, events=events)).execution_ids
    node, length = lineage(store, ids[-1]), 1
    while node.inputs:
        node, length = node.inputs["data"], length + 1
    assert length == count
