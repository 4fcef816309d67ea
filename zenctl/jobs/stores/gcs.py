"""Google Cloud Storage for jobs: its JSON API, spoken with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence
from urllib.parse import quote, urlencode, urlsplit

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import Answer, Cut, HttpClient
from zenctl.jobs.stores.objects import MARK, Checksum, Found, Piece, google_checksum
from zenctl.jobs.stores.refusals import google_refusal, no_google_bucket
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sources import Slice, Source

ENDPOINT = "https://storage.googleapis.com"

SMALL = 8 << 20
"""Bytes up to which an object is sent in one request; a larger one in an upload that can be resumed."""

CHUNK = 16 << 20
"""Bytes of such an upload that one request sends: a multiple of 256 KiB."""

LISTED = "name,size,updated,generation,md5Hash,crc32c"
"""What is asked of an object."""

SESSIONS = 3
"""Uploads to begin before one that the store keeps forgetting is given up."""


class GcsBucket:
    """A bucket of Google Cloud Storage. `token` gives an access token, None where none is wanted (an emulator)."""

    def __init__(
        self, bucket: str, *, endpoint: str = ENDPOINT, token: Optional[Callable[[], str]], retry: Retrying
    ) -> None:
        self.bucket = bucket
        self.retry = retry
        self._client = HttpClient(endpoint)
        self._token = token
        self._objects = f"/storage/v1/b/{quote(bucket, safe='')}/o"

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}"

    def access(self, credentials: bool) -> Mapping[str, Any]:  # noqa: ARG002 - a job hands nothing on
        return {}

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        reading = _Reading(self, key, start, length, version)
        return self.retry(reading.go_on)

    def head(self, key: str) -> Optional[Found]:
        answer = self.call("GET", self.object_target(key, {"fields": LISTED}))
        if answer is None:
            return None
        return _found(json.loads(answer))

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        from zenctl.jobs.stores.gcs_upload import upload

        return upload(self, key, source, size, mark, overwrite=overwrite)

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        query = {"prefix": prefix, "maxResults": str(most), "fields": f"nextPageToken,items({LISTED})"}
        while True:
            answer = self.call("GET", f"{self._objects}?{urlencode(query)}")
            if answer is None:
                raise no_google_bucket(self.bucket)
            page = json.loads(answer)
            yield [_found(item) for item in page.get("items", ())]
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]

    def remove(self, key: str) -> None:
        self.call("DELETE", self.object_target(key))

    def is_marked(self, key: str, mark: str) -> bool:
        """Whether what is there was made by the call of that mark."""
        answer = self.call("GET", self.object_target(key, {"fields": "metadata"}))
        return answer is not None and (json.loads(answer).get("metadata") or {}).get(MARK) == mark

    def object_target(self, key: str, query: Optional[Mapping[str, str]] = None) -> str:
        """Path and query of an object."""
        target = f"{self._objects}/{quote(key, safe='')}"
        return f"{target}?{urlencode(query)}" if query else target

    def call(self, method: str, target: str) -> Optional[bytes]:
        """A request that is repeated as long as that may help: the answer's body, None if nothing is there."""

        def once() -> Optional[bytes]:
            answer = self.send(method, target, {})
            body = answer.read()
            if answer.status in (200, 204):
                return body
            problem = self.refused(answer, body)
            if problem.kind == "NOT_FOUND":
                return None
            raise problem

        return self.retry(once)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Optional[Slice] = None) -> Answer:
        """One exchange, with the token."""
        sent: Dict[str, str] = dict(headers)
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token()}"
        return self._client.send(method, target, sent, body)

    def refused(self, answer: Answer, body: bytes) -> StorageError:
        """The error that a refusal means."""
        reason, said = _told(body)
        after = answer.header("Retry-After")
        return google_refusal(self.bucket, self._client.host, answer.status, reason, said, after)


class _Reading:
    """One piece on its way: what was cut off goes on where it stopped, in the same version of the object."""

    def __init__(self, bucket: GcsBucket, key: str, start: int, length: int, version: str) -> None:
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
        query = {"alt": "media", **({"generation": self._version} if self._version else {})}
        at = self._start + self._got
        # The beginning is asked for without a range, which an empty object could not satisfy.
        headers = {"Range": f"bytes={at}-{self._start + self._length - 1}"} if at or self._version else {}
        answer = self._bucket.send("GET", self._bucket.object_target(self._key, query), headers)
        if answer.status == 416:
            answer.read()
            return Piece(b"", self._start, self._version)
        if answer.status not in (200, 206):
            raise self._bucket.refused(answer, answer.read())
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
        self._version = self._version or answer.header("x-goog-generation")
        md5 = re.search(r"md5=([A-Za-z0-9+/=]+)", answer.header("x-goog-hash"))
        # What comes in one piece is compared; larger objects are files, whose names are their digests.
        if self._checksum is None and md5 and not at and self._size <= self._length:
            self._checksum = Checksum("MD5", hashlib.md5(usedforsecurity=False), base64.b64decode(md5[1]))

    def _take(self, data: bytes) -> None:
        self._parts.append(data)
        self._got += len(data)


def _found(item: Mapping[str, Any]) -> Found:
    checksum = google_checksum(str(item.get("md5Hash", "")), str(item.get("crc32c", "")))
    updated = unix_time(str(item.get("updated", "")))
    return Found(str(item["name"]), int(item.get("size", 0)), updated, str(item.get("generation", "")), checksum)


def unix_time(text: str) -> float:
    """The Unix time of an RFC 3339 time in UTC, to the second; 0 for what is none."""
    try:
        return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


def _told(body: bytes) -> "tuple[str, str]":
    """The reason and the message of an error's body, as far as it has any."""
    try:
        error = json.loads(body)["error"]
        reasons = error.get("errors") or [{}]
        return str(reasons[0].get("reason", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", body[:200].decode("utf-8", "replace").strip()


def boundary() -> str:
    """A separator for a body of several parts."""
    return f"zenctl-{uuid.uuid4().hex}"


def path_of(location: str) -> str:
    """Path and query of a URL: the host that an upload is sent to is the one that is configured."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"
