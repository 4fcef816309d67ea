"""A small, strict Google Cloud Storage: preconditions, checksums and resumable uploads as documented, faults on demand.

Every request and response is held to Google's storage.v1 discovery document; what does not fit is in `problems`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import google_crc32c

from tests.fakes.discovery import Discovery, Method, discovery
from tests.fakes.faults import Fault, Faults
from tests.fakes.iam import Grant, needed
from tests.fakes.loopback import loopback

GRAIN = 256 * 1024
"""Chunks of a resumable upload are multiples of this, but for the last one."""


@dataclass
class Stored:
    """An object of a generation."""

    name: str
    data: bytes
    generation: int
    metadata: Mapping[str, str]
    content_type: str
    made: str
    encoding: str = ""

    @property
    def hashes(self) -> dict[str, str]:
        return {
            "crc32c": base64.b64encode(google_crc32c.Checksum(self.data).digest()).decode(),
            "md5Hash": base64.b64encode(hashlib.md5(self.data).digest()).decode(),
        }


@dataclass
class Session:
    """A resumable upload under way."""

    bucket: str
    described: Mapping[str, Any]
    query: Mapping[str, str]
    data: bytearray = field(default_factory=bytearray)
    done: Stored | None = None


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


class FakeGcs:
    """The state behind the server; `seen` counts requests by method, `bearers` are the tokens that came with them."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.sessions: dict[str, Session] = {}
        self.faults = Faults()
        self.api: Discovery = discovery("storage.v1")
        self.tokens: set[str] = set()
        self.bearers: set[str] = set()
        self.grants: dict[str, list[Grant]] = {}
        """What identities may do, by their tokens; one that is not named may do everything."""
        self.denied: list[str] = []
        self.latency = 0.0
        """Seconds that every answer takes longer."""
        self.seen: list[str] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self._numbers = count(1)

    @property
    def problems(self) -> list[str]:
        return self.api.problems

    def bucket(self) -> str:
        """Make an empty bucket."""
        with self.lock:
            name = f"bucket-{next(self._numbers)}"
            self.buckets[name] = {}
        return name

    def objects(self, bucket: str) -> dict[str, Stored]:
        if bucket not in self.buckets:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[bucket]

    def get(self, bucket: str, name: str, query: Mapping[str, str]) -> Stored:
        found = self.objects(bucket).get(name)
        if found is None or query.get("generation", str(found.generation)) != str(found.generation):
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        self.check(found, query)
        return found

    def permit(self, method: str, bearer: str, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Refuse an identity what it may not do. A precondition that fails is told first: nothing is replaced then."""
        if bearer not in self.grants:
            return
        found = self.objects(bucket).get(name)
        if method == "objects.insert":
            self.check(found, query)
        permission = needed(method, there=found is not None)
        if not any(grant.allows(permission, bucket, name) for grant in self.grants[bearer]):
            self.denied.append(f"{permission} {bucket}/{name}")
            raise Refused(403, "forbidden", f"The caller does not have {permission} access to {bucket}/{name}.")

    def check(self, found: Stored | None, query: Mapping[str, str]) -> None:
        """The preconditions of a request."""
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != (found.generation if found else 0):
            raise Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

    def insert(
        self, bucket: str, described: Mapping[str, Any], query: Mapping[str, str], data: bytes, header: str = ""
    ) -> Stored:
        name = str(described.get("name") or query.get("name") or "")
        if not name:
            raise Refused(400, "required", "Required")
        with self.lock:
            objects = self.objects(bucket)
            self.check(objects.get(name), query)
            made = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            kind = str(described.get("contentType", "application/octet-stream"))
            generation, encoding = 10**15 + next(self._numbers), str(described.get("contentEncoding", ""))
            stored = Stored(name, data, generation, described.get("metadata", {}), kind, made, encoding)
            for field_name, said in (*described.items(), *_header_hashes(header)):
                if field_name in stored.hashes and stored.hashes[field_name] != said:
                    raise Refused(
                        400, "invalid", f"Provided {field_name} hash {said} doesn't match the calculated one."
                    )
            objects[name] = stored
        return stored


def _header_hashes(header: str) -> list[tuple[str, str]]:
    names = {"md5": "md5Hash", "crc32c": "crc32c"}
    pairs = [part.strip().partition("=")[::2] for part in header.split(",") if "=" in part]
    return [(names[name], value) for name, value in pairs]


def described(bucket: str, stored: Stored) -> dict[str, Any]:
    """An object's metadata as the API gives it."""
    return {
        "kind": "storage#object", "id": f"{bucket}/{stored.name}/{stored.generation}", "name": stored.name,
        "bucket": bucket, "generation": str(stored.generation), "metageneration": "1", "size": str(len(stored.data)),
        "contentType": stored.content_type, "metadata": dict(stored.metadata), "updated": stored.made,
        "timeCreated": stored.made, "storageClass": "STANDARD", "etag": f"e{stored.generation}", **stored.hashes,
    }  # fmt: skip


def only(value: Any, fields: str) -> Any:
    """A partial response: `a,b(c,d)`, as far as the tests use it."""
    if not fields:
        return value
    wanted = re.findall(r"(\w+)(?:\(([^)]*)\))?", fields)
    kept = {}
    for name, inner in wanted:
        if name in value:
            kept[name] = [only(item, inner) for item in value[name]] if isinstance(value[name], list) else value[name]
    return kept


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    fake: FakeGcs

    def do(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            if parts.path.startswith("/computeMetadata/"):
                self._metadata(parts.path)
                return
            self._method(parts.path, query)
        except Refused as refused:
            self._drain()
            error = {"domain": "global", "reason": refused.reason, "message": str(refused)}
            body = {"error": {"code": refused.status, "message": str(refused), "errors": [error]}}
            self._send(refused.status, json.dumps(body).encode(), refused.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - the server's names

    def _metadata(self, path: str) -> None:
        assert self.headers.get("Metadata-Flavor") == "Google"
        token = {"access_token": "of-the-machine", "expires_in": 3600, "token_type": "Bearer"}
        self._send(200, json.dumps(token).encode() if path.endswith("/token") else b"{}", {"Metadata-Flavor": "Google"})

    def _method(self, path: str, query: dict[str, str]) -> None:
        self._unread = int(self.headers.get("Content-Length") or 0)
        if self.fake.latency:
            self.fake.ended.wait(self.fake.latency)
        matched = self.fake.api.match("POST" if "upload_id" in query else self.command, path)
        if matched is None:
            self.fake.problems.append(f"{self.command} {path} is no method of the API")
            raise Refused(404, "notFound", "Not Found")
        method, found = matched
        self.fake.api.check_query(method, query)
        short = method.id.removeprefix("storage.") + (".media" if query.get("alt") == "media" else "")
        if "upload_id" in query:
            short += ".chunk"
        self.fake.seen.append(short)
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.fake.bearers.add(bearer)
        if self.fake.tokens and bearer not in self.fake.tokens:
            raise Refused(401, "authError", "Invalid Credentials")
        fault = self.fake.faults.take(short, found.get("object") or query.get("name") or "")
        if fault is not None and fault.status:
            raise Refused(fault.status, fault.reason or "backendError", fault.message, fault.headers)
        if fault is not None and fault.stall and not (fault.cut >= 0 and short == "objects.get.media"):
            if fault.cut >= 0:
                self._body(fault)
            self._stall()
            return
        self._bearer = bearer
        if short.startswith("objects.") and "insert" not in short:
            self.fake.permit(short, bearer, found["bucket"], found.get("object", ""), query)
        name = "_" + short.replace(".", "_")
        getattr(self, name)(method, found, query, fault)

    def _buckets_insert(self, method: Method, found: Mapping[str, str], query: Mapping[str, str], _: Any) -> None:
        described = json.loads(self._body())
        self.fake.api.check_body(method, "request", described)
        self.fake.buckets.setdefault(described["name"], {})
        self._json(method, {"kind": "storage#bucket", "name": described["name"]}, query, None)

    def _buckets_get(self, method: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        self.fake.objects(found["bucket"])
        described = {
            "kind": "storage#bucket",
            "name": found["bucket"],
            "location": "US",
            "locationType": "multi-region",
        }
        self._json(method, described, query, fault)

    def _objects_get(self, method: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        stored = self.fake.get(found["bucket"], found["object"], query)
        self._json(method, described(found["bucket"], stored), query, fault)

    def _objects_get_media(self, _: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        stored = self.fake.get(found["bucket"], found["object"], query)
        data, status, headers = stored.data, 200, {}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if stored.encoding == "gzip" and "gzip" not in self.headers.get("Accept-Encoding", ""):
            # It is unpacked on the way, and a range is not heeded then.
            data, wanted = gzip.decompress(data), None
        if wanted:
            start = int(wanted[1])
            end = min(int(wanted[2] or len(data)), len(data) - 1)
            if start >= len(data):
                raise Refused(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[start : end + 1], 206
        hashes = stored.hashes
        headers |= {
            "x-goog-generation": str(stored.generation),
            "x-goog-hash": f"crc32c={hashes['crc32c']},md5={hashes['md5Hash']}",
            "ETag": f"e{stored.generation}",
        }
        if fault is not None and fault.flip:
            data = bytes([data[0] ^ 1]) + data[1:]
        self._send(status, data, headers, fault)

    def _objects_delete(self, _: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        with self.fake.lock:
            self.fake.get(found["bucket"], found["object"], query)
            del self.fake.objects(found["bucket"])[found["object"]]
        self._finish(204, b"", {}, fault)

    def _objects_list(self, method: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        names = sorted(n for n in self.fake.objects(found["bucket"]) if n.startswith(query.get("prefix", "")))
        after = query.get("pageToken", "")
        names = [name for name in names if name > after]
        most = min(int(query.get("maxResults", 1000)), 1000)
        page = {
            "kind": "storage#objects",
            "items": [described(found["bucket"], self.fake.objects(found["bucket"])[n]) for n in names[:most]],
            **({"nextPageToken": names[most - 1]} if len(names) > most else {}),
        }
        self._json(method, page, query, fault)

    def _objects_insert(self, method: Method, found: Mapping[str, str], query: Mapping[str, str], fault: Any) -> None:
        kind = query.get("uploadType")
        if kind == "resumable":
            self._begin(method, found["bucket"], query, fault)
            return
        body = self._body(fault)
        if kind == "multipart":
            parts = message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body)
            [first, _] = parts.get_payload()  # type: ignore[misc]
            about = json.loads(first.get_payload(decode=True))
            # The email parser changes newlines: the bytes are taken from the body itself.
            line = b"--" + str(parts.get_boundary()).encode()
            _, _, rest = body.split(line, 2)[2].partition(b"\r\n\r\n")
            data = rest[: rest.rindex(b"\r\n" + line)]
        elif kind == "media":
            about, data = {}, body
        else:
            raise Refused(400, "invalid", f"uploadType {kind}")
        self.fake.api.check_body(method, "request", about)
        self._permit_insert(found["bucket"], about, query)
        if fault is not None and fault.flip:
            data = bytes([data[0] ^ 1]) + data[1:]
        stored = self.fake.insert(found["bucket"], about, query, data, self.headers.get("X-Goog-Hash", ""))
        self._json(method, described(found["bucket"], stored), query, fault)

    def _begin(self, method: Method, bucket: str, query: Mapping[str, str], fault: Fault | None) -> None:
        about = json.loads(self._body() or b"{}")
        self.fake.api.check_body(method, "request", about)
        name = about.get("name") or query.get("name")
        self._permit_insert(bucket, about, query)
        with self.fake.lock:
            self.fake.check(self.fake.objects(bucket).get(name), query)
            upload_id = f"upload-{len(self.fake.sessions) + 1}"
            self.fake.sessions[upload_id] = Session(bucket, about, query)
        host = self.headers["Host"]
        more = {"Location": f"http://{host}{urlsplit(self.path).path}?uploadType=resumable&upload_id={upload_id}"}
        self._finish(200, b"", more, fault)

    def _permit_insert(self, bucket: str, about: Mapping[str, Any], query: Mapping[str, str]) -> None:
        name = str(about.get("name") or query.get("name") or "")
        self.fake.permit("objects.insert", self._bearer, bucket, name, query)

    def _objects_insert_chunk(self, method: Method, _: Any, query: Mapping[str, str], fault: Fault | None) -> None:
        session = self.fake.sessions.get(query["upload_id"])
        if session is None:
            raise Refused(410, "gone", "The upload is gone")
        asked = re.fullmatch(r"bytes \*/(\d+|\*)", self.headers["Content-Range"])
        if session.done is None and not asked:
            self._take_in(session, fault)
        if session.done is not None:
            self._json(method, described(session.bucket, session.done), {}, fault)
            return
        so_far = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
        self._finish(308, b"", so_far, fault)

    def _take_in(self, session: Session, fault: Fault | None) -> None:
        sent = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.headers["Content-Range"])
        assert sent
        start, end, total = int(sent[1]), int(sent[2]), int(sent[3])
        if start > len(session.data):
            raise Refused(503, "backendError", "Invalid request: chunks out of order")
        if (end + 1 - start) % GRAIN and end + 1 != total:
            raise Refused(400, "invalid", "A chunk must be a multiple of 256 KiB")
        body = self._body(fault)
        if fault is not None and fault.cut >= 0:
            # What a store has of a broken chunk it keeps in whole grains.
            session.data[start:] = body[: fault.cut // GRAIN * GRAIN]
            self.close_connection = True
            raise ConnectionResetError
        session.data[start:] = body
        if len(session.data) == total:
            data = bytes(session.data)
            if fault is not None and fault.flip:
                data = bytes([data[0] ^ 1]) + data[1:]
            header = self.headers.get("X-Goog-Hash", "")
            session.done = self.fake.insert(session.bucket, session.described, session.query, data, header)

    def _body(self, fault: Fault | None = None) -> bytes:
        wanted = self._unread
        if fault is not None and fault.cut >= 0:
            wanted = min(wanted, fault.cut)
        data = self.rfile.read(wanted)
        self._unread -= len(data)
        return data

    def _drain(self) -> None:
        while self._unread:
            data = self.rfile.read(min(self._unread, 1 << 20))
            if not data:
                return
            self._unread -= len(data)

    _unread, _bearer = 0, ""

    def _json(self, method: Method, value: Any, query: Mapping[str, str], fault: Fault | None) -> None:
        self.fake.api.check_body(method, "response", value)
        body = json.dumps(only(value, query.get("fields", ""))).encode()
        self._finish(200, body, {"Content-Type": "application/json; charset=UTF-8"}, fault)

    def _finish(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        if fault is not None and fault.lost:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self._send(status, body, headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        cut = fault.cut if fault is not None else -1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut < 0 else body[:cut])
        if cut >= 0:
            self.wfile.flush()
            if fault is not None and fault.stall:
                self._stall()
                return
            self.close_connection = True
            self.connection.shutdown(2)

    def _stall(self) -> None:
        self.fake.ended.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Running:
    """A fake that is served."""

    fake: FakeGcs
    endpoint: str


@contextmanager
def serving() -> Iterator[Running]:
    """Serve a fake on a free port of loopback."""
    fake = FakeGcs()
    with loopback(Handler, fake) as endpoint:
        try:
            yield Running(fake, endpoint)
        finally:
            fake.ended.set()
