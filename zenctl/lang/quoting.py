"""Writes texts as quoted strings of HCL, and paths into values as expressions write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from zenctl.addrs import NAME

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


def path_text(path: Iterable[str | int]) -> str:
    """A path as it reads in an expression: `gates.accuracy.min`, `layers[0]`, `by["a b"]`, `[2].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text
