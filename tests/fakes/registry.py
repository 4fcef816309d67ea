"""A registry of container images on loopback, as Artifact Registry answers: tokens, permissions, what is not there.

It is reached under its public name as the proxy of whoever pulls: nothing else of that leads to this machine.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.containers import Podman
from tests.fakes.loopback import loopback

HOST = "europe-docker.pkg.dev"
REPOSITORY = "proj/images"
PASS = "pass-for-pulling"

_PULL = re.compile(rf"/v2/({REPOSITORY}/[a-z0-9-]+)/(manifests|blobs)/(sha256:[0-9a-f]{{64}})")


@dataclass
class FakeRegistry:
    """The images of one repository. `token` is the access token of an account that may pull, as long as `is_open`.

    `logins` are the user names and tokens that were shown, `refused` what was asked for without a pass.
    """

    token: str
    endpoint: str = ""
    is_open: bool = True
    blobs: dict[str, Path] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, podman: Podman, image: str, folder: Path, name: str = "steps") -> str:
        """Have an image that podman has: its name here, with the digest that it has here."""
        podman.run("save", "--quiet", "--format", "oci-dir", "--output", str(folder), image)
        self.blobs.update({f"sha256:{path.name}": path for path in (folder / "blobs" / "sha256").iterdir()})
        [manifest] = json.loads((folder / "index.json").read_text())["manifests"]
        return f"{HOST}/{REPOSITORY}/{name}@{manifest['digest']}"

    def settings(self, folder: Path) -> dict[str, str]:
        """The variables with which a podman finds it."""
        conf = folder / "registries.conf"
        # It answers http only: podman asks for https first, and is told that there is none.
        conf.write_text(f'[[registry]]\nlocation = "{HOST}"\ninsecure = true\n')
        return {
            "HTTP_PROXY": self.endpoint,
            "HTTPS_PROXY": self.endpoint,
            "CONTAINERS_REGISTRIES_CONF": str(conf),
        }


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    fake: FakeRegistry

    def do_CONNECT(self) -> None:
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do(self) -> None:
        parts = urlsplit(self.path)
        if parts.netloc != HOST:
            self.fake.problems.append(f"{self.command} {self.path}: this is {HOST}")
            self._refuse(404, "UNSUPPORTED", "not here")
        elif parts.path == "/v2/token":
            self._pass(parse_qs(parts.query))
        elif self.headers.get("Authorization") != f"Bearer {PASS}":
            challenge = f'Bearer realm="http://{HOST}/v2/token",service="{HOST}"'
            self._refuse(401, "UNAUTHORIZED", "authentication failed", {"WWW-Authenticate": challenge})
        elif parts.path == "/v2/":
            self._send(200, b"{}", "application/json")
        else:
            self._give(parts.path)

    do_GET = do_HEAD = do  # noqa: N815 - the server's names

    def _pass(self, query: dict[str, list[str]]) -> None:
        """A pass for whoever logs in, and anybody else: what that may do is seen when it is used."""
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        user, _, secret = base64.b64decode(given).decode().partition(":") if kind == "Basic" else ("", "", "")
        self.fake.logins.append((user, secret))
        if query.get("service") != [HOST]:
            self.fake.problems.append(f"a pass was asked for {query}")
        if (user, secret) != ("oauth2accesstoken", self.fake.token):
            self._refuse(403, "DENIED", "Unauthenticated request.")
        else:
            self._send(200, json.dumps({"token": PASS, "expires_in": 300}).encode(), "application/json")

    def _give(self, path: str) -> None:
        if not self.fake.is_open:
            permission = "artifactregistry.repositories.downloadArtifacts"
            message = f'Permission "{permission}" denied on resource "projects/{REPOSITORY}" (or it may not exist)'
            self._refuse(403, "DENIED", message)
            return
        found = _PULL.fullmatch(path)
        blob = self.fake.blobs.get(found.group(3)) if found else None
        if found is None or blob is None:
            self._refuse(404, "MANIFEST_UNKNOWN", f"Failed to fetch {path}")
            return
        kind = "vnd.oci.image.manifest.v1+json" if found.group(2) == "manifests" else "octet-stream"
        self._send(200, blob.read_bytes(), f"application/{kind}", {"Docker-Content-Digest": found.group(3)})

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        errors = {"errors": [{"code": code, "message": message}]}
        self._send(status, json.dumps(errors).encode(), "application/json", headers)

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Docker-Distribution-Api-Version": "registry/2.0",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(token: str) -> Iterator[FakeRegistry]:
    """A registry that gives its images to the account of a token."""
    fake = FakeRegistry(token)
    with loopback(Handler, fake) as endpoint:
        fake.endpoint = endpoint
        yield fake
