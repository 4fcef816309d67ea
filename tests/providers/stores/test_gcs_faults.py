"""What the store `gcs` does when Google's side fails: both that of zenctl (the SDK) and that of jobs (by hand)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.faults import Fault
from tests.fakes.gcs import FakeGcs, Running, serving
from tests.providers.stores.timing import Clock, quick
from zenctl.jobs.artifacts import check_tree, fetch_tree, store_folder
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores import gcs, gcs_upload
from zenctl.jobs.stores.gcs import GcsBucket
from zenctl.jobs.stores.google_tokens import GivenToken
from zenctl.jobs.stores.objects import PIECE, ObjectStorage
from zenctl.jobs.stores.retrying import Retrying
from zenctl.provider.lending import Lender
from zenctl_gcp.storage import open_store

CHUNK = 1 << 19
LARGE = 2 * CHUNK + 12345


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads of several chunks, without the bytes of real ones."""
    for module in (gcs, gcs_upload):
        monkeypatch.setattr(module, "CHUNK", CHUNK)
        monkeypatch.setattr(module, "SMALL", CHUNK // 2)
    # The SDK has a limit of its own, which is that of SMALL.
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", CHUNK // 2)


@dataclass
class Bench:
    """A store on the strict fake, whose retries take no time."""

    fake: FakeGcs
    storage: ObjectStorage
    bucket: str
    clock: Clock

    def fail(self, method: str, **fault: object) -> None:
        self.fake.faults.add(Fault(method, **fault))  # type: ignore[arg-type]

    def count(self, method: str) -> int:
        return self.fake.seen.count(method)


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture(params=["sdk", "jobs"])
def bench(served: Running, request: pytest.FixtureRequest) -> Iterator[Bench]:
    fake, clock = served.fake, Clock()
    fake.seen.clear()
    fake.faults.clear()
    bucket = fake.bucket()
    if request.param == "sdk":
        storage = open_store({"bucket": bucket, "endpoint": served.endpoint, "prefix": "p"}, Lender(), quick(clock))
    else:
        opened = GcsBucket(bucket, endpoint=served.endpoint, token=None, retry=quick(clock))
        storage = ObjectStorage(opened, "p")
    yield Bench(fake, storage, bucket, clock)
    assert fake.problems == []


def read(bench: Bench, path: str) -> bytes:
    with bench.storage.open(path) as stream:
        return stream.read()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for(bench: Bench, status: int) -> None:
    for method in ("objects.insert", "objects.get", "objects.get.media", "objects.list", "objects.delete"):
        bench.fail(method, status=status, times=2)
    assert bench.storage.put("a", b"data") is True
    assert read(bench, "a") == b"data"
    found = bench.storage.stat("a")
    assert found is not None
    assert [info.path for info in bench.storage.list("")] == ["a"]
    bench.storage.delete("a")
    assert bench.fake.buckets[bench.bucket] == {}
    assert len(bench.clock.pauses) == 10


def test_a_server_that_says_how_long_is_heeded(bench: Bench) -> None:
    bench.fail("objects.get.media", status=429, headers={"Retry-After": "7"})
    bench.storage.put("a", b"data")
    assert read(bench, "a") == b"data"
    assert bench.clock.pauses == [7.0]


def test_the_budget_ends(bench: Bench) -> None:
    bench.fail("objects.get.media", status=503, headers={"Retry-After": "25"}, times=10)
    bench.storage.put("a", b"data")
    with pytest.raises(StorageError, match=r"answered 503.*tried 3 times in 50 seconds") as caught:
        read(bench, "a")
    assert caught.value.kind == "TRANSIENT"
    bench.fake.faults.clear()


def test_a_lost_answer_does_not_make_an_own_object_anothers(bench: Bench) -> None:
    bench.fail("objects.insert", lost=True)
    assert bench.storage.put("a", b"mine") is True
    assert bench.storage.put("a", b"other") is False
    assert read(bench, "a") == b"mine"


def test_another_who_was_first_is_told_from_a_lost_answer(bench: Bench) -> None:
    bench.fake.insert(bench.bucket, {"name": "p/a"}, {}, b"theirs")
    bench.fail("objects.insert", status=503)
    assert bench.storage.put("a", b"mine") is False
    assert read(bench, "a") == b"theirs"


def test_a_large_object_is_not_put_where_one_came_meanwhile(bench: Bench, tmp_path: Path) -> None:
    """Preconditions of resumable uploads hold at their end too."""
    source = tmp_path / "large"
    source.write_bytes(bytes(LARGE))
    bench.fail("objects.insert.chunk", status=503, after=1)
    original = bench.fake.faults.take

    def take(method: str, key: str) -> Fault | None:
        if method == "objects.insert.chunk" and "p/large" not in bench.fake.buckets[bench.bucket]:
            bench.fake.insert(bench.bucket, {"name": "p/large"}, {}, b"theirs")
        return original(method, key)

    bench.fake.faults.take = take  # type: ignore[method-assign]
    try:
        assert bench.storage.put("large", source) is False
    finally:
        del bench.fake.faults.take
    assert read(bench, "large") == b"theirs"


@pytest.mark.parametrize("cut", [0, 300_000, CHUNK - 1])
def test_an_upload_that_is_cut_goes_on_where_it_was(bench: Bench, tmp_path: Path, cut: int) -> None:
    data = hashlib.shake_128(b"x").digest(LARGE)
    (tmp_path / "large").write_bytes(data)
    bench.fail("objects.insert.chunk", cut=cut, after=1)
    bench.fail("objects.insert.chunk", status=503, after=1)
    assert bench.storage.put("large", tmp_path / "large") is True
    assert bench.fake.buckets[bench.bucket]["p/large"].data == data
    assert bench.count("objects.insert") == 1


def test_an_upload_that_the_store_forgot_begins_anew(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE))
    bench.fail("objects.insert.chunk", status=410, reason="gone", after=1)
    assert bench.storage.put("large", tmp_path / "large") is True
    assert len(bench.fake.buckets[bench.bucket]["p/large"].data) == LARGE


