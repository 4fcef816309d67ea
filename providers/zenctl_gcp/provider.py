"""The entry point of the Google Cloud provider: gives the artifact store `gcs` and the backend `gce`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider import Compute, ErrorKind, ProviderContext, ProviderError
from zenctl.provider.lending import Lender
from zenctl.provider.storing import StoringProvider
from zenctl_gcp.schema import GCP

if TYPE_CHECKING:
    from zenctl_gcp.credentials import UserCredentials

SECRETS_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
"""The variable in which gcloud looks for another server than Google's: a private endpoint, or an emulator."""


class GcpProvider(StoringProvider):
    """Keeps artifacts in Google Cloud Storage and runs steps on machines of Compute Engine."""

    name = "gcp"
    version = __version__
    offered = GCP
    sdk = "google-cloud-storage"
    compute_sdk = "google-cloud-compute"

    def __init__(self) -> None:
        super().__init__()
        self._context: ProviderContext | None = None
        self._computes: list[Any] = []
        self._user: UserCredentials | None = None

    def configure(self, config: Mapping[str, Any], context: ProviderContext) -> None:
        super().configure(config, context)
        self._context = context
        self._computes = []

    def open_store(self, config: Mapping[str, Any], lender: Lender) -> Storage:
        from zenctl_gcp.storage import open_store

        return open_store(config, lender)

    def compute(self, type: str, config: Mapping[str, Any]) -> Compute:
        """Machines of Compute Engine; ProviderError(INVALID) if what that needs is not installed."""
        from zenctl_gcp.compute_client import ComputeClient
        from zenctl_gcp.gce import GceCompute

        if type not in GCP.backends:
            raise ProviderError(ErrorKind.INVALID, f'the gcp provider has no backend of type "{type}"')
        assert self._context is not None, "configure() comes first"
        for package in (self.compute_sdk, self.sdk):
            self.need(package)

        def open_client(project: str) -> ComputeClient:
            return ComputeClient(project, endpoint=config.get("endpoint") or "", patience=config["retry_seconds"])

        compute = GceCompute(config, self._context, open_client=open_client, open_store=self._open_bucket)
        self._computes.append(compute)
        return compute

    def secrets_access(self, scheme: str, credentials: bool) -> Mapping[str, Any]:
        """How a job reaches Secret Manager; with `credentials` by a token of the user's, which is renewed for it."""
        if scheme not in GCP.secrets:
            raise ProviderError(ErrorKind.INVALID, f"the gcp provider keeps no secrets of the form {scheme}:...")
        endpoint = os.environ.get(SECRETS_ENDPOINT, "").rstrip("/")
        told = {name: self._defaults[name] for name in ("retry_seconds", "timeout_seconds") if name in self._defaults}
        told |= {"endpoint": endpoint} if endpoint else {}
        if not credentials:
            return told
        own = {"project": self._defaults["project"]} if self._defaults.get("project") else {}
        if endpoint.startswith("http://"):
            return {**told, **own, "anonymous": True}
        self.need("google-auth")
        from zenctl_gcp.credentials import UserCredentials

        self._user = self._user or UserCredentials()
        return {**told, **self.lend(self._user.token), **self._user.facts(), **own}

    def close(self) -> None:
        """End what lends credentials to jobs, and delete the machines that were made for this command."""
        super().close()
        computes, self._computes = self._computes, []
        problems = []
        for compute in computes:
            try:
                compute.close()
            except ProviderError as problem:
                problems.append(problem)
        if problems:
            first = problems[0]
            message = f"a machine may still be there: {first.message}"
            hint = f"{first.hint} It ends by itself when its max_idle is over; the next apply deletes it.".strip()
            raise ProviderError(first.kind, message, hint)

    def _open_bucket(self, uri: str, access: Mapping[str, Any]) -> Storage:
        """The artifact store at a URI, as the user reaches it."""
        parts = urlsplit(uri)
        if parts.scheme != "gs":
            message = f"machines of Compute Engine cannot reach the artifact store {uri}"
            hint = "Keep the artifacts in a bucket: zenctl config artifacts set gs://BUCKET"
            raise ProviderError(ErrorKind.INVALID, message, hint)
        told = {name: access[name] for name in ("endpoint", "retry_seconds", "timeout_seconds") if name in access}
        config = {"bucket": parts.netloc, "prefix": parts.path.strip("/"), **told}
        return self.open_store(config, Lender())
