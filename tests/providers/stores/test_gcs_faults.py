"""What the store `gcs` does when Google's side fails: both that of zenctl (the SDK) and that of jobs (by hand)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from tests.fakes.faults import Fault
from tests.fakes.gcs import FakeGcs, Running, serving
from tests.providers.stores.suite import Bench, Refusal, Requests, StoreFaults, read
from tests.providers.stores.timing import Clock
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


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture
def fake(served: Running) -> Iterator[FakeGcs]:
    """The server; nothing that was asked of it, or answered, may be against Google's description of the API."""
    served.fake.seen.clear()
    served.fake.faults.clear()
    yield served.fake
    assert served.fake.problems == []


@pytest.fixture
def bucket(fake: FakeGcs) -> str:
    return fake.bucket()


@pytest.fixture(params=["sdk", "jobs"])
def bench(served: Running, fake: FakeGcs, bucket: str, request: pytest.FixtureRequest) -> Bench:
    endpoint = [served.endpoint]

    def through_sdk(prefix: str, retry: Retrying, timeout: float) -> ObjectStorage:
        config = {"bucket": bucket, "endpoint": endpoint[0], "prefix": prefix, "timeout_seconds": timeout}
        return open_store(config, Lender(), retry)

    def by_hand(prefix: str, retry: Retrying, timeout: float) -> ObjectStorage:
        opened = GcsBucket(bucket, endpoint=endpoint[0], token=None, retry=retry, timeout=timeout)
        return ObjectStorage(opened, prefix)

    opening = through_sdk if request.param == "sdk" else by_hand
    return Bench(fake.faults, fake.seen, opening, Clock(), fake.buckets.clear, endpoint)


class TestGcs(StoreFaults):
    """On the strict fake."""

    LARGE = LARGE
    REQUESTS = Requests(
        write="objects.insert",
        read="objects.get.media",
        look="objects.get",
        list="objects.list",
        delete="objects.delete",
        piece="objects.insert.chunk",
    )
    PASSING: ClassVar[Mapping[int, str]] = dict.fromkeys((408, 429, 500, 502, 503, 504), "backendError")
    REFUSALS = (
        Refusal(401, "authError", "UNAUTHORIZED", "not know who asks|credentials are refused", "gcloud auth"),
        Refusal(
            403, "forbidden", "UNAUTHORIZED",
            "denies permission: x does not have storage.objects.create access", "roles/storage.objectUser",
            message="x does not have storage.objects.create access",
        ),
        Refusal(
            404, "notFound", "INVALID", "bucket gs://.* does not exist", "gcloud storage buckets create",
            message="The specified bucket does not exist.",
        ),
        Refusal(400, "invalid", "INVALID", "Bad name", "", message="Bad name"),
    )  # fmt: skip

    def test_a_large_object_is_not_put_where_one_came_meanwhile(
        self, bench: Bench, fake: FakeGcs, bucket: str, large: Path
    ) -> None:
        """Preconditions of resumable uploads hold at their end too."""
        bench.fail("objects.insert.chunk", status=503, after=1)
        original = fake.faults.take

        def take(method: str, key: str) -> Fault | None:
            if method == "objects.insert.chunk" and "p/large" not in fake.buckets[bucket]:
                fake.insert(bucket, {"name": "p/large"}, {}, b"theirs")
            return original(method, key)

        fake.faults.take = take  # type: ignore[method-assign]
        try:
            assert bench.storage.put("large", large) is False
        finally:
            del fake.faults.take
        assert read(bench.storage, "large") == b"theirs"

    @pytest.mark.parametrize("cut", [0, 300_000, CHUNK - 1])
    def test_an_upload_that_is_cut_goes_on_where_it_was(self, bench: Bench, large: Path, cut: int) -> None:
        bench.fail("objects.insert.chunk", cut=cut, after=1)
        bench.fail("objects.insert.chunk", status=503, after=1)
        assert bench.storage.put("large", large) is True
        assert read(bench.storage, "large") == large.read_bytes()
        assert bench.seen.count("objects.insert") == 1

    def test_an_upload_that_the_store_forgot_begins_anew(self, bench: Bench, large: Path) -> None:
        bench.fail("objects.insert.chunk", status=410, reason="gone", after=1)
        assert bench.storage.put("large", large) is True
        assert read(bench.storage, "large") == large.read_bytes()

    @pytest.mark.parametrize("size", [1000, LARGE])
    def test_what_changes_on_the_way_up_is_never_stored(self, bench: Bench, tmp_path: Path, size: int) -> None:
        (tmp_path / "a").write_bytes(b"\x07" * size)
        # The last chunk is the one that makes the object.
        method = "objects.insert" if size == 1000 else "objects.insert.chunk"
        bench.fail(method, flip=True, after=0 if size == 1000 else 2)
        with pytest.raises(StorageError, match=r"hash|differs"):
            bench.storage.put("a", tmp_path / "a")
        assert bench.storage.stat("a") is None
        assert bench.storage.put("a", tmp_path / "a") is True

    def test_a_rate_limit_that_comes_as_403_passes(self, bench: Bench) -> None:
        bench.fail("objects.list", status=403, reason="rateLimitExceeded")
        assert list(bench.storage.list("")) == []
        assert len(bench.clock.pauses) == 1

    def test_a_refusal_to_tell_of_an_object_is_not_its_absence(self, bench: Bench) -> None:
        for refusal in self.REFUSALS:
            bench.fail("objects.get", status=refusal.status, reason=refusal.reason, message=refusal.message)
            with pytest.raises(StorageError, match=refusal.said):
                bench.storage.stat("a")

    def test_memory_is_bounded_whatever_the_object(self, bench: Bench, fake: FakeGcs, bucket: str) -> None:
        """At most a few pieces are asked for before what is there is taken."""
        fake.insert(bucket, {"name": "p/a"}, {}, bytes(9 * PIECE))
        with bench.storage.open("a") as stream:
            stream.read(PIECE + 1)
            assert bench.seen.count("objects.get.media") <= 6

    def test_an_artifact_of_many_files_is_stored_checked_and_fetched_by_many_calls_at_once(
        self, bench: Bench, fake: FakeGcs, tmp_path: Path
    ) -> None:
        folder = tmp_path / "artifact"
        folder.mkdir()
        for number in range(60):
            (folder / f"{number}.txt").write_text(f"file {number}")
        threads: set[int] = set()
        original = fake.faults.take

        def take(method: str, key: str) -> Fault | None:
            threads.add(threading.get_ident())
            return original(method, key)

        fake.faults.take = take  # type: ignore[method-assign]
        storage = bench.storage
        try:
            tree = store_folder(storage, folder)
            check_tree(storage, tree.digest)
            fetch_tree(storage, tree.digest, tmp_path / "fetched")
        finally:
            del fake.faults.take
        assert (tmp_path / "fetched" / "59.txt").read_text() == "file 59"
        # The server has a thread for each connection: calls went over several of them.
        assert len(threads) > 3


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
