"""Parses blocks of JSON lines into Arrow columns: by Arrow where it reads what the slow reader would, else slowly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.data.narrowing import cast
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.jsonl.kinds import COLUMN, together
from zenctl.steps.jsonl.lines import kind_of, rows_of, rows_or_problems, text_of

_ARROW = {"": pa.null(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "string": pa.string()}
_INT64_MAX = (1 << 63) - 1


class Misfit(Exception):
    """A value does not have its column's declared type. `row` counts from 0 in the block."""

    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True)
class Columns:
    """What blocks are read into: kinds and wanted types by name, in order. `nested`: lists and objects become text."""

    kinds: Mapping[str, str]
    types: Mapping[str, str]
    nested: bool

    @property
    def plain(self) -> bool:
        """Whether no column needs the text of its values as it is written."""
        return all(
            kind in _ARROW and not (kind == "float" and self.types[name] == "string")
            for name, kind in self.kinds.items()
        )


def kinds_of(data: bytes) -> dict[str, str]:
    """Kinds by key, in the order in which they come first. Raises FileProblem with lines counted from 1."""
    table = _quick(data, None)
    quick = _kinds_in(table) if table is not None else None
    if quick is not None:
        return quick
    kinds: dict[str, str] = {}
    for _, row in rows_of(data, 1):
        for name, value in row.items():
            kinds[name] = together(kinds.get(name, ""), kind_of(value))
    return kinds


def good_kinds_of(data: bytes, declared: Mapping[str, str], *, nested: bool) -> dict[str, str]:
    """Kinds by key of the lines that are not bad, in the order in which they come first."""
    table = _quick(data, None)
    quick = _kinds_in(table) if table is not None else None
    if quick is not None and all(_all_have(table, name, type) for name, type in declared.items() if name in quick):
        return quick
    kinds: dict[str, str] = {}
    for _, _, row in rows_or_problems(data, declared, nested=nested):
        if not isinstance(row, str):
            for name, value in row.items():
                kinds[name] = together(kinds.get(name, ""), kind_of(value))
    return kinds


def _kinds_in(table: Any) -> dict[str, str] | None:
    """Kinds by key as Arrow found them, or None if the lines tell more of them."""
    found = {field.name: _kind(field.type) for field in table.schema}
    return None if None in found.values() else {name: str(kind) for name, kind in found.items()}


def _all_have(table: Any, name: str, type: str) -> bool:
    """Whether all values that Arrow read can be brought into a declared type."""
    if type == "string":
        return not pa.types.is_nested(table.column(name).type)
    try:
        array = _as(name, table.column(name).combine_chunks(), type)
    except (Misfit, pa.ArrowException):
        return False
    return not pa.types.is_string(array.type) or cast(array, type) is not None


def salvage(
    data: bytes, columns: Columns, declared: Mapping[str, str]
) -> tuple[pa.RecordBatch, list[tuple[int, int, bytes, str]]]:
    """The rows of a block that are not bad, and of each bad one: its number, its line, its text and what is wrong.

    Numbers and lines count from 0, in the block.
    """
    quick = _quick_columns(data, columns)
    if quick is not None:
        try:
            batch = _batch(quick, columns)
            if not _mixed(batch, declared):
                return batch, []
        except Misfit:
            pass
    good: list[dict[str, Any]] = []
    bad: list[tuple[int, int, bytes, str]] = []
    for number, (line, text, row) in enumerate(rows_or_problems(data, declared, nested=columns.nested)):
        if isinstance(row, str):
            bad.append((number, line, text, row))
        else:
            good.append(row)
    return _batch(_listed(((0, row) for row in good), columns), columns), bad


def _mixed(batch: pa.RecordBatch, declared: Mapping[str, str]) -> bool:
    """Whether a column of texts that is declared as numbers holds a text that is none."""
    texts = {name: column for name, column in zip(batch.schema.names, batch.columns, strict=True) if declared.get(name)}
    return any(
        pa.types.is_string(column.type) and cast(column, declared[name]) is None for name, column in texts.items()
    )


def parse(data: bytes, columns: Columns) -> pa.RecordBatch:
    """The rows of a block: int64, float64 and strings. Raises FileProblem, lines counted from 1, and Misfit."""
    found = _quick_columns(data, columns)
    return _batch(_listed(rows_of(data, 1), columns) if found is None else found, columns)


