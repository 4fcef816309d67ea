"""Lends a store's credentials to jobs on this machine for longer than one token lasts: over loopback, by a secret."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zenctl.jobs.storage import StorageError

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Give = Callable[[], Mapping[str, Any]]
"""Gives credentials that are good for a while, as plain JSON; raises StorageError."""


class Lender:
    """A server on a free port of loopback, begun with its first loan, that answers who knows the secret."""

    def __init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self._secret = secrets.token_urlsafe(32)
        self._lock = threading.Lock()

    def loan(self, give: Give) -> dict[str, Any]:
        """Credentials of now, and where a job gets others once these are about to end."""
        from http.server import ThreadingHTTPServer

        with self._lock:
            if self._server is None:
                self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(give, self._secret))
                self._server.daemon_threads = True
                threading.Thread(target=self._server.serve_forever, name="zenctl-lender", daemon=True).start()
            port = self._server.server_address[1]
        return {**give(), "renew": {"url": f"http://127.0.0.1:{port}", "secret": self._secret}}

    def close(self) -> None:
        """Stop answering."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


def _handler(give: Give, secret: str) -> type[BaseHTTPRequestHandler]:
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = self.headers.get("Authorization", "")
            if not hmac.compare_digest(said.encode(), f"Bearer {secret}".encode()):
                self._answer(403, b"")
                return
            try:
                self._answer(200, json.dumps(give()).encode())
            except StorageError as problem:
                self._answer(503, str(problem).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed below the command line."""

    return Handler
