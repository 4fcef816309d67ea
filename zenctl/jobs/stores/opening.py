"""Opens the store at a URI for a job, with what the job was told of it."""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional
from urllib.parse import unquote, urlsplit

from zenctl.jobs.storage import FolderStorage, Storage, StorageError

ACCESS = "ZENCTL_STORE_ACCESS"
"""The variable in which a job is told, as one JSON object, how to reach its store. It may hold a token.

For every store: `retry_seconds`, `timeout_seconds`, `renew` (where to ask for new credentials: `url`, `secret`). For
`gs://`: `endpoint`, `token`, `ends` (Unix time), `anonymous`. For `s3://`: `endpoint`, `region`, `path_style`,
`key_id`, `secret`, `token`, `ends`. Whatever is left out is found as on a machine of the provider: by its environment
and its metadata server.
"""

SOURCES = "sources"
"""In the same object, for a job that reads a source in buckets: how to reach each of these, by its URI."""


SECRETS = "secrets"
"""In the same object, for a job with secrets that a server keeps: how to reach each of these, by its scheme."""


def open_store(place: str, told: Optional[Mapping[str, Any]] = None) -> Storage:
    """The store at a `file://`, `gs://` or `s3://` URI or in a folder; StorageError(INVALID) for any other."""
    access = told or {}
    parts = urlsplit(place)
    if parts.scheme == "file":
        return FolderStorage(unquote(parts.path))
    if parts.scheme == "gs":
        return _gcs(parts.netloc, parts.path.strip("/"), access)
    if parts.scheme == "s3":
        return _s3(parts.netloc, parts.path.strip("/"), access)
    if "://" in place:
        raise StorageError("INVALID", f"this runner cannot reach {parts.scheme}:// stores")
    return FolderStorage(place)


def _gcs(bucket: str, prefix: str, access: Mapping[str, Any]) -> Storage:
    from zenctl.jobs.stores.gcs import ENDPOINT, GcsBucket
    from zenctl.jobs.stores.google_tokens import GivenToken, MetadataToken
    from zenctl.jobs.stores.objects import ObjectStorage
    from zenctl.jobs.stores.renewal import renewal
    from zenctl.jobs.stores.retrying import PATIENCE, Retrying
    from zenctl.jobs.stores.sources import TIMEOUT

    retry = Retrying(float(access.get("retry_seconds", PATIENCE)))
    timeout = float(access.get("timeout_seconds", TIMEOUT))
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    endpoint = str(access.get("endpoint") or emulator or ENDPOINT)
    token: Any = None
    if access.get("token"):
        token = GivenToken(str(access["token"]), float(access["ends"]), renewal(access))
    elif not access.get("anonymous") and not (emulator and endpoint == emulator):
        token = MetadataToken(retry)
    return ObjectStorage(GcsBucket(bucket, endpoint=endpoint, token=token, retry=retry, timeout=timeout), prefix)


def _s3(bucket: str, prefix: str, access: Mapping[str, Any]) -> Storage:
    from zenctl.jobs.stores.aws_credentials import given, of_machine
    from zenctl.jobs.stores.objects import PartsStorage
    from zenctl.jobs.stores.renewal import renewal
    from zenctl.jobs.stores.retrying import PATIENCE, Retrying
    from zenctl.jobs.stores.s3 import S3Bucket
    from zenctl.jobs.stores.sources import TIMEOUT

    retry = Retrying(float(access.get("retry_seconds", PATIENCE)))
    region = access.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = access.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    opened = S3Bucket(
        bucket,
        region=str(region or "us-east-1"),
        endpoint=str(endpoint or ""),
        path_style=access.get("path_style"),
        credentials=given(access, renewal(access)) if access.get("key_id") else of_machine(retry),
        retry=retry,
        timeout=float(access.get("timeout_seconds", TIMEOUT)),
    )
    return PartsStorage(opened, opened, prefix)
