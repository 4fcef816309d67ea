"""Sends an object to S3: a small one in one request, a large one in parts, several at a time."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List, Protocol

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sources import Slice, Source
from zenctl.lazy_dataclasses import dataclass

SMALL = 16 << 20
"""Bytes up to which an object is sent in one request."""

PART = 16 << 20
"""Bytes of a part, as long as that makes no more than MOST_PARTS."""

MOST_PARTS = 10_000
"""What S3 allows."""

AT_ONCE = 4
"""Parts under way at a time: with PART, the most memory that an upload takes."""


@dataclass(frozen=True)
class Part:
    """A part that was received: its number from 1, its entity tag, and its SHA-256 in base64."""

    number: int
    tag: str
    sha256: str


class Sending(Protocol):
    """The requests of an upload, one try each; StorageError says what went wrong."""

    @property
    def retry(self) -> Retrying: ...

    @property
    def uri(self) -> str: ...

    def is_marked(self, key: str, mark: str) -> bool:
        """Whether what is there was made by the call of that mark."""
        ...

    def send_whole(self, key: str, data: bytes, sha256: str, mark: str, *, overwrite: bool) -> bool:
        """Store it; False if something is there already."""
        ...

    def begin(self, key: str, mark: str) -> str:
        """Begin an upload in parts, and give its id."""
        ...

    def send_part(self, key: str, upload_id: str, number: int, data: bytes, sha256: str) -> Part:
        """Send one part."""
        ...

    def complete(self, key: str, upload_id: str, parts: List[Part], *, overwrite: bool) -> bool:
        """Make them the object; False if something is there already. NOT_FOUND: there is no such upload any more."""
        ...

    def abort(self, key: str, upload_id: str) -> None:
        """Drop the upload; one that is gone is success."""
        ...


def upload(bucket: Sending, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
    """Store it, whole or not at all, with checksums that S3 compares; False if something is there already."""
    if size > SMALL:
        return _in_parts(bucket, key, source, size, mark, overwrite=overwrite)
    data = b"".join(Slice(source, 0, size).blocks())
    digest = _sha256(data)
    return _own(bucket, key, mark, lambda: bucket.send_whole(key, data, digest, mark, overwrite=overwrite))


def part_size(size: int) -> int:
    """Bytes of a part of an object of this size."""
    return max(PART, -(-size // MOST_PARTS))


def _own(bucket: Sending, key: str, mark: str, call: Callable[[], bool]) -> bool:
    """Repeat a call that stores an object; what is there after a try whose answer was lost may be its own."""
    tries: List[Any] = []

    def once() -> bool:
        tries.append(None)
        try:
            return call() or (len(tries) > 1 and bucket.is_marked(key, mark))
        except StorageError as error:
            if error.kind == "NOT_FOUND" and len(tries) > 1:
                return bucket.is_marked(key, mark)
            raise

    return bucket.retry(once)


def _in_parts(bucket: Sending, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
    """An upload of several requests. One that fails is dropped, so that nothing of it is paid for."""
    upload_id = bucket.retry(lambda: bucket.begin(key, mark))
    step = part_size(size)

    def send(start: int) -> Part:
        data = b"".join(Slice(source, start, min(step, size - start)).blocks())
        digest = _sha256(data)
        return bucket.retry(lambda: bucket.send_part(key, upload_id, start // step + 1, data, digest))

    stored = False
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="zenctl-parts") as pool:
            try:
                parts = list(pool.map(send, range(0, size, step)))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        stored = _own(bucket, key, mark, lambda: bucket.complete(key, upload_id, parts, overwrite=overwrite))
    finally:
        if not stored:
            _drop(bucket, key, upload_id)
    return stored


def _drop(bucket: Sending, key: str, upload_id: str) -> None:
    try:
        bucket.abort(key, upload_id)
    except StorageError:
        # The store is away, which is being told; `state gc` finds the upload later.
        return


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
