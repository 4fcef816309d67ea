"""A Storage made of a bucket's few calls: paths under a prefix, streams in bounded memory, checks of what was sent."""

from __future__ import annotations

import hmac
import io
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Deque, Iterator, Mapping, Optional, Protocol, Sequence, Union
from urllib.parse import quote, unquote

from zenctl.jobs.storage import TEMPORARY, ObjectInfo, StorageError, check_path
from zenctl.jobs.stores.sources import Source, size_of
from zenctl.lazy_dataclasses import dataclass

PIECE = 8 << 20
"""Bytes that one call reads."""

AHEAD = 4
"""Pieces of a big object that are read at a time: with PIECE, the most memory that a stream takes."""

WORKERS = 16
"""Calls that pay off at a time: each waits for the network, and few need the processor."""

PAGE = 1000
"""Objects that one call lists: as many as the stores allow."""

MARK = "zenctl-put"
"""Metadata of an object that names the call which has made it."""

LOOK_FIRST = 1 << 18
"""Bytes from which on it is cheaper to ask whether an object is there than to send it in vain."""


class Hasher(Protocol):
    """What counts a checksum up: `hashlib` has such, and `google_crc32c`."""

    def update(self, data: bytes) -> Any: ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True)
class Checksum:
    """What an object's bytes must add up to, by the store's own word."""

    name: str
    hasher: Hasher
    expected: bytes


@dataclass(frozen=True)
class Piece:
    """A stretch of an object of `size` bytes; `version` is what other pieces must be of to fit.

    `checksum` is that of the whole object; only the first piece of an object has one.
    """

    data: bytes
    size: int
    version: str = ""
    checksum: Optional[Checksum] = None


@dataclass(frozen=True)
class Found:
    """One object as the bucket lists it. `version` is what `Bucket.read` takes: it changes with each write.

    `checksum` names the content, wherever it lies, by what the store says of it: `md5:HEX`, else `crc32c:BASE64`, else
    `etag:TAG`, which tells contents apart, too. Of what S3 encrypts with a key of KMS, `md5` is such a tag as well.
    """

    key: str
    size: int
    modified: float
    version: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class Unfinished:
    """An upload of several parts that is not completed, and when it was begun (Unix time)."""

    key: str
    upload_id: str
    begun: float


class Bucket(Protocol):
    """What a kind of object store does; each call repeats itself as long as that may help, and raises StorageError."""

    @property
    def uri(self) -> str:
        """`gs://bucket`, `s3://bucket`."""
        ...

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        """At most `length` bytes from `start`; none from the end on. `version` "" reads whichever is there.

        StorageError(NOT_FOUND) if the object is not there, or no longer of that version.
        """
        ...

    def head(self, key: str) -> Optional[Found]:
        """What is there, or None."""
        ...

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        """Store it, whole or not at all. False if something is there already that does not bear the mark."""
        ...

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        """What is there under the prefix, sorted by key in UTF-8, in pages of `most` at most."""
        ...

    def remove(self, key: str) -> None:
        """Delete it; one that is not there is success."""
        ...

    def access(self, credentials: bool) -> Mapping[str, Any]:
        """See `zenctl.jobs.storage.Distant`."""
        ...


class InParts(Protocol):
    """What a bucket does besides where an upload that was cut short stays, and is paid for, until it is dropped."""

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """What is under way, or was cut short, under the prefix."""
        ...

    def abort(self, key: str, upload_id: str) -> None:
        """Drop it; one that is gone is success."""
        ...


