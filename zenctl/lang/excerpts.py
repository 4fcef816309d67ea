"""Writes a value on one short line for a message: what is sensitive or not known yet is not shown."""

from __future__ import annotations

from decimal import Decimal

from zenctl.lang.model import SENSITIVE, UNKNOWN, Value
from zenctl.lang.numbers import number_text
from zenctl.lang.quoting import quote
from zenctl.lang.types import CapsuleType, describe

WIDTH = 60
"""How many characters of a value a message shows."""


def excerpt(value: Value, width: int = WIDTH) -> str:
    """The value as the language writes it, cut off with `...` where it is longer."""
    pieces: list[str] = []
    _write(value, width, pieces)
    return "".join(pieces)


def _write(value: Value, room: int, pieces: list[str]) -> int:
    """Add the value's text; returns the room that is left, which is 0 once something was cut off."""
    raw = value.raw
    if SENSITIVE in value.marks:
        text = "(sensitive value)"
    elif raw is UNKNOWN:
        text = "(known after apply)"
    elif isinstance(raw, str):
        text = quote(raw if len(raw) <= room else raw[: max(room, 1)] + "...")
        room = room if len(raw) <= room else 0
    elif isinstance(raw, tuple):
        return _several([("", item) for item in raw], "[]", room, pieces)
    elif isinstance(raw, dict):
        return _several([(f"{_name(name)} = ", item) for name, item in raw.items()], "{}", room, pieces)
    elif isinstance(value.type, CapsuleType):
        text = describe(value.type)
    elif isinstance(raw, Decimal):
        text = number_text(raw)
        text = text if len(text) <= WIDTH else f"{raw:.20g}"
    else:
        text = "null" if raw is None else "true" if raw else "false"
    pieces.append(text)
    return max(0, room - len(text))


def _several(items: list[tuple[str, Value]], brackets: str, room: int, pieces: list[str]) -> int:
    pieces.append(brackets[0])
    for at, (start, item) in enumerate(items):
        pieces.append(", " if at else "")
        if room <= 0:
            pieces.append("...")
            break
        pieces.append(start)
        room = _write(item, room - len(start) - 2, pieces)
    pieces.append(brackets[1])
    return room


def _name(name: str) -> str:
    return name if name.isidentifier() else quote(name[:WIDTH])
