"""Plain data of a value, with the marks that it and its parts carry."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from zenctl.lang.values import DYNAMIC, Value, is_unknown
from zenctl.lazy_dataclasses import dataclass
from zenctl.schema import Unknown

LOCATION = "location"
"""Mark of what holds the place of an artifact in the store."""

FAULTY = "faulty"
"""Mark of what comes from something wrong that has been reported."""

Marked = list[tuple[tuple["str | int", ...], frozenset[str]]]
"""Places with their marks."""


@dataclass(frozen=True, slots=True)
class Faulty(Unknown):
    """Unknown because of an error that has been reported: nobody complains of it again."""


def faulty() -> Value:
    """The value of what is wrong and has been reported: unknown, and nothing made of it is reported again."""
    return DYNAMIC.with_marks(frozenset({FAULTY}))


def plain_value(value: Value) -> tuple[Any, Marked]:
    """None, bool, int, float, str, list or dict; `Unknown` for what is not known; what capsules wrap."""
    marked: Marked = []
    return _plain(value, (), marked), marked


def _plain(value: Value, place: tuple[str | int, ...], marked: Marked) -> Any:
    if value.marks:
        marked.append((place, value.marks))
        if FAULTY in value.marks:
            return Faulty(str(value.type))
    raw = value.raw
    if is_unknown(value):
        return Unknown(str(value.type))
    if raw is None or isinstance(raw, (str, bool)):
        return raw
    if isinstance(raw, Decimal):
        return int(raw) if raw == raw.to_integral_value() else float(raw)
    if isinstance(raw, tuple):
        return [_plain(item, (*place, i), marked) for i, item in enumerate(raw)]
    if isinstance(raw, dict):
        return {name: _plain(item, (*place, name), marked) for name, item in raw.items()}
    return raw.unwrap()
