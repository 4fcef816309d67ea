"""Google Cloud Storage for jobs: its JSON API, spoken with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence
from urllib.parse import quote, urlencode, urlsplit

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.checksums import google_checksum
from zenctl.jobs.stores.http import Answer, HttpClient
from zenctl.jobs.stores.objects import MARK, Checksum, Found, Piece
from zenctl.jobs.stores.reading import Reading
from zenctl.jobs.stores.refusals import google_refusal, no_google_bucket
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sources import TIMEOUT, Slice, Source

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
        self,
        bucket: str,
        *,
        endpoint: str = ENDPOINT,
        token: Optional[Callable[[], str]],
        retry: Retrying,
        timeout: float = TIMEOUT,
    ) -> None:
        self.bucket = bucket
        self.retry = retry
        self._client = HttpClient(endpoint, timeout=timeout)
        self._token = token
        self._objects = f"/storage/v1/b/{quote(bucket, safe='')}/o"

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}"

    def access(self, credentials: bool) -> Mapping[str, Any]:  # noqa: ARG002 - a job hands nothing on
        return {}

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        return self.retry(Reading(self, key, start, length, version).go_on)

    def send_read(self, key: str, span: str, version: str) -> Answer:
        """See `reading.Ranged`."""
        query = {"alt": "media", **({"generation": version} if version else {})}
        # Else what is stored with `Content-Encoding: gzip` is unpacked on the way, and ranges are not heeded.
        headers = {"Accept-Encoding": "gzip", **({"Range": span} if span else {})}
        answer = self.send("GET", self.object_target(key, query), headers)
        if answer.status not in (200, 206, 416):
            raise self.refused(answer, answer.read())
        return answer

    def version_of(self, answer: Answer) -> str:
        """See `reading.Ranged`: its generation."""
        return answer.header("x-goog-generation")

    def checksum_of(self, answer: Answer) -> Optional[Checksum]:
        """See `reading.Ranged`: its MD5, which composite objects do not have."""
        md5 = re.search(r"md5=([A-Za-z0-9+/=]+)", answer.header("x-goog-hash"))
        return Checksum("MD5", hashlib.md5(usedforsecurity=False), base64.b64decode(md5[1])) if md5 else None

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
