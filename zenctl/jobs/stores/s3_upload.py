"""Sends an object to S3: a small one in one request, a large one in parts, several at a time."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Tuple

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import Slice, Source
from zenctl.jobs.stores.s3 import MARK, S3Bucket, xml

SMALL = 16 << 20
"""Bytes up to which an object is sent in one request."""

PART = 16 << 20
"""Bytes of a part, as long as that makes no more than MOST_PARTS."""

MOST_PARTS = 10_000
"""What S3 allows."""

AT_ONCE = 4
"""Parts under way at a time: with PART, the most memory that an upload takes."""


def upload(bucket: S3Bucket, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
    """Store it, whole or not at all, with checksums that S3 compares; False if something is there already."""
    uploading = _Uploading(bucket, key, source, size, mark, overwrite=overwrite)
    return bucket.retry(uploading.at_once) if size <= SMALL else uploading.in_parts()


def part_size(size: int) -> int:
    """Bytes of a part of an object of this size."""
    return max(PART, -(-size // MOST_PARTS))


class _Uploading:
    def __init__(self, bucket: S3Bucket, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> None:
        self._bucket = bucket
        self._key = key
        self._source = source
        self._size = size
        self._mark = mark
        self._condition: Dict[str, str] = {} if overwrite else {"If-None-Match": "*"}
        self._metadata = {"Content-Type": "application/octet-stream", f"x-amz-meta-{MARK}": mark}
        self._repeated = False

    def at_once(self) -> bool:
        """One request."""
        data = b"".join(Slice(self._source, 0, self._size).blocks())
        headers = {**self._metadata, **self._condition, "x-amz-checksum-sha256": _sha256(data)}
        repeated, self._repeated = self._repeated, True
        answer = self._bucket.send("PUT", self._key, {}, headers, data)
        body = answer.read()
        if answer.status == 412:
            return repeated and self._bucket.is_marked(self._key, self._mark)
        if answer.status != 200:
            raise self._bucket.refused(answer, body)
        return True

    def in_parts(self) -> bool:
        """An upload of several requests. One that fails is dropped, so that nothing of it is paid for."""
        upload_id = self._bucket.retry(self._begin)
        try:
            step = part_size(self._size)
            starts = range(0, self._size, step)
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="zenctl-parts") as pool:
                try:
                    parts = list(
                        pool.map(lambda n: self._part(upload_id, n + 1, starts[n], step), range(len(starts)))
                    )
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)
            stored = self._bucket.retry(lambda: self._complete(upload_id, parts))
        except BaseException:
            self._drop(upload_id)
            raise
        if not stored:
            self._drop(upload_id)
        return stored

    def _drop(self, upload_id: str) -> None:
        try:
            self._bucket.abort(self._key, upload_id)
        except StorageError:
            # The store is away, which is being told; `state gc` finds the upload later.
            return

    def _begin(self) -> str:
        headers = {**self._metadata, "x-amz-checksum-algorithm": "SHA256"}
        answer = self._bucket.send("POST", self._key, {"uploads": ""}, headers, b"")
        body = answer.read()
        if answer.status != 200:
            raise self._bucket.refused(answer, body)
        return xml(body).findtext("UploadId") or ""

    def _part(self, upload_id: str, number: int, start: int, step: int) -> Tuple[int, str, str]:
        data = b"".join(Slice(self._source, start, min(step, self._size - start)).blocks())
        digest = _sha256(data)
        query = {"partNumber": str(number), "uploadId": upload_id}

        def once() -> Tuple[int, str, str]:
            answer = self._bucket.send("PUT", self._key, query, {"x-amz-checksum-sha256": digest}, data)
            body = answer.read()
            if answer.status != 200:
                raise self._bucket.refused(answer, body)
            return number, answer.header("ETag"), digest

        return self._bucket.retry(once)

    def _complete(self, upload_id: str, parts: List[Tuple[int, str, str]]) -> bool:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><ChecksumSHA256>{digest}</ChecksumSHA256></Part>"
            for number, tag, digest in parts
        )
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        repeated, self._repeated = self._repeated, True
        answer = self._bucket.send("POST", self._key, {"uploadId": upload_id}, self._condition, document)
        body = answer.read()
        # An error may come late, under a status that was sent when all seemed well.
        failed = xml(body).tag == "Error"
        if answer.status == 412:
            return repeated and self._bucket.is_marked(self._key, self._mark)
        if answer.status == 404 and repeated:
            return self._bucket.is_marked(self._key, self._mark)
        if answer.status != 200:
            raise self._bucket.refused(answer, body)
        if failed:
            raise StorageError("TRANSIENT", f"{self._bucket.uri} could not put the parts of {self._key} together")
        return True


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
