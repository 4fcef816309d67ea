"""Looks at a bigquery source for plan: asks for facts of tables and for a dry run of the query, and reads no row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.jobs.storage import StorageError
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.bigquery.schema import BigQuery
from zenctl.steps.data.observing import empty

PLACE = (
    "project", "location", "billing_project", "maximum_bytes_billed", "endpoint", "read_endpoint", "retry_seconds",
    "partition_size",
)  # fmt: skip
"""Attributes that a job needs and that cannot change its result."""


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:  # noqa: ARG001 - rows have no file
    """The source as it is now; the cache serves files only.

    Raises DiagnosticError: source_library, source_service, source_missing, source_empty, source_column,
    source_unsupported, source_undetermined, source_expensive.
    """
    if not isinstance(model, BigQuery):
        raise TypeError(f"observe takes the block of a bigquery datasource, not {type(model).__name__}")
    from zenctl.steps.bigquery.looking import check_filter, look
    from zenctl.steps.bigquery.rest import Rest, Service

    found = model.model_dump()
    try:
        rest = Rest.of(Service.of(found))
        looked = look(rest, found)
        if looked.table is not None and model.filter:
            check_filter(rest, looked.table, model.filter)
    except ModuleNotFoundError as problem:
        if not (problem.name or "").startswith(("google", "requests")):
            raise
        detail = "Install it with pip install 'zenctl[bigquery]'."
        raise DiagnosticError(error("source_library", "Google's libraries are not installed", detail)) from problem
    except StorageError as problem:
        code = "source_missing" if problem.kind == "NOT_FOUND" else "source_service"
        raise DiagnosticError(error(code, str(problem), problem.hint)) from problem
    if looked.rows == 0:
        raise empty(model.table)
    # As of an earlier moment a table may have had other columns.
    columns = {f.name: model.types.get(f.name, f.kind) for f in looked.fields} if not model.snapshot_time else {}
    return SourceState(looked.digest, looked.bytes, looked.rows, locations_of(found), columns)


def locations_of(found: Mapping[str, Any]) -> dict[str, str]:
    """What a job is told of where the source is."""
    return {"service": json.dumps({name: found[name] for name in PLACE})}
