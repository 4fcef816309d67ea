"""Registers zenctl's types in a store once, and leaves a record of them that one query reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as pb

from zenctl.lazy_dataclasses import dataclass
from zenctl.metadata.mlmd.connection import Connection
from zenctl.metadata.mlmd.dialects import DIALECTS, SQLITE, Dialect, read_text
from zenctl.metadata.store import AlreadyExists, StoreError
from zenctl.metadata.types import (
    ARTIFACT_BASES,
    EXECUTION_BASES,
    FORMAT,
    PREFIX,
    STORE,
    PropertyKind,
    PropertyKinds,
    TypeTable,
)

RECORD = "store"
"""Name of the context that records the format and the types."""

Ids = Mapping[str, int]

_NODES = ("executions", "artifacts", "contexts")
_MLMD_KINDS = {str: pb.STRING, int: pb.INT, float: pb.DOUBLE}
_KINDS: Mapping[str, PropertyKind] = {"str": str, "int": int, "float": float}


@dataclass(frozen=True, slots=True)
class Registered:
    """The types of a store, with MLMD's ids by name. A newer zenctl may have added some that this one does not use."""

    table: TypeTable
    executions: Ids
    artifacts: Ids
    contexts: Ids
    dialect: Dialect


def read(connection: Connection) -> Registered:
    """What is registered, nothing if zenctl never wrote there; StoreError if a newer zenctl did in a newer format."""
    found = _record(connection)
    if found is None:
        return Registered(TypeTable({}, {}, {}), {}, {}, {}, connection.dialect)
    written = found.properties["format"].int_value
    # Stores of before there were dialects are in that of SQLite.
    dialect = DIALECTS.get(found.properties["dialect"].string_value or SQLITE.name)
    if written > FORMAT or dialect is None:
        raise StoreError(
            f"{connection.name} was written by a newer zenctl (format {written}; this one reads up to {FORMAT})",
            "Update zenctl: pip install --upgrade zenctl",
        )
    types = json.loads(read_text(found, "types"))
    return Registered(
        TypeTable(*(_table(types[kind]) for kind in _NODES)),
        _ids(types["executions"]),
        _ids(types["artifacts"]),
        _ids(types["contexts"]),
        dialect,
    )


def register(connection: Connection, table: TypeTable) -> Registered:
    """Register what is missing of a table, under the turn to write; every call may be repeated after a crash."""
    with connection.alone():
        registered = read(connection)
        if registered.table.covers(table):
            return registered
        whole = registered.table.union(table)
        types = {
            "executions": {n: _put_execution_type(connection, n, kinds) for n, kinds in whole.executions.items()},
            "artifacts": {n: _put_artifact_type(connection, n, kinds) for n, kinds in whole.artifacts.items()},
            "contexts": {n: _put_context_type(connection, n, kinds) for n, kinds in whole.contexts.items()},
        }
        record = pb.Context(type_id=types["contexts"][STORE]["id"], name=RECORD)
        record.properties["format"].int_value = FORMAT
        if "dialect" in whole.contexts[STORE]:
            record.properties["dialect"].string_value = registered.dialect.name
        registered.dialect.write_text(record, "types", json.dumps(types, sort_keys=True))
        try:
            _put_record(connection, record)
        except AlreadyExists:  # over gRPC nobody is alone: another process has just made it
            _put_record(connection, record)
        return read(connection)


def _put_record(connection: Connection, record: Any) -> None:
    known = _record(connection)
    if known is not None:
        record.id = known.id
    connection.ask(lambda mlmd: mlmd.put_contexts([record]))


def _record(connection: Connection) -> Any:
    return connection.ask(lambda mlmd: mlmd.get_context_by_type_and_name(PREFIX + STORE, RECORD))


def _put_execution_type(connection: Connection, name: str, kinds: PropertyKinds) -> dict[str, Any]:
    message = pb.ExecutionType(name=PREFIX + name, properties=_properties(kinds))
    base = EXECUTION_BASES.get(name)
    if base:
        message.base_type = pb.ExecutionType.SystemDefinedBaseType.Value(base)
    id_ = connection.ask(lambda mlmd: mlmd.put_execution_type(message, can_add_fields=True, can_omit_fields=True))
    return _entry(id_, kinds)


def _put_artifact_type(connection: Connection, name: str, kinds: PropertyKinds) -> dict[str, Any]:
    message = pb.ArtifactType(name=PREFIX + name, properties=_properties(kinds))
    base = ARTIFACT_BASES.get(name)
    if base:
        message.base_type = pb.ArtifactType.SystemDefinedBaseType.Value(base)
    id_ = connection.ask(lambda mlmd: mlmd.put_artifact_type(message, can_add_fields=True, can_omit_fields=True))
    return _entry(id_, kinds)


def _put_context_type(connection: Connection, name: str, kinds: PropertyKinds) -> dict[str, Any]:
    message = pb.ContextType(name=PREFIX + name, properties=_properties(kinds))
    id_ = connection.ask(lambda mlmd: mlmd.put_context_type(message, can_add_fields=True, can_omit_fields=True))
    return _entry(id_, kinds)


def _properties(kinds: PropertyKinds) -> dict[str, int]:
    return {name: _MLMD_KINDS[kind] for name, kind in kinds.items()}


def _entry(id_: int, kinds: PropertyKinds) -> dict[str, Any]:
    return {"id": id_, "properties": {name: kind.__name__ for name, kind in kinds.items()}}


def _ids(types: Mapping[str, Any]) -> Ids:
    return {name: entry["id"] for name, entry in types.items()}


def _table(types: Mapping[str, Any]) -> dict[str, PropertyKinds]:
    return {name: {key: _KINDS[kind] for key, kind in entry["properties"].items()} for name, entry in types.items()}
