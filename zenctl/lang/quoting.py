"""Writes a text as a quoted string of HCL."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f]|\$+(?=\{)|%+(?=\{)')
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def quote(text: str) -> str:
    """The text in quotes, so that parsing gives it back: escapes where needed, `${` and `%{` doubled."""
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(found: re.Match[str]) -> str:
    piece = found.group()
    if piece[0] in "$%":
        return piece + piece[0]
    return _ESCAPES.get(piece) or f"\\u{ord(piece):04x}"
