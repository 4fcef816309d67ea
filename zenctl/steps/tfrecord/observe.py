"""Looks at a tfrecord source for plan: digest, bytes and rows. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.data.files import find_files, source_digest
from zenctl.steps.data.observing import empty, facts_of, scan_bytes
from zenctl.steps.tfrecord.schema import TfRecord
from zenctl.steps.tfrecord.walking import RecordWalker

NAMES = ("*.tfrecord*",)
FORM = "tfrecord-1"
"""Counts changes of what `_scan` gives."""


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads a file only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_unsupported.
    """
    if not isinstance(model, TfRecord):
        raise TypeError(f"observe takes the block of a tfrecord datasource, not {type(model).__name__}")
    files = find_files(model.path, root, "tfrecord", NAMES)
    facts = facts_of(files.values(), root, cache, FORM, _scan)
    rows = sum(found["rows"] for found in facts)
    if rows == 0:
        raise empty(model.path, "records")
    locations = {name: str(path.absolute()) for name, path in files.items()}
    digest = source_digest("tfrecord", [found["sha256"] for found in facts])
    return SourceState(digest, sum(found["bytes"] for found in facts), rows, locations)


def _scan(path: Path) -> Mapping[str, Any]:
    walker = RecordWalker()
    return {**scan_bytes(path, walker.update), "rows": walker.finish()}
