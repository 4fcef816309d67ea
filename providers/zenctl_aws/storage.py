"""The artifact store of type `s3`: the bucket that the block names, as zenctl itself reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.jobs.stores.objects import PartsStorage
from zenctl.jobs.stores.retrying import PATIENCE, Retrying
from zenctl.jobs.stores.sources import TIMEOUT
from zenctl.provider.lending import Lender
from zenctl_aws.client import S3Client


def open_store(config: Mapping[str, Any], lender: Lender, retry: Retrying | None = None) -> PartsStorage:
    """The store that the decoded block names; nothing is asked of it before it is used."""
    bucket = S3Client(
        config["bucket"],
        region=config.get("region"),
        endpoint=config.get("endpoint_url"),
        profile=config.get("profile"),
        path_style=config.get("path_style"),
        retry=retry or Retrying(config.get("retry_seconds", PATIENCE)),
        timeout=config.get("timeout_seconds", TIMEOUT),
        lender=lender,
    )
    return PartsStorage(bucket, bucket, (config.get("prefix") or "").strip("/"))
