"""What the store `s3` does when Amazon's side fails: both that of zenctl (boto3) and that of jobs (by hand)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.emulators import Emulator, moto
from tests.fakes.faults import Fault
from tests.fakes.proxy import Proxy, before
from tests.providers.stores.timing import Clock, quick
from zenctl.jobs.storage import Staged, StorageError
from zenctl.jobs.stores import s3_upload
from zenctl.jobs.stores.objects import PIECE, PartsStorage
from zenctl.jobs.stores.s3 import S3Bucket
from zenctl.jobs.stores.sigv4 import Credentials
from zenctl.provider.lending import Lender
from zenctl_aws.storage import open_store

PART = 5 << 20
LARGE = 2 * PART + 12345


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest parts that S3 takes."""
    monkeypatch.setattr(s3_upload, "PART", PART)
    monkeypatch.setattr(s3_upload, "SMALL", PART)


@dataclass
class Bench:
    """A store on moto, behind a proxy that commits faults; its retries take no time."""

    proxy: Proxy
    storage: PartsStorage
    clock: Clock

    def fail(self, kind: str, **fault: object) -> None:
        self.proxy.faults.add(Fault(kind, **fault))  # type: ignore[arg-type]

    def read(self, path: str) -> bytes:
        with self.storage.open(path) as stream:
            return stream.read()


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with moto() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: Emulator) -> Iterator[Proxy]:
    with before(server.endpoint) as running:
        yield running


@pytest.fixture(params=["sdk", "jobs"])
def bench(server: Emulator, proxy: Proxy, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock, bucket = Clock(), server.bucket()
    proxy.faults.clear()
    proxy.seen.clear()
    if request.param == "sdk":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        config = {"bucket": bucket, "endpoint_url": proxy.endpoint, "prefix": "p", "region": "us-east-1"}
        return Bench(proxy, open_store(config, Lender(), quick(clock)), clock)
    opened = S3Bucket(bucket, endpoint=proxy.endpoint, credentials=lambda: Credentials("i", "s"), retry=quick(clock))
    return Bench(proxy, PartsStorage(opened, opened, "p"), clock)


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (400, "RequestTimeout")])
def test_what_passes_is_waited_for(bench: Bench, status: int, code: str) -> None:
    for kind in ("PUT", "GET", "LIST", "DELETE"):
        bench.fail(kind, status=status, reason=code, times=2)
    assert bench.storage.put("a", b"data") is True
    assert bench.read("a") == b"data"
    assert [info.path for info in bench.storage.list("")] == ["a"]
    bench.storage.delete("a")
    assert bench.storage.stat("a") is None
    assert len(bench.clock.pauses) == 8


def test_the_budget_ends(bench: Bench) -> None:
    bench.storage.put("a", b"data")
    bench.fail("GET", status=503, reason="SlowDown", headers={"Retry-After": "25"}, times=10)
    with pytest.raises(StorageError, match=r"answered 503.*tried 3 times in 50 seconds") as caught:
        bench.read("a")
    assert caught.value.kind == "TRANSIENT"
    bench.proxy.faults.clear()


def test_writers_in_each_others_way_try_again(bench: Bench) -> None:
    bench.fail("PUT", status=409, reason="ConditionalRequestConflict")
    assert bench.storage.put("a", b"data") is True


@pytest.mark.parametrize("size", [5, LARGE])
def test_a_lost_answer_does_not_make_an_own_object_anothers(bench: Bench, tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(size))
    bench.fail("PUT" if size == 5 else "COMPLETE", lost=True)
    assert bench.storage.put("a", tmp_path / "a") is True
    assert bench.storage.put("a", b"other") is False
    assert len(bench.read("a")) == size


def test_parts_that_fail_are_sent_again(bench: Bench, tmp_path: Path) -> None:
    data = hashlib.shake_128(b"x").digest(LARGE)
    (tmp_path / "large").write_bytes(data)
    bench.fail("PART", status=503, reason="SlowDown")
    bench.fail("PART", lost=True, after=1)
    assert bench.storage.put("large", tmp_path / "large") is True
    assert bench.read("large") == data
    assert bench.proxy.seen.count("BEGIN") == 1
    assert bench.proxy.seen.count("PART") == 5


def test_an_upload_that_fails_is_dropped(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE))
    bench.fail("PART", status=403, reason="AccessDenied", after=1)
    with pytest.raises(StorageError, match="denies permission"):
        bench.storage.put("large", tmp_path / "large")
    assert "ABORT" in bench.proxy.seen
    assert bench.storage.stat("large") is None
    assert list(bench.storage.leftovers()) == []


