"""What a job fetches of buckets: the versions that plan saw, checked, in files with names that a disk takes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.buckets import MemoryBucket
from zenctl.jobs.objects import RemoteObject, buckets
from zenctl.jobs.storage import FolderStorage, StorageError
from zenctl.jobs.stores.objects import PIECE, Found
from zenctl.runner.objects import Fetched, fetch_objects, file_name
from zenctl.sdk.errors import StepError


def seen(bucket: MemoryBucket) -> dict[str, str]:
    """Locations of all objects as they are now."""
    found = {}
    for page in bucket.pages("", 1000):
        for item in page:
            uri = f"{bucket.uri}/{item.key}"
            found[item.key] = RemoteObject(uri, item.version, item.size, item.checksum).location()
    return found


def fetch(bucket: MemoryBucket, locations: dict[str, str], folder: Path, told: list[Any] | None = None) -> Fetched:
    report = (lambda *parts: told.append(parts)) if told is not None else (lambda *_: None)
    return fetch_objects(locations, lambda _: bucket.storage, folder, report)


def refusal(bucket: MemoryBucket, locations: dict[str, str], folder: Path) -> StepError:
    with pytest.raises(StepError) as caught:
        fetch(bucket, locations, folder)
    return caught.value


def test_objects_become_files_and_paths_stay(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    bucket.put("in/a.csv", b"small")
    bucket.put("in//a.csv", b"")
    bucket.put("big.csv", bytes(range(256)) * (PIECE // 100))
    told: list[Any] = []
    locations = {**seen(bucket), "local": "/data/x.csv"}
    found = fetch(bucket, locations, tmp_path / "objects", told)
    assert found.locations["local"] == "/data/x.csv"
    for key, (data, _) in bucket.objects.items():
        place = Path(found.locations[key])
        assert place.read_bytes() == data
        assert place.name == key.rpartition("/")[2]
        assert found.files[str(place)] == f"gs://here/{key}"
    total = sum(len(data) for data, _ in bucket.objects.values())
    assert told[-1] == (total, total, "bytes")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert buckets(locations) == ["gs://here"]


def test_what_is_told_of_a_file_names_the_object(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    bucket.put("in/a.csv", b"x")
    found = fetch(bucket, seen(bucket), tmp_path / "objects")
    assert found.told(f"cannot read {found.locations['in/a.csv']}: gone") == "cannot read gs://here/in/a.csv: gone"


@pytest.mark.parametrize("what", ["changed", "deleted", "longer"])
def test_what_is_not_what_plan_saw_is_refused(what: str, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", b"x" * 100)
    locations = seen(bucket)
    if what == "changed":
        bucket.put("a.csv", b"x" * 100)
    elif what == "deleted":
        bucket.remove("a.csv")
    else:
        bucket.objects["a.csv"] = b"x" * 101, bucket.objects["a.csv"][1]
    problem = refusal(bucket, locations, tmp_path / "objects")
    assert problem.kind == "source_changed"
    assert problem.message == "gs://here/a.csv was changed or deleted after the plan was made"
    assert "Plan again" in problem.hint


def test_bytes_that_changed_on_the_way_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", b"right")
    locations = seen(bucket)
    listed = bucket.head("a.csv")
    assert listed is not None
    bucket.objects["a.csv"] = b"wrong", listed.version
    monkeypatch.setattr(bucket, "head", lambda _: listed)
    problem = refusal(bucket, locations, tmp_path / "objects")
    assert problem.kind == "source_unreadable"
    assert "what arrived differs from what gs://here holds (MD5)" in problem.message


def test_a_tag_that_is_no_md5_is_no_reason_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 lists an object that is encrypted with a key of KMS: only asking for it tells that its tag is no MD5."""
    bucket = MemoryBucket("s3://here")
    bucket.put("a.csv", b"right")
    version = bucket.objects["a.csv"][1]
    location = RemoteObject("s3://here/a.csv", version, 5, f"md5:{'0' * 32}").location()
    monkeypatch.setattr(bucket, "head", lambda key: Found(key, 5, 0.0, version, f"etag:{'0' * 32}"))
    found = fetch(bucket, {"a.csv": location}, tmp_path / "objects")
    assert Path(found.locations["a.csv"]).read_bytes() == b"right"
    monkeypatch.setattr(bucket, "head", lambda key: Found(key, 5, 0.0, "another", ""))
    assert refusal(bucket, {"a.csv": location}, tmp_path / "again").kind == "source_changed"


def test_a_bucket_that_refuses_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", b"x")
    locations = seen(bucket)

    def refuse(*_: Any) -> None:
        raise StorageError("UNAUTHORIZED", "the credentials have expired", "Log in.")

    monkeypatch.setattr(bucket, "read", refuse)
    problem = refusal(bucket, locations, tmp_path / "objects")
    assert (problem.kind, problem.hint) == ("source_unreadable", "Log in.")
    assert problem.message == "cannot read gs://here/a.csv: the credentials have expired"


def test_a_store_that_is_no_bucket_is_refused(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", b"x")
    with pytest.raises(StepError, match="no bucket that jobs can read"):
        fetch_objects(seen(bucket), lambda _: FolderStorage(tmp_path), tmp_path / "objects", lambda *_: None)


def test_a_source_that_has_no_room_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", b"x" * 100)
    locations = seen(bucket)
    bucket.calls.clear()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 901, 99))  # type: ignore[attr-defined]
    problem = refusal(bucket, locations, tmp_path / "objects")
    assert "the source has 100 bytes, and there is room for 99" in problem.message
    assert bucket.calls == []


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a/b.csv", "b.csv"),
        ("..", "_"),
        ("x/..", "_"),
        ("x/", "_"),
        ("a\0b.csv", "a_b.csv"),
        ("x" * 300 + ".csv", None),
    ],
)
def test_names_of_files(key: str, name: str | None) -> None:
    found = file_name(key)
    assert name in (None, found)
    assert len(os.fsencode(found)) <= 200
    assert found.endswith(".csv") or name == "_"
