"""A package index on loopback (PEP 503): serves the wheels of a folder, and notes what was asked for."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

from tests.fakes.loopback import loopback
from zenctl.digests import sha256_file
from zenctl.fingerprint.environment import normalised


@dataclass
class FakeIndex:
    """What an index has, and the files that were fetched of it, in order. `refuses` is a status it gives for all."""

    folder: Path
    fetched: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    refuses: int = 0
    origin: str = ""

    @property
    def url(self) -> str:
        return f"{self.origin}/simple"

    def page(self, project: str) -> str:
        """The links of a project; empty if there is none."""
        names = [path.name for path in sorted(self.folder.glob("*.whl"))]
        found = [name for name in names if normalised(name.partition("-")[0]) == project]
        links = [f'<a href="../../files/{n}#sha256={sha256_file(self.folder / n)}">{html.escape(n)}</a>' for n in found]
        return f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>" if links else ""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    fake: FakeIndex

    def do_GET(self) -> None:
        self.fake.authorizations.add(self.headers.get("Authorization", ""))
        kind, _, rest = unquote(self.path).strip("/").partition("/")
        file = self.fake.folder / Path(rest).name
        if self.fake.refuses:
            self._send(self.fake.refuses, "", b"no")
        elif kind == "simple" and (page := self.fake.page(rest)):
            self._send(200, "text/html", page.encode())
        elif kind == "files" and file.is_file():
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            if self.command == "HEAD":
                return
            self.fake.fetched.append(file.name)
            # uv leaves once it has read what it wants to know of a wheel.
            with file.open("rb") as stream, suppress(BrokenPipeError, ConnectionResetError):
                shutil.copyfileobj(stream, self.wfile, 1 << 20)
        else:
            self._send(404, "", b"not here")

    do_HEAD = do_GET  # noqa: N815 - the server's name

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[FakeIndex]:
    """An index of a folder."""
    fake = FakeIndex(folder)
    with loopback(Handler, fake) as origin:
        fake.origin = origin
        yield fake
