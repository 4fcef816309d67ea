"""Functions of numbers."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException

from zenctl.lang.calls import FunctionProblem, Parameter
from zenctl.lang.functions.declaring import Group, number, text
from zenctl.lang.model import Value
from zenctl.lang.numbers import CONTEXT, MAX_EXPONENT, is_whole
from zenctl.lang.types import NUMBER, ListType

NUMERIC = Group()
_NUMBERS = Parameter("numbers", NUMBER)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@NUMERIC.function("abs", "The number without its sign.", number("number"), returns=NUMBER)
def _abs(value: Decimal) -> Decimal:
    return value.copy_abs()


@NUMERIC.function("ceil", "The smallest whole number that is not less.", number("number"), returns=NUMBER)
def _ceil(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING)


@NUMERIC.function("floor", "The largest whole number that is not greater.", number("number"), returns=NUMBER)
def _floor(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR)


@NUMERIC.function("max", "The greatest of the numbers.", number("number"), rest=_NUMBERS, returns=NUMBER)
def _max(*values: Decimal) -> Decimal:
    return max(values)


@NUMERIC.function("min", "The least of the numbers.", number("number"), rest=_NUMBERS, returns=NUMBER)
def _min(*values: Decimal) -> Decimal:
    return min(values)


@NUMERIC.function("signum", "-1, 0 or 1: the sign of the number.", number("number"), returns=NUMBER)
def _signum(value: Decimal) -> int:
    return (value > 0) - (value < 0)


@NUMERIC.function("pow", "The base to the power of the exponent.", number("base"), number("exponent"), returns=NUMBER)
def _pow(base: Decimal, exponent: Decimal) -> Decimal:
    if base < 0 and not is_whole(exponent):
        raise FunctionProblem("A negative number has no such power.", 1)
    if not base:
        if exponent < 0:
            raise FunctionProblem("0 has no negative power.", 1)
        return Decimal(1 if not exponent else 0)
    try:
        return CONTEXT.power(base, exponent).normalize(CONTEXT)
    except DecimalException:
        raise FunctionProblem("The result is out of the range of numbers.") from None


@NUMERIC.function("log", "The logarithm of a number to a base.", number("number"), number("base"), returns=NUMBER)
def _log(value: Decimal, base: Decimal) -> Decimal:
    if value <= 0:
        raise FunctionProblem("Only a number greater than 0 has a logarithm.", 0)
    if base <= 0 or base == 1:
        raise FunctionProblem("The base of a logarithm must be greater than 0, and not 1.", 1)
    exact = CONTEXT.divide(CONTEXT.ln(value), CONTEXT.ln(base))
    # Rounded a little, so that log(1000, 10) is 3.
    return exact.quantize(Decimal("1e-40"), context=CONTEXT).normalize(CONTEXT)


@NUMERIC.function("sum", "All numbers of a list added up.", Parameter("list", ListType(NUMBER)), returns=NUMBER)
def _sum(values: Value) -> Decimal:
    if not values.raw:
        raise FunctionProblem("The sum of an empty list is not defined.", 0)
    total = Decimal(0)
    for item in values.raw:
        if item.raw is None:
            raise FunctionProblem("A number to be added is null.", 0)
        total = CONTEXT.add(total, item.raw)
    return total


@NUMERIC.function("parseint", "The whole number that a text gives.", text("string"), number("base"), returns=NUMBER)
def _parseint(digits: str, base: Decimal) -> int:
    if not is_whole(base) or not 2 <= base <= 62:
        raise FunctionProblem("The base must be a whole number from 2 to 62.", 1)
    radix = int(base)
    body = digits[1:] if digits[:1] in ("-", "+") else digits
    if not re.fullmatch("[0-9A-Za-z]+", body) or len(body) > MAX_EXPONENT:
        raise FunctionProblem(f"This is not a whole number in base {radix}.", 0)
    result = 0
    for digit in body if radix > 36 else body.lower():
        value = _DIGITS.index(digit)
        if value >= radix:
            hidden = f"This is not a whole number in base {radix}."
            raise FunctionProblem(f'{hidden[:-1]}: "{digit}" is no digit.', 0, hidden=hidden)
        result = result * radix + value
    return -result if digits.startswith("-") else result
