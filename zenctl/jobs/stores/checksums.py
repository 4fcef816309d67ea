"""Names the content of an object by what its store says of it, so that a copy has the same name."""

from __future__ import annotations

import base64
import re


def google_checksum(md5: str, crc32c: str) -> str:
    """`Found.checksum` from what Google Cloud Storage says, in base64; composite objects have no MD5."""
    return f"md5:{base64.b64decode(md5).hex()}" if md5 else f"crc32c:{crc32c}" if crc32c else ""


def amazon_checksum(tag: str, encryption: str = "") -> str:
    """`Found.checksum` from an entity tag of S3. A listing does not say how an object is encrypted."""
    plain = tag.strip('"')
    if re.fullmatch("[0-9a-f]{32}", plain) and encryption in ("", "AES256"):
        return f"md5:{plain}"
    return f"etag:{plain}" if plain else ""
