"""Brings columns of the Storage Read API into those of a data set, and digests them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.steps.parquet.conversion import converted

ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "bytes": pa.binary()}


def columns_of(batch: Any, kinds: Mapping[str, str]) -> list[Any]:
    """The columns of these names in this order; texts stay texts. Raises Misfit for a value that does not fit."""
    return [_column(name, batch.column(batch.schema.get_field_index(name)), kind) for name, kind in kinds.items()]


def _column(name: str, array: Any, kind: str) -> Any:
    if pa.types.is_decimal(array.type) and kind == "string":
        return _digits(array)
    if pa.types.is_interval(array.type):
        return pa.array([None if v is None else _interval(v) for v in array.to_pylist()], pa.string())
    return converted(name, array, kind)


def _digits(array: Any) -> Any:
    """All digits of decimals as BigQuery writes them: without zeros at the end."""
    text = array.cast(pa.string())
    # Small values come as 1E-9.
    if pc.any(pc.match_substring(text, "E")).as_py():
        return pa.array([None if v is None else _plain(v) for v in array.to_pylist()], pa.string())
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    return pc.if_else(pc.match_substring(text, "."), trimmed, text)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _interval(value: Any) -> str:
    """`Y-M D H:M:S.F`, as BigQuery writes an interval."""
    months, days, nanoseconds = value
    year, month = divmod(abs(months), 12)
    micro = abs(nanoseconds) // 1000
    seconds, fraction = divmod(micro, 1_000_000)
    clock = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}"
    clock += f".{fraction:06}".rstrip("0") if fraction else ""
    signs = ["-" if part < 0 else "" for part in (months, nanoseconds)]
    return f"{signs[0]}{year}-{month} {days} {signs[1]}{clock}"


def key_of(batch: Any, name: str) -> Any:
    """The values of the partitioning column as int64, in their order."""
    column = batch.column(batch.schema.get_field_index(name))
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).cast(pa.int64())
    return column.cast(pa.int64())


def digest_of(batches: Iterable[Any]) -> str:
    """SHA-256 of the values of batches of int64, float64, string and binary, however they are cut."""
    hashers: list[Any] = []
    for batch in batches:
        hashers = hashers or [hashlib.sha256() for _ in range(batch.num_columns * 2)]
        for at, column in enumerate(batch.columns):
            # Lengths, and which are missing, are hashed apart: so no value can be taken for another.
            shape, content = hashers[2 * at], hashers[2 * at + 1]
            missing = column.is_null().to_numpy(zero_copy_only=False)
            if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
                plain = column.cast(pa.binary()).fill_null(b"")
                lengths = np.where(missing, -1, pc.binary_length(plain).to_numpy(zero_copy_only=False))
                shape.update(lengths.astype("<i8").tobytes())
                content.update(_joined(plain))
                continue
            shape.update(missing.astype("u1").tobytes())
            numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
            content.update(numbers.astype("<f8" if pa.types.is_floating(column.type) else "<i8").tobytes())
    return hashlib.sha256(b"".join(hasher.digest() for hasher in hashers)).hexdigest()


def _joined(plain: Any) -> bytes:
    """All bytes of a binary column without missing values, one value after the other."""
    _, offsets, data = plain.buffers()
    if data is None or not len(plain):
        return b""
    bounds = np.frombuffer(offsets, dtype=np.int32)[plain.offset : plain.offset + len(plain) + 1]
    return bytes(memoryview(data)[bounds[0] : bounds[-1]])
