"""The entry point of the AWS provider: gives the artifact store of type `s3`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider.lending import Lender
from zenctl.provider.storing import StoringProvider
from zenctl_aws.schema import AWS


class AwsProvider(StoringProvider):
    """Keeps artifacts in Amazon S3."""

    name = "aws"
    version = __version__
    offered = AWS
    sdk = "boto3"

    def open_store(self, config: Mapping[str, Any], lender: Lender) -> Storage:
        from zenctl_aws.storage import open_store

        return open_store(config, lender)
