"""Signs a request for Amazon's services: Signature Version 4, as their documentation defines it."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Dict, Mapping, Optional
from urllib.parse import quote

from zenctl.lazy_dataclasses import dataclass

EMPTY = hashlib.sha256(b"").hexdigest()
"""The digest of a request without a body."""


@dataclass(frozen=True)
class Credentials:
    """Who asks. `ends` is the Unix time at which they expire, None if they do not."""

    key_id: str
    secret: str
    token: str = ""
    ends: Optional[float] = None


def signed(
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload: str,
    credentials: Credentials,
    region: str,
    now: float,
    service: str = "s3",
) -> Dict[str, str]:
    """The headers to send: those given, and what signs them. `path` is encoded; `payload` is the body's SHA-256."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    sent = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    if credentials.token:
        sent["x-amz-security-token"] = credentials.token
    named = {name.lower(): " ".join(value.split()) for name, value in {**sent, "host": host}.items()}
    names = ";".join(sorted(named))
    canonical = "\n".join(
        [method, path, query_text(query), *(f"{name}:{named[name]}" for name in sorted(named)), "", names, payload]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return sent


def query_text(query: Mapping[str, str]) -> str:
    """A query as it is signed and sent: sorted, every character but the unreserved ones encoded."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query.items()))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
