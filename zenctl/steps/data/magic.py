"""Knows other formats by their first bytes, for a source of text files to say what it was given instead. Pure."""

from __future__ import annotations

_MAGIC = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"PK\x03\x04": ("a ZIP archive (an Excel file is one, too)", "unzip, or export as CSV UTF-8"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "zstd -d"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ": ("xz", "unxz"),
    b"PAR1": ("Parquet", ""),
    b"\xff\xfe": ("UTF-16", "iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("UTF-16", "iconv -f UTF-16 -t UTF-8"),
}


def foreign_kind(head: bytes) -> tuple[str, str] | None:
    """What a file is that begins so, and what makes text of it ("": nothing does); None where it may be text."""
    return next((found for magic, found in _MAGIC.items() if head.startswith(magic)), None)
