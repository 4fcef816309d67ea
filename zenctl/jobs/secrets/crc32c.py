"""CRC-32C (Castagnoli), which zlib does not have: enough for a few kilobytes."""

from __future__ import annotations

from typing import List

_POLYNOMIAL = 0x82F63B78


def _table() -> List[int]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        found.append(byte)
    return found


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The checksum as an unsigned number."""
    register = 0xFFFFFFFF
    for byte in data:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    return register ^ 0xFFFFFFFF
