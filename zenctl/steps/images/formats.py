"""Tells what an image file is by its first bytes, and whether its end is there. Pure; pixels are not decoded."""

from __future__ import annotations

_PNG_END = b"IEND\xaeB`\x82"
_TAIL = 1 << 16
"""Bytes at the end in which a JPEG's end marker is looked for: some writers add to it."""


def problem_of(data: bytes) -> str:
    """What is wrong with an image file: empty, of no known format, or cut off; "" if nothing is."""
    if not data:
        return "the file is empty"
    kind = format_of(data)
    if not kind:
        return f"it is no PNG, JPEG, GIF, BMP or WebP image: it begins with {data[:8]!r}"
    return "" if _whole(kind, data) else f"the {kind} image is cut off"


def format_of(data: bytes) -> str:
    """PNG, JPEG, GIF, BMP or WebP, or "" for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    # Two letters are little: the reserved bytes and the header's size must be right, too.
    if data.startswith(b"BM") and data[6:10] == bytes(4) and data[14:18] in _BMP_HEADERS:
        return "BMP"
    return ""


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


def _whole(kind: str, data: bytes) -> bool:
    if kind == "PNG":
        return _PNG_END in data[-_TAIL:]
    if kind == "JPEG":
        return b"\xff\xd9" in data[max(2, len(data) - _TAIL) :]
    if kind == "GIF":
        return data.rstrip(b"\0").endswith(b";")
    if kind == "WebP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return len(data) >= int.from_bytes(data[2:6], "little")
