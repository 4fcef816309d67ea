"""The providers `gcp` and `aws`: what they refuse, what they need, and what they tell jobs."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from zenctl.jobs.storage import Distant
from zenctl.jobs.stores.renewal import renewal
from zenctl.provider import ErrorKind, ProviderContext, ProviderError
from zenctl.provider.registry import discover
from zenctl_aws.provider import AwsProvider
from zenctl_gcp.provider import SECRETS_ENDPOINT, GcpProvider

PROVIDERS: list[tuple[Any, str, dict[str, Any]]] = [
    (GcpProvider, "gcs", {"bucket": "b", "endpoint": "http://127.0.0.1:1"}),
    (AwsProvider, "s3", {"bucket": "b", "endpoint_url": "http://127.0.0.1:1"}),
]


@pytest.mark.parametrize(("make", "type", "config"), PROVIDERS)
def test_a_missing_sdk_is_told_with_how_to_install_it(
    make: Any, type: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "sdk", "no-such-package")
    with pytest.raises(ProviderError, match="no-such-package is not installed") as caught:
        make().storage(type, config)
    assert caught.value.hint == f"Install it: pip install 'zenctl[{make.name}]'"


@pytest.mark.parametrize(("make", "type", "config"), PROVIDERS)
def test_nothing_else_is_offered(make: Any, type: str, config: dict[str, Any], tmp_path: Path) -> None:
    provider = make()
    provider.configure({}, ProviderContext("p", "default", tmp_path, tmp_path))
    for call in (
        lambda: provider.compute("vm", {}),
        lambda: provider.processing("flow", {}),
        lambda: provider.endpoint("vertex"),
        lambda: provider.storage("other", config),
    ):
        with pytest.raises(ProviderError) as caught:
            call()
        assert caught.value.kind is ErrorKind.INVALID
    assert discover().store_type(type)[0] == make.name


@pytest.mark.parametrize(("make", "type", "config"), PROVIDERS)
def test_opening_a_store_asks_nothing_of_it(make: Any, type: str, config: dict[str, Any]) -> None:
    storage = make().storage(type, {**config, "prefix": "/a/b/"})
    assert storage.uri.endswith("://b/a/b")
    assert isinstance(storage, Distant)
    assert storage.workers > 1


def test_what_a_job_elsewhere_is_told_holds_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    provider = AwsProvider()
    storage = provider.storage("s3", {"bucket": "b", "region": "eu-west-1", "retry_seconds": 7, "timeout_seconds": 9})
    assert isinstance(storage, Distant)
    assert storage.access(False) == {"region": "eu-west-1", "retry_seconds": 7, "timeout_seconds": 9}
    local = storage.access(True)
    provider.close()
    assert (local["key_id"], local["secret"]) == ("key", "secret")
    assert local["renew"]["url"].startswith("http://127.0.0.1:")


def configured(make: Any, root: Path, **config: Any) -> Any:
    provider = make()
    provider.configure(config, ProviderContext("p", "default", root, root))
    return provider


def test_who_reads_secrets_of_aws_is_lent_the_users_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    provider = configured(AwsProvider, tmp_path, region="eu-west-1", retry_seconds=7)
    assert provider.secrets_access("aws-secret", False) == {"retry_seconds": 7}
    lent = provider.secrets_access("aws-secret", True)
    assert {**lent, "renew": None} == {
        "retry_seconds": 7, "key_id": "key", "secret": "secret", "region": "eu-west-1",
        "endpoint": "http://127.0.0.1:9", "renew": None,
    }  # fmt: skip
    assert provider.secrets_access("aws-secret", True)["renew"] == lent["renew"]
    assert renewal(lent)() == {"key_id": "key", "secret": "secret"}  # type: ignore[misc]
    provider.close()
    with pytest.raises(ProviderError, match="no secrets of the form gcp-secret"):
        provider.secrets_access("gcp-secret", False)


def test_who_reads_secrets_of_google_is_lent_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.oauth2.credentials import Credentials

    ends = datetime(2090, 1, 1)
    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials("tok", expiry=ends), "own"))
    monkeypatch.delenv(SECRETS_ENDPOINT, raising=False)
    provider = configured(GcpProvider, tmp_path)
    assert provider.secrets_access("gcp-secret", False) == {}
    lent = provider.secrets_access("gcp-secret", True)
    assert (lent["token"], lent["project"], lent["ends"]) == (
        "tok",
        "own",
        ends.replace(tzinfo=timezone.utc).timestamp(),
    )
    provider.close()
    named = configured(GcpProvider, tmp_path, project="other", endpoint="https://storage.example")
    # Where buckets are reached says nothing of secrets, so that it cannot aim a token elsewhere.
    assert {k: v for k, v in named.secrets_access("gcp-secret", True).items() if k in ("project", "endpoint")} == {
        "project": "other"
    }
    named.close()
    monkeypatch.setenv(SECRETS_ENDPOINT, "http://127.0.0.1:9/")
    emulated = named.secrets_access("gcp-secret", True)
    assert emulated == {"endpoint": "http://127.0.0.1:9", "anonymous": True, "project": "other"}


def test_without_credentials_of_google_a_job_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def default(scopes: list[str]) -> None:
        raise DefaultCredentialsError("none")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", default)
    monkeypatch.delenv(SECRETS_ENDPOINT, raising=False)
    with pytest.raises(ProviderError, match="no credentials for Google Cloud") as caught:
        configured(GcpProvider, tmp_path).secrets_access("gcp-secret", True)
    assert caught.value.kind is ErrorKind.UNAUTHORIZED
    assert "gcloud auth application-default login" in caught.value.hint


def test_an_emulator_of_google_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:9")
    storage = GcpProvider().storage("gcs", {"bucket": "b"})
    assert isinstance(storage, Distant)
    told = {"retry_seconds": 60.0, "timeout_seconds": 30.0}
    assert storage.access(True) == {**told, "endpoint": "http://127.0.0.1:9", "anonymous": True}


@pytest.mark.parametrize(("make", "type"), [(GcpProvider, "gcs"), (AwsProvider, "s3")])
def test_the_provider_block_says_how_long_a_server_is_waited_for_where_the_store_does_not(
    make: Any, type: str, tmp_path: Path
) -> None:
    provider = make()
    provider.configure({"retry_seconds": 7, "timeout_seconds": 9}, ProviderContext("p", "default", tmp_path, tmp_path))
    config = {"bucket": "b", "region": "eu-west-1"} if type == "s3" else {"bucket": "b"}
    told = []
    for more in ({}, {"retry_seconds": None, "timeout_seconds": 2}):
        storage = provider.storage(type, {**config, **more})
        assert isinstance(storage, Distant)
        access = storage.access(False)
        told.append((access["retry_seconds"], access["timeout_seconds"]))
    assert told == [(7, 9), (7, 2)]
