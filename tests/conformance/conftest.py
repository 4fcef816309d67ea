"""Database servers that the conformance tests share: one of each kind for a test process, with a database per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import DatabaseServer, running


@pytest.fixture(scope="session")
def mysql() -> Iterator[DatabaseServer]:
    with running("mysql") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[DatabaseServer]:
    with running("postgresql") as server:
        yield server
