"""Writes texts as templates and quoted strings of HCL, and paths into values as expressions write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from zenctl.addrs import NAME

_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f]')
_SEQUENCE_SIGN = re.compile(r"\$+(?=\{)|%+(?=\{)")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def quote(text: str) -> str:
    """The text in quotes, so that parsing gives it back: escapes where needed, `${` and `%{` doubled."""
    return f'"{escape(literal_template(text))}"'


def literal_template(text: str) -> str:
    """A text as a bare template that stands for it: the sign before a brace is doubled."""
    return _SEQUENCE_SIGN.sub(lambda found: found.group() + found.group()[0], text)


def escape(template: str) -> str:
    """Literal text of a bare template as it stands in quotes."""
    return _SPECIAL.sub(_escaped, template)


def _escaped(found: re.Match[str]) -> str:
    sign = found.group()
    return _ESCAPES.get(sign) or f"\\u{ord(sign):04x}"


def is_name(text: str) -> bool:
    """Whether a text is one identifier: it needs no quotes as a key, nor after a dot."""
    return NAME.fullmatch(text)


def path_text(path: Iterable[str | int]) -> str:
    """A path as it reads in an expression: `gates.accuracy.min`, `layers[0]`, `by["a b"]`, `[2].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif is_name(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text
