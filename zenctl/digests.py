"""Digests of content: SHA-256 in lowercase hex, over bytes, files and canonical JSON. Standard library only."""

from __future__ import annotations

import hashlib
import json
import math
import os
from typing import Any, BinaryIO, Union

CHUNK = 1 << 20
"""Bytes read at a time from a file."""


def sha256_bytes(data: Union[bytes, bytearray, memoryview]) -> str:
    """Digest of a byte string."""
    return hashlib.sha256(data).hexdigest()


def sha256_text(text: str) -> str:
    """Digest of a text in UTF-8."""
    return sha256_bytes(text.encode("utf-8", "surrogatepass"))


def sha256_stream(stream: BinaryIO) -> str:
    """Digest of what is left in an open binary stream, read in chunks."""
    hasher = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    while True:
        count = stream.readinto(buffer)  # type: ignore[attr-defined]
        if not count:
            return hasher.hexdigest()
        hasher.update(view[:count])


def sha256_file(path: Union[str, "os.PathLike[str]"]) -> str:
    """Digest of a file's content, in constant memory."""
    with open(path, "rb", buffering=0) as stream:
        return sha256_stream(stream)


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces, UTF-8; equal values give equal bytes.

    Accepts None, bool, int, finite float, str, list, tuple and dict with string keys. A float that is a whole number
    is written as an integer, so that 1 and 1.0 (one number in HCL) are equal. Raises TypeError or ValueError otherwise.
    """
    return json.dumps(
        _canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", "surrogatepass")


def sha256_json(value: Any) -> str:
    """Digest of a value's canonical JSON."""
    return sha256_bytes(canonical_json(value))


def _canonical(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} has no JSON form")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"JSON keys are strings, not {type(key).__name__}: {key!r}")
        return {key: _canonical(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")
