"""Who made a content: found by its digits, this workspace's current results first, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.metadata.test_metadata_lineage import CSV, EVALUATE, FIT, SPLIT, digest, given, out, pipeline, run
from tests.unit.metadata.test_metadata_state import Counting
from zenctl.metadata.contents import MOST, find_artifacts, find_producer
from zenctl.metadata.recording import Recorder
from zenctl.metadata.state import read_state
from zenctl.metadata.store import MetadataStore
from zenctl.plans.actions import Components

Begin = Callable[..., Recorder]


def test_a_digest_and_its_first_digits(store: MetadataStore, begin: Begin) -> None:
    pipeline(begin())
    whole = digest("rows")
    assert [a.digest for a in find_artifacts(store, whole)] == [whole]
    assert [a.digest for a in find_artifacts(store, whole[:8])] == [whole]
    assert find_artifacts(store, "abcdef") == []
    assert find_artifacts(store, "0" * 64) == []


def test_who_made_a_model_comes_before_who_passes_it_on(store: MetadataStore, begin: Begin) -> None:
    ids = pipeline(begin())
    found, others = find_producer(store, find_artifacts(store, digest("m")), "penguins", "default")
    assert found is not None
    assert (found.execution_id, found.addr, others) == (ids["fit"], FIT, 1)


def test_the_own_workspaces_current_result_comes_first(store: MetadataStore, begin: Begin) -> None:
    theirs = begin("pr-1")
    first = pipeline(theirs)
    there = read_state(store, "penguins", "pr-1").results
    mine = begin().reuse(CSV, there[CSV], Components("csv/1"), digest("f"), {})
    rows = find_artifacts(store, digest("rows"))

    def producer(workspace: str) -> int | None:
        found, _ = find_producer(store, rows, "penguins", workspace)
        return found.execution_id if found else None

    assert producer("default") == mine
    assert producer("pr-1") == first["csv"]
    assert producer("another") == first["csv"]
    theirs.forget(CSV)
    assert producer("pr-1") == first["csv"]


def test_what_nothing_made_has_no_producer(store: MetadataStore, begin: Begin) -> None:
    run(begin(), FIT, {"train": given("imported")}, {"model": out("m", "Model")})
    assert find_producer(store, find_artifacts(store, digest("imported")), "penguins", "default") == (None, 0)
    assert find_producer(store, [], "penguins", "default") == (None, 0)


def test_a_content_that_is_made_again_and_again_costs_what_it_costs_once(store: MetadataStore, begin: Begin) -> None:
    recorder = begin()
    made = [run(recorder, SPLIT, {}, {"data": out("rows")}) for _ in range(MOST // 10)]
    run(recorder, EVALUATE, {"data": given("rows")}, {})
    counting = Counting(store)
    found, others = find_producer(counting, find_artifacts(counting, digest("rows")), "penguins", "default")
    assert found is not None
    assert (found.execution_id, others) == (made[-1], len(made) - 1)
    assert counting.calls.total() <= 5
