"""Numbers as the language has them: decimal, exact to 160 digits, and never large enough to exhaust memory."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

MAX_EXPONENT = 1000
"""The magnitude of a number: from 1e-1000 to 1e1000."""

CONTEXT = Context(prec=160, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

_SHORTER = Context(prec=150, rounding=ROUND_HALF_EVEN, traps=[])

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
MAX_DIGITS = 2000


def parse_number(text: str) -> Decimal | None:
    """The number written so, without a sign; None if it is none or out of range."""
    if not _NUMBER.fullmatch(text) or len(text) > MAX_DIGITS:
        return None
    _, _, exponent = text.lower().partition("e")
    if len(exponent.lstrip("+-0")) > 5:
        return None
    value = Decimal(text)
    return value if in_range(value) else None


def in_range(value: Decimal) -> bool:
    """Whether a number is finite and within the limits of magnitude."""
    return value.is_finite() and (not value or abs(value.adjusted()) <= MAX_EXPONENT)


def negated(value: Decimal) -> Decimal:
    """The number with the other sign, exact to the last digit, which Python's `-value` is not."""
    return value.copy_negate() if value else value


def rounded(value: Decimal) -> Decimal:
    """The result of a computation without the traces of its rounding: what begins with 0.999...9 is 1.

    Where 150 digits of a longer result end in ten zeros or more, the exact result ends there.
    """
    shorter = _SHORTER.plus(value)
    if shorter == value or len(value.as_tuple().digits) < CONTEXT.prec:  # not rounded
        return value
    shorter = shorter.normalize(_SHORTER)
    return shorter if len(shorter.as_tuple().digits) <= _SHORTER.prec - 10 else value


def number_text(value: Decimal) -> str:
    """The number in plain decimal digits, without an exponent and without trailing zeros: `1.50` is `1.5`."""
    if not value:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_whole(value: Decimal) -> bool:
    """Whether it has no fraction."""
    return value == value.to_integral_value()
