"""What becomes of BigQuery's types, and of the rows' order."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.fakes.bigquery_tables import BIGNUMERIC, NUMERIC
from tests.fakes.faults import Fault
from tests.unit.steps.bigquery.tables import BY_DAY, BY_ID, Place, orders
from zenctl.steps.data.testing import objections, observed, refusal, snapshot

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 125000)
INTERVALS = pa.array([pa.MonthDayNano([-14, 3, 14_706_789_000_000]), None], pa.month_day_nano_interval())
WIDE = "12345678901234567890123456789.123456789"
TYPES: dict[str, tuple[Any, Any]] = {
    "whole": (pa.array([-(2**63), None]), -(2**63)),
    "real": (pa.array([0.5, None]), 0.5),
    "number": (pa.array([Decimal(WIDE), None], NUMERIC), WIDE),
    "small": (pa.array([Decimal("0.000000001"), None], NUMERIC), "0.000000001"),
    "round": (pa.array([Decimal(100), None], NUMERIC), "100"),
    "big": (pa.array([Decimal("-1.5"), None], BIGNUMERIC), "-1.5"),
    "yes": (pa.array([True, None]), 1),
    "text": (pa.array(["7", None]), "7"),
    "raw": (pa.array([b"\xff\x00", None]), b"\xff\x00"),
    "day": (pa.array([MOMENT.date(), None]), "2024-02-29"),
    "clock": (pa.array([MOMENT.time(), None], pa.time64("us")), "12:30:15.125000"),
    "local": (pa.array([MOMENT, None], pa.timestamp("us")), "2024-02-29T12:30:15.125000"),
    "at": (pa.array([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("us", "UTC")), "2024-02-29T12:30:15.125000Z"),
    "span": (INTERVALS, "-1-2 3 4:5:6.789"),
    "spot": (pa.array(["POINT(1 2)", None]), "POINT(1 2)"),
    "json": (pa.array(['{"a": 1}', None]), '{"a": 1}'),
}


def test_every_type(place: Place, tmp_path: Path) -> None:
    place.put(
        pa.table({name: array for name, (array, _) in TYPES.items()}), types={"spot": "GEOGRAPHY", "json": "JSON"}
    )
    found = list(snapshot(place.case(), tmp_path / "out"))
    assert {name: type(value) for name, value in found[0].items()} == {n: type(v) for n, (_, v) in TYPES.items()}
    assert found == [{name: value for name, (_, value) in TYPES.items()}, dict.fromkeys(TYPES)]


def test_types_that_are_declared(place: Place, tmp_path: Path) -> None:
    place.put(pa.table({"n": pa.array([Decimal("1.5")], NUMERIC), "t": ["12"], "k": [7], "d": [MOMENT.date()]}))
    types = {"n": "float", "t": "int", "k": "string", "d": "int"}
    data = snapshot(place.case(types=types), tmp_path / "out")
    assert list(data) == [{"n": 1.5, "t": 12, "k": "7", "d": 19782}]
    assert data.schema.types == types
    place.put(pa.table({"n": pa.array([Decimal("1.5")], NUMERIC), "t": ["x"]}), table="bad")
    name = f"{place.dataset}.bad"
    problem = refusal(place.case(table=name, types={"n": "int"}), tmp_path / "bad")
    assert problem.message == f'{name}: column "n" holds 1.500000000, which is no whole number of 64 bits'
    problem = refusal(place.case(table=name, types={"t": "int"}), tmp_path / "worse")
    assert problem.message == f"""{name}: row 1: column "t" is declared as int, but holds 'x'"""


@pytest.mark.parametrize(
    ("array", "type", "said"),
    [
        (pa.array([["a"]]), "", 'column "odd" is of type ARRAY of STRING'),
        (pa.array([{"a": 1}]), "", 'column "odd" is of type STRUCT'),
        (pa.array([{"a": 1}]), "RANGE", 'column "odd" is of type RANGE'),
    ],
)
def test_columns_that_no_data_set_holds(place: Place, tmp_path: Path, array: Any, type: str, said: str) -> None:
    place.put(pa.table({"id": [1], "odd": array}), types={"odd": type})
    assert objections(place.case()) == f"source_column: {said}"
    assert list(snapshot(place.case(columns=["id"]), tmp_path / "out")) == [{"id": 1}]


@pytest.mark.parametrize("about", [{}, BY_DAY, BY_ID], ids=["whole", "by day", "by id"])
def test_rows_come_in_an_order_of_their_own(place: Place, tmp_path: Path, about: dict[str, Any]) -> None:
    table = orders(900)
    place.put(table, **about)
    first = list(snapshot(place.case(), tmp_path / "one"))
    # The fake shuffles anew for every session.
    assert first == list(snapshot(place.case(), tmp_path / "two"))
    assert sorted(row["id"] for row in first) == list(range(900))
    if about == BY_DAY:
        days = [row["day"] for row in first]
        assert days == sorted(days, key=lambda day: (day is None, day))
    elif about == BY_ID:
        # What is outside of the ranges is a part of its own.
        assert [row["id"] for row in first] == list(range(900))
    else:
        assert [row["id"] for row in first] == list(range(900))


@pytest.mark.parametrize("about", [BY_DAY, BY_ID], ids=["by day", "by id"])
def test_how_a_table_is_cut_does_not_show(place: Place, tmp_path: Path, about: dict[str, Any]) -> None:
    place.put(**about)
    parts = list(snapshot(place.case(), tmp_path / "parts"))
    moment = datetime.datetime.fromtimestamp(place.fake.clock.now() / 1e6, UTC).isoformat()
    assert list(snapshot(place.case(snapshot_time=moment), tmp_path / "then")) == parts
    # Who may run no queries does not learn of partitions.
    place.fake.faults.add(Fault("jobs.insert", times=9, status=403, reason="accessDenied"))
    assert list(snapshot(place.case(), tmp_path / "whole")) == parts


def test_columns_come_in_the_order_that_is_asked_for(place: Place, tmp_path: Path) -> None:
    place.put(**BY_DAY)
    data = snapshot(place.case(columns=["x", "id"], filter="id < 3"), tmp_path / "out")
    assert data.schema.types == {"x": "float", "id": "int"}
    assert list(data) == [{"x": 0.0, "id": 0}, {"x": 0.125, "id": 1}, {"x": 0.25, "id": 2}]


def test_ranges_do_not_show_in_the_snapshot(place: Place, tmp_path: Path) -> None:
    place.put(orders(700))
    one = snapshot(place.case(partition="id", partition_size=600), tmp_path / "one")
    other = snapshot(place.case(partition="id", partition_size=123), tmp_path / "other")
    assert list(one) == list(other)


def test_a_time_partitioned_timestamp_by_the_hour(place: Place, tmp_path: Path) -> None:
    moments = [MOMENT.replace(tzinfo=UTC) + datetime.timedelta(minutes=20 * at) for at in range(12)]
    table = pa.table({"at": pa.array([*moments, None], pa.timestamp("us", "UTC")), "n": list(range(13))})
    place.put(table, time_partitioning={"type": "HOUR", "field": "at"})
    assert [row["n"] for row in snapshot(place.case(), tmp_path / "out")] == list(range(13))
    assert observed(place.case()).rows == 13
