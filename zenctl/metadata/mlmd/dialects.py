"""What the databases behind MLMD can hold, and the form in which everything else is written so that it comes back.

MLMD cuts a text at its first NUL. On PostgreSQL it puts a text with a backslash into SQL that does not parse, and has
an index whose entries may be 2,700 bytes long. An integer has 32 bits on both servers. MySQL takes names for equal that
differ in case, in accents or in spaces at their end.
"""

from __future__ import annotations

import re
from typing import Any

from zenctl.lazy_dataclasses import dataclass

# U+001A (substitute) and a digit stand for a character that cannot be stored, and for itself.
_MARK = "\x1a"
_STANDS_FOR = {"0": "\0", "1": _MARK, "2": "\\"}
_WIDEST = 2**31 - 1
_INEXACT = re.compile(r"[A-Z~]|[^\x00-\x7f]|\s\Z")
_WRITTEN = re.compile(r"~([0-9a-f]+);")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a database can hold. A store keeps to the dialect that it was made with, whoever opens it.

    `longest` is the most characters in one property; 0 is any number.

    What does not fit into a property goes on in custom properties: `name+1`, `name+2` for the rest of a text,
    `name+int` for an integer.
    """

    name: str
    backslashes: bool = True
    longest: int = 0
    wide_integers: bool = True
    exact_names: bool = True

    def escape(self, text: str) -> str:
        """A text as it is stored."""
        if "\0" in text or _MARK in text:
            text = text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")
        return text if self.backslashes else text.replace("\\", f"{_MARK}2")

    def escape_name(self, name: str) -> str:
        """A name as it is stored."""
        stored = self.escape(name)
        # Queries take printable characters only.
        return stored if self.exact_names else _INEXACT.sub(lambda found: f"~{ord(found[0]):x};", stored)

    def unescape_name(self, stored: str) -> str:
        """A name that this dialect has written."""
        return unescape(stored if self.exact_names else _WRITTEN.sub(lambda found: chr(int(found[1], 16)), stored))

    def write_text(self, message: Any, name: str, text: str) -> None:
        """Set a property of a node of MLMD."""
        stored = self.escape(text)
        length = self.longest or len(stored) or 1
        message.properties[name].string_value = stored[:length]
        for number, at in enumerate(range(length, len(stored), length), 1):
            message.custom_properties[f"{name}+{number}"].string_value = stored[at : at + length]

    def write_integer(self, message: Any, name: str, value: int) -> None:
        """Set a property of a node of MLMD."""
        if self.wide_integers or -_WIDEST <= value <= _WIDEST:
            message.properties[name].int_value = value
        else:
            message.properties[name].int_value = 0
            message.custom_properties[f"{name}+int"].string_value = str(value)


SQLITE = Dialect("sqlite")
MYSQL = Dialect("mysql", wide_integers=False, exact_names=False)
POSTGRESQL = Dialect("postgresql", backslashes=False, longest=500, wide_integers=False)
"""500 characters of up to 4 bytes are less than 2,700."""
COMMON = Dialect("common", backslashes=False, longest=500, wide_integers=False, exact_names=False)
"""What any of them can hold, for a server of which nobody knows what is behind it."""
DIALECTS = {dialect.name: dialect for dialect in (SQLITE, MYSQL, POSTGRESQL, COMMON)}


def read_text(message: Any, name: str) -> str:
    """A property that any dialect has written."""
    text, number = message.properties[name].string_value, 1
    while f"{name}+{number}" in message.custom_properties:
        text += message.custom_properties[f"{name}+{number}"].string_value
        number += 1
    return unescape(text)


def read_integer(message: Any, name: str) -> int:
    """A property that any dialect has written."""
    wide = f"{name}+int"
    if wide in message.custom_properties:
        return int(message.custom_properties[wide].string_value)
    return int(message.properties[name].int_value)


def unescape(text: str) -> str:
    """A text that `escape` of any dialect has made, as it was."""
    if _MARK not in text:
        return text
    first, *rest = text.split(_MARK)
    return first + "".join(_STANDS_FOR.get(part[:1], "") + part[1:] for part in rest)
