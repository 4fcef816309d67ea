"""Brings texts into Unicode's normal form C, in which the language compares them, in time linear in their length."""

from __future__ import annotations

import re
import unicodedata

_LONG_RUN = 30
"""How many marks in a row no writing system needs (Unicode calls texts without longer runs stream-safe)."""

_RUN = re.compile(rf"[^\x00-\u02ff]{{{_LONG_RUN},}}")


def nfc(text: str) -> str:
    """The text in normal form C."""
    if text.isascii():
        return text
    # Putting n marks of one letter in order costs unicodedata n² steps, unless they are in order already.
    return unicodedata.normalize("NFC", _RUN.sub(_in_order, text))


def _in_order(found: re.Match[str]) -> str:
    """The same, decomposed, with the marks behind each letter in their order."""
    pieces: list[str] = []
    marks: list[str] = []
    # One by one, as a character without a combining class can be made of marks.
    for character in "".join(unicodedata.normalize("NFD", character) for character in found.group()):
        if unicodedata.combining(character):
            marks.append(character)
            continue
        pieces += sorted(marks, key=unicodedata.combining)
        pieces.append(character)
        marks = []
    return "".join(pieces + sorted(marks, key=unicodedata.combining))
