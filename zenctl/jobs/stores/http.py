"""A small HTTP client for object stores: it keeps connections, sends slices of files, and raises StorageErrors."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from typing import Dict, List, Mapping, Optional
from urllib.parse import urlsplit

from zenctl.jobs.storage import StorageError
from zenctl.jobs.stores.refusals import silent, timed_out
from zenctl.jobs.stores.sources import BLOCK, REACH, TIMEOUT, Slice

IDLE = 32
"""Connections kept for later calls."""


class Answer:
    """A server's answer. Read to its end, or closed, it gives its connection back.

    `again` says that the request was sent before on a connection that broke: it may have been carried out then.
    """

    def __init__(
        self,
        client: "HttpClient",
        connection: http.client.HTTPConnection,
        raw: http.client.HTTPResponse,
        method: str,
    ) -> None:
        self._method = method
        self._client = client
        self._connection = connection
        self._raw = raw
        self.status = raw.status
        self.again = False

    def header(self, name: str) -> str:
        """A header's value, or the empty string."""
        return self._raw.headers.get(name) or ""

    @property
    def length(self) -> Optional[int]:
        """How many bytes the body has, where the server says so."""
        text = self.header("Content-Length")
        return int(text) if text.isdigit() else None

    def read(self, most: int = -1) -> bytes:
        """The body, or its first `most` bytes. Raises Cut, with what has come, if the connection breaks."""
        parts: List[bytes] = []
        got, wanted = 0, self.length if most < 0 or self.length is None else min(most, self.length)
        try:
            while most < 0 or got < most:
                part = self._raw.read(BLOCK if most < 0 else min(BLOCK, most - got))
                if not part:
                    break
                parts.append(part)
                got += len(part)
        except http.client.IncompleteRead as error:
            self.close()
            raise Cut(b"".join([*parts, error.partial]), self._client.host) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Cut(b"".join(parts), self._client.host, self._client.timeout if timed_out(error) else None) from error
        self.close()
        # What http.client reads in parts it does not check against the length.
        if wanted is not None and got < wanted and self._has_body():
            raise Cut(b"".join(parts), self._client.host)
        return b"".join(parts)

    def _has_body(self) -> bool:
        return self._method != "HEAD"

    def close(self) -> None:
        """Keep the connection if the body was read to its end, else drop it."""
        whole = self._raw.isclosed() and not self._raw.will_close
        self._raw.close()
        self._client.give_back(self._connection, keep=whole)


class Cut(StorageError):
    """A connection broke in the midst of a body; `got` is what has come of it.

    With `silence` it did not break: for so many seconds nothing came.
    """

    def __init__(self, got: bytes, host: str, silence: Optional[float] = None) -> None:
        if silence is None:
            super().__init__("TRANSIENT", f"the connection to {host} broke off after {len(got):,} bytes", REACH)
        else:
            problem = silent(host, silence, len(got))
            super().__init__(problem.kind, str(problem), problem.hint)
        self.got = got


class HttpClient:
    """Calls one server. Callable from any thread; a connection that the server has closed meanwhile is made anew."""

    def __init__(self, endpoint: str, *, timeout: float = TIMEOUT) -> None:
        self._idle: List[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StorageError("INVALID", f"{endpoint!r} is not the URL of a server", "Give it as https://HOST[:PORT].")
        self.scheme = parts.scheme
        self.host = parts.netloc.rpartition("@")[2]
        self.path = parts.path.rstrip("/")
        self._name = parts.hostname
        self._port = parts.port
        self.timeout = timeout
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Optional[Slice] = None) -> Answer:
        """One exchange. Raises StorageError(TRANSIENT) if the server cannot be reached or breaks off."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        again = connection is not None
        if connection is not None:
            try:
                return self._exchange(connection, method, target, headers, body)
            except (http.client.HTTPException, ConnectionError):
                # Most likely the server has closed it since it was last used, which says nothing of the server.
                connection.close()
            except OSError as error:
                connection.close()
                raise self._unreachable(error) from error
            except StorageError:
                connection.close()
                raise
        connection = self._connect()
        try:
            answer = self._exchange(connection, method, target, headers, body)
            answer.again = again
            return answer
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        except StorageError:
            connection.close()
            raise

    def give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        """Take a connection back: to be used again, or to be closed."""
        with self._lock:
            if keep and len(self._idle) < IDLE and connection not in self._idle:
                self._idle.append(connection)
                return
        if not keep:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        self.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Optional[Slice],
    ) -> Answer:
        sent: Dict[str, str] = {"Accept-Encoding": "identity", "User-Agent": "zenctl", **headers}
        if body is not None or method in ("PUT", "POST"):
            sent["Content-Length"] = str(body.length if body is not None else 0)
        # A server that refuses may answer before it has read all; if it did not, reading its answer says so.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, self.path + target, body.blocks() if body is not None else None, sent)
        return Answer(self, connection, connection.getresponse(), method)

    def _connect(self) -> http.client.HTTPConnection:
        proxy = urllib.request.getproxies().get(self.scheme, "")
        if not proxy or urllib.request.proxy_bypass(self._name):
            return self._connection(self._name, self._port)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        connection = self._connection(parts.hostname or "", parts.port)
        connection.set_tunnel(self._name, self._port or (443 if self._tls else 80))
        return connection

    def _connection(self, name: str, port: Optional[int]) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(name, port, timeout=self.timeout, context=self._tls)
        return http.client.HTTPConnection(name, port, timeout=self.timeout)

    def _unreachable(self, error: Exception) -> StorageError:
        if isinstance(error, ssl.SSLCertVerificationError):
            message = f"{self.host} does not prove who it is: {error.verify_message}"
            return StorageError("INVALID", message, "Check the endpoint, the clock and the machine's certificates.")
        if isinstance(error, socket.gaierror):
            return StorageError("TRANSIENT", f"{self.host} cannot be found: {error.strerror}", REACH)
        if timed_out(error):
            return silent(self.host, self.timeout)
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return StorageError("TRANSIENT", f"{self.host} cannot be reached: {what}", REACH)
