"""Looks at an sql source for plan: at its version if it has one, else at all rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.digests import sha256_json
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.data.observing import empty, unknown_columns
from zenctl.steps.sql.schema import Sql

if TYPE_CHECKING:
    from zenctl.steps.sql.values import Seen


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:  # noqa: ARG001 - rows have no file
    """The source as it is now; the cache serves files only.

    Raises DiagnosticError: source_library, source_database, source_empty, source_column.
    """
    if not isinstance(model, Sql):
        raise TypeError(f"observe takes the block of an sql datasource, not {type(model).__name__}")
    try:
        from zenctl.steps.sql import connecting, values
    except ModuleNotFoundError as problem:
        detail = "Install it with zenctl[sql]."
        raise DiagnosticError(error("source_library", f"{problem.name} is not installed", detail)) from problem
    found = model.model_dump()
    database, rows = connecting.database_of(found, root), connecting.Rows.of(found)
    locations = {"database": json.dumps({name: found[name] for name in PLACE}), "root": str(root.absolute())}
    try:
        with database.connected() as connection:
            if model.version_query:
                version = connecting.version_of(connection, model.version_query)
                return SourceState(version_digest(database.place, found, version), 0, None, locations)
            seen = []
            for part in rows.ranges(connection):
                result = rows.select(connection, part)
                names = list(result.keys())
                seen.append(values.look(names, values.fetched(result, names), model.types))
        all_rows = values.merged(seen)
    except connecting.DatabaseProblem as problem:
        raise DiagnosticError(error("source_database", problem.message, problem.hint)) from problem
    problems = unknown_columns("types", model.types, list(all_rows.types))
    if problems:
        raise DiagnosticError(*problems)
    if all_rows.rows == 0:
        raise empty(model.table or "the query's result")
    return SourceState(rows_digest(all_rows), all_rows.bytes, all_rows.rows, locations, all_rows.types)


PLACE = ("dialect", "database", "host", "port", "user", "password")
"""Attributes that say where the database is; the password is a reference."""


def version_digest(place: str, found: Mapping[str, Any], version: str) -> str:
    """Digest of a source by its version: of this database and query only."""
    return sha256_json({"version": version, "place": place, "table": found["table"], "query": found["query"]})


def rows_digest(seen: Seen) -> str:
    """Digest of a source by its rows, whatever their order."""
    return sha256_json({"rows": seen.digest, "names": list(seen.types)})
