"""Reads secrets of Google Cloud's Secret Manager: its REST interface, spoken with the standard library alone."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Callable, Mapping, Optional, Tuple
from urllib.parse import quote, urlsplit

from zenctl.jobs.secrets.crc32c import crc32c
from zenctl.jobs.secrets.values import MOST, text_of
from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.google_tokens import GivenToken, MetadataToken, machine_fact
from zenctl.jobs.stores.http import HttpClient
from zenctl.jobs.stores.refusals import LOG_IN, PASSING, passing
from zenctl.jobs.stores.renewal import renewal
from zenctl.jobs.stores.retrying import PATIENCE, Retrying
from zenctl.jobs.stores.sources import TIMEOUT

ENDPOINT = "https://secretmanager.googleapis.com"
ROLE = "roles/secretmanager.secretAccessor"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_ANSWER = 2 * MOST
"""Bytes of an answer after which no more is read: base64 makes four of three."""

METADATA_PATIENCE = 10.0
"""Seconds for which the metadata server is asked: on a machine that is none of Google's there is none."""


class GoogleSecrets:
    """Secret Manager, asked by a job's own identity.

    `access` is what the job was told: `token` and `ends`, with `renew`, where zenctl lends the user's credentials, else
    the machine's service account asks; `anonymous` for an emulator. `account` names the identity, `project` is that of
    references without one, `endpoint` another server: https, or on loopback.
    """

    def __init__(self, access: Mapping[str, Any], retry: Optional[Retrying] = None) -> None:
        self._access = access
        self._retry = retry or Retrying(float(access.get("retry_seconds", PATIENCE)))
        self._machine = Retrying(min(METADATA_PATIENCE, self._retry.patience))
        self._token: Optional[Callable[[], str]] = None
        if access.get("token"):
            self._token = GivenToken(str(access["token"]), float(access["ends"]), renewal(access))
        elif not access.get("anonymous"):
            self._token = MetadataToken(self._machine)

    def value(self, place: str) -> str:
        """The value of a secret's version; `place` is what follows `gcp-secret:`. Raises StorageError."""
        name, location = self._version(place)
        client = HttpClient(self._endpoint(location), timeout=float(self._access.get("timeout_seconds", TIMEOUT)))
        try:
            return self._retry(lambda: self._ask(client, name))
        finally:
            client.close()

    def _version(self, place: str) -> Tuple[str, str]:
        """The resource name of the version, and the location of a regional secret."""
        secret, _, version = place.partition("/versions/")
        if not secret.startswith("projects/"):
            secret = f"projects/{self._project()}/secrets/{secret}"
        parts = secret.split("/")
        location = parts[3] if parts[2] == "locations" else ""
        return f"{secret}/versions/{version or 'latest'}", location

    def _project(self) -> str:
        project = str(self._access.get("project") or "")
        if not project and not self._access.get("token"):
            project = machine_fact("project/project-id", self._machine)
        if not project:
            hint = "Write it as gcp-secret:projects/PROJECT/secrets/NAME."
            raise StorageError("INVALID", "it names no project, and there is none to be known here", hint)
        return project

    def _endpoint(self, location: str) -> str:
        regional = f"https://secretmanager.{location}.rep.googleapis.com" if location else ENDPOINT
        endpoint = str(self._access.get("endpoint") or regional)
        parts = urlsplit(endpoint)
        if self._token is not None and parts.scheme != "https" and parts.hostname not in LOOPBACK:
            hint = "Give it as https://..., or leave it out."
            raise StorageError("INVALID", f"no token is sent to {endpoint}, where others could read it", hint)
        return endpoint

    def _ask(self, client: HttpClient, name: str) -> str:
        headers = {"Authorization": f"Bearer {self._token()}"} if self._token is not None else {}
        answer = client.send("GET", f"/v1/{quote(name, safe='/:')}:access", headers)
        body = answer.read(_ANSWER + 1)
        answer.close()
        if answer.status != 200:
            raise self._refused(client.host, name, answer.status, body, answer.header("Retry-After"))
        if len(body) > _ANSWER:
            raise StorageError("INVALID", f"{name} has more than {MOST >> 10} KiB", "A secret is a small text.")
        return text_of(_payload(name, body), name)

    def _refused(self, host: str, name: str, status: int, body: bytes, retry_after: str) -> StorageError:
        state, reason, said = _told(body)
        secret = name.partition("/versions/")[0]
        project = secret.split("/")[1]
        if status in PASSING:
            return passing(host, status, said, retry_after)
        if status == 401:
            return StorageError("UNAUTHORIZED", f"{host} does not know who asks: {said or 'no credentials'}", LOG_IN)
        if reason == "SERVICE_DISABLED":
            hint = f"Switch it on: gcloud services enable secretmanager.googleapis.com --project={project}"
            return StorageError("INVALID", f"Secret Manager is not switched on: {said}", hint)
        if reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
            hint = "It needs the scope https://www.googleapis.com/auth/cloud-platform."
            return StorageError("UNAUTHORIZED", f"the token's scopes do not let it read {name}", hint)
        if status == 403:
            return self._denied(name, secret, said)
        if status == 404:
            return _missing(name, secret, said)
        if state == "FAILED_PRECONDITION":
            return _switched_off(name, secret, said)
        return StorageError("INVALID", f"{host} refuses to give {name} ({status}): {said}".rstrip(": "))

    def _denied(self, name: str, secret: str, said: str) -> StorageError:
        account = self._account()
        member = f"serviceAccount:{account}" if account.endswith("gserviceaccount.com") else f"user:{account}"
        where = secret.split("/")
        regional = f" --location={where[3]}" if where[2] == "locations" else ""
        hint = (
            f"Grant it {ROLE}: gcloud secrets add-iam-policy-binding {where[-1]} --project={where[1]}{regional} "
            f"--member={member if account else 'MEMBER'} --role={ROLE}. Secret Manager says the same of a secret that "
            "is not there."
        )
        return StorageError("UNAUTHORIZED", f"{account or 'who asks'} may not read {name}: {said}", hint)

    def _account(self) -> str:
        """Who asks, for people; empty if that cannot be told."""
        if self._access.get("token") or self._access.get("anonymous"):
            return str(self._access.get("account") or "")
        try:
            return machine_fact("instance/service-accounts/default/email", self._machine)
        except StorageError:
            return ""


