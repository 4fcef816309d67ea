"""Gives columns of strings the narrowest type that holds all their values: int, else float, else string. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ORDER = ("", "int", "float", "string")
"""From narrow to wide; "" is the type of a column without any value so far."""

_ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.string()}


class Unfit(Exception):
    """A value does not have its column's declared type. `row` counts from 0 in the batch."""

    def __init__(self, column: str, type: str, value: str, row: int) -> None:
        super().__init__(f'column "{column}" is declared as {type}, but holds {value!r}')
        self.column = column
        self.row = row


def widen(batch: pa.RecordBatch, types: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """The types that hold this batch, too: those of `types`, or wider ones. Never narrower than `declared`."""
    found = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        at = ORDER.index(types.get(name, ""))
        while name not in declared and ORDER[at] != "string" and cast(column, ORDER[at]) is None:
            at += 1
        found[name] = declared.get(name, ORDER[at])
    return found


def convert(batch: pa.RecordBatch, types: Mapping[str, str]) -> pa.RecordBatch:
    """The batch in these types ("" gives nulls); raises Unfit for the first value that has another one."""
    arrays = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        array = cast(column, types[name])
        if array is None:
            row = _first_unfit(column, types[name])
            raise Unfit(name, types[name], column[row].as_py(), row)
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def cast(column: Any, type: str) -> Any | None:
    """A column of strings in a type, or None if a value does not have it. Spaces around numbers do not count."""
    if type == "string":
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), _ARROW.get(type, pa.null()))
    if type == "" or (type == "int" and _may_be_hexadecimal(column)):
        return None
    try:
        return pc.cast(column, _ARROW[type])
    except pa.ArrowInvalid:
        pass
    try:
        return pc.cast(pc.utf8_trim_whitespace(column), _ARROW[type])
    except pa.ArrowInvalid:
        return None


def _may_be_hexadecimal(column: Any) -> bool:
    """Arrow reads 0x10 as an integer, but not as a float; here it is neither."""
    offsets = column.buffers()[1]
    first, last = (memoryview(offsets).cast("i")[column.offset + at] for at in (0, len(column)))
    text = column.buffers()[2].slice(first, last - first).to_pybytes()
    return b"x" in text or b"X" in text


def _first_unfit(column: Any, type: str) -> int:
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if cast(column.slice(low, middle - low), type) is None:
            high = middle
        else:
            low = middle
    return low
