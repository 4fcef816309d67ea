"""Hears from the metadata server of a machine of Compute Engine that the machine is about to be taken away."""

from __future__ import annotations

import http.client
import threading
from typing import Callable
from urllib.parse import urlsplit

SILENT = 300.0
"""Seconds for which an answer is waited for; nothing may happen for as long as the machine lives."""

PAUSE = 5.0
"""Seconds after which a server that does not answer is asked again."""


def watch(url: str, told: Callable[[], None]) -> None:
    """Have a thread call `told` once the value at the URL is TRUE. About 30 seconds are left from then on."""
    threading.Thread(target=_watch, args=(url, told, threading.Event()), name="zenctl-notices", daemon=True).start()


def _watch(url: str, told: Callable[[], None], never: threading.Event) -> None:
    tag = "0"
    while True:
        try:
            value, tag = _ask(url, tag)
        except (OSError, http.client.HTTPException):
            never.wait(PAUSE)
            continue
        if value == "TRUE":
            told()
            return


def _ask(url: str, tag: str) -> "tuple[str, str]":
    """The value and its tag, as soon as that is another one than `tag`; the server answers at once for the tag 0."""
    parts = urlsplit(url)
    # No proxy stands before it: it is the machine's own.
    connection = http.client.HTTPConnection(parts.netloc, timeout=SILENT)
    try:
        path = f"{parts.path}?wait_for_change=true&timeout_sec={int(SILENT) - 60}&last_etag={tag}"
        connection.request("GET", path, headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        text = answer.read().decode("ascii", "replace").strip()
        if answer.status != 200:
            raise OSError(f"{url} answered {answer.status}")
        return text, answer.headers.get("ETag") or "0"
    finally:
        connection.close()
