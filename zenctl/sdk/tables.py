"""Brings what a step writes (tables, batches, data frames, dict rows) into a Dataset's types, or says what is wrong."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.sdk.errors import StepError

ROWS_AT_ONCE = 4096
"""Dict rows gathered before they become columns."""

_STORED = {"int": pa.int64(), "float": pa.float32(), "string": pa.large_string(), "bytes": pa.large_binary()}

_HINTS = {
    "list": "A Dataset holds one value per row and column: write one column for each element.",
    "struct": "A Dataset holds one value per row and column: write one column for each field.",
    "timestamp": "Write it as text (ISO 8601) or as a whole number of seconds.",
    "date": "Write it as text (ISO 8601) or as a whole number of days.",
    "time": "Write it as text or as a whole number.",
    "duration": "Write it as a whole number of seconds.",
    "decimal": "Write it as a string, or as a float where 7 digits are enough.",
}


def batches(data: Any, what: str, known: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The data as record batches, types as they came. Raises StepError, in which `what` names the output.

    `known` holds the columns settled so far (it may grow while this iterates): dict rows may lack any of them.
    """
    if isinstance(data, pa.RecordBatch):
        yield data
    elif isinstance(data, pa.Table):
        yield from data.to_batches() or [pa.RecordBatch.from_pylist([], schema=data.schema)]
    elif isinstance(data, pa.RecordBatchReader):
        yield from data
    elif type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns"):
        yield from _from_pandas(data, what, known)
    elif isinstance(data, Mapping):
        yield from _from_rows([data], what, known)
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        yield from _from_iterable(iter(data), what, known)
    else:
        hint = "Write a pyarrow Table or RecordBatch, a pandas DataFrame, or an iterable of dicts."
        raise StepError(f"{what}: cannot write a {type(data).__name__}", hint, kind="user_error")


def feature_type(column: str, type: Any, what: str) -> str:
    """The type of feature that holds an Arrow type: int, float, string, bytes, or "" for all-null columns."""
    if pa.types.is_dictionary(type):
        return feature_type(column, type.value_type, what)
    if pa.types.is_integer(type) or pa.types.is_boolean(type):
        return "int"
    if pa.types.is_floating(type):
        return "float"
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return "string"
    if pa.types.is_binary(type) or pa.types.is_large_binary(type) or pa.types.is_fixed_size_binary(type):
        return "bytes"
    if pa.types.is_null(type):
        return ""
    hint = next((hint for kind, hint in _HINTS.items() if kind in str(type)), "Write numbers or strings.")
    raise StepError(f'{what}: column "{column}" is of type {type}', hint, kind="user_error")


def unify(batch: pa.RecordBatch, types: Mapping[str, str], what: str) -> pa.RecordBatch:
    """The batch with the columns of `types` (feature types by name), in that order and in stored types.

    An integer goes where a float is expected, nulls go anywhere. Raises StepError naming the column that is missing,
    unknown, or of another type.
    """
    names = batch.schema.names
    for name in names:
        if name not in types:
            hint = f"Columns were settled by the first write: {_listed(types)}."
            raise StepError(f'{what}: unexpected column "{name}"', hint, kind="user_error")
    arrays = []
    for name, wanted in types.items():
        if name not in names:
            message = f'{what}: column "{name}" is missing, which the first write had'
            raise StepError(message, "Write the same columns each time; None stands for no value.", kind="user_error")
        arrays.append(stored(name, batch.column(names.index(name)), wanted, what))
    return pa.RecordBatch.from_arrays(arrays, names=list(types))


