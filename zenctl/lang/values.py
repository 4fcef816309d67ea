"""Values and plain Python data: from one to the other, and the whole of what other packages need of values."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zenctl.lang.constraints import parse_type
from zenctl.lang.conversion import ConversionError, convert_value
from zenctl.lang.model import (
    DYNAMIC,
    NULL,
    SENSITIVE,
    UNKNOWN,
    Capsule,
    Value,
    all_marks,
    boolean,
    capsule_value,
    object_value,
    string,
    tuple_value,
    unknown,
    wholly_known,
)
from zenctl.lang.numbers import MAX_EXPONENT, in_range
from zenctl.lang.types import ANY, NUMBER, SetType, Type
from zenctl.lazy_dataclasses import dataclass

__all__ = [
    "ANY",
    "DYNAMIC",
    "NULL",
    "SENSITIVE",
    "Capsule",
    "ConversionError",
    "Sensitive",
    "Type",
    "Value",
    "all_marks",
    "convert",
    "from_python",
    "is_sensitive",
    "is_unknown",
    "to_python",
    "unknown",
    "wholly_known",
]

MAX_PLAIN_DEPTH = 200
"""How deep plain data given to the language may nest."""


@dataclass(frozen=True, slots=True, repr=False)
class Sensitive:
    """A plain value that must not be shown."""

    value: Any

    def __repr__(self) -> str:
        return "(sensitive value)"


def from_python(obj: Any, type: str | None = None) -> Value:
    """A value from plain data: None, bool, int, float, Decimal, str, list or tuple, set, mapping with string keys,
    date or datetime (as text), `Unknown`, `Sensitive`, a Capsule or a Value. Raises TypeError for anything else, and
    ValueError for a number that is not finite or out of range, and where `type`, a type expression, does not fit.
    """
    value = _from_plain(obj, MAX_PLAIN_DEPTH)
    if type is None:
        return value
    value, problem = convert(value, type)
    if problem:
        raise ValueError(f"{problem} (as {type})")
    return value


def _from_plain(obj: Any, depth: int) -> Value:
    if depth < 0:
        raise ValueError(f"plain data nests deeper than {MAX_PLAIN_DEPTH} levels")
    if obj is None:
        return NULL
    if isinstance(obj, bool):
        return boolean(obj)
    if isinstance(obj, str):
        return string(obj)
    if isinstance(obj, (int, float, Decimal)):
        return _number(obj)
    if isinstance(obj, Value):
        return obj
    if isinstance(obj, Mapping):
        for key in obj:
            if not isinstance(key, str):
                raise TypeError(f"a mapping's keys must be strings, not {key!r}")
        return object_value({string(key).raw: _from_plain(item, depth - 1) for key, item in obj.items()})
    if isinstance(obj, (list, tuple)):
        return tuple_value(_from_plain(item, depth - 1) for item in obj)
    if isinstance(obj, (set, frozenset)):
        items = tuple(_from_plain(item, depth - 1) for item in obj)
        value, problem = convert(tuple_value(items), SetType(ANY))
        if problem:
            raise ValueError(problem)
        return value
    if isinstance(obj, Sensitive):
        return _from_plain(obj.value, depth - 1).with_marks(frozenset({SENSITIVE}))
    if isinstance(obj, (datetime.date, datetime.datetime)):
        return string(obj.isoformat())
    return _from_object(obj)


def _from_object(obj: Any) -> Value:
    # zenctl.schema imports pydantic, which would triple the start of a command that needs none of it.
    from zenctl.schema.references import Unknown

    if isinstance(obj, Unknown):
        type_, problem = _type(obj.type)
        if type_ is None:
            raise ValueError(problem)
        return unknown(type_)
    if isinstance(obj, Capsule):
        return capsule_value(obj)
    raise TypeError(f"a {type(obj).__name__} cannot be a value of the language")


def _number(obj: int | float | Decimal) -> Value:
    if isinstance(obj, int) and obj.bit_length() > MAX_EXPONENT * 3.33:
        raise ValueError("a number is too large")
    # The shortest text of a float is what its writer meant: 0.1 and not 0.1000000000000000055.
    value = Decimal(repr(obj)) if isinstance(obj, float) else Decimal(obj)
    if not in_range(value):
        raise ValueError(f"{obj} is not a number of the language")
    return Value(NUMBER, value)


def to_python(value: Value) -> Any:
    """Plain data: None, bool, int (a number without a fraction) or float, str, list (of list, set and tuple), dict.

    Unknown parts become `zenctl.schema.Unknown(type)`, marked parts `Sensitive`, capsules the object they wrap.
    """
    if value.marks:
        return Sensitive(to_python(value.without_marks()))
    raw = value.raw
    if raw is UNKNOWN:
        from zenctl.schema.references import Unknown

        return Unknown(str(value.type))
    if raw is None or isinstance(raw, (str, bool)):
        return raw
    if isinstance(raw, Decimal):
        return int(raw) if raw == raw.to_integral_value() else float(raw)
    if isinstance(raw, tuple):
        return [to_python(item) for item in raw]
    if isinstance(raw, dict):
        return {name: to_python(item) for name, item in raw.items()}
    return raw.unwrap()


def convert(value: Value, type: Type | str) -> tuple[Value, str | None]:
    """The value as a type, given as such or as a type expression; the second part says why it does not fit.

    Then the value is unknown, of that type.
    """
    wanted, problem = _type(type) if isinstance(type, str) else (type, "")
    if wanted is None:
        return DYNAMIC, problem
    try:
        return convert_value(value, wanted), None
    except ConversionError as error:
        return unknown(wanted, value.marks), str(error)


def _type(text: str) -> tuple[Type | None, str]:
    type, diagnostics = parse_type(text)
    return type, diagnostics[0].detail if diagnostics else ""


def is_unknown(value: Any) -> bool:
    """Whether a value, or plain data as `to_python` gives it, is not known before apply. What is inside counts not."""
    if isinstance(value, Value):
        return value.raw is UNKNOWN
    if isinstance(value, Sensitive):
        return is_unknown(value.value)
    if value is None or isinstance(value, (str, bool, int, float, list, dict, Decimal)):
        return False
    from zenctl.schema.references import Unknown

    return isinstance(value, Unknown)


def is_sensitive(value: Any) -> bool:
    """Whether a value, or plain data as `to_python` gives it, must not be shown. What is inside counts not."""
    return SENSITIVE in value.marks if isinstance(value, Value) else isinstance(value, Sensitive)
