"""The entry point of the Google Cloud provider: gives the artifact store of type `gcs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider.lending import Lender
from zenctl.provider.storing import StoringProvider
from zenctl_gcp.schema import GCP


class GcpProvider(StoringProvider):
    """Keeps artifacts in Google Cloud Storage."""

    name = "gcp"
    version = __version__
    offered = GCP
    sdk = "google-cloud-storage"

    def open_store(self, config: Mapping[str, Any], lender: Lender) -> Storage:
        from zenctl_gcp.storage import open_store

        return open_store(config, lender)
