"""The bigquery datasource on a strict fake: tables, partitions, ranges and queries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.steps.bigquery.tables import BY_DAY, Place
from zenctl.steps.data.testing import SourceCase, SourceConformance

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "table": ({}, {}),
    "partitioned": (BY_DAY, {}),
    "ranges": ({}, {"partition": "id", "partition_size": 400}),
    "query": ({}, {"query": "select * from `penguins-prod.{dataset}.orders`"}),
}


@pytest.mark.parametrize("kind", KINDS)
class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, place: Place, kind: str) -> SourceCase:
        about, attributes = KINDS[kind]
        place.put(**about)
        if "query" in attributes:
            attributes = {"query": attributes["query"].format(dataset=place.dataset)}
        return place.case(**attributes)
