"""A fake BigQuery for all tests of the source, and tables in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.fakes.bigquery import FakeBigQuery, Running, serving
from tests.unit.steps.bigquery.tables import Place

_NUMBERS = count(1)


@pytest.fixture(scope="package")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running
        assert running.fake.problems == []


@pytest.fixture
def place(served: Running) -> Iterator[Place]:
    """A dataset of its own, in which nothing goes wrong unless the test says so."""
    fake: FakeBigQuery = served.fake
    yield Place(served, f"shop{next(_NUMBERS)}")
    fake.faults.clear()
    fake.denied.clear()
    fake.tokens.clear()
    fake.once.clear()
    fake.slow = 0
    assert fake.problems == []
