"""What goes wrong with BigQuery: servers that cannot, refuse, break off or change under way, and credentials."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from tests.fakes.faults import Fault
from tests.unit.steps.bigquery.tables import BY_DAY, PROJECT, Place, orders
from zenctl.jobs.stores.retrying import Retrying
from zenctl.sdk import StepError
from zenctl.steps.bigquery import rest
from zenctl.steps.bigquery.rest import Rest, Service
from zenctl.steps.data.testing import job_of, objections, observed, refusal, run, snapshot, source_of


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between tries are not waited for, but kept."""
    slept: list[float] = []
    made = lambda service: Rest(service, Retrying(service.patience, sleep=slept.append))  # noqa: E731
    monkeypatch.setattr(Rest, "of", made)
    return slept


@pytest.mark.parametrize(
    ("status", "reason"), [(503, "backendError"), (429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (500, "")]
)
def test_what_may_pass_is_tried_again(place: Place, quick: list[float], status: int, reason: str) -> None:
    place.put()
    place.fake.faults.add(Fault("tables.get", times=2, status=status, reason=reason, headers={"Retry-After": "1"}))
    place.fake.seen.clear()
    assert observed(place.case()).rows == 1000
    assert place.fake.seen == ["tables.get"] * 3
    assert [pause >= 1 for pause in quick] == [True, True]


def test_patience_ends(place: Place) -> None:
    place.put()
    place.fake.faults.add(Fault("tables.get", status=503, reason="backendError"))
    assert objections(place.case(retry_seconds=0)).startswith("source_service: BigQuery answered 503: a fault")


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (403, "quotaExceeded", "a quota of BigQuery is used up"),
        (403, "accessDenied", "BigQuery denies permission"),
        (400, "invalid", "BigQuery refuses the request (invalid)"),
    ],
)
def test_what_does_not_pass_is_told_at_once(place: Place, status: int, reason: str, said: str) -> None:
    place.put()
    place.fake.faults.add(Fault("jobs.insert", status=status, reason=reason))
    place.fake.seen.clear()
    assert f"source_service: {said}" in objections(place.case(query=f"select id from {place.dataset}.orders"))
    assert place.fake.seen == ["jobs.insert"]


def test_a_table_that_nobody_may_read(place: Place, tmp_path: Path) -> None:
    place.put()
    job = job_of(place.case(), observed(place.case()), tmp_path / "job")
    place.fake.denied.add(place.name())
    assert "source_service: BigQuery denies permission: Access Denied" in objections(place.case())
    with pytest.raises(StepError, match="BigQuery denies permission") as caught:
        run(place.case(), job)
    assert "roles/bigquery.readSessionUser" in caught.value.hint


def test_a_reader_without_the_permission_for_sessions(place: Place, tmp_path: Path) -> None:
    place.put()
    place.fake.faults.add(Fault("CreateReadSession", status=403, message="bigquery.readsessions.create is missing"))
    problem = refusal(place.case(), tmp_path / "job")
    assert problem.message == "BigQuery denies permission: bigquery.readsessions.create is missing"
    assert "roles/bigquery.readSessionUser" in problem.hint


def test_a_query_is_run_once_though_the_answer_is_lost(place: Place, tmp_path: Path) -> None:
    place.put()
    case = place.case(query=f"select id from {place.dataset}.orders")
    state = observed(case)
    before = len(place.fake.queries)
    place.fake.faults.add(Fault("jobs.insert", lost=True, after=1))
    place.fake.slow = 2
    job = job_of(case, state, tmp_path / "job")
    run(case, job)
    assert len(place.fake.queries) == before + 1
    assert "jobs.get" in place.fake.seen


