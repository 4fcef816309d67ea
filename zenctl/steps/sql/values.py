"""Brings values that databases give into those of a data set, and digests rows whatever their order."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.sql.connecting import FETCHED, DatabaseProblem

_TYPES = {"int": "int", "float": "float", "str": "string", "bytes": "bytes"}
_PLAIN = {int, float, str, bytes, type(None)}
_WIDTH = 16
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Seen:
    """What rows are made of: their columns' types, how many there are, their bytes, and a digest of them as a set."""

    types: Mapping[str, str]
    rows: int
    bytes: int
    total: int

    @property
    def digest(self) -> str:
        """Equal for equal rows in any order."""
        return f"{self.rows}-{self.total:032x}"


def plain(value: Any) -> Any:
    """A value as int, float, str, bytes or None. Raises TypeError for any other."""
    if value is None or isinstance(value, (str, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID, datetime.timedelta)):
        return format(value, "f") if isinstance(value, decimal.Decimal) and value.is_finite() else str(value)
    raise TypeError(type(value).__name__)


def look(names: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], declared: Mapping[str, str]) -> Seen:
    """Read all rows once. Raises DatabaseProblem for a value that no column can hold, and for columns that mix."""
    types, rows, size, total = dict.fromkeys(names, ""), 0, 0, 0
    for batch in batches:
        for name, column in zip(names, zip(*batch, strict=True), strict=True):
            if name not in declared:
                types[name] = together(name, types[name], _type(name, column))
        for row in batch:
            # The notation of plain values tells their types apart, too.
            text = repr(tuple(row)).encode("utf-8", "surrogatepass")
            total += int.from_bytes(blake2b(text, digest_size=_WIDTH).digest(), "big")
            size += len(text)
        rows += len(batch)
    types |= {name: declared[name] for name in names if name in declared}
    return Seen(types, rows, size, total % (1 << 128))


def merged(several: Sequence[Seen]) -> Seen:
    """All of these rows together. Raises DatabaseProblem for a column that mixes types."""
    types: dict[str, str] = {}
    for seen in several:
        for name, type in seen.types.items():
            types[name] = together(name, types.get(name, ""), type)
    total = sum(seen.total for seen in several) % (1 << 128)
    return Seen(types, sum(seen.rows for seen in several), sum(seen.bytes for seen in several), total)


def together(name: str, one: str, other: str) -> str:
    """The type that holds values of both."""
    if one == other or "" in (one, other):
        return one or other
    if {one, other} == {"int", "float"}:
        return "float"
    hint = f'Cast it in the query, or declare it: types = {{ {name} = "string" }}.'
    raise DatabaseProblem(f'column "{name}" holds {one} in some rows and {other} in others', hint)


def _type(name: str, column: Sequence[Any]) -> str:
    """The type that holds all values of a column."""
    found = ""
    for kind in sorted({type(value).__name__ for value in column} - {"NoneType"}):
        found = together(name, found, _TYPES[kind])
    if found in ("int", "float"):
        whole = [value for value in column if type(value) is int]
        beyond = next((v for v in (min(whole), max(whole)) if v not in _INT64), None) if whole else None
        if beyond is not None:
            raise DatabaseProblem(f'column "{name}" holds {beyond}, which is beyond 64 bits', "Cast it in the query.")
    return found


def fetched(result: Any, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of plain values, some thousand at a time. Raises DatabaseProblem for a value of another kind."""
    while rows := result.fetchmany(FETCHED):
        columns = list(zip(*rows, strict=True))
        for at, column in enumerate(columns):
            if set(map(type, column)) <= _PLAIN:
                continue
            try:
                columns[at] = tuple(plain(value) for value in column)
            except TypeError as problem:
                hint = "Cast it in the query to a number, text or bytes, or leave it out."
                raise DatabaseProblem(f'column "{names[at]}" holds a {problem}', hint) from problem
        yield list(zip(*columns, strict=True))
