"""The user's own credentials for Google Cloud, lent to jobs on this machine that read secrets."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.refusals import LOG_IN
from zenctl.jobs.stores.sources import REACH

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

LEAST = 1800.0
"""Seconds for which a token that is handed out is good at least."""


class UserCredentials:
    """Google's application default credentials. They are looked for, and google-auth is loaded, with the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[Any, str] | None = None

    def token(self) -> Mapping[str, Any]:
        """`token`, and the Unix time at which it `ends`. StorageError(UNAUTHORIZED) where there is none."""
        from google.auth import exceptions
        from google.auth.transport.requests import Request

        with self._lock:
            credentials, _ = self._default()
            try:
                if not credentials.valid or credentials.expiry is None or _left(credentials.expiry) < LEAST:
                    credentials.refresh(Request())
            except exceptions.TransportError as error:
                message = f"Google's token server cannot be reached: {error}"
                raise StorageError("TRANSIENT", message, REACH) from error
            except exceptions.GoogleAuthError as error:
                words = str(error.args[0] if error.args else error).splitlines()
                message = f"the credentials for Google Cloud are refused: {words[0] if words else error}"
                raise StorageError("UNAUTHORIZED", message, LOG_IN) from error
            ends = credentials.expiry.replace(tzinfo=timezone.utc).timestamp() if credentials.expiry else 0.0
            return {"token": credentials.token, "ends": ends}

    def facts(self) -> Mapping[str, str]:
        """`project` and `account` (a service account's address), as far as the credentials tell them."""
        with self._lock:
            credentials, project = self._default()
        account = str(getattr(credentials, "service_account_email", None) or "")
        facts = {"project": project, "account": account if "@" in account else ""}
        return {name: fact for name, fact in facts.items() if fact}

    def _default(self) -> tuple[Any, str]:
        if self._found is None:
            with warnings.catch_warnings():
                # It tells of Pythons that it will not support some day: nothing that who runs zenctl must know.
                warnings.simplefilter("ignore", FutureWarning)
                import google.auth
                from google.auth import exceptions
            try:
                credentials, project = google.auth.default(scopes=[SCOPE])
            except exceptions.DefaultCredentialsError as error:
                message = "there are no credentials for Google Cloud"
                raise StorageError("UNAUTHORIZED", message, LOG_IN) from error
            self._found = credentials, str(project or "")
        return self._found


def _left(expiry: datetime) -> float:
    """Seconds until then; google-auth's times are UTC without saying so."""
    return expiry.replace(tzinfo=timezone.utc).timestamp() - datetime.now(timezone.utc).timestamp()
