"""Looks at a table or a query without reading a row: its columns, its size, and a digest that changes with its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.digests import sha256_json
from zenctl.jobs.storage import StorageError
from zenctl.lazy_dataclasses import dataclass
from zenctl.steps.bigquery.facts import READABLE, Field, Table, beyond_tables, chosen, fields_of, table_of
from zenctl.steps.bigquery.rest import Rest

MOST_TABLES = 50
"""Of a query that reads as many, BigQuery does not tell all."""
_VERSION = (
    "Add `version_query`: a SELECT of one value that changes whenever the rows do. Plan then asks for that value only."
)


@dataclass(frozen=True)
class Looked:
    """What there is. `at` is the Unix time as of which rows must be read to be those of `digest`; `table` is None
    for a query; `rows` None where a condition or a query decides; `bytes` 0 if a version was asked for.
    """

    digest: str
    fields: tuple[Field, ...]
    rows: int | None
    bytes: int
    table: Table | None
    at: float


def look(rest: Rest, found: Mapping[str, Any]) -> Looked:
    """At what the block's attributes name. Raises StorageError; DiagnosticError for what cannot become a snapshot."""
    return _at_query(rest, found) if found["query"] else _at_table(rest, found)


def check_filter(rest: Rest, table: Table, condition: str) -> None:
    """Have the server say whether it takes a condition; nothing is run. Raises StorageError, DiagnosticError.

    Who may run no query learns of it when rows are read.
    """
    try:
        _planned(rest, f"SELECT 1 FROM `{table.name}` WHERE {condition}\n", "filter")  # noqa: S608 - only a dry run
    except StorageError as problem:
        if problem.kind != "UNAUTHORIZED":
            raise


def moment_of(text: str) -> datetime:
    """A time as RFC 3339 has it, in UTC."""
    day, _, rest = text.partition("T")
    clock, zone = (rest[:-1], "+00:00") if rest.endswith("Z") else (rest[:-6], rest[-6:])
    whole, _, fraction = clock.partition(".")
    padded = f"{day}T{whole}.{fraction:<06}{zone}"
    return datetime.fromisoformat(padded).astimezone(timezone.utc)


def _at_table(rest: Rest, found: Mapping[str, Any]) -> Looked:
    name = str(found["table"])
    resource, now = rest.table(name if name.count(".") > 1 else f"{rest.project}.{name}")
    table = table_of(name if name.count(".") > 1 else f"{rest.project}.{name}", resource)
    if table.type not in READABLE:
        kind = table.type.lower().replace("_", " ")
        detail = f"Read it with a query, such as SELECT * FROM `{table.name}`."  # noqa: S608 - for people
        raise DiagnosticError(error("source_unsupported", f"{table.name} is no table but of type {kind}", detail))
    problems = chosen(table.fields, found["columns"], found["types"])
    if problems:
        raise DiagnosticError(*problems)
    _follows_from_tables(found["filter"], "filter", "Write out what it stands for, with ${...} if it is computed.")
    fields = {f.name: f for f in table.fields}
    wanted = tuple(fields[name] for name in found["columns"] or fields)
    if found["snapshot_time"]:
        moment = moment_of(found["snapshot_time"])
        at = moment.timestamp()
        if at * 1000 < table.created:
            made = _iso(table.created / 1000)
            detail = f"{table.name} was made at {made}; a table that was replaced has no past."
            raise DiagnosticError(error("source_missing", f"{table.name} was not there at snapshot_time", detail))
        if at > now + 1:
            detail = "Give a time that is past."
            raise DiagnosticError(error("source_unsupported", "snapshot_time lies in the future", detail))
        # As of a moment rows are what they are, whatever happens to the table.
        digest = sha256_json({"table": table.name, "created": table.created, "at": moment.isoformat()})
        return Looked(digest, wanted, None, table.bytes, table, at)
    if table.is_streamed:
        hint = "Set `snapshot_time` to a moment before, or wait until its streaming buffer is empty (90 minutes)."
        raise DiagnosticError(_streamed(table, hint))
    # The millisecond of the last change, to its end.
    at = max(now, (table.modified + 1) / 1000 - 1e-6)
    rows = None if found["filter"] else table.rows
    return Looked(sha256_json(table.facts), wanted, rows, table.bytes, table, at)


