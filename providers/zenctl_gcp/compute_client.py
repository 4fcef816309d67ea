"""The only importer of Google's Compute SDK: machines made, looked at and deleted; its errors are ProviderErrors."""

from __future__ import annotations

import json
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zenctl.jobs.causes import innermost_reason
from zenctl.lazy_dataclasses import dataclass
from zenctl.provider import ErrorKind, ProviderError
from zenctl_gcp.gce_reasons import grant, look_up

T = TypeVar("T")

TIMEOUT = 60.0
"""Seconds that one request may take."""

SCARCE = ("ZONE_RESOURCE_POOL_EXHAUSTED", "QUOTA_EXCEEDED", "RESOURCE_POOL_EXHAUSTED", "STOCKOUT", "quotaExceeded")
"""What codes and reasons begin with that say: not here, or not now."""

LOG_IN = "Log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
PERMISSIONS = "docs/backends/gce.md lists the permissions that zenctl needs."
ENABLE = "Switch it on: gcloud services enable compute.googleapis.com"
REACH = "Check the network and a proxy's settings, then run the command again: it goes on."


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance as it is. `id` tells it from an earlier one of the same name; `status` is in the API's words."""

    name: str
    zone: str
    id: str
    status: str
    labels: Mapping[str, str]

    @property
    def is_there(self) -> bool:
        """Whether it works, or is about to."""
        return self.status in ("PROVISIONING", "STAGING", "RUNNING", "PENDING", "REPAIRING")


class ComputeClient:
    """The instances of a project, through google-cloud-compute and the application default credentials.

    An `endpoint` that is http:// is an emulator: it gets no credentials. The SDK is loaded with the first call. Calls
    that fail for a reason which may pass are repeated for `patience` seconds, after `first` at first.
    """

    def __init__(self, project: str, *, endpoint: str = "", patience: float = 60.0, first: float = 0.5) -> None:
        self.project = project
        self._endpoint = endpoint
        self._patience = patience
        self._first = first
        self._lock = threading.Lock()
        self._sdk: Any = None
        self._clients: dict[str, Any] = {}

    def create(self, zone: str, resource: Mapping[str, Any]) -> str:
        """Ask for an instance, given as the REST API describes one; gives the operation's name.

        Empty where one of that name is there already: whoever finds it may use it. The request carries an id, so that
        one whose answer was lost makes no second instance.
        """
        request_id = str(uuid.uuid4())

        def once(retry: Any) -> str:
            sdk = self._load()
            request = sdk.InsertInstanceRequest(
                project=self.project,
                zone=zone,
                request_id=request_id,
                instance_resource=sdk.Instance.from_json(json.dumps(resource)),
            )
            return str(self._client("InstancesClient").insert_unary(request, retry=retry, timeout=TIMEOUT).name)

        return self._call(once, {409: ""})

    def problem(self, zone: str, operation: str) -> tuple[bool, ProviderError | None]:
        """Whether an operation has ended, and what it failed of. One that is not known has ended."""

        def once(retry: Any) -> tuple[bool, ProviderError | None]:
            client = self._client("ZoneOperationsClient")
            found = client.get(project=self.project, zone=zone, operation=operation, retry=retry, timeout=TIMEOUT)
            if str(getattr(found.status, "name", found.status)) != "DONE":
                return False, None
            errors = [(str(error.code), str(error.message)) for error in found.error.errors]
            return True, _of_operation(zone, *errors[0]) if errors else None

        unknown: tuple[bool, ProviderError | None] = (True, None)
        return self._call(once, {404: unknown})

    def get(self, zone: str, name: str) -> Machine | None:
        """The instance, or None."""

        def once(retry: Any) -> Machine | None:
            client = self._client("InstancesClient")
            return _machine(
                client.get(project=self.project, zone=zone, instance=name, retry=retry, timeout=TIMEOUT), zone
            )

        return self._call(once, {404: None})

    def labeled(self, label: str, value: str) -> list[Machine]:
        """The instances of every zone that have this label."""

        def once(retry: Any) -> list[Machine]:
            wanted = f'labels.{label} = "{value}"'
            request = self._load().AggregatedListInstancesRequest(project=self.project, filter=wanted)
            pages = self._client("InstancesClient").aggregated_list(request, retry=retry, timeout=TIMEOUT)
            return [
                _machine(found, scope.rpartition("/")[2]) for scope, several in pages for found in several.instances
            ]

        return self._call(once, {})

    def delete(self, zone: str, name: str) -> None:
        """Delete an instance, without waiting for that; one that is not there is success."""
        request_id = str(uuid.uuid4())

        def once(retry: Any) -> None:
            request = self._load().DeleteInstanceRequest(
                project=self.project, zone=zone, instance=name, request_id=request_id
            )
            self._client("InstancesClient").delete_unary(request, retry=retry, timeout=TIMEOUT)

        self._call(once, {404: None})

    def serial(self, zone: str, name: str, start: int) -> tuple[str, int]:
        """What the instance wrote to its serial port from a byte on, and the byte to ask for next."""

        def once(retry: Any) -> tuple[str, int]:
            request = self._load().GetSerialPortOutputInstanceRequest(
                project=self.project, zone=zone, instance=name, start=start
            )
            found = self._client("InstancesClient").get_serial_port_output(request, retry=retry, timeout=TIMEOUT)
            return str(found.contents), int(found.next)

        return self._call(once, {404: ("", start), 400: ("", start)})

    def ending(self, zone: str, id: str) -> str:
        """The type of the operation that has ended an instance, such as `compute.instances.preempted`; or empty."""

        def once(retry: Any) -> str:
            request = self._load().ListZoneOperationsRequest(
                project=self.project, zone=zone, filter=f'targetId = "{id}" AND operationType != "insert"'
            )
            pages = self._client("ZoneOperationsClient").list(request, retry=retry, timeout=TIMEOUT)
            return next((str(found.operation_type) for found in pages), "")

        return self._call(once, {})

    def _load(self) -> Any:
        with self._lock:
            if self._sdk is None:
                with warnings.catch_warnings():
                    # It tells of Pythons that it will not support some day: nothing that who runs zenctl must know.
                    warnings.simplefilter("ignore", FutureWarning)
                    from google.cloud import compute_v1

                self._sdk = compute_v1
            return self._sdk

    def _client(self, kind: str) -> Any:
        sdk = self._load()
        with self._lock:
            if kind not in self._clients:
                from google.auth.credentials import AnonymousCredentials

                options: dict[str, Any] = {}
                if self._endpoint:
                    options["client_options"] = {"api_endpoint": self._endpoint}
                if self._endpoint.startswith("http://"):
                    options["credentials"] = AnonymousCredentials()
                self._clients[kind] = getattr(sdk, kind)(**options)
            return self._clients[kind]

    def _call(self, once: Callable[[Any], T], instead: Mapping[int, T]) -> T:
        """The call's result, `instead` by HTTP status where one is no error; whatever else is raised is told."""
        self._load()
        from google.api_core.retry import Retry

        retry = Retry(predicate=_passes, initial=self._first, maximum=16.0, timeout=self._patience)
        try:
            return once(retry)
        except Exception as error:
            code: Any = getattr(error, "code", None)
            if code in instead:
                return instead[code]
            raise _provider_error(self.project, error) from error