def stored(name: str, array: Any, wanted: str, what: str) -> Any:
    """One column in the stored type of feature type `wanted`: int64, float32, large_string, large_binary."""
    found = feature_type(name, array.type, what)
    if wanted == "":
        return pa.nulls(len(array))
    if found == "":
        return pa.nulls(len(array), _STORED[wanted])
    if found != wanted and (found, wanted) not in {("int", "float"), ("string", "bytes")}:
        hint = "Types are settled by the first write"
        hint += ": write floats (1.0, not 1) from the start." if (found, wanted) == ("float", "int") else "."
        raise StepError(f'{what}: column "{name}" is {wanted}, but now {found}', hint, kind="user_error")
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if wanted == "float" and pa.types.is_floating(array.type):
        return _as_float32(array)
    try:
        return array.cast(_STORED[wanted], safe=wanted != "float")
    except pa.ArrowInvalid as error:
        raise StepError(f'{what}: column "{name}": {error}', kind="user_error") from error


def _as_float32(array: Any) -> Any:
    if array.type == pa.float32():
        return array
    if array.type == pa.float16():
        return array.cast(pa.float32())
    with np.errstate(over="ignore"):
        values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float32)
    missing = None if not array.null_count else pc.is_null(array).to_numpy(zero_copy_only=False)
    return pa.array(values, pa.float32(), mask=missing)


def _from_pandas(frame: Any, what: str, known: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    for column in frame.columns:
        if not isinstance(column, str):
            hint = "frame.columns = [str(c) for c in frame.columns]"
            raise StepError(f"{what}: column names must be strings, not {column!r}", hint, kind="user_error")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise StepError(f"{what}: {'; '.join(map(str, error.args))}", kind="user_error") from error
    yield from batches(table, what, known)


def _from_iterable(data: Iterator[Any], what: str, known: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    first = next(data, None)
    if first is None:
        return
    if not isinstance(first, Mapping):
        for part in chain([first], data):
            if isinstance(part, (Mapping, str, bytes)):
                raise StepError(f"{what}: rows and tables are mixed", "Write them separately.", kind="user_error")
            yield from batches(part, what, known)
        return
    rows = chain([first], data)
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        yield from _from_rows(chunk, what, known)


def _from_rows(rows: List[Any], what: str, known: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """Columns from dict rows; a key that a row lacks is a missing value."""
    names: Dict[str, None] = dict.fromkeys(known)
    for row in rows:
        if not isinstance(row, Mapping):
            raise StepError(f"{what}: a row is a {type(row).__name__}, not a dict", kind="user_error")
        names.update(dict.fromkeys(row))
    for name in names:
        if not isinstance(name, str):
            raise StepError(f"{what}: column names must be strings, not {name!r}", kind="user_error")
    arrays = [_array(name, [row.get(name) for row in rows], what) for name in names]
    yield pa.RecordBatch.from_arrays(arrays, names=list(names))


def _array(name: str, values: List[Any], what: str) -> Any:
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        kinds = _kinds(plain)
        if kinds <= {"int", "float", "bool"}:
            try:
                return pa.array([None if value is None else float(value) for value in plain], pa.float64())
            except OverflowError:
                pass
        if len(kinds) > 1:
            hint = "Give every row the same type, or turn the values into strings."
            message = f'{what}: column "{name}" mixes {" and ".join(sorted(kinds))}'
            raise StepError(message, hint, kind="user_error") from error
        raise StepError(f'{what}: column "{name}": {error}', kind="user_error") from error


def _kinds(values: List[Any]) -> "set[str]":
    return {type(value).__name__ for value in values if value is not None}


def _listed(names: Iterable[str], limit: int = 12) -> str:
    known = list(names)
    return ", ".join(known[:limit]) + (f" and {len(known) - limit} more" if len(known) > limit else "")


def fill_types(types: Optional[Dict[str, str]], batch: pa.RecordBatch, what: str) -> Dict[str, str]:
    """The types after this batch: those of a first batch, and those that were open because all values were null."""
    if types is None:
        repeated = [name for name in batch.schema.names if batch.schema.names.count(name) > 1]
        if repeated:
            raise StepError(f'{what}: two columns are named "{repeated[0]}"', kind="user_error")
        types = dict.fromkeys(batch.schema.names, "")
    for name, known in types.items():
        if not known and name in batch.schema.names:
            types[name] = feature_type(name, batch.schema.field(name).type, what)
    return types
