"""Fetches the objects of buckets that a job's locations name, the very versions that plan saw, into local files.

So a source reads files, wherever it lies. What is told of such a file names the object instead (`Fetched.told`).
"""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple

from zenctl.digests import CHUNK
from zenctl.jobs.objects import RemoteObject, remote_object
from zenctl.jobs.storage import Storage, StorageError, each
from zenctl.jobs.stores.objects import PIECE, Bucket, ObjectStorage, open_version
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.errors import StepError
from zenctl.sdk.job import Report

UNREADABLE = "source_unreadable"
"""The kind of error of an object that is there, as far as is known, and cannot be read."""

MOST_NAME = 200
"""Most bytes of a file's name: an object's may be longer than a file system takes."""

Open = Callable[[str], Storage]
"""Opens the bucket at `gs://NAME` or `s3://NAME`."""

Wanted = List[Tuple[RemoteObject, Path]]


@dataclass(frozen=True)
class Fetched:
    """Locations that are all of this machine, and the objects' URIs by the files that stand for them."""

    locations: Mapping[str, str]
    files: Mapping[str, str]

    def told(self, text: str) -> str:
        """A text with the objects' own names."""
        for file, uri in self.files.items():
            text = text.replace(file, uri)
        return text


def fetch_objects(locations: Mapping[str, str], open_bucket: Open, folder: Path, report: Report) -> Fetched:
    """Fetch what lies in buckets into `folder`, one folder an object: memory holds some pieces at most.

    Raises StepError: source_changed for an object that is gone, or no longer of its version; source_unreadable.
    """
    wanted: Dict[str, Wanted] = {}
    here = dict(locations)
    files: Dict[str, str] = {}
    for name, location in sorted(locations.items()):
        found = remote_object(location)
        if found is None:
            continue
        target = folder / str(len(files)) / file_name(found.key)
        here[name], files[str(target)] = str(target), found.uri
        wanted.setdefault(found.bucket, []).append((found, target))
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        total = sum(found.size for items in wanted.values() for found, _ in items)
        _check_room(folder, total)
        done = 0
        for bucket, items in wanted.items():
            done = _fetch_all(open_bucket, bucket, items, lambda so_far: report(so_far, total, "bytes"), done)
    return Fetched(here, files)


def file_name(key: str) -> str:
    """The last part of a key as a file's name, its ending kept."""
    name = key.rpartition("/")[2].replace("\0", "_")
    if name in ("", ".", ".."):
        return "_"
    raw = name.encode("utf-8", "surrogatepass")
    return raw[-MOST_NAME:].decode("utf-8", "ignore") if len(raw) > MOST_NAME else name


def _check_room(folder: Path, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if total > free:
        message = f"the source has {total:,} bytes, and there is room for {free:,} where jobs work"
        hint = "Free disk space there, or read a part of the source: objects are fetched before they are read."
        raise StepError(message, hint, kind=UNREADABLE)


def _fetch_all(open_bucket: Open, uri: str, items: Wanted, report: Callable[[int], None], done: int) -> int:
    """Small objects many at a time, large ones one by one, of which several pieces are under way. Gives bytes done."""
    try:
        storage = open_bucket(uri)
    except StorageError as problem:
        raise _unreadable(uri, problem) from problem
    if not isinstance(storage, ObjectStorage):
        raise StepError(f"{uri} is no bucket that jobs can read", "Name objects of gs:// or s3://.", kind=UNREADABLE)
    bucket = storage.bucket
    small = [item for item in items if item[0].size <= PIECE]
    for size in each(storage, lambda item: _fetch(bucket, *item, _silent), small):
        done += size
        report(done)
    for found, target in items:
        if found.size > PIECE:
            done += _fetch(bucket, found, target, partial(_add, report, done))
    return done


def _silent(got: int) -> None:
    """Of an object that comes in one piece there is nothing to tell on the way."""


def _add(report: Callable[[int], None], before: int, got: int) -> None:
    report(before + got)


def _fetch(bucket: Bucket, found: RemoteObject, target: Path, report: Callable[[int], None]) -> int:
    """One object, checked against its size, and its MD5 where it is known. Gives its bytes."""
    name, _, expected = found.checksum.partition(":")
    hasher: Any = hashlib.md5(usedforsecurity=False) if name == "md5" else None
    target.parent.mkdir(parents=True, exist_ok=True)
    got = 0
    try:
        with open_version(bucket, found.key, found.version) as stream, open(target, "wb") as file:
            while True:
                chunk = stream.read(CHUNK)
                if not chunk:
                    break
                file.write(chunk)
                if hasher is not None:
                    hasher.update(chunk)
                got += len(chunk)
                report(got)
        if got != found.size:
            raise _changed(found)
        if hasher is not None and hasher.hexdigest() != expected:
            _check_tag(bucket, found)
    except StorageError as problem:
        raise (_changed(found) if problem.kind == "NOT_FOUND" else _unreadable(found.uri, problem)) from problem
    except OSError as problem:
        target.unlink(missing_ok=True)
        message = f"{found.uri} cannot be kept where jobs work: {problem.strerror or problem}"
        raise StepError(message, "Free disk space there, then apply again.", kind=UNREADABLE) from problem
    return got


def _check_tag(bucket: Bucket, found: RemoteObject) -> None:
    """The bytes are not those of the MD5: a listing takes for one what S3 gives an object encrypted with a KMS key."""
    now = bucket.head(found.key)
    if now is None or now.version != found.version:
        raise _changed(found)
    if now.checksum == found.checksum:
        message = f"what arrived differs from what {bucket.uri} holds (MD5)"
        raise StorageError("TRANSIENT", message, "Try again; if it stays so, something on the way changes data.")


def _changed(found: RemoteObject) -> StepError:
    message = f"{found.uri} was changed or deleted after the plan was made"
    hint = "Nothing was recorded. Plan again to see what changed."
    return StepError(message, hint, file=found.uri, kind="source_changed")


def _unreadable(uri: str, problem: StorageError) -> StepError:
    return StepError(f"cannot read {uri}: {problem}", problem.hint, file=uri, kind=UNREADABLE)
