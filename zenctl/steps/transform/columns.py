"""Reads Arrow columns as serving would receive them: float32, int64 or text, with one marker for missing values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.diagnostics import did_you_mean
from zenctl.sdk import StepError
from zenctl.steps.transform.state import MISSING

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


def kind(type: Any) -> str | None:
    """What an Arrow type holds: `int64` (booleans too), `float32`, `string` or `bytes`; None for no single value."""
    if pa.types.is_boolean(type) or pa.types.is_integer(type):
        return "int64"
    if pa.types.is_floating(type) or pa.types.is_decimal(type) or pa.types.is_null(type):
        return "float32"
    if pa.types.is_dictionary(type):
        return kind(type.value_type)
    if pa.types.is_string(type) or pa.types.is_large_string(type):
        return "string"
    if pa.types.is_binary(type) or pa.types.is_large_binary(type):
        return "bytes"
    return None


UNTRANSFORMED = "It must have the type it had when the transform was fitted: give data of that kind, untransformed."


def column(batch: Any, name: str, wanted: str, where: str, hint: str = UNTRANSFORMED) -> Any:
    """One column of a record batch, checked to hold `wanted` (integers pass for float32). Raises StepError.

    `where` names the dataset in messages.
    """
    index = batch.schema.get_field_index(name)
    if index < 0:
        raise missing_column(name, batch.schema.names, where)
    found = kind(batch.schema.field(index).type)
    # A column without any value has no type of its own, and passes for every other.
    empty = pa.types.is_null(batch.schema.field(index).type)
    if not (empty or found == wanted or (found, wanted) == ("int64", "float32")):
        is_now = {"int64": "integers", "float32": "numbers", "string": "texts", "bytes": "bytes"}
        raise StepError(
            f'column "{name}" of {where} holds {is_now.get(found or "", str(batch.schema.field(index).type))}, '
            f"but {is_now[wanted]} were expected",
            hint,
        )
    return batch.column(index)


def missing_column(name: str, known: Iterable[str], where: str, role: str = "column") -> StepError:
    """The error for a column that is not there: names it, what is there, and the nearest name."""
    names = list(known)
    return StepError(
        f'{role} "{name}" is not in {where}',
        f"Its columns are {', '.join(names) or 'none'}.{did_you_mean(name, names)}",
    )


def numbers(values: Any) -> Float32:
    """A numeric column as float32 [rows]; missing values are NaN."""
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    cast = pc.fill_null(pc.cast(plain, pa.float64(), safe=False), float("nan"))
    # Overflow to infinity is meant: what float32 cannot hold counts as missing, as it does in serving.
    with np.errstate(over="ignore"):
        result: Float32 = np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64).astype(np.float32)
    return result


def tokens(values: Any, type: str, missing: Any) -> Any:
    """A column of integers or texts as an Arrow int64 or string array, its missing values replaced.

    The marker of a missing value, an empty text say, is missing too: a tensor cannot tell the two apart.
    """
    arrow_type = pa.int64() if type == "int64" else pa.string()
    marker = pa.scalar(MISSING[type], arrow_type)
    found = pc.fill_null(pc.cast(values, arrow_type), marker)
    return (
        found
        if missing == MISSING[type]
        else pc.if_else(pc.equal(found, marker), pa.scalar(missing, arrow_type), found)
    )


def raw(batch: Any, name: str, type: str, where: str) -> npt.NDArray[Any]:
    """One column as a served request would hold it: float32, int64 or object [rows], missing values marked.

    Objects are of str, or of bytes.
    """
    values = column(batch, name, type, where)
    if type == "float32":
        return numbers(values)
    if type == "bytes":
        return np.array([value or MISSING[type] for value in values.to_pylist()], dtype=object)
    found: npt.NDArray[Any] = np.asarray(tokens(values, type, MISSING[type]).to_numpy(zero_copy_only=False))
    return found


def concatenate(parts: Sequence[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    """One array of all parts; empty, but of the right type, if there are none."""
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)
