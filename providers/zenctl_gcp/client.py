"""The only importer of Google's SDK for storage: a bucket of Google Cloud Storage, whose errors are StorageErrors."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from zenctl.jobs.causes import innermost_reason
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.checksums import google_checksum
from zenctl.jobs.stores.objects import MARK, Checksum, Found, Piece
from zenctl.jobs.stores.refusals import FORGOTTEN, LOG_IN, google_refusal, no_google_bucket, silent, timed_out
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sources import REACH, Source
from zenctl.provider.buckets import CONNECTIONS, SdkBucket
from zenctl.provider.lending import Lender

T = TypeVar("T")

BROKEN_UPLOAD = ("invalid state", "unexpected state")
"""How the SDK says that an upload cannot go on after an error, and has to begin anew."""


class GcsClient(SdkBucket):
    """A bucket, through google-cloud-storage and the application default credentials.

    An `endpoint` that is http:// is an emulator: it gets no credentials. The SDK is loaded with the first call.
    """

    def __init__(
        self,
        bucket: str,
        *,
        project: str | None,
        endpoint: str,
        retry: Retrying,
        timeout: float,
        lender: Lender,
    ) -> None:
        super().__init__(bucket, retry=retry, timeout=timeout, lender=lender)
        self._project = project
        self._endpoint = endpoint

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}"

    def read(self, key: str, start: int, length: int, version: str) -> Piece:
        got = io.BytesIO()
        seen = {"version": version}

        def once() -> Piece:
            blob = self._blob(key, seen["version"])
            at = start + got.tell()
            try:
                blob.download_to_file(
                    got,
                    start=at,
                    end=start + length - 1,
                    raw_download=True,
                    checksum=None,
                    retry=None,
                    timeout=self.timeout,
                )
            except Exception as error:
                if getattr(error, "code", None) == 416:
                    return Piece(b"", start, version)
                # What has come is kept, if it is known of which version it is.
                if not seen["version"]:
                    got.seek(0)
                    got.truncate()
                raise
            seen["version"] = str(blob.generation or seen["version"])
            data = got.getvalue()
            if len(data) < length:
                return Piece(data, start + len(data), seen["version"], _checksum(blob, start))
            whole = self._blob(key, seen["version"])
            whole.reload(retry=None, timeout=self.timeout)
            return Piece(data, int(whole.size), str(whole.generation), _checksum(whole, start))

        return self.call(once)

    def head(self, key: str) -> Found | None:
        def once() -> Found:
            blob = self._blob(key)
            blob.reload(retry=None, timeout=self.timeout)
            return _found(blob)

        return self.unless_missing(once)

    def create(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> bool:
        tried = False

        def once() -> bool:
            nonlocal tried
            repeated, tried = tried, True
            try:
                self._send(key, source, size, mark, overwrite=overwrite)
            except Exception as error:
                if getattr(error, "code", None) == 412:
                    return repeated and self._is_marked(key, mark)
                raise
            return True

        return self._in_bucket(once)

    def pages(self, prefix: str, most: int) -> Iterator[Sequence[Found]]:
        from zenctl.jobs.stores.gcs import LISTED

        query = {"prefix": prefix, "page_size": most, "fields": f"nextPageToken,items({LISTED})"}
        token: str | None = None
        while True:
            page, token = self._in_bucket(lambda: self._page(query, token))  # noqa: B023 - called at once
            yield page
            if not token:
                return

    def remove(self, key: str) -> None:
        self.unless_missing(lambda: self._blob(key).delete(retry=None, timeout=self.timeout))

    def access(self, credentials: bool) -> Mapping[str, Any]:
        told: dict[str, Any] = {"retry_seconds": self.retry.patience, "timeout_seconds": self.timeout}
        if self._endpoint:
            told["endpoint"] = self._endpoint
        if self._is_emulator:
            return {**told, "anonymous": True}
        return {**told, **self.lender.loan(self._token)} if credentials else told

    @property
    def _is_emulator(self) -> bool:
        return self._endpoint.startswith("http://")

    def _token(self) -> Mapping[str, Any]:
        """An access token and when it ends: what a job can do with it is what the user may do with the store."""

        def once() -> Mapping[str, Any]:
            from google.auth.transport.requests import Request

            credentials = self.client._credentials
            if not credentials.valid or credentials.expiry is None or _left(credentials.expiry) < 1800:
                credentials.refresh(Request())
            ends = credentials.expiry.replace(tzinfo=timezone.utc).timestamp() if credentials.expiry else 0.0
            return {"token": credentials.token, "ends": ends}

        return self.call(once)

    def make(self) -> Any:
        import requests
        from google.auth.credentials import AnonymousCredentials

        with warnings.catch_warnings():
            # It tells of Pythons that it will not support some day: nothing that who runs zenctl must know.
            warnings.simplefilter("ignore", FutureWarning)
            from google.cloud import storage

        options = {"api_endpoint": self._endpoint} if self._endpoint else None
        if self._is_emulator:
            client = storage.Client(
                project=self._project or "emulated", credentials=AnonymousCredentials(), client_options=options
            )
        else:
            client = storage.Client(project=self._project, client_options=options)
        # It asks for facts of the bucket that only its traces would use, for which nobody need have the permission.
        client._bucket_metadata_cache = None
        adapter = requests.adapters.HTTPAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        for scheme in ("https://", "http://"):
            client._http.mount(scheme, adapter)
        return client

    def _blob(self, key: str, version: str = "") -> Any:
        return self.client.bucket(self.bucket).blob(key, generation=int(version) if version else None)

    def _send(self, key: str, source: Source, size: int, mark: str, *, overwrite: bool) -> None:
        from zenctl.jobs.stores.gcs import CHUNK, SMALL

        blob = self._blob(key)
        blob.metadata = {MARK: mark}
        options = {
            "if_generation_match": None if overwrite else 0,
            "content_type": "application/octet-stream",
            "checksum": "crc32c",
            "timeout": self.timeout,
            "retry": None,
        }
        if size <= SMALL:
            blob.upload_from_string(source if isinstance(source, bytes) else source.read_bytes(), **options)
            return
        blob.chunk_size = CHUNK
        # Each chunk is repeated by itself, so that what failed in the midst goes on from there.
        options["retry"] = self._of_chunks()
        if isinstance(source, Path):
            blob.upload_from_filename(str(source), **options)
        else:
            blob.upload_from_file(io.BytesIO(source), size=size, **options)

    def _of_chunks(self) -> Any:
        from google.api_core import retry

        def passes(error: Exception) -> bool:
            problem = self.translate(error)
            # Of what the store has forgotten no chunk can be sent: it is begun anew.
            return problem.kind == "TRANSIENT" and getattr(error, "code", None) != FORGOTTEN

        return retry.Retry(
            predicate=passes,
            initial=self.retry.first,
            maximum=self.retry.most,
            timeout=self.retry.patience,
        )

    def _is_marked(self, key: str, mark: str) -> bool:
        blob = self._blob(key)
        blob.reload(retry=None, timeout=self.timeout)
        return (blob.metadata or {}).get(MARK) == mark

    def _page(self, query: Mapping[str, Any], token: str | None) -> tuple[list[Found], str | None]:
        listed = self.client.list_blobs(self.bucket, page_token=token, retry=None, timeout=self.timeout, **query)
        page = next(listed.pages, ())
        return [_found(blob) for blob in page], listed.next_page_token

    def _in_bucket(self, call: Callable[[], T]) -> T:
        """What is not found where no object is asked for is the bucket."""
        try:
            return self.call(call)
        except StorageError as problem:
            raise no_google_bucket(self.bucket) if problem.kind == "NOT_FOUND" else problem from problem

    def translate(self, error: Exception) -> StorageError:
        return _storage_error(self.bucket, error, self.timeout)


def _found(blob: Any) -> Found:
    modified = blob.updated.timestamp() if blob.updated else 0.0
    checksum = google_checksum(blob.md5_hash or "", blob.crc32c or "")
    return Found(blob.name, int(blob.size or 0), modified, str(blob.generation or ""), checksum)


def _checksum(blob: Any, start: int) -> Checksum | None:
    import google_crc32c

    if start or not blob.crc32c:
        return None
    return Checksum("CRC32C", google_crc32c.Checksum(), base64.b64decode(blob.crc32c))


def _left(expiry: datetime) -> float:
    """Seconds until then; google-auth's times are UTC without saying so."""
    return expiry.replace(tzinfo=timezone.utc).timestamp() - datetime.now(timezone.utc).timestamp()


