"""Looks at a parquet source in a bucket for plan: its objects, and the footers of some. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.objects import ObjectFile, find_objects, looked_at, state_of
from zenctl.steps.data.observing import empty
from zenctl.steps.parquet.footer import footer_in, footer_of
from zenctl.steps.parquet.observe import NAMES, merged_types
from zenctl.steps.parquet.schema import Parquet

FORM = "parquet-1"
"""Counts changes of what `_look` gives."""


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:
    """The source as its bucket says it is; rows are known if all footers were read.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_header,
    source_column, source_unsupported.
    """
    if not isinstance(model, Parquet):
        raise TypeError(f"observe_objects takes the block of a parquet datasource, not {type(model).__name__}")
    objects = find_objects(model.path, buckets, "parquet", NAMES)
    found = looked_at(model.path, objects, buckets, cache, FORM, _look)
    uris = [item.uri for item in objects.values()]
    types = merged_types(model, uris[: len(found)], [dict(told["columns"]) for told in found])
    rows = sum(told["rows"] for told in found) if len(found) == len(objects) else None
    if rows == 0:
        raise empty(model.path)
    return state_of("parquet", objects, rows, types)


def _look(file: ObjectFile) -> Mapping[str, Any]:
    footer = footer_of(footer_in(file, file.size))
    return {"rows": footer.rows, "columns": [list(column) for column in footer.columns]}