def _machine(found: Any, zone: str) -> Machine:
    return Machine(str(found.name), zone, str(found.id), str(found.status), dict(found.labels))


def _passes(error: Exception) -> bool:
    """Whether the same request may succeed later."""
    return _kind(error) in (ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED)


def _kind(error: Exception) -> ErrorKind | None:
    """What an error of the SDK means; None for one that is not known here."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    if isinstance(error, auth.TransportError):
        return ErrorKind.TRANSIENT
    if isinstance(error, auth.GoogleAuthError):
        return ErrorKind.UNAUTHORIZED
    if isinstance(error, api.GoogleAPICallError) and error.code is not None:
        reason, code = _reason(error), int(error.code)
        if reason.startswith(SCARCE) or any(word in str(error.message) for word in SCARCE[:1]):
            return ErrorKind.NO_CAPACITY
        if code == 429 or reason in ("rateLimitExceeded", "userRateLimitExceeded"):
            return ErrorKind.RATE_LIMITED
        if code in (401, 403):
            return ErrorKind.UNAUTHORIZED
        if code == 404:
            return ErrorKind.NOT_FOUND
        # What is being made or deleted takes no other order until that is over.
        return ErrorKind.TRANSIENT if code >= 500 or reason == "resourceNotReady" else ErrorKind.INVALID
    if isinstance(error, requests.exceptions.SSLError):
        return ErrorKind.INVALID
    if isinstance(error, (requests.exceptions.RequestException, ConnectionError)):
        return ErrorKind.TRANSIENT
    return None


def _reason(error: Any) -> str:
    """The first reason that the answer gives, such as `quotaExceeded`."""
    reasons = error.errors or [{}]
    return str(reasons[0].get("reason", "")) if isinstance(reasons[0], dict) else ""


def _provider_error(project: str, error: Exception) -> Exception:
    """The ProviderError for what the SDK raised; what is not known here is a bug, and is given as it is."""
    from google.api_core import exceptions as api

    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        error = error.cause
    kind = _kind(error)
    if kind is None:
        return error
    said = _said(error)
    if kind is ErrorKind.UNAUTHORIZED:
        if not isinstance(error, api.GoogleAPICallError):
            return ProviderError(kind, f"there are no credentials for the project {project}: {said}", LOG_IN)
        switched_off = _reason(error) in ("accessNotConfigured", "SERVICE_DISABLED")
        missing = f"{grant(project, said)} {PERMISSIONS}".strip()
        hint = ENABLE if switched_off else LOG_IN if error.code == 401 else missing
        return ProviderError(kind, f"Compute Engine refuses in the project {project}: {said}", hint)
    if kind is ErrorKind.TRANSIENT:
        return ProviderError(kind, f"Compute Engine cannot be reached, or has trouble: {said}", REACH)
    hint = grant(project, said) or look_up("ZONE", said)
    return ProviderError(kind, f"Compute Engine refuses in the project {project}: {said}", hint)


def _of_operation(zone: str, code: str, message: str) -> ProviderError:
    """What an operation that failed means."""
    if code.startswith(SCARCE):
        return ProviderError(ErrorKind.NO_CAPACITY, f"{zone}: {message}")
    if code in ("PERMISSIONS_ERROR", "FORBIDDEN"):
        return ProviderError(ErrorKind.UNAUTHORIZED, f"{zone}: {message}", PERMISSIONS)
    if code in ("INTERNAL_ERROR", "INTERNAL", "UNAVAILABLE"):
        return ProviderError(ErrorKind.TRANSIENT, f"{zone}: {message}")
    return ProviderError(ErrorKind.INVALID, f"{zone}: {message} ({code})", look_up(zone, message))


def _said(error: Any) -> str:
    """The server's message, without the request that the SDK puts before it; of a network error its inmost reason."""
    try:
        return str(error.response.json()["error"]["message"])
    except (AttributeError, ValueError, KeyError, TypeError):
        message = getattr(error, "message", None)
    return str(message) if message else innermost_reason(error)
