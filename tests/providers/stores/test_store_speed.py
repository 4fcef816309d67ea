"""Measures the stores beside a plain upload and download by the SDK: CPU of this process, and of the server apart."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.emulators import Emulator, fake_gcs, moto
from tests.fakes.gcs import serving
from zenctl.digests import sha256_text
from zenctl.jobs.artifacts import blob_path, fetch_tree, store_folder
from zenctl.jobs.storage import Storage
from zenctl.jobs.stores.opening import open_store
from zenctl.provider.registry import discover
from zenctl.runner.memory import StoreMemory

pytestmark = pytest.mark.benchmark

SIZE = int(os.environ.get("ZENCTL_TEST_OBJECT_MIB", "1024")) << 20
SMALL = 2000


@pytest.fixture(scope="module", params=["gcs", "s3"])
def server(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with {"gcs": fake_gcs, "s3": moto}[request.param]() as running:
        yield running


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SIZE bytes that do not repeat within 64 MiB."""
    block = hashlib.shake_128(b"z").digest(64 << 20)
    path = tmp_path_factory.mktemp("big") / "big"
    with path.open("wb") as stream:
        for _ in range(SIZE // len(block)):
            stream.write(block)
    return path


def measured(what: str, server: Emulator, call: Callable[[], object], size: int = 0) -> None:
    """Print wall time, this process's CPU and the server's."""
    process = psutil.Process(server.process.pid)
    before, theirs, began = time.process_time(), sum(process.cpu_times()[:2]), time.monotonic()
    call()
    wall, cpu = time.monotonic() - began, time.process_time() - before
    rate = f", {size / wall / 2**20:,.0f} MiB/s" if size else ""
    print(
        f"{what:45} wall {wall:6.2f} s, CPU {cpu:6.2f} s, server {sum(process.cpu_times()[:2]) - theirs:6.2f} s{rate}"
    )


def stores(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Storage]:
    bucket = server.bucket()
    if server.name == "moto":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        told = {"endpoint": server.endpoint, "key_id": "id", "secret": "secret"}
        made = discover().provider("aws").storage("s3", {"bucket": bucket, "endpoint_url": server.endpoint})
        return {"s3 (boto3)": made, "s3 (standard library)": open_store(f"s3://{bucket}", told)}
    made = discover().provider("gcp").storage("gcs", {"bucket": bucket, "endpoint": server.endpoint})
    told = {"endpoint": server.endpoint, "anonymous": True}
    return {"gcs (SDK)": made, "gcs (standard library)": open_store(f"gs://{bucket}", told)}


def read(storage: Storage, path: str, size: int) -> None:
    """Read an object to its end; it must have this many bytes."""
    found = 0
    with storage.open(path) as stream:
        while chunk := stream.read(1 << 20):
            found += len(chunk)
    info = storage.stat(path)
    assert info is not None
    assert found == info.size == size


def plain(server: Emulator, big: Path, bucket: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """The SDK's own way of sending and fetching a file."""
    target = str(big) + ".fetched"
    if server.name == "moto":
        import boto3

        client = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1")
        return lambda: client.upload_file(str(big), bucket, "plain"), lambda: client.download_file(
            bucket, "plain", target
        )
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    options = {"api_endpoint": server.endpoint}
    google = storage.Client(project="p", credentials=AnonymousCredentials(), client_options=options)
    blob = google.bucket(bucket).blob("plain")
    return lambda: blob.upload_from_filename(str(big)), lambda: blob.download_to_filename(target)


def test_one_big_object(server: Emulator, big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stores(server, monkeypatch)
    bucket = next(iter(found.values())).uri.partition("//")[2]
    send, fetch = plain(server, big, bucket)
    print()
    measured(f"{server.name}: the SDK's plain upload", server, send, SIZE)
    measured(f"{server.name}: the SDK's plain download", server, fetch, SIZE)
    for name, storage in found.items():
        measured(f"{name}: put", server, lambda: storage.put(f"big {name}", big), SIZE)  # noqa: B023
        measured(f"{name}: open and read", server, lambda: read(storage, f"big {name}", big.stat().st_size), SIZE)  # noqa: B023
        storage.delete(f"big {name}")


def test_many_small_objects(server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print()
    for number, (name, storage) in enumerate(stores(server, monkeypatch).items()):
        folder = tmp_path / f"artifact {number}"
        folder.mkdir()
        for file in range(SMALL):
            (folder / f"{file}.txt").write_text(f"{name} {file}")
        digest = ""

        def put() -> None:
            nonlocal digest
            digest = store_folder(storage, folder).digest  # noqa: B023

        measured(f"{name}: store {SMALL:,} files", server, put)
        measured(f"{name}: store them again", server, put)
        measured(
            f"{name}: fetch them",
            server,
            lambda: fetch_tree(storage, digest, tmp_path / "fetched"),  # noqa: B023
        )
        assert len(list((tmp_path / "fetched").iterdir())) == SMALL


KNOWN = 400
LATENCY = 0.05


@pytest.mark.parametrize("told", [False, True], ids=["one by one", "told before"])
def test_known_shards_are_looked_for(told: bool) -> None:
    """What a snapshot that starts from an earlier one asks of a bucket that takes a while to answer."""
    digests = [sha256_text(str(number)) for number in range(KNOWN)]
    with serving() as running:
        bucket = running.fake.bucket()
        for digest in digests:
            running.fake.insert(bucket, {"name": blob_path(digest)}, {}, b"shard")
        running.fake.latency = LATENCY
        memory = StoreMemory(open_store(f"gs://{bucket}", {"endpoint": running.endpoint, "anonymous": True}), {})
        began, cpu = time.monotonic(), time.process_time()
        if told:
            memory.expect(digests)
        assert all(memory.holds(digest, 5) for digest in digests)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        requests = len(running.fake.seen)
    way = "told before" if told else "one by one"
    print(
        f"{KNOWN} known shards, {LATENCY * 1000:.0f} ms away, {way}: {requests} requests, {wall:.1f} s, CPU {cpu:.1f} s"
    )
    assert requests == KNOWN
