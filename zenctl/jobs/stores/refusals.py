"""What a server's refusal means: of which kind it is, and what the user can do about it."""

from __future__ import annotations

import socket
from typing import Optional

from zenctl.jobs.causes import causes
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.sources import REACH

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass by themselves."""


AMAZON_PASSING = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)
"""S3's error codes of which the same holds."""


FORGOTTEN = 410
"""Google's answer to what would go on with an upload that it no longer knows."""

NO_BUCKET = "bucket does not exist"
"""How Google says that the bucket is missing, not the object: by its words alone."""


LOG_IN = (
    "Log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS; on a machine of "
    "Google Cloud, give it a service account."
)
"""What to do without credentials."""


def passing(host: str, status: int, said: str, retry_after: str = "") -> StorageError:
    """The error of a server that cannot answer for the moment. `retry_after` is its header of that name."""
    why = "asks for fewer requests" if status == 429 else f"answered {status}"
    wait = float(retry_after) if retry_after.isdigit() else 0.0
    message = f"{host} {why}: {said}" if said else f"{host} {why}"
    return StorageError("TRANSIENT", message, "Try again later.", retry_after=wait)


def silent(host: str, seconds: float, got: Optional[int] = None) -> StorageError:
    """The error of a server that said nothing for so long; in the midst of an answer if `got` bytes of it have come."""
    what = "did not answer within" if got is None else f"sent {got:,} bytes, and then nothing for"
    hint = f"{REACH} If it is only slow, set `timeout_seconds` higher."
    return StorageError("TRANSIENT", f"{host} {what} {seconds:g} second{'' if seconds == 1 else 's'}", hint)


def timed_out(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, is the end of the time that a server may be silent."""
    # Before Python 3.10 the second is no kind of the first.
    return any(isinstance(found, (TimeoutError, socket.timeout)) for found in causes(error))


def google_refusal(bucket: str, host: str, status: int, reason: str, said: str, retry_after: str = "") -> StorageError:
    """The error of a refusal by Google Cloud Storage, from its status, reason and message."""
    if status in PASSING or reason in ("rateLimitExceeded", "userRateLimitExceeded", "backendError"):
        return passing(host, status, said, retry_after)
    if status == FORGOTTEN:
        return StorageError("TRANSIENT", f"gs://{bucket} has forgotten an upload that was under way", "Try again.")
    if status == 401:
        return StorageError("UNAUTHORIZED", f"gs://{bucket} does not know who asks: {said or 'no credentials'}", LOG_IN)
    if status == 403:
        hint = (
            f"Grant it: gcloud storage buckets add-iam-policy-binding gs://{bucket} "
            "--member=MEMBER --role=roles/storage.objectUser (roles/storage.objectViewer is enough to read)"
        )
        return StorageError("UNAUTHORIZED", f"gs://{bucket} denies permission: {said or status}", hint)
    if status == 404 and NO_BUCKET in said.lower():
        return no_google_bucket(bucket)
    if status == 404:
        return StorageError("NOT_FOUND", said or "it is not there")
    return StorageError("INVALID", f"gs://{bucket} refuses the request ({status}): {said}")


def no_google_bucket(bucket: str) -> StorageError:
    """The error of a bucket that is missing, which must not be taken for an object that is."""
    hint = f"Check its name, or create it: gcloud storage buckets create gs://{bucket} --location=REGION"
    return StorageError("INVALID", f"the bucket gs://{bucket} does not exist", hint)


def amazon_refusal(bucket: str, host: str, status: int, code: str, said: str, retry_after: str = "") -> StorageError:
    """The error of a refusal by S3, from its status, error code and message."""
    name = f"s3://{bucket}"
    if code in AMAZON_PASSING or status in PASSING:
        return passing(host, status, said or code, retry_after)
    if code == "NoSuchBucket":
        hint = f"Check its name and `endpoint_url`, or create it: aws s3 mb {name}"
        return StorageError("INVALID", f"the bucket {name} does not exist", hint)
    if code == "RequestTimeTooSkewed":
        message = f"{name} refuses requests of this machine: its clock is wrong by more than 15 minutes"
        return StorageError("UNAUTHORIZED", message, "Set the clock, for example: timedatectl set-ntp true")
    if code in ("ExpiredToken", "TokenRefreshRequired", "ExpiredTokenException"):
        return StorageError("UNAUTHORIZED", f"the credentials for {name} have expired", SIGN_IN)
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed"):
        hint = SIGN_IN if code == "InvalidAccessKeyId" else f"{SIGN_IN} Check `region` too."
        return StorageError("UNAUTHORIZED", f"{name} does not accept the credentials ({code}): {said}", hint)
    if status in (301, 307, 400) and code in ("PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraint"):
        return StorageError("INVALID", f"{name} lies in another region", "Set `region` to that of the bucket.")
    if status in (401, 403):
        hint = (
            "Reading needs s3:GetObject on the objects, and s3:ListBucket on the bucket, without which it cannot tell "
            "what is missing from what is forbidden; writing needs s3:PutObject and s3:DeleteObject, too."
        )
        return StorageError("UNAUTHORIZED", f"{name} denies permission: {said or code or status}", hint)
    if status == 404:
        return StorageError("NOT_FOUND", said or "it is not there")
    return StorageError("INVALID", f"{name} refuses the request ({status} {code}): {said}".rstrip(": "))


SIGN_IN = "Sign in (aws sso login, aws configure), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
"""What to do without credentials that are accepted."""
