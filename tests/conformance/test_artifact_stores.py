"""Every artifact store in the cloud keeps the contract of stores, on every emulator of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulators import Emulator, fake_gcs, gcp_storage_emulator, moto
from tests.fakes.gcs import Running, serving
from tests.fakes.proxy import before
from zenctl.jobs.storage import Storage
from zenctl.jobs.stores.opening import open_store
from zenctl.provider.registry import discover
from zenctl.provider.testing.storage import StorageConformance

S3_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
S3_ACCESS = {"region": "us-east-1", "key_id": "id", "secret": "secret"}


@pytest.fixture(scope="module")
def gcs_server() -> Iterator[Emulator]:
    with fake_gcs() as server:
        yield server


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture
def strict(served: Running) -> Iterator[Running]:
    """Our own fake; nothing that was asked of it, or answered, may be against Google's description of the API."""
    yield served
    assert served.fake.problems == []


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Emulator]:
    with moto() as server:
        yield server


def of_job(uri: str, endpoint: str, **access: Any) -> Storage:
    """A store as a job has it: with the standard library alone."""
    return open_store(uri, {"endpoint": endpoint, "anonymous": True, **access})


def of_zenctl(provider: str, type: str, **config: Any) -> Storage:
    """A store as zenctl itself has it: through the provider and its SDK."""
    made = discover().provider(provider)
    return made.storage(type, {"prefix": "some/where", **config})


class TestGcs(StorageConformance):
    @pytest.fixture
    def storage(self, gcs_server: Emulator) -> Storage:
        return of_zenctl("gcp", "gcs", bucket=gcs_server.bucket(), endpoint=gcs_server.endpoint)


@pytest.fixture(scope="module")
def google_emulator() -> Iterator[Emulator]:
    with gcp_storage_emulator() as server:
        yield server


class WithoutPreconditions(StorageConformance):
    """gcp-storage-emulator heeds no precondition and no generation: what needs one is left to the other servers."""

    test_a_put_does_not_replace = None  # type: ignore[assignment]
    test_of_concurrent_puts_one_wins = None  # type: ignore[assignment]
    test_a_stream_never_mixes_two_objects = None  # type: ignore[assignment]


class TestGcsOnGoogleEmulator(WithoutPreconditions):
    @pytest.fixture
    def storage(self, google_emulator: Emulator) -> Storage:
        return of_zenctl("gcp", "gcs", bucket=google_emulator.bucket(), endpoint=google_emulator.endpoint)


class TestGcsOfJobsOnGoogleEmulator(WithoutPreconditions):
    @pytest.fixture
    def storage(self, google_emulator: Emulator) -> Storage:
        return of_job(f"gs://{google_emulator.bucket()}/some/where", google_emulator.endpoint)


class TestGcsOnStrictFake(StorageConformance):
    @pytest.fixture
    def storage(self, strict: Running) -> Storage:
        return of_zenctl("gcp", "gcs", bucket=strict.fake.bucket(), endpoint=strict.endpoint)


class TestGcsOfJobsOnStrictFake(StorageConformance):
    @pytest.fixture
    def storage(self, strict: Running) -> Storage:
        return of_job(f"gs://{strict.fake.bucket()}/some/where", strict.endpoint)


class TestGcsOfJobs(StorageConformance):
    @pytest.fixture
    def storage(self, gcs_server: Emulator) -> Storage:
        return of_job(f"gs://{gcs_server.bucket()}/some/where", gcs_server.endpoint)


class OnMoto(StorageConformance):
    """Moto lets two writers at the same moment both win: for that one test it stands behind a proxy, which says why."""

    def test_of_concurrent_puts_one_wins(self, orderly: Storage) -> None:  # type: ignore[override]
        super().test_of_concurrent_puts_one_wins(orderly)


@pytest.fixture
def s3_proxy(s3_server: Emulator) -> Iterator[str]:
    with before(s3_server.endpoint) as proxy:
        yield proxy.endpoint


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in S3_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


class TestS3(OnMoto):
    @pytest.fixture
    def storage(self, s3_server: Emulator, aws_environment: None) -> Storage:
        return of_zenctl("aws", "s3", bucket=s3_server.bucket(), endpoint_url=s3_server.endpoint)

    @pytest.fixture
    def orderly(self, s3_server: Emulator, s3_proxy: str, aws_environment: None) -> Storage:
        return of_zenctl("aws", "s3", bucket=s3_server.bucket(), endpoint_url=s3_proxy)


class TestS3OfJobs(OnMoto):
    @pytest.fixture
    def storage(self, s3_server: Emulator) -> Storage:
        return of_job(f"s3://{s3_server.bucket()}/some/where", s3_server.endpoint, **S3_ACCESS)

    @pytest.fixture
    def orderly(self, s3_server: Emulator, s3_proxy: str) -> Storage:
        return of_job(f"s3://{s3_server.bucket()}/some/where", s3_proxy, **S3_ACCESS)