@pytest.mark.parametrize("cut", [0, 1, 100_000, PIECE - 1])
def test_a_read_that_is_cut_goes_on_where_it_was(bench: Bench, cut: int) -> None:
    data = hashlib.shake_128(b"y").digest(PIECE + 5000)
    bench.fake.insert(bench.bucket, {"name": "p/a"}, {}, data)
    bench.fail("objects.get.media", cut=cut)
    bench.fail("objects.get.media", cut=2, after=1)
    assert read(bench, "a") == data


def test_what_changes_on_the_way_down_is_noticed(bench: Bench) -> None:
    bench.storage.put("a", b"data" * 1000)
    bench.fail("objects.get.media", flip=True)
    with pytest.raises(StorageError, match="differs") as caught:
        read(bench, "a")
    assert caught.value.kind == "TRANSIENT"
    assert read(bench, "a") == b"data" * 1000


@pytest.mark.parametrize("size", [1000, LARGE])
def test_what_changes_on_the_way_up_is_never_stored(bench: Bench, tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(b"\x07" * size)
    # The last chunk is the one that makes the object.
    method = "objects.insert" if size == 1000 else "objects.insert.chunk"
    bench.fail(method, flip=True, after=0 if size == 1000 else 2)
    with pytest.raises(StorageError, match=r"hash|differs"):
        bench.storage.put("a", tmp_path / "a")
    assert bench.storage.stat("a") is None
    assert bench.storage.put("a", tmp_path / "a") is True


@pytest.mark.parametrize(
    ("fault", "kind", "said", "hint"),
    [
        (
            {"status": 401, "reason": "authError"},
            "UNAUTHORIZED",
            "not know who asks|credentials are refused",
            "gcloud auth",
        ),
        (
            {"status": 403, "reason": "forbidden", "message": "x does not have storage.objects.create access"},
            "UNAUTHORIZED",
            "denies permission: x does not have storage.objects.create access",
            "roles/storage.objectUser",
        ),
        (
            {"status": 404, "reason": "notFound", "message": "The specified bucket does not exist."},
            "INVALID",
            "bucket gs://.* does not exist",
            "gcloud storage buckets create",
        ),
        ({"status": 400, "reason": "invalid", "message": "Bad name"}, "INVALID", "Bad name", ""),
    ],
)
def test_refusals_say_what_to_do(bench: Bench, fault: dict[str, object], kind: str, said: str, hint: str) -> None:
    calls = {
        "objects.insert": lambda: bench.storage.put("a", b"x"),
        "objects.get.media": lambda: bench.storage.open("a"),
        "objects.get": lambda: bench.storage.stat("a"),
        "objects.list": lambda: list(bench.storage.list("")),
        "objects.delete": lambda: bench.storage.delete("a"),
    }
    for method, call in calls.items():
        bench.fail(method, **fault)
        with pytest.raises(StorageError, match=said) as caught:
            call()
        assert caught.value.kind == kind
        assert hint in caught.value.hint
    assert bench.clock.pauses == []


def test_a_rate_limit_that_comes_as_403_passes(bench: Bench) -> None:
    bench.fail("objects.list", status=403, reason="rateLimitExceeded")
    assert list(bench.storage.list("")) == []
    assert len(bench.clock.pauses) == 1


def test_a_missing_bucket_is_not_an_empty_one(bench: Bench) -> None:
    del bench.fake.buckets[bench.bucket]
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
    for number in range(2345):
        bench.fake.insert(bench.bucket, {"name": f"p/many/{number:04}"}, {}, b"")
    bench.fail("objects.list", status=503, after=1)
    assert [info.path for info in bench.storage.list("many/")] == [f"many/{n:04}" for n in range(2345)]
    assert bench.count("objects.list") == 4


def test_a_store_is_no_further_than_its_prefix(bench: Bench) -> None:
    bench.fake.insert(bench.bucket, {"name": "other/a"}, {}, b"")
    bench.fake.insert(bench.bucket, {"name": "pp"}, {}, b"")
    bench.storage.put("a", b"x")
    assert [info.path for info in bench.storage.list("")] == ["a"]
    assert bench.storage.uri == f"gs://{bench.bucket}/p"


def test_memory_is_bounded_whatever_the_object(bench: Bench) -> None:
    """At most a few pieces are asked for before what is there is taken."""
    bench.fake.insert(bench.bucket, {"name": "p/a"}, {}, bytes(9 * PIECE))
    with bench.storage.open("a") as stream:
        stream.read(PIECE + 1)
        assert bench.count("objects.get.media") <= 6


def test_an_artifact_of_many_files_is_stored_checked_and_fetched_by_many_calls_at_once(
    bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "artifact"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number}.txt").write_text(f"file {number}")
    threads: set[int] = set()
    original = bench.fake.faults.take

    def take(method: str, key: str) -> Fault | None:
        threads.add(threading.get_ident())
        return original(method, key)

    bench.fake.faults.take = take  # type: ignore[method-assign]
    try:
        tree = store_folder(bench.storage, folder)
        check_tree(bench.storage, tree.digest)
        fetch_tree(bench.storage, tree.digest, tmp_path / "fetched")
    finally:
        del bench.fake.faults.take
    assert (tmp_path / "fetched" / "59.txt").read_text() == "file 59"
    # The server has a thread for each connection: calls went over several of them.
    assert len(threads) > 3


def test_an_upload_that_dies_leaves_nothing_that_looks_whole(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE))
    bench.fail("objects.insert.chunk", status=403, reason="forbidden", after=1)
    with pytest.raises(StorageError):
        bench.storage.put("large", tmp_path / "large")
    assert bench.storage.stat("large") is None
    assert list(bench.storage.list("")) == []


def test_a_job_uses_the_token_that_it_was_handed_and_renews_it(served: Running) -> None:
    fake = served.fake
    bucket = fake.bucket()
    fake.tokens = {"first", "second"}
    now = [1000.0]
    renewed: list[str] = []

    def renew() -> dict[str, object]:
        renewed.append("second")
        return {"token": "second", "ends": 9999.0}

    token = GivenToken("first", 1500.0, renew, clock=lambda: now[0])
    try:
        storage = ObjectStorage(GcsBucket(bucket, endpoint=served.endpoint, token=token, retry=Retrying(0)))
        assert storage.put("a", b"x") is True
        assert renewed == []
        now[0] = 1400.0
        fake.tokens = {"second"}
        assert storage.stat("a") is not None
        assert renewed == ["second"]
    finally:
        fake.tokens = set()
