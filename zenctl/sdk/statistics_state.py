"""Statistics as JSON text and back, so that those of a part of the data can be kept and merged later."""

from __future__ import annotations

import json
from typing import Any, Dict

from zenctl.sdk.distribution import from_data
from zenctl.sdk.snapshot_statistics import NumberStatistics, Statistics, TextStatistics

_NUMBERS = ("scale", "count", "finite", "nan", "infinite", "zeros", "total", "squares", "least", "greatest")
_TEXTS = ("count", "bytes", "shortest", "longest")


def to_text(statistics: Statistics) -> str:
    """The statistics as JSON text."""
    columns: Dict[str, Any] = {}
    for name, column in statistics.columns.items():
        if isinstance(column, NumberStatistics):
            numbers = [getattr(column, field) for field in _NUMBERS]
            columns[name] = {"numbers": numbers, "distribution": column.distribution.to_data()}
            continue
        columns[name] = {"texts": [getattr(column, field) for field in _TEXTS]}
        if column.values is None:
            columns[name]["skipped"] = column.skipped
        elif any(isinstance(value, bytes) for value in column.values):
            columns[name]["hex"] = [[value.hex(), count] for value, count in column.values.items()]
        else:
            columns[name]["values"] = list(column.values.items())
    return json.dumps({"rows": statistics.rows, "columns": columns}, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> Statistics:
    """The statistics that `to_text` was given. Raises KeyError, TypeError or ValueError for what it never gives."""
    data = json.loads(text)
    columns: Dict[str, Any] = {}
    for name, kept in data["columns"].items():
        if "numbers" in kept:
            numbers = dict(zip(_NUMBERS, kept["numbers"]))  # noqa: B905 - Python 3.9
            columns[name] = NumberStatistics(**numbers, distribution=from_data(kept["distribution"]))
            continue
        column = columns[name] = TextStatistics(**dict(zip(_TEXTS, kept["texts"])))  # noqa: B905 - Python 3.9
        if "hex" in kept:
            column.values = {bytes.fromhex(value): int(count) for value, count in kept["hex"]}
        elif "values" in kept:
            column.values = {str(value): int(count) for value, count in kept["values"]}
        else:
            column.values, column.skipped = None, bool(kept["skipped"])
    return Statistics(int(data["rows"]), columns)