def _payload(name: str, body: bytes) -> bytes:
    """The value in an answer, held to its checksum."""
    try:
        payload = json.loads(body)["payload"]
        data = base64.b64decode(payload.get("data", ""), validate=True)
        checksum = payload.get("dataCrc32c")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        # Neither the answer nor what the parser says of it is told: they may show the value.
        message = f"what came for {name} is no answer of Secret Manager"
        raise StorageError("INVALID", message, "Check the endpoint.") from None
    if checksum is not None and int(checksum) != crc32c(data):
        message = f"what arrived of {name} differs from its checksum (CRC32C)"
        raise StorageError("TRANSIENT", message, "If it stays so, something on the way changes data.")
    return data


def _missing(name: str, secret: str, said: str) -> StorageError:
    short, project = secret.split("/")[-1], secret.split("/")[1]
    if "version" in said.lower() and not name.endswith("/versions/latest"):
        hint = f"See which there are: gcloud secrets versions list {short} --project={project}"
        return StorageError("NOT_FOUND", f"{secret} has no version {name.rpartition('/')[2]}", hint)
    hint = (
        f"See which there are: gcloud secrets list --project={project}. Create it: "
        f"gcloud secrets create {short} --project={project} --data-file=FILE"
    )
    return StorageError("NOT_FOUND", f"there is no secret {secret}, or it has no version", hint)


def _switched_off(name: str, secret: str, said: str) -> StorageError:
    version, short, project = name.rpartition("/")[2], secret.split("/")[-1], secret.split("/")[1]
    if "DESTROYED" in said.upper():
        hint = f"Nobody can bring it back: add another with gcloud secrets versions add {short} --project={project}"
        return StorageError("INVALID", f"version {version} of {secret} is destroyed", hint)
    if "DISABLED" in said.upper():
        hint = (
            f"Switch it on: gcloud secrets versions enable {version if version != 'latest' else 'VERSION'} "
            f"--secret={short} --project={project}; or name another one with /versions/VERSION."
        )
        return StorageError("INVALID", f"version {version} of {secret} is disabled", hint)
    return StorageError("INVALID", f"{name} cannot be read: {said}")


def _told(body: bytes) -> Tuple[str, str, str]:
    """The status, the reason and the message of an error's body, as far as it has any."""
    try:
        error = json.loads(body)["error"]
        reasons = [str(detail.get("reason", "")) for detail in error.get("details", ()) if isinstance(detail, dict)]
        return str(error.get("status", "")), next(filter(None, reasons), ""), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", "", body[:200].decode("utf-8", "replace").strip()
