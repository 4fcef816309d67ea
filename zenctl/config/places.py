"""Finds where in the source the parts of a value are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

from zenctl.config.conforming import Place
from zenctl.diagnostics import SourceRange
from zenctl.lang.syntax import Block, Expression, Literal, ObjectExpr, Parentheses, TupleExpr

Places = Mapping[Place, Union[Expression, Block]]
"""What stands where: the expression of each attribute, and each nested block."""


def nearest(places: Places, place: Place) -> tuple[Place, Expression | Block] | None:
    """The expression or block at a place, else at the nearest one around it; with the place where it stands."""
    for length in range(len(place), 0, -1):
        found = places.get(place[:length])
        if found is not None:
            return place[:length], found
    return None


def find_range(places: Places, place: Place, *, key: bool = False) -> SourceRange | None:
    """Where the value at a place is written; with `key` where its name is. Else the nearest place around it."""
    found = nearest(places, place)
    if found is None:
        return None
    at, written = found
    if isinstance(written, Block):
        return written.header_range
    return range_inside(written, place[len(at) :], key=key)


def range_inside(expression: Expression, path: Sequence[str | int], *, key: bool = False) -> SourceRange:
    """Where a part of an expression's value is written, as far as objects and lists are written out."""
    for depth, part in enumerate(path):
        while isinstance(expression, Parentheses):
            expression = expression.expression
        if isinstance(expression, ObjectExpr):
            items = [i for i in expression.items if isinstance(i.key, Literal) and i.key.value == part]
            if not items:
                break
            if key and depth == len(path) - 1:
                return items[-1].key.range
            expression = items[-1].value
        elif isinstance(expression, TupleExpr) and isinstance(part, int) and part < len(expression.items):
            expression = expression.items[part]
        else:
            break
    return expression.range
