"""Amazon S3 for jobs, and what speaks its protocol: requests signed and sent with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import xml.etree.ElementTree as ElementTree
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence
from urllib.parse import quote, unquote

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.checksums import amazon_checksum
from zenctl.jobs.stores.gcs import unix_time
from zenctl.jobs.stores.http import Answer, HttpClient
from zenctl.jobs.stores.objects import MARK, Checksum, Found, Piece, Unfinished
from zenctl.jobs.stores.reading import Reading
from zenctl.jobs.stores.refusals import amazon_refusal
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.s3_upload import Part, upload
from zenctl.jobs.stores.sigv4 import EMPTY, Credentials, query_text, signed
from zenctl.jobs.stores.sources import TIMEOUT, Slice, Source


class S3Bucket:
    """A bucket of S3. With an `endpoint` its name stands in the path unless `path_style` says otherwise."""

    def __init__(
        self,
        bucket: str,
        *,
        region: str = "us-east-1",
        endpoint: str = "",
        path_style: Optional[bool] = None,
        credentials: Callable[[], Credentials],
        retry: Retrying,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.bucket = bucket
        self.retry = retry
        self._region = region
        self._credentials = credentials
        self._clock = clock
        self._is_known = False
        in_path = path_style if path_style is not None else bool(endpoint) or "." in bucket
        usual = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        base = endpoint or f"https://{usual}"
        scheme, _, host = base.partition("://")
        self._client = HttpClient(base if in_path else f"{scheme}://{bucket}.{host}", timeout=timeout)
        self._root = f"/{quote(bucket, safe='')}" if in_path else ""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}"

    def access(self, credentials: bool) -> Mapping[str, Any]:  # noqa: ARG002 - a job hands nothing on
        return {}

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        return self.retry(Reading(self, key, start, length, version).go_on)

    def send_read(self, key: str, span: str, version: str) -> Answer:
        """See `reading.Ranged`."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        if version:
            headers["If-Match"] = version
        if span:
            headers["Range"] = span
        answer = self.send("GET", key, {}, headers)
        if answer.status == 412:
            answer.read()
            raise StorageError("NOT_FOUND", f"{key} was replaced while it was read")
        if answer.status not in (200, 206, 416):
            raise self.refused(answer, answer.read())
        return answer

    def version_of(self, answer: Answer) -> str:
        """See `reading.Ranged`: its entity tag."""
        return answer.header("ETag")

    def checksum_of(self, answer: Answer) -> Optional[Checksum]:
        """See `reading.Ranged`."""
        digest, encrypted = answer.header("x-amz-checksum-sha256"), answer.header("x-amz-server-side-encryption")
        return checksum_of(digest, answer.header("ETag"), encrypted)

    def head(self, key: str) -> Optional[Found]:
        answer = self._headers(key)
        if answer is None:
            return None
        tag = answer.header("ETag")
        checksum = amazon_checksum(tag, answer.header("x-amz-server-side-encryption"))
        return Found(key, answer.length or 0, http_time(answer.header("Last-Modified")), tag, checksum)

    def is_marked(self, key: str, mark: str) -> bool:
        """Whether what is there was made by the call of that mark."""
        answer = self._headers(key)
        return answer is not None and answer.header(f"x-amz-meta-{MARK}") == mark

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        return upload(self, key, source, size, mark, overwrite=overwrite)

    def send_whole(self, key: str, data: bytes, sha256: str, mark: str, *, overwrite: bool) -> bool:
        headers = {**_metadata(mark), **_condition(overwrite), "x-amz-checksum-sha256": sha256}
        answer = self.send("PUT", key, {}, headers, data)
        body = answer.read()
        if answer.status not in (200, 412):
            raise self.refused(answer, body)
        return answer.status == 200 or (answer.again and self.is_marked(key, mark))

    def begin(self, key: str, mark: str) -> str:
        headers = {**_metadata(mark), "x-amz-checksum-algorithm": "SHA256"}
        answer = self.send("POST", key, {"uploads": ""}, headers, b"")
        body = answer.read()
        if answer.status != 200:
            raise self.refused(answer, body)
        return xml(body).findtext("UploadId") or ""

    def send_part(self, key: str, upload_id: str, number: int, data: bytes, sha256: str) -> Part:
        query = {"partNumber": str(number), "uploadId": upload_id}
        answer = self.send("PUT", key, query, {"x-amz-checksum-sha256": sha256}, data)
        body = answer.read()
        if answer.status != 200:
            raise self.refused(answer, body)
        return Part(number, answer.header("ETag"), sha256)

    def complete(self, key: str, upload_id: str, parts: List[Part], *, overwrite: bool) -> bool:
        listed = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{part.tag}</ETag>"
            f"<ChecksumSHA256>{part.sha256}</ChecksumSHA256></Part>"
            for part in parts
        )
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        answer = self.send("POST", key, {"uploadId": upload_id}, _condition(overwrite), document)
        body = answer.read()
        if answer.again and answer.status in (404, 412):
            # It may have been done by the first time; whoever repeats this looks whose object it is.
            raise StorageError("TRANSIENT", f"{self.uri} did not say whether it put the parts of {key} together")
        if answer.status == 412:
            return False
        if answer.status != 200:
            raise self.refused(answer, body)
        # An error may come late, under a status that was sent when all seemed well.
        if xml(body).tag == "Error":
            raise StorageError("TRANSIENT", f"{self.uri} could not put the parts of {key} together")
        return True

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", "max-keys": str(most)}
        while True:
            page = xml(self.call("GET", "", query) or b"<none/>")
            yield [
                Found(
                    unquote(item["Key"]),
                    int(item["Size"]),
                    unix_time(item["LastModified"]),
                    item.get("ETag", ""),
                    amazon_checksum(item.get("ETag", "")),
                )
                for item in _items(page, "Contents")
            ]
            following = page.findtext("NextContinuationToken")
            if not following:
                return
            query["continuation-token"] = following

    def remove(self, key: str) -> None:
        self.call("DELETE", key)

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Uploads of several parts that were begun and neither completed nor aborted: their parts are paid for."""
        query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
        while True:
            page = xml(self.call("GET", "", query) or b"<none/>")
            for item in _items(page, "Upload"):
                yield Unfinished(unquote(item["Key"]), item["UploadId"], unix_time(item["Initiated"]))
            if page.findtext("IsTruncated") != "true":
                return
            query["key-marker"] = unquote(page.findtext("NextKeyMarker") or "")
            query["upload-id-marker"] = page.findtext("NextUploadIdMarker") or ""

    def abort(self, key: str, upload_id: str) -> None:
        """Drop such an upload; one that is gone is success."""
        self.call("DELETE", key, {"uploadId": upload_id})

    def call(self, method: str, key: str, query: Optional[Mapping[str, str]] = None) -> Optional[bytes]:
        """A request that is repeated as long as that may help: the answer's body, None if nothing is there."""

        def once() -> Optional[bytes]:
            answer = self.send(method, key, query or {}, {})
            body = answer.read()
            if answer.status in (200, 204):
                return body
            problem = self.refused(answer, body)
            if problem.kind == "NOT_FOUND":
                return None
            raise problem

        return self.retry(once)

    def send(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], body: Optional[bytes] = None
    ) -> Answer:
        """One exchange, signed; S3 checks the body against the digest that is signed."""
        path = f"{self._root}/{quote(key, safe='/~')}"
        payload = hashlib.sha256(body).hexdigest() if body else EMPTY
        sent = signed(
            method, self._client.host, path, query, headers, payload, self._credentials(), self._region, self._clock()
        )
        target = f"{path}?{query_text(query)}" if query else path
        return self._client.send(method, target, sent, None if body is None else Slice(body, 0, len(body)))

    def refused(self, answer: Answer, body: bytes) -> StorageError:
        """The error that a refusal means."""
        error = xml(body)
        code, said = error.findtext("Code") or "", error.findtext("Message") or ""
        after = answer.header("Retry-After")
        return amazon_refusal(self.bucket, self._client.host, answer.status, code, said, after)

    def _headers(self, key: str) -> Optional[Answer]:
        def once() -> Optional[Answer]:
            answer = self.send("HEAD", key, {}, {})
            answer.read()
            if answer.status == 200:
                self._is_known = True
                return answer
            if answer.status == 404:
                self._know()
                return None
            raise self.refused(answer, b"")

        return self.retry(once)

    def _know(self) -> None:
        """An answer to HEAD does not say whether the object is missing or the whole bucket: ask that once."""
        if self._is_known:
            return
        answer = self.send("GET", "", {"list-type": "2", "max-keys": "1"}, {})
        body = answer.read()
        if answer.status == 404:
            raise self.refused(answer, body)
        self._is_known = True


