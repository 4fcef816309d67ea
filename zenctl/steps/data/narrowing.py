"""Gives columns of texts the narrowest type that holds all their values: int, else float, else string. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.sdk.tables import feature_type

ORDER = ("", "int", "float", "string", "bytes")
"""From narrow to wide; "" is the type of a column without any value so far."""
_STRING = ORDER.index("string")
_HEAD = 32
"""Values that are tried before all of a column are: most that do not fit show it at once."""

_ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.string()}


class Unfit(Exception):
    """A value does not have its column's declared type. `row` counts from 0 in the batch."""

    def __init__(self, column: str, type: str, value: str, row: int) -> None:
        super().__init__(f'column "{column}" is declared as {type}, but holds {value!r}')
        self.column = column
        self.row = row


def wider(batch: pa.RecordBatch, types: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """The types that hold this batch, too: those of `types`, or wider ones. Columns that are declared stay so."""
    found = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in declared:
            found[name] = declared[name]
        elif _is_text(column):
            text, at = column.cast(pa.string()), ORDER.index(types.get(name, ""))
            while at < _STRING and not _fits(text, ORDER[at]):
                at += 1
            found[name] = ORDER[at]
        else:
            found[name] = _wider(types.get(name, ""), feature_type(name, column.type, "the source"))
    return found


def widest(several: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, str]:
    """The types that hold what each of these do, by column."""
    found = dict.fromkeys(names, "")
    for types in several:
        for name in names:
            found[name] = _wider(found[name], types[name])
    return found


def convert(batch: pa.RecordBatch, types: Mapping[str, str]) -> pa.RecordBatch:
    """The batch with its texts in these types ("" gives nulls); raises Unfit for the first value of another one."""
    arrays = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not _is_text(column):
            arrays.append(column.cast(pa.string()) if types[name] == "string" else column)
            continue
        text = column.cast(pa.string())
        array = text.cast(pa.binary()) if types[name] == "bytes" else cast(text, types[name])
        if array is None:
            row = _first_unfit(text, types[name])
            raise Unfit(name, types[name], text[row].as_py(), row)
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def fitting(batch: pa.RecordBatch, declared: Mapping[str, str]) -> tuple[pa.RecordBatch, dict[int, str]]:
    """The rows whose texts have their columns' declared types, in these types; and why not, by row, of the others."""
    numbers = {name: type for name, type in declared.items() if type in ("int", "float")}
    found, wrong = {}, dict[int, str]()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name not in numbers or not _is_text(column):
            continue
        text = column.cast(pa.string())
        found[name] = cast(text, numbers[name])
        if found[name] is None:
            for row in _unfit(text, numbers[name], 0, len(text)):
                wrong.setdefault(row, str(Unfit(name, numbers[name], text[row].as_py(), row)))
    if wrong:
        left = np.ones(batch.num_rows, dtype=np.bool_)
        left[list(wrong)] = False
        batch = batch.filter(pa.array(left))
        found = {name: cast(batch.column(name).cast(pa.string()), numbers[name]) for name in found}
    arrays = [found.get(name, column) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names), wrong


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


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _wider(one: str, other: str) -> str:
    return max(one, other, key=ORDER.index)


def _fits(column: Any, type: str) -> bool:
    if len(column) > _HEAD and cast(column.slice(0, _HEAD), type) is None:
        return False
    return cast(column, type) is not None


def _may_be_hexadecimal(column: Any) -> bool:
    """Arrow reads 0x10 as an integer, but not as a float; here it is neither."""
    offsets = column.buffers()[1]
    first, last = (memoryview(offsets).cast("i")[column.offset + at] for at in (0, len(column)))
    text = column.buffers()[2].slice(first, last - first).to_pybytes()
    return b"x" in text or b"X" in text


def _unfit(column: Any, type: str, begin: int, end: int) -> Iterator[int]:
    """The texts that do not have the type, of a stretch in which at least one does not."""
    if end - begin == 1:
        yield begin
        return
    middle = (begin + end) // 2
    for low, high in ((begin, middle), (middle, end)):
        if cast(column.slice(low, high - low), type) is None:
            yield from _unfit(column, type, low, high)


def _first_unfit(column: Any, type: str) -> int:
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if cast(column.slice(low, middle - low), type) is None:
            high = middle
        else:
            low = middle
    return low
