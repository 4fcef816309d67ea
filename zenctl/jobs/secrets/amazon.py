"""Reads secrets of AWS Secrets Manager: its JSON interface, signed and spoken with the standard library alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import time
from typing import Any, Mapping, Optional
from urllib.parse import urlsplit

from zenctl.jobs.secrets.values import MOST, text_of
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.aws_credentials import given, of_machine
from zenctl.jobs.stores.http import HttpClient
from zenctl.jobs.stores.refusals import AMAZON_PASSING, PASSING, SIGN_IN, passing
from zenctl.jobs.stores.renewal import renewal
from zenctl.jobs.stores.retrying import PATIENCE, Retrying
from zenctl.jobs.stores.sigv4 import signed
from zenctl.jobs.stores.sources import TIMEOUT, Slice

SERVICE = "secretsmanager"

_ANSWER = 8 * MOST
"""Bytes of an answer after which no more is read: JSON may write six for one."""

_REFUSED = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
"""Codes that say that the credentials are not accepted."""


class AmazonSecrets:
    """Secrets Manager, asked by a job's own identity.

    `access` is what the job was told: `key_id`, `secret`, `token`, `ends` and `renew` where zenctl lends the user's
    credentials, else those of the environment or the machine's role ask; `region`, and `endpoint` for another server.
    """

    def __init__(self, access: Mapping[str, Any], retry: Optional[Retrying] = None) -> None:
        self._access = access
        self._retry = retry or Retrying(float(access.get("retry_seconds", PATIENCE)))
        self._credentials = given(access, renewal(access)) if access.get("key_id") else of_machine(self._retry)

    def value(self, place: str) -> str:
        """The value of a secret, or of one key of a JSON object; `place` follows `aws-secret:`. StorageError."""
        secret, _, key = place.partition("#")
        region = self._region(secret)
        usual = f"https://{SERVICE}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        endpoint = str(self._access.get("endpoint") or usual)
        client = HttpClient(endpoint, timeout=float(self._access.get("timeout_seconds", TIMEOUT)))
        try:
            data = self._retry(lambda: self._ask(client, secret, region))
        finally:
            client.close()
        return _of_object(text_of(data, secret), secret, key) if key else text_of(data, secret)

    def _region(self, secret: str) -> str:
        told = self._access.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        region = secret.split(":")[3] if secret.startswith("arn:") else str(told or "")
        if not region:
            hint = "Set AWS_REGION, or write the reference with the secret's ARN."
            raise StorageError("INVALID", f"the region of the secret {secret} is not known", hint)
        return region

    def _ask(self, client: HttpClient, secret: str, region: str) -> bytes:
        body = json.dumps({"SecretId": secret}).encode()
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{SERVICE}.GetSecretValue"}
        digest = hashlib.sha256(body).hexdigest()
        path = f"{urlsplit(client.path).path}/"
        sent = signed("POST", client.host, path, {}, headers, digest, self._credentials(), region, time.time(), SERVICE)
        answer = client.send("POST", "/", sent, Slice(body, 0, len(body)))
        found = answer.read(_ANSWER + 1)
        answer.close()
        if answer.status != 200:
            raise _refused(secret, client.host, answer.status, found, answer.header("Retry-After"))
        if len(found) > _ANSWER:
            raise StorageError("INVALID", f"{secret} has more than {MOST >> 10} KiB", "A secret is a small text.")
        return _value(secret, found)


def _value(secret: str, body: bytes) -> bytes:
    try:
        found = json.loads(body)
        if found.get("SecretString") is not None:
            return str(found["SecretString"]).encode("utf-8")
        return base64.b64decode(found["SecretBinary"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # Neither the answer nor what the parser says of it is told: they may show the value.
        message = f"what came for {secret} is no answer of Secrets Manager"
        raise StorageError("INVALID", message, "Check the endpoint.") from None


def _of_object(text: str, secret: str, key: str) -> str:
    """One value of a secret that is a JSON object. What it holds besides is not told, its keys neither."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        hint = "Leave #KEY out to take the secret as it is."
        raise StorageError("INVALID", f"{secret} is no JSON object, of which #{key} could be taken", hint)
    if key not in found:
        raise StorageError("NOT_FOUND", f"{secret} is a JSON object without the key {key}", "Check what follows #.")
    value = found[key]
    return value if isinstance(value, str) else json.dumps(value)


def _refused(secret: str, host: str, status: int, body: bytes, retry_after: str) -> StorageError:
    """The error of a refusal, from its status, code and message."""
    try:
        found = json.loads(body)
        code = str(found.get("__type", "")).rpartition("#")[2]
        said = str(found.get("message") or found.get("Message") or "")
    except (ValueError, AttributeError):
        code, said = "", body[:200].decode("utf-8", "replace").strip()
    if code in AMAZON_PASSING or code == "InternalServiceError" or status in PASSING:
        return passing(host, status, said or code, retry_after)
    if code == "ResourceNotFoundException":
        hint = "Check its name and the region: aws secretsmanager list-secrets"
        return StorageError("NOT_FOUND", f"there is no secret {secret}, or it has no current version: {said}", hint)
    if code == "AccessDeniedException":
        hint = "Allow secretsmanager:GetSecretValue on it, and kms:Decrypt on its key if that is your own."
        return StorageError("UNAUTHORIZED", f"the secret {secret} may not be read: {said}", hint)
    if code == "InvalidRequestException":
        hint = f"If it is marked for deletion: aws secretsmanager restore-secret --secret-id {secret}"
        return StorageError("INVALID", f"the secret {secret} cannot be read as it is: {said}", hint)
    if code == "DecryptionFailure":
        return StorageError("INVALID", f"{secret} cannot be decrypted: {said}", "Check the key that it names.")
    if code in _REFUSED or status in (401, 403):
        return StorageError("UNAUTHORIZED", f"{host} does not accept the credentials ({code}): {said}", SIGN_IN)
    return StorageError("INVALID", f"{host} refuses to give {secret} ({status} {code}): {said}".rstrip(": "))
