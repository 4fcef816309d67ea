"""The entry point of the AWS provider: gives the artifact store of type `s3`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zenctl import __version__
from zenctl.jobs.storage import Storage
from zenctl.provider import ErrorKind, ProviderError
from zenctl.provider.lending import Lender
from zenctl.provider.storing import StoringProvider
from zenctl_aws.schema import AWS

if TYPE_CHECKING:
    from zenctl_aws.credentials import UserCredentials


class AwsProvider(StoringProvider):
    """Keeps artifacts in Amazon S3."""

    name = "aws"
    version = __version__
    offered = AWS
    sdk = "boto3"

    def __init__(self) -> None:
        super().__init__()
        self._user: UserCredentials | None = None

    def secrets_access(self, scheme: str, credentials: bool) -> Mapping[str, Any]:
        """How a job reaches Secrets Manager; with `credentials` by those of the user, which are renewed for it."""
        if scheme not in AWS.secrets:
            raise ProviderError(ErrorKind.INVALID, f"the aws provider keeps no secrets of the form {scheme}:...")
        told = {name: self._defaults[name] for name in ("retry_seconds", "timeout_seconds") if name in self._defaults}
        if not credentials:
            return told
        self.need(self.sdk)
        from zenctl_aws.credentials import UserCredentials

        if self._user is None:
            self._user = UserCredentials(self._defaults.get("profile"), self._defaults.get("region"))
        return {**told, **self.lend(self._user.credentials), **self._user.facts()}

    def open_store(self, config: Mapping[str, Any], lender: Lender) -> Storage:
        from zenctl_aws.storage import open_store

        return open_store(config, lender)
