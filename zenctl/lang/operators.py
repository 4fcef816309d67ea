"""What HCL's operators compute, on values. Pure: problems are raised, places are the caller's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DecimalException

from zenctl.lang.conversion import ConversionError, convert_value, equal
from zenctl.lang.model import UNKNOWN, Value, all_marks, boolean, content, unknown
from zenctl.lang.numbers import CONTEXT, in_range, negated, rounded
from zenctl.lang.types import BOOL, NUMBER, Type


class OperatorProblem(Exception):
    """An operation is not possible; `side` is `left`, `right` or empty, for the operand at fault."""

    def __init__(self, detail: str, side: str = "") -> None:
        super().__init__(detail)
        self.side = side


_ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "%": CONTEXT.remainder,
}
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def result_type(operator: str) -> Type:
    """The type of an operator's result."""
    return NUMBER if operator in _ARITHMETIC else BOOL


def operand(value: Value, operator: str, side: str) -> Value:
    """A value as the operator needs it. Raises OperatorProblem."""
    if operator in ("==", "!="):
        return content(value)
    wanted = BOOL if operator in ("&&", "||", "!") else NUMBER
    where = f"The {side} side of {operator}" if side else f"What follows {operator}"
    try:
        converted = convert_value(value, wanted)
    except ConversionError as problem:
        raise OperatorProblem(f"{where} is not suitable: {problem}.", side) from None
    if converted.raw is None:
        raise OperatorProblem(f"{where} is null. Test for it before, or give a default with coalesce().", side)
    return converted


def short_circuit(operator: str, left: Value, right: Value) -> Value | None:
    """The result of `&&` and `||` where one side decides it, whatever the other is; else None."""
    decisive = operator == "||"
    for side in (left, right):
        if side.raw is decisive:
            return boolean(decisive)
    return None


def binary(operator: str, left: Value, right: Value) -> Value:
    """The result for two operands that `operand` has seen; marks are those of both. Raises OperatorProblem."""
    marks = left.marks | right.marks
    if operator in ("==", "!="):
        same = equal(left, right)
        marks |= all_marks(left) | all_marks(right)
        result = unknown(BOOL) if same is None else boolean(same is (operator == "=="))
    elif left.raw is UNKNOWN or right.raw is UNKNOWN:
        result = unknown(result_type(operator))
    elif operator == "&&":
        result = boolean(left.raw and right.raw)
    elif operator == "||":
        result = boolean(left.raw or right.raw)
    elif operator in _COMPARISONS:
        result = boolean(_COMPARISONS[operator](left.raw, right.raw))
    else:
        result = Value(NUMBER, arithmetic(operator, left.raw, right.raw))
    return result.with_marks(marks)


def arithmetic(operator: str, left: Decimal, right: Decimal) -> Decimal:
    """One arithmetic operation. Raises OperatorProblem."""
    if operator in "/%" and not right:
        raise OperatorProblem("It divides by zero.", "right")
    try:
        result = _ARITHMETIC[operator](left, right)
    except DecimalException:
        raise OperatorProblem("The result is too large to be computed.") from None
    if not in_range(result):
        raise OperatorProblem("The result is out of the range of numbers.")
    return rounded(result)


def unary(operator: str, value: Value) -> Value:
    """The result for an operand that `operand` has seen."""
    if value.raw is UNKNOWN:
        return unknown(BOOL if operator == "!" else NUMBER, value.marks)
    result = boolean(not value.raw) if operator == "!" else Value(NUMBER, negated(value.raw))
    return result.with_marks(value.marks)
