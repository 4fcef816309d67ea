"""The user's own credentials for AWS as plain JSON, to be lent to jobs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.refusals import SIGN_IN


def open_session(profile: str | None, region: str | None) -> Any:
    """A session of boto3. StorageError(UNAUTHORIZED) if there is no such profile."""
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.session.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        raise StorageError("UNAUTHORIZED", f"{error}", "Check `profile`, or run aws configure.") from error


def plain_credentials(session: Any, what: str) -> Mapping[str, Any]:
    """Those of now, and when they end. `what` they are for is told where there are none."""
    found = session.get_credentials()
    if found is None:
        raise StorageError("UNAUTHORIZED", f"there are no credentials for {what}", SIGN_IN)
    now = found.get_frozen_credentials()
    # Those that can be renewed have an end; boto3 renews them itself once less than a quarter of an hour is left.
    ends = getattr(found, "_expiry_time", None)
    return {
        "key_id": now.access_key,
        "secret": now.secret_key,
        **({"token": now.token} if now.token else {}),
        **({"ends": ends.timestamp()} if ends is not None else {}),
    }


class UserCredentials:
    """Who reads secrets: the session of a profile and a region, None each for what AWS's own tools take."""

    def __init__(self, profile: str | None, region: str | None) -> None:
        self._profile = profile
        self._region = region
        self._session: Any = None

    def credentials(self) -> Mapping[str, Any]:
        """As `plain_credentials`. StorageError for what AWS's tools cannot find or renew."""
        from botocore.exceptions import BotoCoreError

        try:
            return plain_credentials(self._opened(), "AWS Secrets Manager")
        except BotoCoreError as error:
            raise StorageError("UNAUTHORIZED", f"the credentials for AWS cannot be had: {error}", SIGN_IN) from error

    def facts(self) -> Mapping[str, str]:
        """`region`, if there is one to be known, and `endpoint`, if that is not Amazon's own."""
        session = self._opened()
        if not session.region_name:
            return {}
        # It knows the variables and the settings that name another server.
        endpoint = session.client("secretsmanager").meta.endpoint_url
        is_own = endpoint.endswith((".amazonaws.com", ".amazonaws.com.cn"))
        return {"region": session.region_name, **({} if is_own else {"endpoint": endpoint})}

    def _opened(self) -> Any:
        if self._session is None:
            self._session = open_session(self._profile, self._region)
        return self._session
