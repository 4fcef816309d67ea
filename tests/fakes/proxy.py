"""A proxy before an S3 server that commits faults: errors, broken connections, bytes that change on the way."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.faults import Fault, Faults


@dataclass
class Proxy:
    """What is between. `seen` are the requests by kind: PUT, GET, LIST, BEGIN, PART, COMPLETE, ABORT, HEAD, DELETE.

    Requests that must find nothing there (`If-None-Match`) go through one by one (`orderly`): S3 looks and writes in
    one step, moto in two, so that of two writers at the same moment both may win.
    """

    server: str
    endpoint: str = ""
    faults: Faults = field(default_factory=Faults)
    seen: list[str] = field(default_factory=list)
    orderly: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)


def kind_of(command: str, query: dict[str, str]) -> str:
    """What a request of S3 is."""
    if "list-type" in query:
        return "LIST"
    if "uploads" in query:
        return "BEGIN" if command == "POST" else "UNFINISHED"
    if "partNumber" in query:
        return "PART"
    if "uploadId" in query:
        return {"POST": "COMPLETE", "DELETE": "ABORT"}[command]
    return command


class Handler(BaseHTTPRequestHandler):
    """Passes the requests of one connection on, or commits the fault that waits for one."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do(self) -> None:
        where = urlsplit(self.path)
        kind = kind_of(self.command, dict(parse_qsl(where.query, keep_blank_values=True)))
        self.proxy.seen.append(kind)
        fault = self.proxy.faults.take(kind, where.path) or Fault(kind)
        length = int(self.headers.get("Content-Length") or 0)
        if fault.stall and kind != "GET":
            self.rfile.read(min(length, max(0, fault.cut)))
            self._stall()
            return
        body = self.rfile.read(length)
        if fault.status:
            self._refuse(fault)
        elif fault.stall and fault.cut < 0:
            self._stall()
        else:
            self._exchange(body, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - the server's names

    def _exchange(self, body: bytes, fault: Fault) -> None:
        parts = urlsplit(self.proxy.server)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        with closing(connection), self.proxy.orderly if "If-None-Match" in self.headers else nullcontext():
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            data = answer.read()
        if fault.lost:
            self._break()
            return
        self._pass_on(answer, bytes([data[0] ^ 1]) + data[1:] if fault.flip else data, fault)

    def _refuse(self, fault: Fault) -> None:
        text = f"<Error><Code>{fault.reason}</Code><Message>{fault.message}</Message></Error>".encode()
        self.send_response(fault.status)
        for name, value in {**fault.headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _pass_on(self, answer: http.client.HTTPResponse, data: bytes, fault: Fault) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "date", "server", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if answer.status != 204:
            self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data if fault.cut < 0 else data[: fault.cut])
        if fault.cut >= 0:
            if fault.stall:
                self._stall()
            else:
                self._break()

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def _stall(self) -> None:
        self.wfile.flush()
        self.proxy.ended.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def before(endpoint: str) -> Iterator[Proxy]:
    """A proxy before the server at this URL."""
    proxy = Proxy(endpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"proxy": proxy}))
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
