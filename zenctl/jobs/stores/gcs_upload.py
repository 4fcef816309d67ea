"""Sends an object to Google Cloud Storage: a small one in one request, a large one so that it can be resumed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any, Dict, Mapping, Optional
from urllib.parse import quote, urlencode

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.gcs import CHUNK, SESSIONS, SMALL, GcsBucket, boundary, path_of
from zenctl.jobs.stores.http import Answer
from zenctl.jobs.stores.objects import MARK
from zenctl.jobs.stores.refusals import no_google_bucket
from zenctl.jobs.stores.sources import Slice, Source


def upload(bucket: GcsBucket, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
    """Store it, whole or not at all, with its checksum; False if something is there already."""
    uploading = _Uploading(bucket, key, source, size, mark, overwrite=overwrite)
    if size <= SMALL:
        return bucket.retry(uploading.at_once)
    for _ in range(SESSIONS):
        stored = uploading.resumably()
        if stored is not None:
            return stored
    raise StorageError("TRANSIENT", f"{bucket.uri} lost the upload of {key} {SESSIONS} times", "Try again later.")


class _Uploading:
    def __init__(self, bucket: GcsBucket, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> None:
        self._bucket = bucket
        self._key = key
        self._source = source
        self._size = size
        self._mark = mark
        self._overwrite = overwrite
        self._target = f"/upload/storage/v1/b/{quote(bucket.bucket, safe='')}/o"
        self._session = ""
        self._offset = 0
        self._unsure = False
        self._hasher = hashlib.md5(usedforsecurity=False)
        self._hashed = 0
        self._repeated = False

    def at_once(self) -> bool:
        """One request: its metadata, with the MD5 that the store checks, and the bytes."""
        data = b"".join(Slice(self._source, 0, self._size).blocks())
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        line = boundary().encode()
        metadata = json.dumps({**self._metadata(), "md5Hash": digest}).encode()
        body = b"".join(
            [b"--", line, b"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n", metadata, b"\r\n--", line,
             b"\r\nContent-Type: application/octet-stream\r\n\r\n", data, b"\r\n--", line, b"--\r\n"]
        )  # fmt: skip
        headers = {"Content-Type": f"multipart/related; boundary={line.decode()}"}
        repeated, self._repeated = self._repeated, True
        answer = self._bucket.send("POST", self._query("multipart"), headers, Slice(body, 0, len(body)))
        found = answer.read()
        if answer.status == 412:
            return (repeated or answer.again) and self._bucket.is_marked(self._key, self._mark)
        if answer.status != 200:
            raise self._refused(answer, found)
        self._compare(json.loads(found), digest)
        return True

    def resumably(self) -> Optional[bool]:
        """An upload of several requests; None if the store has forgotten it in between."""
        self._offset, self._unsure = 0, False
        if not self._bucket.retry(self._begin):
            return self._repeated and self._bucket.is_marked(self._key, self._mark)
        self._repeated = True
        while True:
            answer = self._bucket.retry(self._go_on)
            if answer is None:
                return None
            if answer.get("exists"):
                return self._bucket.is_marked(self._key, self._mark)
            if "name" in answer:
                self._compare(answer, base64.b64encode(self._hasher.digest()).decode())
                return True

    def _begin(self) -> bool:
        metadata = json.dumps(self._metadata()).encode()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Upload-Content-Type": "application/octet-stream",
            "X-Upload-Content-Length": str(self._size),
        }
        answer = self._bucket.send("POST", self._query("resumable"), headers, Slice(metadata, 0, len(metadata)))
        body = answer.read()
        if answer.status == 412:
            return False
        if answer.status not in (200, 201):
            raise self._refused(answer, body)
        self._session = path_of(answer.header("Location"))
        return True

    def _go_on(self) -> Optional[Mapping[str, Any]]:
        """Send the next chunk, after asking how far it is if that is not known; the object's metadata at the end."""
        if self._unsure:
            asked = self._bucket.send("PUT", self._session, {"Content-Range": f"bytes */{self._size}"})
            known = self._heard(asked)
            if known is None or known:
                return known
        length = min(CHUNK, self._size - self._offset)
        chunk = Slice(self._source, self._offset, length)
        end = self._offset + length
        headers = {"Content-Range": f"bytes {self._offset}-{end - 1}/{self._size}"}
        self._hash(chunk)
        if end == self._size:
            headers["X-Goog-Hash"] = f"md5={base64.b64encode(self._hasher.digest()).decode()}"
        self._unsure = True
        return self._heard(self._bucket.send("PUT", self._session, headers, chunk))

    def _heard(self, answer: Answer) -> Optional[Mapping[str, Any]]:
        """What an answer says: {} to go on, the metadata of the object, `exists`, or None for a forgotten upload."""
        body = answer.read()
        if answer.status == 308:
            so_far = re.fullmatch(r"bytes=0-(\d+)", answer.header("Range"))
            self._offset = int(so_far[1]) + 1 if so_far else 0
            self._unsure = False
            return {}
        if answer.status in (200, 201):
            found = json.loads(body)
            return {**found, "name": found.get("name", self._key)}
        if answer.status == 412:
            return {"exists": True}
        if answer.status in (404, 410):
            return None
        raise self._bucket.refused(answer, body)

    def _refused(self, answer: Answer, body: bytes) -> StorageError:
        """What is not found when an object is to be made is its bucket."""
        problem = self._bucket.refused(answer, body)
        return no_google_bucket(self._bucket.bucket) if problem.kind == "NOT_FOUND" else problem

    def _hash(self, chunk: Slice) -> None:
        # Each byte is counted once, whatever is sent again.
        end = chunk.start + chunk.length
        if chunk.start <= self._hashed < end:
            for block in Slice(self._source, self._hashed, end - self._hashed).blocks():
                self._hasher.update(block)
            self._hashed = end

    def _query(self, kind: str) -> str:
        query = {"uploadType": kind, "name": self._key, **({} if self._overwrite else {"ifGenerationMatch": "0"})}
        return f"{self._target}?{urlencode(query)}"

    def _metadata(self) -> Dict[str, Any]:
        return {"name": self._key, "contentType": "application/octet-stream", "metadata": {MARK: self._mark}}

    def _compare(self, answer: Mapping[str, Any], expected: str) -> None:
        """Take back an object that is not what was sent."""
        if answer.get("md5Hash", expected) == expected:
            return
        query = {"ifGenerationMatch": str(answer["generation"])} if answer.get("generation") else {}
        self._bucket.call("DELETE", self._bucket.object_target(self._key, query))
        message = f"{self._key}: what {self._bucket.uri} received differs from what was sent (MD5)"
        raise StorageError("TRANSIENT", message, "Try again; if it stays so, something on the way changes data.")
