"""Renews a local job's credentials for its store: zenctl is asked over loopback, and lives as long as the job does."""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping, Optional

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.http import HttpClient


def renewal(access: Mapping[str, Any]) -> Optional[Callable[[], Mapping[str, Any]]]:
    """What gives new access, if the access that was handed over says whom to ask for it; it raises StorageError."""
    asked = access.get("renew")
    if not isinstance(asked, dict):
        return None
    client = HttpClient(str(asked["url"]), timeout=30)
    headers = {"Authorization": f"Bearer {asked['secret']}"}

    def renew() -> Mapping[str, Any]:
        answer = client.send("GET", "/", headers)
        body = answer.read()
        if answer.status != 200:
            raise StorageError("UNAUTHORIZED", "zenctl has no new credentials for this job: " + body.decode("utf-8"))
        found = json.loads(body)
        if not isinstance(found, dict):
            raise StorageError("UNAUTHORIZED", "zenctl has no new credentials for this job")
        return found

    return renew
