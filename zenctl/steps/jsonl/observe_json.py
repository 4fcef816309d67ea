"""Looks at a json source for plan: digest and bytes, and rows and columns of small ones. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from zenctl.diagnostics import DiagnosticError
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.csv.counting import BYTE_ORDER_MARK
from zenctl.steps.csv.header import shortened
from zenctl.steps.data.files import find_files, source_digest
from zenctl.steps.data.magic import foreign_kind
from zenctl.steps.data.observing import empty, facts_of, scan_clear, unknown_columns
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import clear_head, patterns
from zenctl.steps.jsonl.lines import elements_of, rows_or_problems
from zenctl.steps.jsonl.observe import Rows, profiled, rules_of
from zenctl.steps.jsonl.schema import Json

NAMES = patterns("*.json")
FORM = "json-1"
"""Counts changes of what `_scan` gives."""
_HEAD = 1 << 16


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_column,
    source_unsupported.
    """
    if not isinstance(model, Json):
        raise TypeError(f"observe takes the block of a json datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "json", NAMES)
    facts = facts_of(files.values(), root, cache, FORM, _scan)
    digest = source_digest("jsonl", [found["sha256"] for found in facts])
    size = sum(found["bytes"] for found in facts)
    rules = rules_of(model)
    columns, rows = profiled(list(files.values()), model, cache, (digest, rules, size), partial(_rows_in, model=model))
    problems = unknown_columns("types", model.types, list(columns)) if columns else []
    if problems:
        raise DiagnosticError(*problems)
    if rows == 0 and model.bad_rows == "fail":
        raise empty(model.path)
    locations = {name: str(path.absolute()) for name, path in files.items()}
    # Rows that are left out count as rows in what other sources tell; here nobody has counted them.
    return SourceState(digest, size, rows if model.bad_rows == "fail" else None, locations, columns, rules)


def _scan(path: Path) -> Mapping[str, Any]:
    head = clear_head(path, _HEAD)
    foreign = foreign_kind(head)
    if foreign is not None:
        kind, remedy = foreign
        hint = f"Convert it first: {remedy}." if remedy else f'Name its type: datasource "{kind.lower()}".'
        raise FileProblem(f"not JSON in UTF-8 but {kind}", hint)
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if not text and len(head) < _HEAD:
        raise FileProblem("the file is empty", "Check what should have written it.", code="source_empty")
    if text and text[:1] not in b"[{":
        line = head[: len(head) - len(text)].count(b"\n") + 1
        raise FileProblem(f"not an array of objects: {shortened(text)}", "Write [{...}, {...}].", line)
    return scan_clear(path)


def _rows_in(data: bytes, model: Json) -> Rows:
    """The rows of elements; without those that are left out. Raises FileProblem."""
    strict = model.bad_rows == "fail"
    return _good(elements_of(data), {} if strict else dict(model.types), strict=strict, nested=model.nested == "text")


def _good(elements: Iterator[bytes], declared: Mapping[str, str], *, strict: bool, nested: bool) -> Rows:
    for element in elements:
        for _, _, row in rows_or_problems(element, declared, nested=nested):
            if not isinstance(row, str):
                yield row
            elif strict:
                raise FileProblem(row, "Write one array of objects.")
