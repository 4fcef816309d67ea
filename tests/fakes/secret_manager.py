"""A strict Secret Manager of Google Cloud: secrets with versions that can be disabled, identities, faults on demand.

Every request and response is held to Google's secretmanager.v1 discovery document; what does not fit is in `problems`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import google_crc32c

from tests.fakes.discovery import Discovery, discovery
from tests.fakes.faults import Faults
from tests.fakes.loopback import JsonHandler, loopback

STATES = {400: "FAILED_PRECONDITION", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
STATES |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Refused(Exception):
    """An error answer; `reason` as in its ErrorInfo."""

    def __init__(self, status: int, message: str, reason: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


@dataclass
class FakeSecretManager:
    """The state behind the server. `secrets` are the versions' values by the secret's resource name, oldest first.

    `grants` says which secrets the bearer of a token may read; others are not known. `states` are versions that
    are not ENABLED. `off` are projects in which the API is not switched on. `wrong` versions arrive with another
    checksum than their own.
    """

    secrets: dict[str, list[bytes]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    grants: dict[str, set[str]] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)
    api: Discovery = field(default_factory=lambda: discovery("secretmanager.v1"))
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def problems(self) -> list[str]:
        return self.api.problems

    def add(self, secret: str, *values: bytes | str) -> None:
        """Add versions to a secret, which is made if it is not there."""
        data = [value.encode() if isinstance(value, str) else value for value in values]
        self.secrets.setdefault(secret, []).extend(data)

    def access(self, name: str, bearer: str) -> dict[str, Any]:
        """The answer to `access`; the checks come in the order of the service."""
        secret, _, version = name.partition("/versions/")
        if bearer not in self.grants:
            raise Refused(401, "Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED")
        project = secret.split("/")[1]
        if project in self.off:
            message = f"Secret Manager API has not been used in project {project} before or it is disabled."
            raise Refused(403, message, "SERVICE_DISABLED")
        if secret not in self.grants[bearer]:
            message = f"Permission 'secretmanager.versions.access' denied for resource '{name}' (or it may not exist)."
            raise Refused(403, message, "IAM_PERMISSION_DENIED")
        versions = self.secrets.get(secret, [])
        if not versions:
            raise Refused(404, f"Secret [{secret}] not found or has no versions.")
        number = len(versions) if version == "latest" else int(version) if version.isdigit() else 0
        if not 0 < number <= len(versions):
            raise Refused(404, f"Secret Version [{name}] not found.")
        exact = f"{secret}/versions/{number}"
        if exact in self.states:
            raise Refused(400, f"Secret Version [{exact}] is in {self.states[exact]} state.")
        data = versions[number - 1]
        checksum = int.from_bytes(google_crc32c.Checksum(data).digest(), "big") ^ (exact in self.wrong)
        return {"name": exact, "payload": {"data": base64.b64encode(data).decode(), "dataCrc32c": str(checksum)}}


class Handler(JsonHandler):
    """Answers one connection."""

    fake: FakeSecretManager

    def do(self) -> None:
        parts = urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._send(200, self._method(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))), {})
        except Refused as refused:
            error: dict[str, Any] = {"code": refused.status, "message": str(refused), "status": STATES[refused.status]}
            if refused.reason:
                error["details"] = [{"@type": ERROR_INFO, "reason": refused.reason, "domain": "googleapis.com"}]
            self._send(refused.status, {"error": error}, refused.headers)

    do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - the server's names

    def _method(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        fake = self.fake
        matched = fake.api.match(self.command, path)
        if matched is None:
            fake.problems.append(f"{self.command} {path} is no method of the API")
            raise Refused(404, "Not Found")
        method, found = matched
        with fake.lock:
            fake.seen.append(found["name"])
        fake.api.check_query(method, query)
        fake.problems.extend(fake.api.faults_of_path(method, found))
        if not method.id.endswith(".versions.access"):
            fake.problems.append(f"{method.id} is not asked for by those who read secrets")
            raise Refused(403, "Permission denied.")
        fault = fake.faults.take("access", found["name"])
        if fault is not None and fault.status:
            raise Refused(fault.status, fault.message, fault.reason, fault.headers)
        answer = fake.access(found["name"], self.headers.get("Authorization", "").removeprefix("Bearer "))
        fake.api.check_body(method, "response", answer)
        return answer


@dataclass(frozen=True)
class Running:
    """A fake that is served."""

    fake: FakeSecretManager
    endpoint: str


@contextmanager
def serving() -> Iterator[Running]:
    """Serve a fake on a free port of loopback."""
    fake = FakeSecretManager()
    with loopback(Handler, fake) as endpoint:
        yield Running(fake, endpoint)
