"""What the store `s3` does when Amazon's side fails: both that of zenctl (boto3) and that of jobs (by hand)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from tests.emulators import Emulator, moto
from tests.fakes.proxy import Proxy, before
from tests.providers.stores.suite import Bench, Refusal, Requests, StoreFaults, read
from tests.providers.stores.timing import Clock
from zenctl.jobs.storage import Staged, StorageError
from zenctl.jobs.stores import s3_upload
from zenctl.jobs.stores.objects import PartsStorage
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.s3 import S3Bucket
from zenctl.jobs.stores.sigv4 import Credentials
from zenctl.provider.lending import Lender
from zenctl_aws.storage import open_store

PART = 5 << 20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest parts that S3 takes."""
    monkeypatch.setattr(s3_upload, "PART", PART)
    monkeypatch.setattr(s3_upload, "SMALL", PART)


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with moto() as running:
        yield running


@pytest.fixture(scope="module")
def running_proxy(server: Emulator) -> Iterator[Proxy]:
    with before(server.endpoint) as running:
        yield running


@pytest.fixture
def proxy(running_proxy: Proxy) -> Proxy:
    running_proxy.faults.clear()
    running_proxy.seen.clear()
    return running_proxy


@pytest.fixture(params=["sdk", "jobs"])
def bench(server: Emulator, proxy: Proxy, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    names, endpoint = [server.bucket()], [proxy.endpoint]

    def through_sdk(prefix: str, retry: Retrying, timeout: float) -> PartsStorage:
        config = {"bucket": names[-1], "endpoint_url": endpoint[0], "prefix": prefix, "region": "us-east-1"}
        return open_store({**config, "timeout_seconds": timeout}, Lender(), retry)

    def by_hand(prefix: str, retry: Retrying, timeout: float) -> PartsStorage:
        who = Credentials("i", "s")
        bucket = S3Bucket(names[-1], endpoint=endpoint[0], credentials=lambda: who, retry=retry, timeout=timeout)
        return PartsStorage(bucket, bucket, prefix)

    opening = through_sdk if request.param == "sdk" else by_hand
    return Bench(proxy.faults, proxy.seen, opening, Clock(), lambda: names.append("no-such-bucket"), endpoint)


class TestS3(StoreFaults):
    """On moto, behind a proxy that commits faults."""

    LARGE = 2 * PART + 12345
    REQUESTS = Requests(write="PUT", read="GET", look="HEAD", list="LIST", delete="DELETE", piece="PART")
    PASSING: ClassVar[Mapping[int, str]] = {503: "SlowDown", 500: "InternalError", 400: "RequestTimeout"}
    REFUSALS = (
        Refusal(403, "AccessDenied", "UNAUTHORIZED", "denies permission", "s3:GetObject"),
        Refusal(403, "RequestTimeTooSkewed", "UNAUTHORIZED", "clock is wrong", "timedatectl"),
        Refusal(400, "ExpiredToken", "UNAUTHORIZED", "have expired", "aws sso login"),
        Refusal(403, "InvalidAccessKeyId", "UNAUTHORIZED", "does not accept the credentials", "AWS_PROFILE"),
        Refusal(403, "SignatureDoesNotMatch", "UNAUTHORIZED", "does not accept the credentials", "`region`"),
        Refusal(404, "NoSuchBucket", "INVALID", "bucket s3://.* does not exist", "aws s3 mb"),
    )

    def test_writers_in_each_others_way_try_again(self, bench: Bench) -> None:
        bench.fail("PUT", status=409, reason="ConditionalRequestConflict")
        assert bench.storage.put("a", b"data") is True

    def test_a_lost_answer_to_the_last_request_of_an_upload(self, bench: Bench, large: Path) -> None:
        bench.fail("COMPLETE", lost=True)
        assert bench.storage.put("a", large) is True
        assert bench.storage.put("a", b"other") is False
        assert read(bench.storage, "a") == large.read_bytes()

    def test_parts_that_fail_are_sent_again(self, bench: Bench, large: Path) -> None:
        bench.fail("PART", status=503, reason="SlowDown")
        bench.fail("PART", lost=True, after=1)
        assert bench.storage.put("large", large) is True
        assert read(bench.storage, "large") == large.read_bytes()
        assert bench.seen.count("BEGIN") == 1
        assert bench.seen.count("PART") == 5

    def test_an_upload_that_fails_is_dropped(self, bench: Bench, large: Path) -> None:
        bench.fail("PART", status=403, reason="AccessDenied", after=1)
        with pytest.raises(StorageError, match="denies permission"):
            bench.storage.put("large", large)
        assert "ABORT" in bench.seen

    def test_an_upload_that_nobody_dropped_is_found_and_deleted(self, bench: Bench) -> None:
        storage = bench.storage
        assert isinstance(storage, Staged)
        storage._parts.begin("p/sub/large", "mark")  # type: ignore[attr-defined]
        [left] = storage.leftovers()
        assert left.path.startswith("sub/large/.put-")
        assert list(storage.list("")) == []
        storage.delete(left.path)
        assert list(storage.leftovers()) == []
        storage.delete(left.path)

    @pytest.mark.parametrize("bench", ["jobs"], indirect=True)
    def test_a_bucket_elsewhere_is_named(self, bench: Bench) -> None:
        """boto3 finds the right region by itself."""
        bench.fail("PUT", status=301, reason="PermanentRedirect")
        with pytest.raises(StorageError, match="another region"):
            bench.storage.put("a", b"x")
