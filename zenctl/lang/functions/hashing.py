"""Functions that digest texts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from zenctl.lang.calls import FunctionProblem
from zenctl.lang.functions.declaring import Group, text
from zenctl.lang.types import STRING

HASHING = Group()

ALGORITHMS = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}
IN_BASE64 = ("sha256", "sha512")
"""The algorithms whose digests can be had in Base64 too."""


def hexadecimal(algorithm: str) -> Callable[[bytes], str]:
    """From bytes to their digest in lowercase hexadecimal."""
    return lambda data: hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def in_base64(algorithm: str) -> Callable[[bytes], str]:
    """From bytes to their digest in Base64."""
    return lambda data: base64.b64encode(hashlib.new(algorithm, data, usedforsecurity=False).digest()).decode()


def _add(name: str, description: str, digest: Callable[[bytes], str]) -> None:
    HASHING.function(name, description, text("string"), returns=STRING)(lambda value: digest(value.encode()))


for _algorithm, _title in ALGORITHMS.items():
    _add(_algorithm, f"The {_title} digest of a text's UTF-8 bytes, in hexadecimal.", hexadecimal(_algorithm))
for _algorithm in IN_BASE64:
    _description = f"The {ALGORITHMS[_algorithm]} digest of a text's UTF-8 bytes, in Base64."
    _add(f"base64{_algorithm}", _description, in_base64(_algorithm))


@HASHING.function(
    "uuidv5",
    "The UUID of a name in a namespace: dns, url, oid, x500, or a UUID. The same each time.",
    text("namespace"),
    text("name"),
    returns=STRING,
)
def _uuidv5(namespace: str, name: str) -> str:
    import uuid  # few configurations need it

    known = {
        "dns": uuid.NAMESPACE_DNS,
        "url": uuid.NAMESPACE_URL,
        "oid": uuid.NAMESPACE_OID,
        "x500": uuid.NAMESPACE_X500,
    }
    try:
        return str(uuid.uuid5(known.get(namespace) or uuid.UUID(namespace), name))
    except ValueError:
        raise FunctionProblem("A namespace is dns, url, oid, x500, or a UUID.", 0) from None
