"""Texts in a form that every store can hold: no NUL, and where a store needs it no backslash and no long property.

MLMD cuts a text at its first NUL. On PostgreSQL it puts a text with a backslash into SQL that does not parse, and has
an index whose entries may be 2,700 bytes long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# U+001A (substitute) and a digit stand for a character that cannot be stored, and for itself.
_MARK = "\x1a"
_STANDS_FOR = {"0": "\0", "1": _MARK, "2": "\\"}


@dataclass(frozen=True, slots=True)
class Texts:
    """What a store can hold. `longest` is the most characters in one property; 0 is any number."""

    backslashes: bool = True
    longest: int = 0

    def escape(self, text: str) -> str:
        """A text as it is stored."""
        if "\0" in text or _MARK in text:
            text = text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")
        return text if self.backslashes else text.replace("\\", f"{_MARK}2")

    def write(self, message: Any, name: str, text: str) -> None:
        """Set a property of a node of MLMD; what does not fit goes on in custom properties, `name+1` and so on."""
        stored = self.escape(text)
        length = self.longest or len(stored) or 1
        message.properties[name].string_value = stored[:length]
        for number, at in enumerate(range(length, len(stored), length), 1):
            message.custom_properties[f"{name}+{number}"].string_value = stored[at : at + length]


STRICT = Texts(backslashes=False, longest=500)
"""For PostgreSQL: 500 characters of up to 4 bytes are less than 2,700."""


def read(message: Any, name: str) -> str:
    """A property that any Texts has written."""
    text, number = message.properties[name].string_value, 1
    while f"{name}+{number}" in message.custom_properties:
        text += message.custom_properties[f"{name}+{number}"].string_value
        number += 1
    return unescape(text)


def unescape(text: str) -> str:
    """A text that `escape` of any Texts has made, as it was."""
    if _MARK not in text:
        return text
    first, *rest = text.split(_MARK)
    return first + "".join(_STANDS_FOR.get(part[:1], "") + part[1:] for part in rest)
