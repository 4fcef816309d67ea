"""Buckets as sources read them: what listings tell, reads of one version only, and what plan says of refusals."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulators import Emulator, fake_gcs, moto
from tests.fakes.faults import Fault, Faults
from tests.fakes.gcs import Running, serving
from tests.fakes.proxy import Proxy, before
from tests.providers.stores.timing import Clock, quick
from zenctl.diagnostics import DiagnosticError
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores import s3_upload
from zenctl.jobs.stores.objects import PIECE, Found, ObjectStorage, open_version
from zenctl.jobs.stores.opening import open_store
from zenctl.provider.lending import Lender
from zenctl.runner.objects import fetch_objects
from zenctl.sdk.errors import StepError
from zenctl.steps.csv.objects import observe_objects
from zenctl.steps.csv.schema import Csv
from zenctl.steps.data.testing import MemoryCache
from zenctl_aws.storage import open_store as open_s3
from zenctl_gcp.storage import open_store as open_gcs


@dataclass
class Bench:
    """A bucket as zenctl reaches it (`plan`) and as a job does."""

    plan: ObjectStorage
    job: ObjectStorage

    @property
    def uri(self) -> str:
        return self.plan.bucket.uri

    @property
    def both(self) -> tuple[ObjectStorage, ObjectStorage]:
        return self.plan, self.job

    def put(self, key: str, data: bytes | Path) -> None:
        self.plan.put(key, data, overwrite=True)

    def listed(self, key: str) -> Found:
        [found] = next(iter(self.plan.bucket.pages(key, 1)))
        return found


@pytest.fixture(scope="module")
def gcs_server() -> Iterator[Emulator]:
    with fake_gcs() as server:
        yield server


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Emulator]:
    with moto() as server:
        yield server


@pytest.fixture(scope="module")
def s3_proxy(s3_server: Emulator) -> Iterator[Proxy]:
    with before(s3_server.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture
def strict(served: Running) -> Iterator[Running]:
    yield served
    served.fake.faults.clear()
    served.fake.tokens.clear()
    assert served.fake.problems == []


def on_gcs(endpoint: str, bucket: str) -> Bench:
    plan = open_gcs({"bucket": bucket, "endpoint": endpoint}, Lender(), quick(Clock(), 0.02))
    job = open_store(f"gs://{bucket}", {"endpoint": endpoint, "anonymous": True})
    assert isinstance(job, ObjectStorage)
    return Bench(plan, job)


def on_s3(endpoint: str, bucket: str) -> Bench:
    plan = open_s3({"bucket": bucket, "endpoint_url": endpoint}, Lender(), quick(Clock(), 0.02))
    job = open_store(f"s3://{bucket}", {"endpoint": endpoint, "key_id": "id", "secret": "secret"})
    assert isinstance(job, ObjectStorage)
    return Bench(plan, job)


@pytest.fixture(params=["strict", "gcs_server", "s3_proxy"])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    server = request.getfixturevalue(request.param)
    if request.param == "strict":
        return on_gcs(server.endpoint, server.fake.bucket())
    if request.param == "gcs_server":
        return on_gcs(server.endpoint, server.bucket())
    for name, value in {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    return on_s3(server.endpoint, request.getfixturevalue("s3_server").bucket())


def faults(request: pytest.FixtureRequest) -> Faults:
    name = request.node.callspec.params["bench"]
    found = request.getfixturevalue(name)
    return found.fake.faults if name == "strict" else found.faults


def test_both_clients_list_the_same_versions_and_checksums(bench: Bench) -> None:
    bench.put("in/a b#ü.csv", b"one")
    bench.put("in/b.csv", b"one")
    bench.put("in/c.csv", b"two")
    first, second = ([found for page in store.bucket.pages("in/", 2) for found in page] for store in bench.both)
    assert [(f.key, f.size, f.version, f.checksum) for f in first] == [
        (f.key, f.size, f.version, f.checksum) for f in second
    ]
    assert [f.checksum for f in first] == [f"md5:{hashlib.md5(data).hexdigest()}" for data in (b"one", b"one", b"two")]
    for store in bench.both:
        for found in first:
            head = store.bucket.head(found.key)
            assert head is not None
            assert (head.version, head.checksum, head.size) == (found.version, found.checksum, found.size)


def test_a_version_is_read_or_nothing(bench: Bench, tmp_path: Path) -> None:
    data = bytes(range(256)) * ((PIECE + (1 << 20)) // 256)
    (tmp_path / "big").write_bytes(data)
    bench.put("big", tmp_path / "big")
    bench.put("empty", b"")
    big, empty = bench.listed("big"), bench.listed("empty")
    for store in bench.both:
        with open_version(store.bucket, "big", big.version) as stream:
            assert stream.read() == data
        with open_version(store.bucket, "empty", empty.version) as stream:
            assert stream.read() == b""
    bench.put("big", data[::-1])
    for store in bench.both:
        with pytest.raises(StorageError) as caught, open_version(store.bucket, "big", big.version) as stream:
            stream.read()
        assert caught.value.kind == "NOT_FOUND"


def test_an_object_of_several_parts_has_a_tag_instead_of_an_md5(
    s3_server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_upload, "SMALL", 5 << 20)
    monkeypatch.setattr(s3_upload, "PART", 5 << 20)
    bench = on_s3(s3_server.endpoint, s3_server.bucket())
    bench.put("parts", b"x" * ((5 << 20) + 1))
    found = bench.listed("parts")
    assert found.checksum.startswith("etag:")
    assert found.checksum.endswith("-2")


def test_plan_sees_and_a_job_fetches_it(bench: Bench, tmp_path: Path) -> None:
    bench.put("in/a.csv", b"a,b\n1,2\n")
    bench.put("in/b.csv", b"b,a\n3,4\n")
    state = observe_objects(Csv(path=f"{bench.uri}/in/*.csv"), lambda _: bench.plan, MemoryCache())
    assert (list(state.columns), state.bytes, list(state.locations)) == (["a", "b"], 16, ["in/a.csv", "in/b.csv"])
    fetched = fetch_objects(state.locations, lambda _: bench.job, tmp_path / "first", lambda *_: None)
    assert [Path(fetched.locations[name]).read_bytes() for name in state.locations] == [b"a,b\n1,2\n", b"b,a\n3,4\n"]
    bench.put("in/b.csv", b"b,a\n3,5\n")
    with pytest.raises(StepError, match=f"{bench.uri}/in/b.csv was changed or deleted"):
        fetch_objects(state.locations, lambda _: bench.job, tmp_path / "second", lambda *_: None)


def test_what_google_would_unpack_is_read_as_it_is_stored(strict: Running) -> None:
    bench = on_gcs(strict.endpoint, strict.fake.bucket())
    data = gzip.compress(b"a,b\n1,2\n" * 1000)
    described = {"name": "a.csv", "contentEncoding": "gzip"}
    strict.fake.insert(bench.plan.bucket.uri.removeprefix("gs://"), described, {}, data)
    found = bench.listed("a.csv")
    for store in bench.both:
        with open_version(store.bucket, "a.csv", found.version) as stream:
            assert stream.read() == data


def told(bench: Bench, path: str = "in/a.csv") -> str:
    """What plan says of an object that it cannot read."""
    with pytest.raises(DiagnosticError) as caught:
        observe_objects(Csv(path=f"{bench.uri}/{path}"), lambda _: bench.plan, MemoryCache())
    [found] = caught.value.diagnostics
    assert found.code == "source_unreadable"
    return f"{found.summary} {found.detail}"


def test_a_bucket_that_is_missing_is_told(bench: Bench) -> None:
    bench.plan.bucket.bucket = "no-such-bucket"  # type: ignore[attr-defined]
    said = told(bench)
    assert "the bucket" in said
    assert "://no-such-bucket does not exist Check its name" in said


@pytest.mark.parametrize("bench", ["strict", "s3_proxy"], indirect=True)
def test_a_throttling_bucket_is_waited_for_and_then_told(bench: Bench, request: pytest.FixtureRequest) -> None:
    bench.put("in/a.csv", b"a\n1\n")
    google = bench.uri.startswith("gs:")
    listing = "objects.list" if google else "LIST"
    busy = Fault(listing, status=429 if google else 503, reason="rateLimitExceeded" if google else "SlowDown")
    faults(request).add(busy)
    assert observe_objects(Csv(path=f"{bench.uri}/in"), lambda _: bench.plan, MemoryCache()).bytes == 4
    faults(request).add(Fault(listing, status=503, reason="SlowDown", message="Reduce your request rate", times=10**6))
    said = told(bench)
    faults(request).clear()
    assert "Reduce your request rate (tried" in said
    assert "Try again later." in said


@pytest.mark.parametrize("bench", ["strict", "s3_proxy"], indirect=True)
def test_expired_credentials_and_missing_permissions_are_told(bench: Bench, request: pytest.FixtureRequest) -> None:
    bench.put("in/a.csv", b"a\n1\n")
    google = bench.uri.startswith("gs:")
    listing, reading = ("objects.list", "objects.get.media") if google else ("LIST", "GET")
    expired = Fault(listing, status=401 if google else 403, reason="authError" if google else "ExpiredToken")
    faults(request).add(expired)
    said = told(bench)
    assert ("the credentials are refused" if google else "have expired") in said
    assert ("gcloud auth application-default login" if google else "aws sso login") in said
    denied = "x does not have storage.objects.get access" if google else "Access Denied"
    faults(request).add(Fault(reading, status=403, reason="forbidden" if google else "AccessDenied", message=denied))
    said = told(bench)
    assert f"denies permission: {denied}" in said
    assert ("roles/storage.objectViewer" if google else "s3:GetObject") in said
