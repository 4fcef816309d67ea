"""The walk keeps the order, uses its workers, and leaves out exactly what is below a failure."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.engine.walk import walk


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], dict[int, list[int]], set[int]]:
    size = draw(st.integers(0, 12))
    needs = {node: sorted(draw(st.sets(st.integers(0, node - 1), max_size=3))) if node else [] for node in range(size)}
    failing = draw(st.sets(st.integers(0, size - 1), max_size=3)) if size else set()
    return list(range(size)), needs, failing


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 4))
def test_dependencies_first_and_nothing_below_a_failure(
    graph: tuple[list[int], dict[int, list[int]], set[int]], parallelism: int
) -> None:
    order, needs, failing = graph
    visited: list[int] = []
    told: dict[int, int | None] = {}
    lock = threading.Lock()

    def visit(node: int) -> bool:
        with lock:
            assert all(d in visited for d in needs[node])
            visited.append(node)
        return node not in failing

    walked = walk(
        order, needs, visit, parallelism=parallelism, drain=threading.Event(), skip=lambda n, b: told.update({n: b})
    )
    below: set[int] = set()
    for node in order:
        if any(d in failing or d in below for d in needs[node]):
            below.add(node)
    assert set(walked.skipped) == below == set(told)
    assert set(walked.failed) == {n for n in failing if n not in below}
    assert sorted(walked.done + walked.failed) == sorted(set(order) - below)


def test_a_chain_of_ten_thousand_does_not_recurse() -> None:
    order = list(range(10_000))
    needs = {n: [n - 1] if n else [] for n in order}
    drain = threading.Event()
    walked = walk(order, needs, lambda n: n != 0, parallelism=1, drain=drain, skip=lambda n, b: None)
    assert walked.failed == [0]
    assert len(walked.skipped) == 9_999


def test_independent_nodes_run_at_once() -> None:
    together = threading.Barrier(3, timeout=240)

    def visit(node: int) -> bool:
        together.wait()
        return True

    walked = walk([1, 2, 3], {}, visit, parallelism=3, drain=threading.Event(), skip=lambda n, b: None)
    assert sorted(walked.done) == [1, 2, 3]


def test_after_drain_nothing_new_begins_but_what_runs_ends() -> None:
    drain = threading.Event()
    skipped: dict[int, int | None] = {}

    def visit(node: int) -> bool:
        drain.set()
        return True

    walked = walk([1, 2, 3], {2: [1]}, visit, parallelism=1, drain=drain, skip=lambda n, b: skipped.update({n: b}))
    assert walked.done == [1]
    assert skipped == {2: None, 3: None}


def test_a_bug_in_a_visit_is_raised() -> None:
    def visit(node: int) -> bool:
        raise KeyError(node)

    with pytest.raises(KeyError):
        walk([1], {}, visit, parallelism=1, drain=threading.Event(), skip=lambda n, b: None)