def _metadata(mark: str) -> Dict[str, str]:
    return {"Content-Type": "application/octet-stream", f"x-amz-meta-{MARK}": mark}


def _condition(overwrite: bool) -> Dict[str, str]:
    return {} if overwrite else {"If-None-Match": "*"}


def checksum_of(sha256: str, tag: str, encryption: str) -> Optional[Checksum]:
    """What an object's bytes must add up to: the SHA-256 that S3 keeps, else its entity tag where that is an MD5.

    Those of an object of several parts are of the parts' digests, and end in their number; the tag of one that is
    encrypted with a key of KMS means nothing.
    """
    if sha256 and "-" not in sha256:
        return Checksum("SHA-256", hashlib.sha256(), base64.b64decode(sha256))
    plain = re.fullmatch(r'"([0-9a-f]{32})"', tag)
    if plain and encryption in ("", "AES256"):
        return Checksum("MD5", hashlib.md5(usedforsecurity=False), bytes.fromhex(plain[1]))
    return None


def xml(body: bytes) -> ElementTree.Element:
    """The document of an answer, without its namespace; an empty one for what is none."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - of the store that holds all we have
    except ElementTree.ParseError:
        return ElementTree.Element("none")
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _items(page: ElementTree.Element, name: str) -> Iterator[Mapping[str, str]]:
    for element in page.findall(name):
        yield {child.tag: child.text or "" for child in element}


def http_time(text: str) -> float:
    """The Unix time of a time in HTTP's form; 0 for what is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
