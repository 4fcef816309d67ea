"""Tells in words how columns of data moved, as documents have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zenctl.cli.views.style import plural, printable
from zenctl.engine.metrics import is_number

WORTH_TELLING = 0.01
"""Columns that moved by less are counted: a few rows more move every column a little."""


def mover_lines(drift: Mapping[str, Any]) -> Iterator[str]:
    """Of `drift` in a reason's data: the columns that moved farthest, a line each, and how many moved besides.

    Nothing if all of them hardly moved.
    """
    told = [item for item in drift["movers"] if _is_worth_telling(item)]
    for item in told:
        yield f"{printable(item['feature'])}: {moved_by(item)}"
    rest = int(drift["columns"]) - len(told)
    if told and rest:
        yield f"and {plural(rest, 'column')} that moved less"


def _is_worth_telling(item: Mapping[str, Any]) -> bool:
    return bool(item["distance"] >= WORTH_TELLING or item["change"] or item["new_values"] or item["gone_values"])


def moved_by(item: Mapping[str, Any]) -> str:
    """How a column moved, in words."""
    if item["change"] in ("new", "gone"):
        return f"column is {item['change']}"
    words = [f"type {item['change']}"] if item["change"] else []
    if item["measure"] in ("KS", "JS"):
        words.append(f"moved by {item['distance']:.3f} ({item['measure']})")
    mean = item["mean"]["before"], item["mean"]["after"]
    if is_number(mean[0]) and is_number(mean[1]) and mean[0] != mean[1]:
        words.append(f"mean {mean[0]:.6g} -> {mean[1]:.6g}")
    missing = [f"{item['missing'][side]:.1%}" for side in ("before", "after")]
    if missing[0] != missing[1]:
        words.append(f"missing {missing[0]} -> {missing[1]}")
    for values, said in ((item["new_values"], "new"), (item["gone_values"], "gone")):
        if values:
            words.append(f"{said}: {', '.join(_quoted(value) for value in values)}")
    return ", ".join(words)


def _quoted(value: str, limit: int = 24) -> str:
    shown = value if len(value) <= limit else f"{value[:limit]}..."
    return f'"{printable(shown)}"'