def _quick_columns(data: bytes, columns: Columns) -> dict[str, Any] | None:
    """Columns as Arrow reads them, or None if the slow reader must."""
    table = _quick(data, pa.schema([(n, _ARROW[k]) for n, k in columns.kinds.items()])) if columns.plain else None
    if table is None or set(table.schema.names) != set(columns.kinds):
        return None
    return {name: table.column(name).combine_chunks() for name in columns.kinds}


def _batch(found: Mapping[str, Any], columns: Columns) -> pa.RecordBatch:
    arrays = [_as(name, found[name], columns.types[name]) for name in columns.kinds]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns.kinds))


def _quick(data: bytes, schema: Any) -> pa.Table | None:
    """All rows as Arrow reads them, or None where it may differ from the slow reader, or refuses them."""
    text = data.removeprefix(BYTE_ORDER_MARK)
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    begun = text.count(b"\n{") + text.startswith(b"{")
    ended = text.count(b"}\n") + text.count(b"}\r\n") + text.endswith(b"}")
    # One object a line: Arrow would take objects over several lines, and several on one, too.
    if not begun == ended == lines:
        return None
    try:
        text.decode("utf-8")
        table = pj.read_json(
            pa.BufferReader(text),
            pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            pj.ParseOptions(explicit_schema=schema),
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    odd = any(
        pa.types.is_floating(column.type) and pc.any(pc.is_inf(column), min_count=0).as_py() for column in table.columns
    )
    return table if table.num_rows == lines and not odd else None


def _kind(type: Any) -> str | None:
    if pa.types.is_temporal(type):
        # Arrow takes texts that are ISO 8601 for timestamps; they are read as what they are.
        return "string"
    if pa.types.is_nested(type):
        return "nested"
    return next((kind for kind, wanted in _ARROW.items() if wanted == type), None)


def _listed(rows: Iterable[tuple[int, dict[str, Any]]], columns: Columns) -> dict[str, Any]:
    """Columns of rows, each given with its line. Raises FileProblem."""
    values: dict[str, list[Any]] = {name: [] for name in columns.kinds}
    makers = {name: _maker(kind, columns.types[name]) for name, kind in columns.kinds.items()}
    for line, row in rows:
        for name, column in values.items():
            value = row.get(name)
            if isinstance(value, (dict, list)) and not columns.nested:
                raise nested(name, line)
            column.append(None if value is None else makers[name](value))
    return {
        name: pa.array(column, pa.string() if makers[name] is text_of else _ARROW[columns.kinds[name]])
        for name, column in values.items()
    }


def nested(name: str, line: int) -> FileProblem:
    """What is told of a list or an object as a value."""
    hint = 'Write one value for each key, or keep it as JSON text: nested = "text".'
    return FileProblem(f'"{name}" holds a list or an object', hint, line)


def _maker(kind: str, wanted: str) -> Any:
    """From a value of the slow reader to one that Arrow takes."""
    if kind not in _ARROW or (kind == "float" and wanted == "string"):
        return text_of
    return {"int": int, "float": float, "bool": bool}.get(kind, text_of)


def _as(name: str, array: Any, wanted: str) -> Any:
    """Numbers as int64 or float64, or as text; texts stay texts, to be read as numbers later."""
    if pa.types.is_string(array.type) or pa.types.is_null(array.type):
        return array
    if wanted == "string":
        return array.cast(pa.string())
    if wanted == "float":
        return array.cast(pa.int8() if pa.types.is_boolean(array.type) else array.type).cast(pa.float64(), safe=False)
    if pa.types.is_boolean(array.type):
        return array.cast(pa.int8()).cast(pa.int64())
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        values = array.to_pylist()
        row = next(at for at, v in enumerate(values) if v is not None and not (v == v // 1 and abs(v) <= _INT64_MAX))
        raise Misfit(f'column "{name}" is declared as int, but holds {values[row]!r}', row) from None


def column_types(kinds: Mapping[str, str], declared: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """The type of each column: as declared, or what holds its kind."""
    return {name: declared.get(name, COLUMN.get(kinds[name], "")) for name in names}
