"""The block types of the Google Cloud provider: the artifact store."""

from __future__ import annotations

from zenctl.schema import BlockModel, ProviderSchema, StoreType, attribute


class GcpProviderBlock(BlockModel):
    """`provider "gcp" {}`: how buckets are reached that datasources read, and stores that do not say otherwise.

    Credentials are Google's application default credentials.
    """

    project: str | None = attribute(
        "The project that requests are made for; without it that of the credentials.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    endpoint: str | None = attribute(
        "URL of another server: a private endpoint, or an emulator (http://..., which gets no credentials). Without it "
        "STORAGE_EMULATOR_HOST, else Google's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )


class GcsStore(BlockModel):
    """`artifacts "gcs" {}`: a bucket of Google Cloud Storage, or a folder in one."""

    bucket: str = attribute(
        "Name of the bucket; it must exist.", fingerprint=False, pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$"
    )
    prefix: str = attribute(
        "Folder in the bucket, such as `team/penguins`; without it the whole bucket.", default="", fingerprint=False
    )
    project: str | None = attribute(
        "The project that requests are made for; without it that of the credentials.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    endpoint: str | None = attribute(
        "URL of another server: a private endpoint, or an emulator (http://..., which gets no credentials). Without it "
        "STORAGE_EMULATOR_HOST, else Google's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )
    retry_seconds: int = attribute(
        "How long a request is repeated that fails for a reason which may pass.", default=60, fingerprint=False, ge=0
    )
    timeout_seconds: int = attribute(
        "How long the server may say nothing in the midst of a request.", default=30, fingerprint=False, ge=1
    )


GCP = ProviderSchema(
    name="gcp",
    config=GcpProviderBlock,
    stores={"gcs": StoreType("gcs", "Keeps artifacts in a bucket of Google Cloud Storage.", GcsStore, "gs")},
)
