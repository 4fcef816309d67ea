"""Tables of the tests in the fake BigQuery, and datasources that read them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.fakes.bigquery import FakeBigQuery, Running
from zenctl.steps.bigquery.schema import BIGQUERY, BigQuery
from zenctl.steps.data.testing import SourceCase

PROJECT = "penguins-prod"
DAY = datetime.date(2024, 1, 30)


def orders(rows: int = 1000, **changed: Any) -> Any:
    """A table of so many rows, of which one may be changed: {column: value} in row 100."""
    columns: dict[str, list[Any]] = {
        "id": list(range(rows)),
        "word": [f"w{at % 7}" for at in range(rows)],
        "x": [at / 8 for at in range(rows)],
        "day": [None if at % 50 == 49 else DAY + datetime.timedelta(days=at // 100) for at in range(rows)],
    }
    for name, value in changed.items():
        columns[name][100] = value
    types = {"id": pa.int64(), "word": pa.string(), "x": pa.float64(), "day": pa.date32()}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


BY_DAY = {"time_partitioning": {"type": "DAY", "field": "day"}}
BY_ID = {"range_partitioning": {"field": "id", "range": {"start": "0", "interval": "300", "end": "700"}}}


@dataclass
class Place:
    """A dataset in the fake."""

    served: Running
    dataset: str

    @property
    def fake(self) -> FakeBigQuery:
        return self.served.fake

    def name(self, table: str = "orders") -> str:
        return f"{PROJECT}.{self.dataset}.{table}"

    def put(self, content: Any = None, table: str = "orders", **about: Any) -> None:
        self.fake.put(self.name(table), orders() if content is None else content, **about)

    def drop(self, table: str = "orders") -> None:
        del self.fake.tables[self.name(table)]

    def model(self, **attributes: Any) -> BigQuery:
        given = {
            "project": PROJECT,
            "endpoint": self.served.endpoint,
            "read_endpoint": self.served.read_endpoint,
            "retry_seconds": 5,
            **({} if "query" in attributes else {"table": f"{self.dataset}.orders"}),
            **attributes,
        }
        return BigQuery.model_validate(given)

    def case(self, change: Callable[[], object] | None = None, **attributes: Any) -> SourceCase:
        change = change or (lambda: self.put(orders(word="q0")))
        return SourceCase(BIGQUERY, self.model(**attributes), Path("."), change, self.drop)
