"""Secrets of Google's Secret Manager, against a fake that is held to Google's description of the API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes import gcs, secret_manager
from tests.fakes.faults import Fault
from zenctl.jobs.secrets.google import GoogleSecrets
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.retrying import Retrying

SECRET = "projects/p/secrets/token"
BEARER = "tok"


@pytest.fixture(scope="module")
def served() -> Iterator[secret_manager.Running]:
    with secret_manager.serving() as running:
        yield running


@pytest.fixture
def fake(served: secret_manager.Running) -> Iterator[secret_manager.FakeSecretManager]:
    """One secret of two versions, and an identity that may read it."""
    fake = served.fake
    fake.secrets.clear()
    fake.states.clear()
    fake.grants.clear()
    fake.add(SECRET, "old", "new\n")
    fake.grants[BEARER] = {SECRET}
    yield fake
    fake.faults.clear()
    fake.off.clear()
    fake.wrong.clear()
    assert fake.problems == []


@pytest.fixture
def ask(served: secret_manager.Running, fake: secret_manager.FakeSecretManager) -> Any:
    """Asks for a secret by a token that was handed over; pauses take no time."""

    def value(place: str = SECRET, bearer: str = BEARER, **more: Any) -> str:
        clock = iter(range(10_000))
        retry = Retrying(20, clock=lambda: float(next(clock)), sleep=lambda _: None)
        access = {"endpoint": served.endpoint, "token": bearer, "ends": time.time() + 3600, **more}
        return GoogleSecrets(access, retry).value(place)

    return value


def refused(ask: Any, *words: str, place: str = SECRET, kind: str, **more: Any) -> StorageError:
    with pytest.raises(StorageError) as caught:
        ask(place, **more)
    told = f"{caught.value} {caught.value.hint}"
    assert [word for word in words if word not in told] == [], told
    assert caught.value.kind == kind
    return caught.value


def test_the_latest_version_and_any_other(ask: Any, fake: Any) -> None:
    assert (ask(), ask(f"{SECRET}/versions/1"), ask(f"{SECRET}/versions/latest")) == ("new", "old", "new")
    assert fake.seen[-3:] == [f"{SECRET}/versions/{version}" for version in ("latest", "1", "latest")]


def test_a_name_alone_is_of_the_project_that_was_told(ask: Any) -> None:
    assert ask("token", project="p") == "new"
    assert ask("token/versions/1", project="p") == "old"
    refused(ask, "names no project", "gcp-secret:projects/PROJECT/secrets/NAME", place="token", kind="INVALID")


def test_a_regional_secret(ask: Any, fake: Any) -> None:
    regional = "projects/p/locations/europe-west1/secrets/token"
    fake.add(regional, "regional")
    fake.grants[BEARER].add(regional)
    assert ask(regional) == "regional"


def test_what_is_not_there(ask: Any, fake: Any) -> None:
    fake.grants[BEARER] |= {"projects/p/secrets/other"}
    refused(ask, "no secret projects/p/secrets/other", "gcloud secrets create other", place="projects/p/secrets/other",
            kind="NOT_FOUND")  # fmt: skip
    refused(ask, f"{SECRET} has no version 9", "gcloud secrets versions list token", place=f"{SECRET}/versions/9",
            kind="NOT_FOUND")  # fmt: skip


@pytest.mark.parametrize(("state", "hint"), [("DISABLED", "versions enable 1"), ("DESTROYED", "versions add token")])
def test_a_version_that_is_switched_off(ask: Any, fake: Any, state: str, hint: str) -> None:
    fake.states[f"{SECRET}/versions/1"] = state
    refused(ask, f"version 1 of {SECRET} is {state.lower()}", hint, place=f"{SECRET}/versions/1", kind="INVALID")
    assert ask() == "new"


def test_a_permission_that_is_missing_names_the_role_and_who_asks(ask: Any, fake: Any) -> None:
    fake.grants[BEARER].clear()
    account = "robot@p.iam.gserviceaccount.com"
    words = ("roles/secretmanager.secretAccessor", f"--member=serviceAccount:{account}", "or it may not exist")
    refused(ask, *words, f"{account} may not read", kind="UNAUTHORIZED", account=account)
    refused(ask, "who asks may not read", "--member=MEMBER", kind="UNAUTHORIZED")


def test_an_identity_that_is_not_known(ask: Any) -> None:
    refused(ask, "does not know who asks", "gcloud auth application-default login", kind="UNAUTHORIZED", bearer="x")


def test_an_api_that_is_not_switched_on(ask: Any, fake: Any) -> None:
    fake.off.add("p")
    refused(ask, "gcloud services enable secretmanager.googleapis.com --project=p", kind="INVALID")


def test_scopes_that_are_too_narrow(ask: Any, fake: Any) -> None:
    fake.faults.add(Fault("access", status=403, reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
    refused(ask, "https://www.googleapis.com/auth/cloud-platform", kind="UNAUTHORIZED")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(ask: Any, fake: Any, status: int) -> None:
    before = len(fake.seen)
    fake.faults.add(Fault("access", status=status, times=2, headers={"Retry-After": "1"}))
    assert ask() == "new"
    assert len(fake.seen) == before + 3


def test_what_does_not_pass_is_told_in_the_end(ask: Any, fake: Any) -> None:
    fake.faults.add(Fault("access", status=429, times=1000, message="Quota exceeded"))
    refused(ask, "asks for fewer requests", "Quota exceeded", "tried", kind="TRANSIENT")


def test_a_value_that_differs_from_its_checksum_is_not_taken(ask: Any, fake: Any) -> None:
    fake.wrong.add(f"{SECRET}/versions/2")
    refused(ask, "differs from its checksum (CRC32C)", kind="TRANSIENT")


@pytest.mark.parametrize(("data", "said"), [(b"\xff\xfe\x00", "UTF-8"), (b"a\0b", "zero byte"), (b"x" * 70_000, "64")])
def test_what_fits_into_no_variable_is_refused_and_not_shown(ask: Any, fake: Any, data: bytes, said: str) -> None:
    fake.add(SECRET, data)
    problem = refused(ask, said, kind="INVALID")
    assert data.decode("latin-1") not in f"{problem} {problem.hint}"


def test_an_answer_without_end_is_not_read(ask: Any, fake: Any) -> None:
    fake.add(SECRET, b"x" * 500_000)
    refused(ask, "more than 64 KiB", kind="INVALID")


def test_a_server_that_is_not_there(served: secret_manager.Running) -> None:
    access = {"endpoint": "http://127.0.0.1:1", "token": BEARER, "ends": time.time() + 3600, "retry_seconds": 0}
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        GoogleSecrets(access).value(SECRET)
    assert caught.value.kind == "TRANSIENT"


def test_no_token_is_sent_where_others_could_read_it() -> None:
    access = {"endpoint": "http://emulator.example", "token": BEARER, "ends": time.time() + 3600}
    with pytest.raises(StorageError, match=r"no token is sent to http://emulator\.example"):
        GoogleSecrets(access).value(SECRET)


def test_the_machine_asks_by_itself(served: secret_manager.Running, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with gcs.serving() as machine:
        monkeypatch.setenv("GCE_METADATA_HOST", machine.endpoint.removeprefix("http://"))
        fake.grants["of-the-machine"] = {SECRET}
        assert GoogleSecrets({"endpoint": served.endpoint}).value(SECRET) == "new"


def test_what_no_server_of_secrets_would_say(ask: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in ([], {"payload": 3}, {"payload": {"data": "%%"}}, {}):
        monkeypatch.setattr(fake, "access", lambda *_, answer=answer: answer)
        monkeypatch.setattr(fake.api, "check_body", lambda *_: None)
        problem = refused(ask, "is no answer of Secret Manager", kind="INVALID")
        assert json.dumps(answer) not in str(problem)
