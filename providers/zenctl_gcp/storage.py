"""The artifact store of type `gcs`: the bucket that the block names, as zenctl itself reaches it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from zenctl.jobs.stores.objects import ObjectStorage
from zenctl.jobs.stores.retrying import PATIENCE, Retrying
from zenctl.jobs.stores.sources import TIMEOUT
from zenctl.provider.lending import Lender
from zenctl_gcp.client import GcsClient

EMULATOR = "STORAGE_EMULATOR_HOST"
"""The variable in which Google's own libraries look for an emulator."""


def open_store(config: Mapping[str, Any], lender: Lender, retry: Retrying | None = None) -> ObjectStorage:
    """The store that the decoded block names; nothing is asked of it before it is used."""
    endpoint = config.get("endpoint") or os.environ.get(EMULATOR) or ""
    if endpoint and "://" not in endpoint:
        endpoint = f"http://{endpoint}"
    bucket = GcsClient(
        config["bucket"],
        project=config.get("project"),
        endpoint=endpoint,
        retry=retry or Retrying(config.get("retry_seconds", PATIENCE)),
        timeout=config.get("timeout_seconds", TIMEOUT),
        lender=lender,
    )
    return ObjectStorage(bucket, (config.get("prefix") or "").strip("/"))
