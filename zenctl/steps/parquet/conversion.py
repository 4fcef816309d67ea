"""Brings columns of Parquet files into the types that a data set holds: numbers, text and bytes. Pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zenctl.sdk.errors import StepError

_INT64_MAX = (1 << 63) - 1
_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


class Misfit(Exception):
    """A value cannot have the type that is wanted. `row` counts from 0 in the array."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


def kind_of(column: str, type: Any, file: str) -> str:
    """int, float, string or bytes for an Arrow type, "" where all values are missing. Raises StepError for others."""
    if pa.types.is_dictionary(type):
        return kind_of(column, type.value_type, file)
    if pa.types.is_integer(type) or pa.types.is_boolean(type) or pa.types.is_duration(type):
        return "int"
    if pa.types.is_floating(type):
        return "float"
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_decimal(type):
        return "string"
    if pa.types.is_temporal(type) and not pa.types.is_interval(type):
        return "string"
    if pa.types.is_binary(type) or pa.types.is_large_binary(type) or pa.types.is_fixed_size_binary(type):
        return "bytes"
    if pa.types.is_null(type):
        return ""
    hint = "A data set holds numbers, text and bytes: leave the column out with `columns`, or write one for each part."
    raise StepError(f'{file}: column "{column}" is of type {type}', hint, file=file)


def converted(name: str, array: Any, wanted: str) -> Any:
    """The array as int64, float64, string or binary; texts stay texts, to be read as numbers later. Raises Misfit."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    type = array.type
    if pa.types.is_null(type) or pa.types.is_string(type):
        return array
    if pa.types.is_large_string(type):
        return array.cast(pa.string())
    if pa.types.is_binary(type) or pa.types.is_large_binary(type) or pa.types.is_fixed_size_binary(type):
        return _from_bytes(name, array, wanted)
    if pa.types.is_temporal(type) or pa.types.is_decimal(type):
        array = _text(array) if wanted == "string" else _number(name, array, wanted)
    elif wanted == "string":
        array = array.cast(pa.float64() if pa.types.is_floating(type) else type).cast(pa.string())
    return array if pa.types.is_string(array.type) else _sized(name, array, wanted)


def misfits(name: str, array: Any, wanted: str) -> dict[int, str]:
    """Which values of the array cannot have the type, by row, and why."""
    try:
        converted(name, array, wanted)
    except Misfit as problem:
        if len(array) == 1:
            return {0: str(problem)}
    else:
        return {}
    middle = len(array) // 2
    found = misfits(name, array.slice(0, middle), wanted)
    return found | {middle + row: why for row, why in misfits(name, array.slice(middle), wanted).items()}


def _sized(name: str, array: Any, wanted: str) -> Any:
    """Numbers and booleans as int64 or float64."""
    if wanted == "float" or (wanted == "" and pa.types.is_floating(array.type)):
        return array.cast(pa.float64(), safe=False)
    if pa.types.is_boolean(array.type):
        return array.cast(pa.int8()).cast(pa.int64())
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    if pa.types.is_floating(array.type):
        return _refuse(name, array, pc.not_equal(array, pc.trunc(array)), "which is no whole number of 64 bits")
    return _refuse(
        name,
        array,
        pc.greater(array, pa.scalar(_INT64_MAX, array.type)),
        "which is larger than 64 bits with a sign can hold",
    )


def _from_bytes(name: str, array: Any, wanted: str) -> Any:
    plain = array.cast(pa.binary())
    if wanted not in ("string", "int", "float"):
        return plain
    try:
        return plain.cast(pa.string())
    except pa.ArrowInvalid:
        for row, value in enumerate(plain.to_pylist()):
            try:
                (value or b"").decode("utf-8")
            except UnicodeDecodeError:
                raise Misfit(
                    f'column "{name}" is declared as {wanted}, but holds bytes that are no UTF-8', row
                ) from None
        raise


def _text(array: Any) -> Any:
    """ISO 8601, times in UTC with a Z; decimals with all their digits."""
    type = array.type
    if pa.types.is_timestamp(type):
        text = pc.cast(array.cast(pa.timestamp(type.unit)), pa.string())
        text = pc.replace_substring(text, " ", "T", max_replacements=1)
        return pc.binary_join_element_wise(text, "Z", "") if type.tz else text
    return array.cast(pa.string())


def _number(name: str, array: Any, wanted: str) -> Any:
    """Days of a date; microseconds of a timestamp, time or duration; a decimal's value."""
    type = array.type
    if pa.types.is_decimal(type):
        if wanted == "float":
            return array.cast(pa.float64())
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return _refuse(name, array, _not_whole(array), "which is no whole number of 64 bits")
    if pa.types.is_date(type):
        return array.cast(pa.date32()).cast(pa.int32())
    if pa.types.is_time(type):
        target = pa.time64("us")
    else:
        target = pa.duration("us") if pa.types.is_duration(type) else pa.timestamp("us", type.tz)
    return (_micro(array.cast(pa.int64())) if type.unit == "ns" else array.cast(target)).cast(pa.int64())


def _micro(nanoseconds: Any) -> Any:
    """Whole microseconds, rounded down, also before 1970."""
    down = pc.divide(nanoseconds, 1000)
    below = pc.less(nanoseconds, pc.multiply(down, 1000))
    return pc.subtract(down, below.cast(pa.int8()).cast(pa.int64()))


def _not_whole(array: Any) -> Any:
    """Which decimals have a fraction, or do not fit into 64 bits."""
    whole = [
        value is None or (value == value.to_integral_value() and abs(value) <= _INT64_MAX)
        for value in array.to_pylist()
    ]
    return pc.invert(pa.array(whole, pa.bool_()))


def _refuse(name: str, array: Any, wrong: Any, why: str) -> Any:
    """Raise Misfit for the first value that is wrong; one that only its size makes wrong is found by its cast."""
    row = pc.index(wrong, True).as_py()
    if row < 0:
        row = next(at for at, value in enumerate(array) if value.is_valid and not abs(value.as_py()) <= _INT64_MAX)
    raise Misfit(f'column "{name}" holds {array[row].as_py()}, {why}', row)