class ObjectStorage:
    """Artifacts in a bucket, under a prefix."""

    def __init__(self, bucket: Bucket, prefix: str = "", page: int = PAGE) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._page = page

    @property
    def workers(self) -> int:
        return WORKERS

    @property
    def bucket(self) -> Bucket:
        """The bucket itself, whatever the prefix."""
        return self._bucket

    @property
    def uri(self) -> str:
        return f"{self._bucket.uri}/{self._prefix}" if self._prefix else self._bucket.uri

    def access(self, credentials: bool) -> Mapping[str, Any]:
        return self._bucket.access(credentials)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        key = self._key(path)
        with _naming("reading", key):
            return io.BufferedReader(_Stream(self._bucket, key, offset), 1 << 17)

    def put(self, path: str, source: Union[bytes, Path], *, overwrite: bool = False) -> bool:
        key = self._key(path)
        try:
            size = size_of(source)
            with _naming("writing", key):
                if not overwrite and size >= LOOK_FIRST and self._bucket.head(key) is not None:
                    return False
                # An answer that was lost must not let the same call, repeated, take its own object for another's.
                return self._bucket.create(key, source, size, uuid.uuid4().hex, overwrite=overwrite)
        except OSError as error:
            kind = "NOT_FOUND" if isinstance(error, FileNotFoundError) else "INVALID"
            raise StorageError(kind, f"{path}: {error.strerror or error}") from error

    def stat(self, path: str) -> Optional[ObjectInfo]:
        key = self._key(path)
        with _naming("looking at", key):
            found = self._bucket.head(key)
        return None if found is None else ObjectInfo(path, found.size, found.modified)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        before = f"{self._prefix}/" if self._prefix else ""
        with _naming("listing", f"{before}{prefix}*"):
            for page in self._bucket.pages(before + prefix, self._page):
                for found in page:
                    yield ObjectInfo(found.key[len(before) :], found.size, found.modified)

    def delete(self, path: str) -> None:
        key = self._key(path)
        with _naming("deleting", key):
            self._bucket.remove(key)

    def _key(self, path: str) -> str:
        key = check_path(path)
        return f"{self._prefix}/{key}" if self._prefix else key


class PartsStorage(ObjectStorage):
    """The same in a bucket where uploads that were cut short stay: they are found, and deleted like objects."""

    def __init__(self, bucket: Bucket, parts: InParts, prefix: str = "", page: int = PAGE) -> None:
        super().__init__(bucket, prefix, page)
        self._parts = parts

    def leftovers(self) -> Iterator[ObjectInfo]:
        before = f"{self._prefix}/" if self._prefix else ""
        for found in self._parts.unfinished(before):
            name = f"{TEMPORARY}{quote(found.upload_id, safe='')}"
            yield ObjectInfo(f"{found.key[len(before) :]}/{name}", 0, found.begun)

    def delete(self, path: str) -> None:
        key, _, name = self._key(path).rpartition("/")
        if name.startswith(TEMPORARY):
            self._parts.abort(key, unquote(name[len(TEMPORARY) :]))
        else:
            super().delete(path)


@contextmanager
def _naming(doing: str, key: str) -> Iterator[None]:
    """Let a store that fails say what it was asked to do."""
    try:
        yield
    except StorageError as error:
        if error.kind != "TRANSIENT":
            raise
        raise StorageError(error.kind, f"{error} when {doing} {key}", error.hint) from error


class _Stream(io.RawIOBase):
    """An object's bytes from an offset on, piece by piece; of a big object, the next pieces are read meanwhile."""

    def __init__(self, bucket: Bucket, key: str, offset: int, version: str = "") -> None:
        super().__init__()
        self._bucket = bucket
        self._key = key
        first = bucket.read(key, offset, PIECE, version)
        self._version = first.version
        self._checksum = first.checksum if offset == 0 else None
        self._next = offset + len(first.data)
        self._left = max(0, first.size - self._next)
        self._size = first.size
        self._piece = memoryview(b"")
        self._pool: Optional[ThreadPoolExecutor] = None
        self._ahead: Deque["Future[Piece]"] = Deque()
        self._take(first)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._piece and self._left:
            with _naming("reading", self._key):
                piece = self._following()
            self._left -= len(piece.data)
            self._take(piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        if not count and len(buffer):
            self._verify()
        return count

    def close(self) -> None:
        self._ahead.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        super().close()

    def _following(self) -> Piece:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="zenctl-read")
        while len(self._ahead) < AHEAD and self._next < self._size:
            length = min(PIECE, self._size - self._next)
            self._ahead.append(self._pool.submit(self._bucket.read, self._key, self._next, length, self._version))
            self._next += length
        return self._ahead.popleft().result()

    def _take(self, piece: Piece) -> None:
        self._piece = memoryview(piece.data)
        if self._checksum is not None:
            self._checksum.hasher.update(piece.data)

    def _verify(self) -> None:
        """At the end of what was read from the beginning: compare it with what the store says of it."""
        checksum, self._checksum = self._checksum, None
        if checksum is not None and not hmac.compare_digest(checksum.hasher.digest(), checksum.expected):
            message = f"{self._key}: what arrived differs from what {self._bucket.uri} holds ({checksum.name})"
            raise StorageError("TRANSIENT", message, "Try again; if it stays so, something on the way changes data.")


def open_version(bucket: Bucket, key: str, version: str) -> BinaryIO:
    """An object's bytes, of this version only. StorageError(NOT_FOUND) if it is not there, or no longer of it."""
    return io.BufferedReader(_Stream(bucket, key, 0, version), 1 << 17)