def _storage_error(bucket: str, error: Exception, timeout: float) -> StorageError:
    """What an error of the SDK means. What is not known here is a bug, and is raised as it is."""
    import requests
    import urllib3
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage import exceptions as storage

    if isinstance(error, StorageError):
        return error
    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        return _storage_error(bucket, error.cause, timeout)
    if isinstance(error, auth.TransportError):
        return StorageError("TRANSIENT", f"Google's token server cannot be reached: {error}", REACH)
    if isinstance(error, auth.GoogleAuthError):
        return _of_credentials(bucket, error)
    if isinstance(error, api.GoogleAPICallError) and error.code is not None:
        reasons = error.errors or [{}]
        reason = str(reasons[0].get("reason", "")) if isinstance(reasons[0], dict) else ""
        after = error.response.headers.get("Retry-After", "") if error.response is not None else ""
        return google_refusal(bucket, f"gs://{bucket}", int(error.code), reason, _said(error), after)
    if isinstance(error, storage.InvalidResponse):
        return google_refusal(bucket, f"gs://{bucket}", int(error.response.status_code), "", str(error.args[0]))
    if isinstance(error, storage.DataCorruption):
        message = f"what gs://{bucket} holds differs from what was sent or read (CRC32C)"
        return StorageError("TRANSIENT", message, "Try again; if it stays so, something on the way changes data.")
    if isinstance(error, ValueError) and any(words in str(error) for words in BROKEN_UPLOAD):
        return StorageError("TRANSIENT", f"an upload to gs://{bucket} broke off", "Try again.")
    if isinstance(error, requests.exceptions.SSLError):
        return StorageError("INVALID", f"gs://{bucket} does not prove who it is: {error}", REACH)
    network = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, network) and timed_out(error):
        return silent(f"gs://{bucket}", timeout)
    if isinstance(error, network):
        return StorageError("TRANSIENT", f"gs://{bucket} cannot be reached: {innermost_reason(error)}", REACH)
    raise error


def _of_credentials(bucket: str, error: Exception) -> StorageError:
    text = str(error.args[0] if error.args else error)
    if "Invalid JWT" in text or "iat and exp" in text:
        message = f"the credentials for gs://{bucket} are refused: this machine's clock is wrong"
        return StorageError("UNAUTHORIZED", message, "Set the clock, for example: timedatectl set-ntp true")
    what = "there are no credentials" if "not found" in text else f"the credentials are refused: {text.splitlines()[0]}"
    return StorageError("UNAUTHORIZED", f"gs://{bucket}: {what}", LOG_IN)


def _said(error: Any) -> str:
    """The server's message, without the request that the SDK puts before it."""
    try:
        return str(error.response.json()["error"]["message"])
    except (AttributeError, ValueError, KeyError, TypeError):
        return str(error.message).rpartition(": ")[2]
