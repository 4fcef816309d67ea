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

_ORDER = ("", "int", "float", "string", "bytes")
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
        for row in batch:
            for name, value in zip(names, row, strict=True):
                if value is not None and name not in declared:
                    types[name] = _wider(name, types[name], value)
            text = "\x1f".join("-" if v is None else f"{type(v).__name__}{v!r}" for v in row).encode(
                "utf-8", "surrogatepass"
            )
            total += int.from_bytes(blake2b(text, digest_size=_WIDTH).digest(), "big")
            size += len(text)
        rows += len(batch)
    return Seen(
        {**types, **{name: declared[name] for name in names if name in declared}}, rows, size, total % (1 << 128)
    )


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


def _wider(name: str, known: str, value: Any) -> str:
    if isinstance(value, int):
        if value not in _INT64:
            raise DatabaseProblem(f'column "{name}" holds {value}, which is beyond 64 bits', "Cast it in the query.")
        own = "int"
    else:
        own = {"float": "float", "str": "string", "bytes": "bytes"}[type(value).__name__]
    return known if known == own else together(name, known, own)


def fetched(result: Any, names: Sequence[str]) -> Iterator[list[list[Any]]]:
    """Rows of plain values, some thousand at a time. Raises DatabaseProblem for a value of another kind."""
    while rows := result.fetchmany(FETCHED):
        batch = []
        for row in rows:
            try:
                batch.append([plain(value) for value in row])
            except TypeError as problem:
                name = next(n for n, value in zip(names, row, strict=True) if type(value).__name__ == str(problem))
                hint = "Cast it in the query to a number, text or bytes, or leave it out."
                raise DatabaseProblem(f'column "{name}" holds a {problem}', hint) from problem
        yield batch
