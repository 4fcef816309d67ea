"""Where a job's credentials for AWS come from: it was handed them, or from its environment, or its machine's role."""

from __future__ import annotations

import json
import os
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional
from urllib.parse import urlsplit

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.gcs import unix_time
from zenctl.jobs.stores.http import HttpClient
from zenctl.jobs.stores.refusals import SIGN_IN
from zenctl.jobs.stores.retrying import Retrying
from zenctl.jobs.stores.sigv4 import Credentials, query_text

EARLY = 300.0
"""Seconds before their end at which credentials are renewed."""

CONTAINER = "http://169.254.170.2"
INSTANCE = "http://169.254.169.254"
ROLES = "/latest/meta-data/iam/security-credentials/"


class _Busy(StorageError):
    """Who gives credentials is there, and cannot do so now."""


class Renewing:
    """Credentials that are asked for anew shortly before they expire. Callable from any thread."""

    def __init__(self, ask: Callable[[], Credentials], *, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Optional[Credentials] = None

    def __call__(self) -> Credentials:
        """Who asks; StorageError(UNAUTHORIZED) where nobody is known."""
        with self._lock:
            known = self._known
            if known is None or (known.ends is not None and self._clock() >= known.ends - EARLY):
                known = self._known = self._ask()
            return known


def given(access: Mapping[str, Any], renew: Optional[Callable[[], Mapping[str, Any]]]) -> Callable[[], Credentials]:
    """Those that were handed over, and what `renew` gives once they are about to end."""
    waiting = [access]

    def ask() -> Credentials:
        if waiting:
            return credentials_of(waiting.pop())
        if renew is None:
            raise StorageError("UNAUTHORIZED", "the credentials that this job was handed have expired")
        return credentials_of(renew())

    return Renewing(ask)


def credentials_of(access: Mapping[str, Any]) -> Credentials:
    """Credentials from their plain form."""
    ends = access.get("ends")
    return Credentials(
        str(access["key_id"]),
        str(access["secret"]),
        str(access.get("token", "")),
        None if ends is None else float(ends),
    )


def of_machine(retry: Retrying, environment: Mapping[str, str] = os.environ) -> Callable[[], Credentials]:
    """The usual chain of a job on a machine of AWS, in the order of its own tools."""
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        fixed = Credentials(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN", ""),
        )
        return lambda: fixed
    if environment.get("AWS_ROLE_ARN") and environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return Renewing(lambda: retry(lambda: _web_identity(environment)))
    relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if relative or environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        url = f"{CONTAINER}{relative}" if relative else environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        return Renewing(lambda: retry(lambda: _container(url, environment)))
    return Renewing(lambda: retry(lambda: _instance(environment)))


def _web_identity(environment: Mapping[str, str]) -> Credentials:
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    usual = f"https://sts.{region}.amazonaws.com" if region else "https://sts.amazonaws.com"
    endpoint = environment.get("AWS_ENDPOINT_URL_STS") or usual
    query = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": environment["AWS_ROLE_ARN"],
        "RoleSessionName": environment.get("AWS_ROLE_SESSION_NAME") or "zenctl",
        "WebIdentityToken": _read(environment["AWS_WEB_IDENTITY_TOKEN_FILE"]),
    }
    body = _asked(HttpClient(endpoint, timeout=15), "GET", f"/?{query_text(query)}", {}, "the role of the web identity")
    found = {e.tag.rpartition("}")[2]: e.text or "" for e in ElementTree.fromstring(body).iter()}  # noqa: S314 - of STS
    ends = unix_time(found.get("Expiration", "")) or None
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], ends)


def _container(url: str, environment: Mapping[str, str]) -> Credentials:
    parts = urlsplit(url)
    headers: Dict[str, str] = {}
    file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = _read(file) if file else environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if token:
        headers["Authorization"] = token
    client = HttpClient(f"{parts.scheme}://{parts.netloc}", timeout=5)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return _of_json(_asked(client, "GET", target, headers, "the container's role"))


def _instance(environment: Mapping[str, str]) -> Credentials:
    client = HttpClient(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or INSTANCE, timeout=5)
    what = "the machine's role"
    try:
        life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
        token = _asked(client, "PUT", "/latest/api/token", life, what).decode()
    except _Busy:
        raise
    except StorageError as error:
        message = "there are no credentials for AWS: none in the environment, and no role of this machine"
        raise StorageError("UNAUTHORIZED", message, SIGN_IN) from error
    headers = {"X-aws-ec2-metadata-token": token}
    role = _asked(client, "GET", ROLES, headers, what).decode().split("\n")[0].strip()
    return _of_json(_asked(client, "GET", ROLES + role, headers, what))


def _of_json(body: bytes) -> Credentials:
    found = json.loads(body)
    ends = unix_time(str(found.get("Expiration", ""))) or None
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "", ends)


def _asked(client: HttpClient, method: str, target: str, headers: Mapping[str, str], what: str) -> bytes:
    answer = client.send(method, target, headers)
    body = answer.read()
    if answer.status >= 500 or answer.status == 429:
        raise _Busy("TRANSIENT", f"{client.host}, asked for {what}, answered {answer.status}")
    if answer.status != 200:
        raise StorageError("UNAUTHORIZED", f"{client.host} does not give {what} ({answer.status})", SIGN_IN)
    return body


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StorageError("UNAUTHORIZED", f"{path} cannot be read: {error.strerror}") from error
