"""Block models are built with their first use, from whatever thread that is."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from zenctl.schema import BlockModel, attribute

THREADS, ROUNDS = 8, 40


def test_threads_may_use_a_model_for_the_first_time_at_once() -> None:
    before = dict(os.environ)
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(ROUNDS):
            kinds = [_kind(f"Block{number}of{place}") for place in range(THREADS)]
            barrier = Barrier(THREADS)

            def first_use(place: int, kinds: list[type[BlockModel]] = kinds, barrier: Barrier = barrier) -> BlockModel:
                barrier.wait()
                # Two threads meet at each model, and all of them in the building.
                return kinds[place // 2]()

            assert [made.model_dump() for made in pool.map(first_use, range(THREADS))] == [{"size": 3}] * THREADS
    assert dict(os.environ) == before


def _kind(name: str) -> type[BlockModel]:
    """A model that nobody has used yet."""
    return type(name, (BlockModel,), {"__annotations__": {"size": int}, "size": attribute("How many.", default=3)})
