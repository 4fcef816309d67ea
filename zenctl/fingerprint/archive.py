"""Packs a closure's files into a zip whose bytes depend on nothing but their paths and content."""

from __future__ import annotations

import io
import zipfile

from zenctl.digests import sha256_bytes
from zenctl.fingerprint.code import Closure
from zenctl.plans.plan import CodeArchive

_EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(closure: Closure) -> CodeArchive:
    """The archive of the files as they lie. Its digest is that of its bytes.

    Entries are stored, not compressed: what a deflate library writes differs between versions and platforms (zlib,
    zlib-ng), and equal sources must give equal bytes. A plan file compresses the whole of it once more.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for path, data in sorted(closure.sources.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            target.writestr(entry, data)
    content = buffer.getvalue()
    return CodeArchive(sha256_bytes(content), content)
