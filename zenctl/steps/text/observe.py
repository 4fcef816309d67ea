"""Looks at a text source for plan: digest, bytes and rows. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.data.files import find_files, source_digest
from zenctl.steps.data.magic import foreign_kind
from zenctl.steps.data.observing import empty, facts_of, scan_clear
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.unpacking import clear_head, patterns
from zenctl.steps.jsonl.observe import LineCounter
from zenctl.steps.text.schema import Text

NAMES = patterns("*.txt")
FORM = "text-1"
"""Counts changes of what `_scan` gives."""


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_unsupported.
    """
    if not isinstance(model, Text):
        raise TypeError(f"observe takes the block of a text datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "text", NAMES)
    strict = model.bad_rows == "fail"
    form = FORM if strict else f"{FORM}-with NUL bytes"
    facts = facts_of(files.values(), root, cache, form, partial(_scan, strict=strict))
    rows = len(files) if model.row == "file" else sum(found["rows"] for found in facts)
    if rows == 0:
        raise empty(model.path, "lines with text")
    locations = {name: str(path.absolute()) for name, path in files.items()}
    named = [f"{name}\n{found['sha256']}" for name, found in zip(files, facts, strict=True)]
    columns = {"text": "string", "path": "string"}
    return SourceState(named_digest("text", named), sum(found["bytes"] for found in facts), rows, locations, columns)


def named_digest(kind: str, named: list[str]) -> str:
    """Digest of a source whose rows hold the names of its files: from "name, line feed, digest" of each, in order."""
    return source_digest(kind, ["names", *named])


def _scan(path: Path, *, strict: bool) -> Mapping[str, Any]:
    """Counts lines; `strict`: no NUL bytes may stand at the beginning."""
    head = clear_head(path, 1 << 16)
    foreign = foreign_kind(head)
    if foreign is not None or (strict and b"\0" in head):
        kind = foreign[0] if foreign is not None else "binary: it holds NUL bytes"
        remedy = foreign[1] if foreign is not None else ""
        hint = f"Convert it first: {remedy}." if remedy else "Name files of text."
        raise FileProblem(f"not text in UTF-8 but {kind}", hint)
    counter = LineCounter()
    return {**scan_clear(path, counter.update), "rows": counter.finish()}
