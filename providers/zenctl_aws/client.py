"""The only importer of boto3 besides `credentials`: a bucket of Amazon S3, whose errors are StorageErrors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.checksums import amazon_checksum
from zenctl.jobs.stores.objects import MARK, Found, Piece, Unfinished
from zenctl.jobs.stores.refusals import SIGN_IN, amazon_refusal, silent, timed_out
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.s3_upload import Part, upload
from zenctl.jobs.stores.sources import REACH, Source
from zenctl.provider.buckets import CONNECTIONS, SdkBucket
from zenctl.provider.lending import Lender
from zenctl_aws.credentials import open_session, plain_credentials

MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "NotFound", "404"})
"""Codes with which S3 says that an object, or an upload, is not there."""


class S3Client(SdkBucket):
    """A bucket, through boto3 and the credentials of AWS's own tools. boto3 is loaded with the first call."""

    def __init__(
        self,
        bucket: str,
        *,
        region: str | None,
        endpoint: str | None,
        profile: str | None,
        path_style: bool | None,
        retry: Retrying,
        timeout: float,
        lender: Lender,
    ) -> None:
        super().__init__(bucket, retry=retry, timeout=timeout, lender=lender)
        self._region = region
        self._endpoint = endpoint
        self._profile = profile
        self._path_style = path_style
        self._session: Any = None
        self._is_known = False

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}"

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        from zenctl.jobs.stores.s3 import checksum_of

        parts: list[bytes] = []
        seen = {"version": version}

        def once() -> Piece:
            got = sum(map(len, parts))
            at = start + got
            options = {"IfMatch": seen["version"]} if seen["version"] else {}
            if at or seen["version"]:
                options["Range"] = f"bytes={at}-{start + length - 1}"
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **options)
            except Exception as error:
                if _status(error) == 416:
                    return Piece(b"", start, version)
                if _status(error) == 412:
                    raise StorageError("NOT_FOUND", f"{key} was replaced while it was read") from error
                raise
            seen["version"] = found["ETag"]
            size = int(found["ContentRange"].rpartition("/")[2]) if "ContentRange" in found else found["ContentLength"]
            with found["Body"] as body:
                while got < length and (data := body.read(min(1 << 20, length - got))):
                    parts.append(data)
                    got += len(data)
            if got < min(length, size - start):
                raise StorageError("TRANSIENT", f"the connection to {self.uri} broke off")
            checksum = None
            if not start and size <= length:
                encrypted = found.get("ServerSideEncryption", "")
                checksum = checksum_of(found.get("ChecksumSHA256", ""), found["ETag"], encrypted)
            return Piece(b"".join(parts), size, found["ETag"], checksum)

        return self.call(once)

    def head(self, key: str) -> Found | None:
        found = self._headers(key)
        if found is None:
            return None
        tag = found["ETag"]
        checksum = amazon_checksum(tag, found.get("ServerSideEncryption", ""))
        return Found(key, found["ContentLength"], found["LastModified"].timestamp(), tag, checksum)

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        return upload(self, key, source, size, mark, overwrite=overwrite)

    def is_marked(self, key: str, mark: str) -> bool:
        """Whether what is there was made by the call of that mark."""
        found = self._headers(key)
        return found is not None and found.get("Metadata", {}).get(MARK) == mark

    def send_whole(self, key: str, data: bytes, sha256: str, mark: str, *, overwrite: bool) -> bool:
        return self._unless_there(
            lambda: self.client.put_object(
                Bucket=self.bucket, Key=key, Body=data, ChecksumSHA256=sha256, **_described(mark), **_if(overwrite)
            )
        )

    def begin(self, key: str, mark: str) -> str:
        begun = self.once(
            lambda: self.client.create_multipart_upload(
                Bucket=self.bucket, Key=key, ChecksumAlgorithm="SHA256", **_described(mark)
            )
        )
        return str(begun["UploadId"])

    def send_part(self, key: str, upload_id: str, number: int, data: bytes, sha256: str) -> Part:
        sent = self.once(
            lambda: self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data, ChecksumSHA256=sha256
            )
        )
        return Part(number, sent["ETag"], sha256)

    def complete(self, key: str, upload_id: str, parts: list[Part], *, overwrite: bool) -> bool:
        listed = [{"PartNumber": p.number, "ETag": p.tag, "ChecksumSHA256": p.sha256} for p in parts]
        return self._unless_there(
            lambda: self.client.complete_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}, **_if(overwrite)
            )
        )

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        query: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": most}
        while True:
            page = self.call(partial(self.client.list_objects_v2, **query))
            yield [_listed(item) for item in page.get("Contents", ())]
            if not page.get("NextContinuationToken"):
                return
            query["ContinuationToken"] = page["NextContinuationToken"]

    def remove(self, key: str) -> None:
        self.unless_missing(lambda: self.client.delete_object(Bucket=self.bucket, Key=key))

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Uploads of several parts that were begun and neither completed nor aborted: their parts are paid for."""
        query: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        while True:
            page = self.call(partial(self.client.list_multipart_uploads, **query))
            for found in page.get("Uploads", ()):
                yield Unfinished(found["Key"], found["UploadId"], found["Initiated"].timestamp())
            if not page.get("IsTruncated"):
                return
            query |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def abort(self, key: str, upload_id: str) -> None:
        """Drop such an upload; one that is gone is success."""
        self.unless_missing(lambda: self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id))

    def access(self, credentials: bool) -> Mapping[str, Any]:
        client = self.client
        told: dict[str, Any] = {
            "retry_seconds": self.retry.patience,
            "timeout_seconds": self.timeout,
            "region": client.meta.region_name,
        }
        endpoint = client.meta.endpoint_url
        if not endpoint.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            told |= {"endpoint": endpoint, "path_style": self._path_style is not False}
        return {**told, **self.lender.loan(self._credentials)} if credentials else told

    def _credentials(self) -> Mapping[str, Any]:
        """Credentials of now and when they end: what a job can do with them is what the user may do with the store."""
        _ = self.client  # which makes the session
        return plain_credentials(self._session, self.uri)

    def make(self) -> Any:
        from botocore.config import Config

        style = "auto" if self._path_style is None else "path" if self._path_style else "virtual"
        config = Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": style},
            connect_timeout=self.timeout,
            read_timeout=self.timeout,
            max_pool_connections=CONNECTIONS,
        )
        self._session = open_session(self._profile, self._region)
        region = self._session.region_name or "us-east-1"
        return self._session.client("s3", region_name=region, endpoint_url=self._endpoint, config=config)

    def _headers(self, key: str) -> Any:
        found = self.unless_missing(lambda: self.client.head_object(Bucket=self.bucket, Key=key))
        if found is None and not self._is_known:
            # An answer to HEAD does not say whether the object is missing or the whole bucket: ask that once.
            self.call(lambda: self.client.list_objects_v2(Bucket=self.bucket, MaxKeys=1))
        self._is_known = True
        return found

    def _unless_there(self, call: Callable[[], Any]) -> bool:
        def once() -> bool:
            try:
                call()
            except Exception as error:
                if _status(error) == 412:
                    return False
                raise
            return True

        return self.once(once)

    def translate(self, error: Exception) -> StorageError:
        return _storage_error(self.bucket, error, self.timeout)


def _listed(item: Mapping[str, Any]) -> Found:
    tag = item.get("ETag", "")
    return Found(item["Key"], item["Size"], item["LastModified"].timestamp(), tag, amazon_checksum(tag))


def _described(mark: str) -> dict[str, Any]:
    return {"ContentType": "application/octet-stream", "Metadata": {MARK: mark}}


def _if(overwrite: bool) -> dict[str, str]:
    return {} if overwrite else {"IfNoneMatch": "*"}


def _status(error: Exception) -> int:
    response = getattr(error, "response", None)
    return int(response["ResponseMetadata"].get("HTTPStatusCode", 0)) if isinstance(response, dict) else 0


def _storage_error(bucket: str, error: Exception, timeout: float) -> StorageError:
    """What an error of boto3 means. What is not known here is a bug, and is raised as it is."""
    import urllib3
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        told = error.response.get("Error", {})
        code, status = str(told.get("Code", "")), _status(error)
        if code in MISSING:
            return StorageError("NOT_FOUND", str(told.get("Message") or "it is not there"))
        after = str(error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("retry-after", ""))
        return amazon_refusal(bucket, f"s3://{bucket}", status, code, str(told.get("Message", "")), after)
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return StorageError("UNAUTHORIZED", f"there are no credentials for s3://{bucket}", SIGN_IN)
    expired = (boto.TokenRetrievalError, boto.SSOTokenLoadError, boto.UnauthorizedSSOTokenError)
    if isinstance(error, (*expired, boto.CredentialRetrievalError)):
        return StorageError("UNAUTHORIZED", f"the credentials for s3://{bucket} cannot be had: {error}", SIGN_IN)
    if isinstance(error, boto.SSLError):
        return StorageError("INVALID", f"s3://{bucket} does not prove who it is: {error}", REACH)
    if isinstance(error, boto.FlexibleChecksumError):
        message = f"what arrived differs from what s3://{bucket} holds: {error}"
        return StorageError("TRANSIENT", message, "Try again; if it stays so, something on the way changes data.")
    # What breaks in the midst of a body is not boto3's own.
    streaming = (boto.IncompleteReadError, boto.ResponseStreamingError, urllib3.exceptions.HTTPError)
    network = (boto.ConnectionError, boto.HTTPClientError, *streaming)
    if isinstance(error, network) and timed_out(error):
        return silent(f"s3://{bucket}", timeout)
    if isinstance(error, network):
        return StorageError("TRANSIENT", f"s3://{bucket} cannot be reached: {error}", REACH)
    if isinstance(error, (boto.ParamValidationError, boto.InvalidRegionError, ValueError)):
        return StorageError("INVALID", f"s3://{bucket}: {error}", "Check `bucket`, `region` and `endpoint_url`.")
    raise error