def test_a_query_is_canceled_by_who_is_interrupted(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put()
    case = place.case(query=f"select id from {place.dataset}.orders")
    job = job_of(case, observed(case), tmp_path / "job")
    original = Rest._call

    def interrupted(self: Rest, method: str, path: str, *rest: Any, **query: Any) -> Any:
        if "/queries/" in path:
            raise KeyboardInterrupt
        return original(self, method, path, *rest, **query)

    monkeypatch.setattr(Rest, "_call", interrupted)
    place.fake.seen.clear()
    with pytest.raises(KeyboardInterrupt):
        run(case, job)
    assert place.fake.seen[-1] == "jobs.cancel"


def test_a_query_that_costs_more_than_it_may(place: Place) -> None:
    place.put()
    version = f"select max(id) from {place.dataset}.orders"
    said = objections(place.case(query="select 1 as n", version_query=version, maximum_bytes_billed=1000))
    assert "source_service: Query exceeded limit for bytes billed: 1000" in said


def test_streams_go_on_where_they_broke_off(place: Place, tmp_path: Path) -> None:
    place.put(orders(1500))
    whole = list(snapshot(place.case(), tmp_path / "whole"))
    place.fake.faults.add(
        Fault("CreateReadSession", status=503),
        Fault("CreateReadSession", status=429),
        Fault("ReadRows", cut=1),
        Fault("ReadRows", cut=2),
        Fault("ReadRows", status=503),
    )
    place.fake.seen.clear()
    assert list(snapshot(place.case(), tmp_path / "broken")) == whole
    assert place.fake.seen.count("CreateReadSession") > 2
    assert place.fake.seen.count("ReadRows") >= 4 + 3


def test_a_stream_that_ends_for_good_records_nothing(place: Place, tmp_path: Path) -> None:
    place.put(orders(1500))
    place.fake.faults.add(Fault("ReadRows", times=9, status=500, message="the disk is on fire"))
    problem = refusal(place.case(), tmp_path / "job")
    assert problem.message == "BigQuery broke off: the disk is on fire"
    assert problem.hint == "Try again later."


def test_a_stream_that_breaks_off_again_and_again_is_given_up(place: Place, tmp_path: Path) -> None:
    place.put(orders(1500))
    place.fake.faults.add(Fault("ReadRows", times=10_000, cut=0))
    problem = refusal(place.case(retry_seconds=1), tmp_path / "job")
    assert problem.message == "BigQuery broke off: the stream was broken off"


def test_rows_are_those_of_one_moment(place: Place, tmp_path: Path) -> None:
    place.put(orders(500))
    source = source_of(place.case(), job_of(place.case(), observed(place.case()), tmp_path / "job"))
    place.fake.once["CreateReadSession"] = lambda: place.put(orders(3))
    read: list[int] = []
    with pytest.raises(StepError) as caught:
        read.extend(batch.num_rows for batch in source.read(0))
    # What was read is what plan saw, and is refused all the same.
    assert sum(read) == 500
    assert caught.value.kind == "source_changed"


def test_a_table_that_changes_while_its_partitions_are_asked_for(place: Place, tmp_path: Path) -> None:
    place.put(**BY_DAY)
    job = job_of(place.case(), observed(place.case()), tmp_path / "job")
    place.fake.once["jobs.getQueryResults"] = lambda: place.put(orders(word="q0"))
    with pytest.raises(StepError) as caught:
        source_of(place.case(), job)
    assert caught.value.message == f"the table {place.dataset}.orders changed after the plan was made"


def test_a_table_that_changes_while_a_query_runs(place: Place, tmp_path: Path) -> None:
    place.put()
    case = place.case(query=f"select id from {place.dataset}.orders")
    job = job_of(case, observed(case), tmp_path / "job")
    place.fake.once["jobs.getQueryResults"] = lambda: place.put(orders(word="q0"))
    with pytest.raises(StepError) as caught:
        source_of(case, job)
    assert caught.value.message == "what the query reads changed after the plan was made"


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"filter": "id in (select 1)"}, "BigQuery does not read this: request failed: Query error"),
        ({"partition": "word"}, 'partition names the column "word", which is not there or holds no whole numbers'),
        ({"partition": "id", "partition_size": 1}, "partition_size = 1 makes 200 ranges"),
    ],
)
def test_the_job_tells_what_plan_does_not_ask(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attributes: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr("zenctl.steps.bigquery.cutting.MOST_RANGES", 100)
    place.put(orders(200))
    problem = refusal(place.case(**attributes), tmp_path / "job")
    assert said in problem.message
    assert problem.hint


def test_who_may_run_no_query_learns_of_a_bad_filter_from_the_job(place: Place, tmp_path: Path) -> None:
    place.put()
    place.fake.faults.add(Fault("jobs.insert", times=9, status=403, reason="accessDenied"))
    problem = refusal(place.case(filter="nonsense > 1"), tmp_path / "job")
    assert problem.message.startswith("BigQuery does not read this: request failed: Query error")
    assert (problem.kind, problem.hint) == ("bad_data", "Check `columns`, `filter` and `snapshot_time`.")


def test_a_server_that_is_not_there(place: Place) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said = objections(place.case(endpoint=f"http://127.0.0.1:{port}", retry_seconds=0))
    assert said == "source_service: BigQuery cannot be reached: Connection refused"


def test_an_emulator_is_found_as_google_does(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", place.served.endpoint.removeprefix("http://"))
    assert observed(place.case(endpoint=None)).rows == 1000
    service = Service.of(place.model(endpoint=None, read_endpoint=None).model_dump())
    assert service.read_endpoint == place.served.endpoint


def test_an_emulator_gets_no_credentials(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put()
    monkeypatch.setattr(rest, "credentials", lambda: pytest.fail("an emulator was given credentials"))
    assert observed(place.case()).rows == 1000
    assert objections(place.case(project="", table="d.t")) == "source_service: no project is known"
    place.fake.tokens.add("secret")
    assert "source_service: BigQuery does not know who asks" in objections(place.case())


def test_credentials_are_those_of_the_application(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from google.oauth2.credentials import Credentials

    place.put()
    place.fake.tokens.add("a-token")
    monkeypatch.setattr(Service, "is_emulated", property(lambda _: False))
    monkeypatch.setattr("google.auth.default", lambda scopes: (Credentials("a-token"), PROJECT))
    case = place.case(project="")
    state = observed(case)
    assert state.rows == 1000
    assert "a-token" not in repr(state)
    source = source_of(case, job_of(case, state, tmp_path / "job"))
    assert "a-token" not in repr(source)


def test_without_credentials(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    said = objections(place.case(endpoint="https://127.0.0.1:1"))
    assert "source_service: BigQuery: the credentials are refused: File " in said
    from google.auth.exceptions import DefaultCredentialsError

    def nothing(scopes: Any) -> Any:
        raise DefaultCredentialsError("Your default credentials were not found. To set up ...")

    monkeypatch.setattr("google.auth.default", nothing)
    assert objections(place.case(endpoint=None)) == "source_service: BigQuery: there are no credentials"


def test_without_the_library(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    assert objections(place.case()) == "source_library: Google's libraries are not installed"


def test_a_job_without_the_library(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place.put()
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery_storage_v1", None)
    problem = refusal(place.case(), tmp_path / "job")
    assert problem.message == "google-cloud-bigquery-storage is not installed"
    assert "zenctl[bigquery]" in problem.hint


def test_rows_that_a_policy_hides_are_missed(place: Place, tmp_path: Path) -> None:
    place.put(**BY_DAY)
    case = place.case()
    job = job_of(case, observed(case), tmp_path / "job")
    source = source_of(case, job)
    stored = place.fake.tables[place.name()]
    at, content = stored.versions[-1]
    stored.versions[-1] = (at, content.slice(1))
    with pytest.raises(StepError, match=r"gave 979 rows of day from .* instead of 980") as caught:
        list(source.read(0))
    assert "row access policy" in caught.value.hint


def test_the_fake_refuses_streams_that_it_did_not_make(place: Place) -> None:
    channel = grpc.insecure_channel(place.served.read_endpoint.removeprefix("http://"))
    with BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel)) as client:
        name = f"projects/{PROJECT}/locations/us/sessions/other/streams/0"
        with pytest.raises(Exception, match="there was an error operating on"):
            list(client.read_rows(name))
        assert list(client.split_read_stream(request={"name": name}).primary_stream.name) == []