def test_an_upload_that_nobody_dropped_is_found_and_deleted(bench: Bench) -> None:
    assert isinstance(bench.storage, Staged)
    bench.storage._parts.begin("p/sub/large", "mark")  # type: ignore[attr-defined]
    [left] = bench.storage.leftovers()
    assert left.path.startswith("sub/large/.put-")
    assert list(bench.storage.list("")) == []
    bench.storage.delete(left.path)
    assert list(bench.storage.leftovers()) == []
    bench.storage.delete(left.path)


@pytest.mark.parametrize("cut", [0, 1, 100_000, PIECE - 1])
def test_a_read_that_is_cut_goes_on_where_it_was(bench: Bench, tmp_path: Path, cut: int) -> None:
    data = hashlib.shake_128(b"y").digest(PIECE + 5000)
    bench.storage.put("a", data)
    bench.fail("GET", cut=cut)
    bench.fail("GET", cut=2, after=1)
    assert bench.read("a") == data


def test_what_changes_on_the_way_down_is_noticed(bench: Bench) -> None:
    bench.storage.put("a", b"data" * 1000)
    bench.fail("GET", flip=True)
    with pytest.raises(StorageError, match="differs") as caught:
        bench.read("a")
    assert caught.value.kind == "TRANSIENT"
    bench.proxy.faults.clear()
    assert bench.read("a") == b"data" * 1000


@pytest.mark.parametrize(
    ("status", "code", "kind", "said", "hint"),
    [
        (403, "AccessDenied", "UNAUTHORIZED", "denies permission", "s3:GetObject"),
        (403, "RequestTimeTooSkewed", "UNAUTHORIZED", "clock is wrong", "timedatectl"),
        (400, "ExpiredToken", "UNAUTHORIZED", "have expired", "aws sso login"),
        (403, "InvalidAccessKeyId", "UNAUTHORIZED", "does not accept the credentials", "AWS_PROFILE"),
        (403, "SignatureDoesNotMatch", "UNAUTHORIZED", "does not accept the credentials", "`region`"),
        (404, "NoSuchBucket", "INVALID", "bucket s3://.* does not exist", "aws s3 mb"),
    ],
)
def test_refusals_say_what_to_do(bench: Bench, status: int, code: str, kind: str, said: str, hint: str) -> None:
    calls = {
        "PUT": lambda: bench.storage.put("a", b"x"),
        "GET": lambda: bench.storage.open("a"),
        "LIST": lambda: list(bench.storage.list("")),
        "DELETE": lambda: bench.storage.delete("a"),
    }
    for request, call in calls.items():
        bench.fail(request, status=status, reason=code, message="the server's words")
        with pytest.raises(StorageError, match=said) as caught:
            call()
        bench.proxy.faults.clear()
        assert caught.value.kind == kind
        assert hint in caught.value.hint
    assert bench.clock.pauses == []


@pytest.mark.parametrize("bench", ["jobs"], indirect=True)
def test_a_bucket_elsewhere_is_named(bench: Bench) -> None:
    """boto3 finds the right region by itself."""
    bench.fail("PUT", status=301, reason="PermanentRedirect")
    with pytest.raises(StorageError, match="another region"):
        bench.storage.put("a", b"x")


def test_a_missing_bucket_is_not_an_empty_one(bench: Bench) -> None:
    bench.storage._bucket.bucket = "no-such-bucket"  # type: ignore[attr-defined]
    if hasattr(bench.storage._bucket, "_root"):
        bench.storage._bucket._root = "/no-such-bucket"
    for call in (
        lambda: bench.storage.stat("a"),
        lambda: list(bench.storage.list("")),
        lambda: bench.storage.put("a", b"x"),
        lambda: bench.storage.open("a"),
    ):
        with pytest.raises(StorageError, match="does not exist") as caught:
            call()
        assert caught.value.kind == "INVALID"


def test_listing_goes_through_all_pages(bench: Bench) -> None:
    for number in range(5):
        bench.storage.put(f"many/{number} +", b"")
    bench.storage._page = 2
    bench.fail("LIST", status=503, reason="SlowDown", after=1)
    assert [info.path for info in bench.storage.list("many/")] == [f"many/{n} +" for n in range(5)]
    assert bench.proxy.seen.count("LIST") == 4


def test_a_store_is_no_further_than_its_prefix(bench: Bench) -> None:
    bench.storage.put("a", b"x")
    other = PartsStorage(bench.storage._bucket, bench.storage._parts, "pp")
    other.put("b", b"x")
    assert [info.path for info in bench.storage.list("")] == ["a"]
    assert [info.path for info in other.list("")] == ["b"]
