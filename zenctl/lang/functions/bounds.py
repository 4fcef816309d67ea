"""What functions check of sizes before they make something: numbers that index, counts of elements and characters."""

from __future__ import annotations

from decimal import Decimal

from zenctl.lang.calls import MAX_ELEMENTS, MAX_STRING, FunctionProblem
from zenctl.lang.numbers import is_whole


def whole(value: Decimal, argument: int, *, least: int | None = None) -> int:
    """A whole number of a size that can index something. Raises FunctionProblem."""
    if not is_whole(value) or abs(value) > 2**53:
        raise FunctionProblem("A whole number is required.", argument)
    if least is not None and value < least:
        raise FunctionProblem(f"The number must be at least {least}.", argument)
    return int(value)


def bounded_text(length: int, argument: int | None = None) -> None:
    """Refuse to make more characters than a text may have. Raises FunctionProblem."""
    if length > MAX_STRING:
        raise FunctionProblem(f"There would be more than {MAX_STRING} characters.", argument)


def bounded_elements(count: int, argument: int | None = None) -> None:
    """Refuse to make more elements than a function may. Raises FunctionProblem."""
    if count > MAX_ELEMENTS:
        raise FunctionProblem(f"There would be more than {MAX_ELEMENTS} elements.", argument)
