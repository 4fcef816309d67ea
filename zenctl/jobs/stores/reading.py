"""Reads a stretch of an object by HTTP: what was cut off goes on where it stopped, in the same version of it."""

from __future__ import annotations

import re
from typing import List, Optional, Protocol

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import Answer, Cut
from zenctl.jobs.stores.objects import Checksum, Piece


class Ranged(Protocol):
    """The requests of a read, one try each; StorageError says what went wrong."""

    @property
    def uri(self) -> str: ...

    def send_read(self, key: str, span: str, version: str) -> Answer:
        """The bytes of a span (`bytes=FIRST-LAST`, or "" for all) of this version, or of any if it is "".

        The answer's status is 200, 206, or 416 where the object ends before the span begins.
        """
        ...

    def version_of(self, answer: Answer) -> str:
        """The version that the answer is of."""
        ...

    def checksum_of(self, answer: Answer) -> Optional[Checksum]:
        """What the whole object must add up to, as far as the answer says so."""
        ...


class Reading:
    """At most `length` bytes of an object from `start`: call `go_on` until it does not raise TRANSIENT."""

    def __init__(self, bucket: Ranged, key: str, start: int, length: int, version: str) -> None:
        self._bucket = bucket
        self._key = key
        self._start = start
        self._length = length
        self._version = version
        self._parts: List[bytes] = []
        self._got = 0
        self._checksum: Optional[Checksum] = None
        self._size = 0

    def go_on(self) -> Piece:
        """Read what is missing yet. What comes before the connection breaks is kept for the next call."""
        at = self._start + self._got
        # The beginning is asked for without a range, which an empty object could not satisfy.
        span = f"bytes={at}-{self._start + self._length - 1}" if at or self._version else ""
        answer = self._bucket.send_read(self._key, span, self._version)
        if answer.status == 416:
            answer.read()
            return Piece(b"", self._start, self._version)
        if answer.status == 200 and at:
            answer.close()
            raise StorageError("INVALID", f"{self._bucket.uri} does not heed ranges")
        self._learn(answer, at)
        try:
            self._take(answer.read(self._length - self._got))
        except Cut as error:
            self._take(error.got)
            raise
        answer.close()
        return Piece(b"".join(self._parts), self._size, self._version, self._checksum)

    def _learn(self, answer: Answer, at: int) -> None:
        whole = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.header("Content-Range"))
        self._size = int(whole[1]) if whole else at + (answer.length or 0)
        self._version = self._version or self._bucket.version_of(answer)
        # What comes in one piece is compared; larger objects are files, whose names are their digests.
        if self._checksum is None and not at and self._size <= self._length:
            self._checksum = self._bucket.checksum_of(answer)

    def _take(self, data: bytes) -> None:
        self._parts.append(data)
        self._got += len(data)