def _at_query(rest: Rest, found: Mapping[str, Any]) -> Looked:
    query, most = str(found["query"]), rest.service.most_bytes
    planned = _planned(rest, query, "query")
    size = int(planned.get("totalBytesProcessed", 0))
    if most and size > most:
        detail = f"That is more than maximum_bytes_billed = {most}: raise it, or have the query read less."
        raise DiagnosticError(error("source_expensive", f"the query would process {size:,} bytes", detail))
    fields = fields_of(planned["query"].get("schema", {}))
    problems = chosen(fields, (), found["types"])
    if problems:
        raise DiagnosticError(*problems)
    if found["version_query"]:
        version = _version(rest, found["version_query"])
        of = {"query": query, "project": rest.payer, "version": version}
        return Looked(sha256_json(of), fields, None, 0, None, 0.0)
    facts = _facts(rest, query, planned["query"])
    return Looked(sha256_json({"query": query, "reads": facts}), fields, None, size, None, 0.0)


def _planned(rest: Rest, query: str, name: str) -> Mapping[str, Any]:
    """What the server says of a query that only reads."""
    planned = rest.dry_run(query)
    kind = planned.get("query", {}).get("statementType", "")
    if kind != "SELECT":
        detail = "A datasource only reads: give one SELECT."
        raise DiagnosticError(
            error("source_unsupported", f"{name} is no SELECT but {kind or 'something else'}", detail)
        )
    return planned


def _version(rest: Rest, query: str) -> str:
    _planned(rest, query, "version_query")
    rows = rest.rows(query)
    if len(rows) != 1 or len(rows[0]) != 1 or rows[0][0] is None:
        hint = "Select one value that is not null."
        raise StorageError("INVALID", "version_query gives no value, or more than one", hint)
    return str(rows[0][0])


def _facts(rest: Rest, query: str, planned: Mapping[str, Any]) -> list[Any]:
    """What changes whenever a query's rows may. Raises DiagnosticError where that cannot be told."""
    _follows_from_tables(query, "the query")
    referenced = [*planned.get("referencedTables", ()), *planned.get("referencedLogicalViews", ())]
    names = sorted({f"{r['projectId']}.{r['datasetId']}.{r['tableId']}" for r in referenced})
    if len(names) >= MOST_TABLES:
        raise DiagnosticError(_untold(f"the query reads {MOST_TABLES} tables or more"))
    facts: list[Any] = []
    for name in names:
        if "*" in name:
            raise DiagnosticError(_untold(f"the query reads the tables {name}"))
        table = table_of(name, rest.table(name)[0])
        if table.type not in (*READABLE, "VIEW"):
            kind = table.type.lower().replace("_", " ")
            raise DiagnosticError(_untold(f"the query reads {name}, which is of type {kind}"))
        if table.is_streamed:
            raise DiagnosticError(_streamed(table, _VERSION))
        _follows_from_tables(table.view, f"the view {name}")
        facts.append(table.facts)
    routines = [f"{r['projectId']}.{r['datasetId']}.{r['routineId']}" for r in planned.get("referencedRoutines", ())]
    for name in sorted(set(routines)):
        routine = rest.routine(name)
        if "remoteFunctionOptions" in routine:
            raise DiagnosticError(_untold(f"the query calls {name}, which runs outside of BigQuery"))
        _follows_from_tables(str(routine.get("definitionBody", "")), f"the routine {name}")
        facts.append({"routine": name, "modified": routine.get("lastModifiedTime")})
    return facts


def _follows_from_tables(code: str, whose: str, hint: str = _VERSION) -> None:
    more = beyond_tables(code)
    if more:
        raise DiagnosticError(_untold(f"{whose} uses {more}, so that rows do not follow from tables alone", hint))


def _untold(why: str, hint: str = _VERSION) -> Any:
    return error("source_undetermined", f"{why}: when they change cannot be told", hint)


def _streamed(table: Table, hint: str) -> Any:
    return error("source_undetermined", f"rows are being streamed into {table.name}: it does not hold still", hint)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
