"""Splits texts into what people see as characters: an emoji or a letter with its accents is one, as in Terraform."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any


def _plain(text: str) -> bool:
    """Whether each code point is a character: true of ASCII, but for line breaks of two code points."""
    return text.isascii() and "\r\n" not in text


def _clusters(text: str) -> Iterator[Any]:
    regex: Any = importlib.import_module("regex")  # few configurations need it
    found: Iterator[Any] = regex.finditer(r"\X", text)
    return found


def count_characters(text: str) -> int:
    """How many characters a text has."""
    return len(text) if _plain(text) else sum(1 for _ in _clusters(text))


def reversed_characters(text: str) -> str:
    """The characters of a text backwards."""
    return text[::-1] if _plain(text) else "".join([found.group() for found in _clusters(text)][::-1])


def slice_characters(text: str, start: int, count: int) -> str:
    """Up to `count` characters from the one at `start`; a negative start counts from the end, -1 takes the rest."""
    if start < 0:
        start = max(0, count_characters(text) + start)
    if _plain(text):
        return text[start:] if count < 0 else text[start : start + count]
    begin = end = len(text)
    for at, found in enumerate(_clusters(text)):
        if at == start:
            begin = found.start()
        if count >= 0 and at == start + count:
            end = found.start()
            break
    return text[begin:end]
