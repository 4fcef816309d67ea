"""Tells columns and rows of a small csv source apart, for plan to say what of it changed. Standard library only."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.schema import Csv
from zenctl.steps.data.unpacking import clear_bytes

PROFILE_BYTES = 8 << 20
"""Sources larger than this are not looked at row by row: plan must stay quick."""

_INT = re.compile(r"\s*-?\d{1,19}\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE)
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Profile:
    """Types by column, in the order of the source, and each row's digest and length, sorted (`rows_difference`)."""

    columns: dict[str, str]
    rows: bytes


def profile(files: Sequence[Path], names: Sequence[str], model: Csv) -> Profile | None:
    """The profile of files that have these columns; None for what the csv module takes to be no table.

    A row is known by its values by the columns' names, so that another order of columns, or other quotes, change none.
    Raises OSError.
    """
    order = sorted(range(len(names)), key=lambda at: names[at])
    kinds = [model.types.get(name, "") for name in names]
    rows: list[bytes] = []
    nulls = frozenset(model.null_values)
    try:
        for path in files:
            for record in _records(path, model):
                if len(record) != len(names):
                    return None
                for at, value in enumerate(record):
                    if kinds[at] != "string" and names[at] not in model.types and value not in nulls:
                        kinds[at] = _wider(kinds[at], value)
                text = "\x1f".join([record[at] for at in order]).encode()
                rows.append(blake2b(text, digest_size=8).digest() + (len(text) + 1).to_bytes(4, "big"))
    except (csv.Error, UnicodeDecodeError):
        return None
    return Profile(dict(zip(names, kinds, strict=True)), b"".join(sorted(rows)))


def _records(path: Path, model: Csv) -> Iterator[list[str]]:
    text = clear_bytes(path).removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    records = (record for record in csv.reader(io.StringIO(text, newline=""), delimiter=model.delimiter) if record)
    if model.header:
        next(records, None)
    yield from records


def _wider(kind: str, value: str) -> str:
    """The narrowest type from `kind` on that holds the value, too."""
    if kind in ("", "int") and _INT.fullmatch(value) and int(value) in _INT64:
        return "int"
    return "float" if _FLOAT.fullmatch(value) else "string"
