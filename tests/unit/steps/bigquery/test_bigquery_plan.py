"""What plan asks BigQuery, what that costs, and what it says of sources that it refuses."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.unit.steps.bigquery.tables import BY_DAY, Place, orders
from tests.unit.steps.data.remembering import Workspace
from zenctl.schema.block import fingerprinted
from zenctl.sdk import StepError
from zenctl.steps.bigquery import cutting, ingest
from zenctl.steps.bigquery.ingest import BigQuerySource
from zenctl.steps.bigquery.schema import BigQuery
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.testing import job_of, objections, observed, snapshot, source_of


def asked(place: Place, **attributes: Any) -> dict[str, int]:
    """What plan asks for, by method."""
    place.fake.seen.clear()
    observed(place.case(**attributes))
    return dict(Counter(place.fake.seen))


def test_a_table_costs_one_request_and_no_row(place: Place) -> None:
    place.put(**BY_DAY)
    assert asked(place) == {"tables.get": 1}
    state = observed(place.case())
    assert (state.rows, state.bytes) == (1000, orders().nbytes)
    assert dict(state.columns) == {"id": "int", "word": "string", "x": "float", "day": "string"}


def test_a_query_costs_a_dry_run_and_a_request_for_each_table(place: Place) -> None:
    place.put()
    place.put(table="words")
    query = f"select count(*) as n from {place.dataset}.orders join {place.dataset}.words using (id)"
    before = len(place.fake.queries)
    assert asked(place, query=query) == {"jobs.insert": 1, "tables.get": 2}
    assert len(place.fake.queries) == before
    state = observed(place.case(query=query))
    assert (state.rows, state.bytes, dict(state.columns)) == (None, 2 * orders().nbytes, {"n": "int"})


def test_a_query_changes_with_the_tables_that_it_reads(place: Place) -> None:
    place.put()
    place.put(table="other")
    place.fake.view(place.name("seen"), f"select id from `{place.name()}` where x < 5")
    place.fake.routines[place.name("twice")] = {
        "etag": "e1",
        "routineReference": {"projectId": "penguins-prod", "datasetId": place.dataset, "routineId": "twice"},
        "routineType": "SCALAR_FUNCTION",
        "definitionBody": "x * 2",
        "arguments": [{"name": "x", "dataType": {"typeKind": "INT64"}}],
        "lastModifiedTime": "1",
    }
    case = place.case(query=f"select {place.dataset}.twice(id) as n from `{place.name('seen')}`")
    before = observed(case).digest
    place.put(orders(5), table="other")
    assert observed(case).digest == before
    place.put(orders(word="q0"))
    changed = observed(case).digest
    assert changed != before
    place.fake.routines[place.name("twice")] |= {"lastModifiedTime": "2"}
    assert observed(case).digest != changed


def test_a_version_takes_the_place_of_tables(place: Place, tmp_path: Path) -> None:
    place.put()
    place.put(table="versions")
    query = f"select id, current_date() as today from {place.dataset}.orders"
    assert "source_undetermined: the query uses current_date" in objections(place.case(query=query))
    version = f"select max(word) from {place.dataset}.versions"
    case = place.case(query=query, version_query=version)
    state = observed(case)
    assert (state.rows, state.bytes) == (None, 0)
    place.put(orders(word="q0"))
    assert observed(case).digest == state.digest
    job = job_of(case, state, tmp_path / "late")
    place.put(orders(word="z"), table="versions")
    assert observed(case).digest != state.digest
    with pytest.raises(StepError) as caught:
        source_of(case, job)
    assert caught.value.kind == "source_changed"
    assert snapshot(case, tmp_path / "out").num_rows == 1000
    none = place.case(query=query, version_query=f"select word from {place.dataset}.versions")
    assert "source_service: version_query gives no value, or more than one" in objections(none)


def test_as_of_a_moment_a_table_does_not_change(place: Place, tmp_path: Path) -> None:
    place.put(orders(300), **BY_DAY)
    at = datetime.datetime.fromtimestamp(place.fake.clock.now() / 1e6, datetime.timezone.utc).isoformat()
    case = place.case(snapshot_time=at)
    before = observed(case)
    assert observed(place.case(snapshot_time=at.replace("+00:00", "Z"))).digest == before.digest
    place.put(orders(10))
    assert observed(case) == before.__class__(before.digest, observed(case).bytes, None, before.locations)
    assert snapshot(case, tmp_path / "out").num_rows == 300
    assert snapshot(place.case(), tmp_path / "now").num_rows == 10


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2020-01-01T00:00:00Z", "source_missing: {name} was not there at snapshot_time"),
        ("2999-01-01T00:00:00+01:00", "source_unsupported: snapshot_time lies in the future"),
    ],
)
def test_moments_without_rows(place: Place, moment: str, said: str) -> None:
    place.put()
    assert said.format(name=place.name()) in objections(place.case(snapshot_time=moment))


def test_a_moment_that_is_too_long_ago(place: Place, tmp_path: Path) -> None:
    place.put()
    stored = place.fake.tables[place.name()]
    month = 30 * 24 * 3600 * 1_000_000
    stored.created -= month
    stored.versions[0] = (stored.versions[0][0] - month, stored.content)
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=8)
    case = place.case(snapshot_time=at.isoformat(timespec="seconds"))
    with pytest.raises(StepError) as caught:
        snapshot(case, tmp_path / "out")
    assert "Invalid snapshot time" in caught.value.message
    assert "`snapshot_time`" in caught.value.hint
    # What has not changed for longer than a week is read as it is.
    assert snapshot(place.case(), tmp_path / "now").num_rows == 1000


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"table": "shop.none"}, "source_missing: Not found: Table penguins-prod:shop.none"),
        ({"columns": ["wrd"]}, 'source_column: columns names the column "wrd", which is not there'),
        ({"types": {"wrd": "int"}}, 'source_column: types names the column "wrd", which is not there'),
        ({"query": "select nonsense"}, "source_service: BigQuery does not take the query: Binder Error"),
        ({"query": "delete from {orders} where true"}, "source_unsupported: query is no SELECT but DELETE"),
        ({"query": "select 1; drop table {orders}"}, "source_unsupported: query is no SELECT but SCRIPT"),
        (
            {"query": "select 1 as n", "version_query": "drop table {orders}"},
            "source_unsupported: version_query is no SELECT but DROP",
        ),
        ({"query": "select rand() as r from {orders}"}, "source_undetermined: the query uses rand"),
        (
            {"query": "select * from {orders}", "maximum_bytes_billed": 1000},
            "source_expensive: the query would process",
        ),
        ({"query": "select * from {none}"}, "source_missing: Not found: Table"),
        ({"filter": "nonsense > 1"}, "source_service: BigQuery does not take the query: Binder Error"),
        ({"filter": "true; drop table {orders}"}, "source_unsupported: filter is no SELECT but SCRIPT"),
        ({"filter": "day > current_date() - 7"}, "source_undetermined: filter uses current_date"),
    ],
)
def test_plan_tells_what_is_wrong(place: Place, attributes: dict[str, Any], said: str) -> None:
    place.put()
    names = {"orders": f"{place.dataset}.orders", "none": f"{place.dataset}.none"}
    given = {name: value.format(**names) if isinstance(value, str) else value for name, value in attributes.items()}
    assert said in objections(place.case(**given))
    assert place.name() in place.fake.tables


def test_tables_of_which_nobody_knows_when_they_change(place: Place) -> None:
    place.put()
    place.fake.view(place.name("seen"), f"select id from `{place.name()}`")
    assert "is no table but of type view" in objections(place.case(table=f"{place.dataset}.seen"))
    place.fake.view(place.name("odd"), f"select id, rand() as r from `{place.name()}`")
    said = objections(place.case(query=f"select id from {place.dataset}.odd"))
    assert f"source_undetermined: the view {place.name('odd')} uses rand" in said
    place.put(table="outside", kind="EXTERNAL")
    said = objections(place.case(query=f"select id from {place.dataset}.outside"))
    assert "outside, which is of type external" in said
    place.fake.tables[place.name()].streaming = {"estimatedRows": "5"}
    for attributes in ({}, {"query": f"select id from {place.dataset}.orders"}):
        assert "source_undetermined: rows are being streamed into" in objections(place.case(**attributes))


def test_a_table_without_rows(place: Place, tmp_path: Path) -> None:
    place.put(orders(0))
    assert objections(place.case()) == f"source_empty: there are no rows in {place.dataset}.orders"
    place.put(table="full")
    with pytest.raises(StepError, match="there are no rows"):
        snapshot(place.case(table=f"{place.dataset}.full", filter="id < 0"), tmp_path / "out")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "give either table or query"),
        ({"table": "d.t", "query": "select 1"}, "give either table or query"),
        ({"table": "orders"}, 'name it "dataset.table"'),
        ({"table": "`d.t`"}, 'name it "dataset.table"'),
        ({"query": "select 1", "columns": ["a"]}, "columns goes with table"),
        ({"query": "select 1", "filter": "a"}, "filter goes with table"),
        ({"query": "select 1", "snapshot_time": "2024-01-01T00:00:00Z"}, "FOR SYSTEM_TIME AS OF"),
        ({"table": "d.t", "version_query": "select 1"}, "version_query goes with query"),
        ({"table": "d.t", "snapshot_time": "yesterday"}, "RFC 3339"),
        ({"table": "d.t", "snapshot_time": "2024-02-30T00:00:00Z"}, "day is out of range"),
        ({"table": "d.t", "columns": ["a", "a"]}, '"a" is named twice'),
    ],
)
def test_blocks_that_are_refused(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BigQuery.model_validate(attributes)


def test_what_is_asked_tells_everything_that_a_fork_could_change() -> None:
    given = {"table": "d.t", "filter": "a", "columns": ["c"], "snapshot_time": "2024-01-01T00:00:00Z"}
    others = {
        "project": "other-project",
        "billing_project": "other-payer",
        "endpoint": "https://other.example",
        "read_endpoint": "https://other.example",
        "maximum_bytes_billed": 5,
    }
    plain = BigQuery.model_validate(given).asks
    assert len({BigQuery.model_validate({**given, name: value}).asks for name, value in others.items()} | {plain}) == 6
    asks = {
        BigQuery.model_validate({"query": "select 1", "version_query": v}).asks for v in ("", "select 1", "select 2")
    }
    assert len(asks) == 3


def test_only_partitions_that_changed_are_read(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "SIZE", PartSize(minimum=1, mean=1, maximum=1))
    place.put(orders(2000), **BY_DAY)
    space = Workspace(tmp_path)
    case = place.case()

    def take(**order: Any) -> Any:
        state = observed(case)
        order |= {"params": fingerprinted(case.model), "locations": state.locations}
        return space.run(ingest.ingest, "data", expect={"source": state.digest}, **order)["data"]

    first = take()
    assert first.data.num_rows == 2000
    read: list[int] = []
    original = BigQuerySource.read
    monkeypatch.setattr(BigQuerySource, "read", lambda self, part: (read.append(part), original(self, part))[1])
    place.put(orders(2000, word="q0"))
    place.fake.seen.clear()
    again = take()
    assert 0 < len(set(read)) <= 4
    assert place.fake.seen.count("CreateReadSession") == len(read)
    assert take(remembers=False).digest == again.digest
    assert again.digest != first.digest


def test_partitions_are_read_in_groups(place: Place, tmp_path: Path) -> None:
    place.put(orders(2000), **BY_DAY)
    case = place.case()
    source = source_of(case, job_of(case, observed(case), tmp_path / "job"))
    # Twenty days of a few kB, and the rows without a day.
    assert source.parts == 2


def test_google_is_not_loaded_before_it_is_asked() -> None:
    code = (
        "import sys, zenctl.steps.bigquery.looking, zenctl.steps.bigquery.schema; "
        "print([m for m in ('google.auth', 'google.cloud', 'grpc', 'requests', 'pyarrow') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
