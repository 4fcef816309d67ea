"""Looks at a parquet source for plan: digest, bytes, rows and columns. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.data.files import find_files, shown, source_digest
from zenctl.steps.data.observing import empty, facts_of, other_columns, scan_bytes, unknown_columns
from zenctl.steps.parquet.footer import read_footer
from zenctl.steps.parquet.schema import Parquet

NAMES = ("*.parquet", "*.pq")
FORM = "parquet-1"
"""Counts changes of what `_scan` gives."""
ORDER = ("", "int", "float", "string", "bytes")


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_header,
    source_column, source_unsupported.
    """
    if not isinstance(model, Parquet):
        raise TypeError(f"observe takes the block of a parquet datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "parquet", NAMES)
    facts = facts_of(files.values(), root, cache, FORM, _scan)
    columns: list[dict[str, str]] = [dict(found["columns"]) for found in facts]
    types = merged_types(model, [shown(path, root) for path in files.values()], columns)
    rows = sum(found["rows"] for found in facts)
    if rows == 0:
        raise empty(model.path)
    locations = {name: str(path.absolute()) for name, path in files.items()}
    digest = source_digest("parquet", [found["sha256"] for found in facts])
    return SourceState(digest, sum(found["bytes"] for found in facts), rows, locations, types)


def merged_types(model: Parquet, names: list[str], columns: list[dict[str, str]]) -> dict[str, str]:
    """Types by column of files with these names and columns. Raises DiagnosticError for what does not fit together."""
    problems = _problems(model, names, columns)
    if problems:
        raise DiagnosticError(*problems)
    return {
        name: str(model.types.get(name, "")) or max((found[name] for found in columns), key=ORDER.index)
        for name in model.columns or columns[0]
    }


def _scan(path: Path) -> Mapping[str, Any]:
    footer = read_footer(path)
    return {**scan_bytes(path), "rows": footer.rows, "columns": [list(column) for column in footer.columns]}


def _problems(model: Parquet, names: list[str], columns: list[dict[str, str]]) -> list[Diagnostic]:
    first = columns[0]
    problems = unknown_columns("columns", model.columns, list(first))
    wanted = model.columns or list(first)
    problems += unknown_columns("types", model.types, wanted)
    twice = next((name for at, name in enumerate(wanted) if name in wanted[:at]), None)
    if twice is not None:
        problems.append(error("source_column", f'columns names "{twice}" twice', "Name each column once."))
    for name, found in zip(names, columns, strict=True):
        if (set(found) if not model.columns else set(wanted) & set(found)) != set(wanted) and not problems:
            problems.append(other_columns(name, found, names[0], wanted))
            continue
        for column in wanted:
            if found.get(column) == "nested":
                problems.append(nested(name, column))
            elif column in found and column not in model.types and not together(found[column], first[column]):
                problems.append(_other_type(name, column, found[column], first[column], names[0]))
    return problems


def nested(name: str, column: str) -> Diagnostic:
    """For a column that holds lists, structs or maps."""
    detail = "A data set holds one value per row and column: leave the column out with `columns`, or write one column "
    detail += "for each of its parts."
    return error("source_column", f'{name}: column "{column}" holds lists, structs or maps', detail)


def together(one: str, other: str) -> bool:
    """Whether two files of a source may have these types for a column, which then has the wider one."""
    return one == other or "" in (one, other) or {one, other} == {"int", "float"}


def _other_type(name: str, column: str, type: str, wanted: str, first: str) -> Diagnostic:
    detail = "A column must have the same type in all files of a source."
    return error("source_header", f'{name}: column "{column}" is {type}, but {wanted} in {first}', detail)
