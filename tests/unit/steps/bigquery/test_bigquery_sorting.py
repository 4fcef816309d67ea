"""Rows are sorted alike however they come, in memory or through files; and parts are cut alike."""

from __future__ import annotations

import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenctl.steps.bigquery import sorting
from zenctl.steps.bigquery.cutting import Partition, of_partitions, partitions_of
from zenctl.steps.bigquery.facts import Partitioning, beyond_tables
from zenctl.steps.bigquery.looking import moment_of
from zenctl.steps.bigquery.sorting import Sorter
from zenctl.steps.bigquery.values import digest_of

FLOATS = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("-inf")]))
ROWS = st.lists(
    st.tuples(
        FLOATS,
        st.one_of(st.none(), st.integers(-2, 2)),
        st.one_of(st.none(), st.sampled_from(["", "a", "b"])),
        st.one_of(st.none(), st.binary(max_size=2)),
    ),
    max_size=60,
)
SCHEMA = pa.schema([("f", pa.float64()), ("k", pa.int64()), ("s", pa.string()), ("b", pa.binary())])


def table_of(rows: list[Any]) -> Any:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def through(table: Any, folder: Path, run_bytes: int, batch_rows: int) -> list[Any]:
    sorter = Sorter(folder, run_bytes)
    for batch in table.to_batches(batch_rows):
        sorter.add(batch)
    return list(sorter.batches())


def bits(batches: list[Any]) -> list[tuple[Any, ...]]:
    """All values, with floats by their bits."""
    return [
        tuple(np.float64(v).tobytes() if isinstance(v, float) else v for v in row.values())
        for batch in batches
        for row in batch.to_pylist()
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, order=st.randoms(), size=st.sampled_from([1, 300, 1 << 20]))
def test_the_order_does_not_depend_on_how_rows_come(
    rows: list[Any], order: Any, size: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "BLOCK", 4)
    shuffled = list(rows)
    order.shuffle(shuffled)
    plain = through(table_of(rows), tmp_path_factory.mktemp("one"), 1 << 20, 7)
    other = through(table_of(shuffled), tmp_path_factory.mktemp("two"), size, 5)
    assert bits(plain) == bits(other)
    assert sorted(map(repr, bits(plain))) == sorted(map(repr, bits(table_of(rows).to_batches())))
    assert digest_of(plain) == digest_of(other)


def test_many_runs_are_merged_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "BLOCK", 256)
    values = np.random.default_rng(5).permutation(40_000)
    most = 0
    original = sorting._sorted

    def counted(table: Any) -> Any:
        nonlocal most
        most = max(most, table.num_rows)
        return original(table)

    monkeypatch.setattr(sorting, "_sorted", counted)
    found = through(pa.table({"n": values, "t": pa.array(map(str, values))}), tmp_path, 40_000, 500)
    assert len(list(tmp_path.iterdir())) > 10
    assert [n for batch in found for n in batch.column(0).to_pylist()] == list(range(40_000))
    assert most < 40_000 / 3


@given(rows=ROWS, other=ROWS)
def test_other_rows_have_another_digest(rows: list[Any], other: list[Any]) -> None:
    one, two = table_of(rows).to_batches(), table_of(other).to_batches()
    assert (digest_of(one) == digest_of(two)) == (bits(one) == bits(two))


@pytest.mark.parametrize("unit", ["HOUR", "DAY", "MONTH", "YEAR"])
def test_partitions_by_time_leave_no_gap(unit: str) -> None:
    forms = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
    begin = datetime.datetime(2023, 11, 30, 20)
    moments = [
        begin + datetime.timedelta(hours=at * {"HOUR": 1, "DAY": 24, "MONTH": 700, "YEAR": 8700}[unit])
        for at in range(9)
    ]
    ids = sorted({moment.strftime(forms[unit]) for moment in moments})
    told = [Partition(id, 5, 64 << 20, "1") for id in [*ids[::-1], "__NULL__"]]
    parts = of_partitions(["t"], Partitioning("at", unit), "TIMESTAMP", told)
    assert len(parts) == len(ids) + 1
    ends = [part.condition.split(" AND `at` < ")[1] for part in parts[:-1]]
    begins = [part.condition.split(" AND ")[0].removeprefix("`at` >= ") for part in parts[:-1]]
    assert all(low < high for low, high in zip(begins, ends, strict=True))
    assert all(end <= after for end, after in pairwise(ends))
    # Partitions without rows are in no part.
    assert all(end <= begin for end, begin in zip(ends[:-1], begins[1:], strict=True))
    assert parts[-1].condition == "`at` IS NULL"


def test_a_change_shows_in_the_digest_of_its_part_only() -> None:
    told = [Partition(str(at * 10), 5, 40 << 20, "1") for at in range(20)]
    how = Partitioning("n", "RANGE", 0, 10, 200)
    before = of_partitions(["t"], how, "INTEGER", told)
    told[7] = Partition("70", 6, 40 << 20, "2")
    after = of_partitions(["t"], how, "INTEGER", told)
    assert len({p.digest for p in after} - {p.digest for p in before}) <= 2
    assert sum(p.rows or 0 for p in after) == 101


def test_rows_of_which_it_is_not_known_where_they_lie() -> None:
    told = [Partition("20240101", 5, 9, "1"), Partition("__UNPARTITIONED__", 2, 9, "1")]
    assert of_partitions(["t"], Partitioning("day", "DAY"), "DATE", told) == []
    assert of_partitions(["t"], Partitioning("day", "DAY"), "DATE", [Partition("__NEW__", 2, 9, "1")]) == []


def test_a_partition_that_is_told_twice() -> None:
    rows = [("__UNPARTITIONED__", "2", "9", "1"), ("7", "1", "1", "1"), ("__UNPARTITIONED__", "3", "1", "5")]
    found = partitions_of(rows)
    assert {(p.id, p.rows, p.bytes) for p in found} == {("7", 1, 1), ("__UNPARTITIONED__", 5, 10)}
    assert set(found) == set(partitions_of(rows[::-1]))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("select current_date", "current_date"),
        ("select CURRENT_TIMESTAMP() from t", "CURRENT_TIMESTAMP"),
        ("select 'current_date', \"rand()\", `current_date`, t.rand from t -- rand()\n /* rand() */ # rand()", ""),
        ("select rand ()", "rand"),
        ("select * from `a.b_*`", "`a.b_*`"),
        ("select ml.x from ml", ""),
        ("select * from ML.PREDICT(model m, table t)", "ML.PREDICT"),
        ("select * from d.INFORMATION_SCHEMA.TABLES", "INFORMATION_SCHEMA"),
        ("select * from t tablesample system (1 percent)", "tablesample"),
        ("select @@session_id", "@@session_id"),
    ],
)
def test_what_does_not_follow_from_tables(query: str, found: str) -> None:
    assert beyond_tables(query) == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29T01:30:00Z", "2024-02-29T01:30:00+00:00"),
        ("2024-02-29T01:30:00.5+02:00", "2024-02-28T23:30:00.500000+00:00"),
        ("2024-02-29T01:30:00.123456-01:30", "2024-02-29T03:00:00.123456+00:00"),
    ],
)
def test_moments_are_read_as_rfc_3339_has_them(text: str, moment: str) -> None:
    assert moment_of(text).isoformat() == moment
