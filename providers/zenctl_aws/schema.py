"""The block types of the AWS provider: the artifact store."""

from __future__ import annotations

from zenctl.provider.storing import Patience
from zenctl.schema import BlockModel, ProviderSchema, StoreType, attribute


class _Bucket(BlockModel):
    bucket: str = attribute(
        "Name of the bucket; it must exist.",
        fingerprint=False,
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$",
    )
    prefix: str = attribute(
        "Folder in the bucket, such as `team/penguins`; without it the whole bucket.", default="", fingerprint=False
    )


class _Connection(BlockModel):
    region: str | None = attribute(
        "The buckets' region; without it that of the profile or the environment, else us-east-1.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    endpoint_url: str | None = attribute(
        "URL of another server: MinIO, Ceph, R2, an emulator. Without it AWS_ENDPOINT_URL_S3, else Amazon's.",
        default=None,
        fingerprint=False,
        pattern=r"^https?://[^/\s]+/?$",
    )
    profile: str | None = attribute(
        "The profile of ~/.aws/config whose credentials are used; without it AWS_PROFILE, the environment or the role.",
        default=None,
        fingerprint=False,
        min_length=1,
    )
    path_style: bool | None = attribute(
        "Whether a bucket's name stands in the path instead of the host name; usual with another server.",
        default=None,
        fingerprint=False,
    )


class AwsProviderBlock(Patience, _Connection):
    """`provider "aws" {}`: how buckets are reached that datasources read, and stores that do not say otherwise.

    Credentials come from where AWS's own tools take them.
    """


class S3Store(Patience, _Connection, _Bucket):
    """`artifacts "s3" {}`: a bucket of Amazon S3 or of a server that speaks its protocol, or a folder in one."""


AWS = ProviderSchema(
    name="aws",
    config=AwsProviderBlock,
    stores={"s3": StoreType("s3", "Keeps artifacts in a bucket of Amazon S3.", S3Store, "s3")},
    secrets=("aws-secret",),
)
