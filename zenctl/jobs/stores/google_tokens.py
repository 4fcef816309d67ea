"""Where a job's access token for Google Cloud comes from: what it was handed, or the machine's metadata server."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Callable, Mapping, Optional, Tuple

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import HttpClient
from zenctl.jobs.stores.refusals import LOG_IN
from zenctl.jobs.stores.retrying import Retrying

METADATA_HOST = "metadata.google.internal"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - a path
EARLY = 225.0
"""Seconds before its end at which a token is renewed: the metadata server has a new one from then on."""


class MetadataToken:
    """The token of the machine's service account; GCE_METADATA_HOST names another server, as for Google's libraries."""

    def __init__(self, retry: Retrying, *, clock: Callable[[], float] = time.time) -> None:
        self._client = _metadata_server()
        self._retry = retry
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def __call__(self) -> str:
        """A token that is good for some minutes at least; StorageError(UNAUTHORIZED) where there is none."""
        with self._lock:
            if self._clock() >= self._ends - EARLY:
                self._token, self._ends = self._retry(self._ask)
            return self._token

    def _ask(self) -> Tuple[str, float]:
        answer = self._client.send("GET", TOKEN_PATH, {"Metadata-Flavor": "Google"})
        body = answer.read()
        if answer.status >= 500 or answer.status == 429:
            raise StorageError("TRANSIENT", f"the metadata server answered {answer.status}")
        if answer.status != 200:
            raise StorageError("UNAUTHORIZED", f"the metadata server gives no token ({answer.status})", LOG_IN)
        found = json.loads(body)
        return str(found["access_token"]), self._clock() + float(found.get("expires_in", 0))


def machine_fact(path: str, retry: Retrying) -> str:
    """What the metadata server says of this machine, such as `project/project-id`; StorageError if it says nothing."""
    client = _metadata_server()

    def ask() -> str:
        answer = client.send("GET", f"/computeMetadata/v1/{path}", {"Metadata-Flavor": "Google"})
        body = answer.read()
        if answer.status >= 500 or answer.status == 429:
            raise StorageError("TRANSIENT", f"the metadata server answered {answer.status}")
        if answer.status != 200:
            raise StorageError("NOT_FOUND", f"the metadata server does not tell {path} ({answer.status})")
        return body.decode("utf-8").strip()

    return retry(ask)


def _metadata_server() -> HttpClient:
    host = os.environ.get("GCE_METADATA_HOST", METADATA_HOST)
    return HttpClient(f"http://{host}", timeout=10)


class GivenToken:
    """A token that was handed over; once it has ended `renew` is asked for another."""

    def __init__(
        self,
        token: str,
        ends: float,
        renew: Optional[Callable[[], Mapping[str, Any]]] = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._token = token
        self._ends = ends
        self._renew = renew
        self._clock = clock
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """The token; StorageError(UNAUTHORIZED) if it has ended and no other is to be had."""
        with self._lock:
            if self._clock() < self._ends - EARLY:
                return self._token
            if self._renew is not None:
                given = self._renew()
                self._token, self._ends = str(given["token"]), float(given["ends"])
            elif self._clock() >= self._ends:
                raise StorageError("UNAUTHORIZED", "the access token that this job was handed has expired")
            return self._token
