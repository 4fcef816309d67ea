"""Retries: jitter within growing bounds, a budget of time, and nothing that cannot pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.stores.timing import Clock
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.retrying import Retrying


def failing(times: int, kind: str = "TRANSIENT", after: float = 0.0):
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise StorageError(kind, "away", "wait", retry_after=after)
        return "done"

    return call


@given(st.floats(0, 1), st.integers(1, 12))
def test_pauses_grow_and_are_drawn_from_zero_to_their_bound(share: float, times: int) -> None:
    clock = Clock()
    retry = Retrying(1e9, clock=clock, sleep=clock.sleep, draw=lambda low, high: low + share * (high - low))
    assert retry(failing(times)) == "done"
    bounds = [min(16.0, 0.5 * 2**n) for n in range(1, times + 1)]
    assert clock.pauses == pytest.approx([share * bound for bound in bounds])


@given(st.floats(0, 300), st.floats(0.001, 100))
def test_the_budget_is_never_exceeded(patience: float, after: float) -> None:
    clock = Clock()
    retry = Retrying(patience, clock=clock, sleep=clock.sleep)
    with pytest.raises(StorageError, match="away") as caught:
        retry(failing(10**9, after=after))
    assert clock.now <= patience
    assert caught.value.hint == "wait"


@pytest.mark.parametrize("kind", ["NOT_FOUND", "UNAUTHORIZED", "INVALID", "NO_SPACE"])
def test_what_cannot_pass_is_not_repeated(kind: str) -> None:
    clock = Clock()
    with pytest.raises(StorageError):
        Retrying(clock=clock, sleep=clock.sleep)(failing(1, kind))
    assert clock.pauses == []


def test_a_call_may_fail_any_number_of_times() -> None:
    clock = Clock()
    assert Retrying(1e9, clock=clock, sleep=clock.sleep)(failing(1100)) == "done"
