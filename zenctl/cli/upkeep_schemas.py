"""Makes the JSON Schemas of what the commands print that list and keep what is recorded."""

from __future__ import annotations

from zenctl.cli.schema_parts import ADDRESS, COUNT, FLAG, NUMBER, TEXT, Schema, diagnostic, document, fields
from zenctl.cli.state_schemas import DIGEST, FORMAT, ID, apply, either
from zenctl.metadata.store import ExecutionState

_DIAGNOSTICS: Schema = {"type": "array", "items": {"$ref": "#/$defs/diagnostic"}}
_NAMES: Schema = {"type": "array", "items": TEXT}


def _with_diagnostics(name: str, title: str, properties: dict[str, Schema]) -> Schema:
    whole = {"format_version": FORMAT, **properties, "diagnostics": _DIAGNOSTICS}
    return document(name, title, whole, {"$defs": {"diagnostic": diagnostic()}})


def verification_schema() -> Schema:
    """Of `zenctl state verify -json`."""
    fault = fields(
        {
            "kind": {"enum": ["missing", "corrupt"]},
            "artifact": {**DIGEST, "description": "of the artifact that the file is of"},
            "type": TEXT,
            "named_by": {"description": "Addresses and outputs that need it", **_NAMES},
            "file": {"description": "null of the artifact's own list of files", "type": ["string", "null"]},
            "path": {"description": "in the artifact store", **TEXT},
            "expected": fields({"bytes": either(COUNT), "sha256": TEXT}),
            "found": {
                "description": "null of a missing file; null in it where the file cannot be read",
                **either(fields({"bytes": either(COUNT), "sha256": {"type": ["string", "null"]}})),
            },
        }
    )
    properties = {
        "clean": {"description": "null where nothing could be read", "type": ["boolean", "null"]},
        "artifacts": COUNT,
        "files": COUNT,
        "bytes": COUNT,
        "seconds": NUMBER,
        "faults": {"type": "array", "items": fault},
        "removed": {"description": "Paths of the corrupt files that were deleted", **_NAMES},
    }
    return _with_diagnostics("verification", "What a full check of artifacts found, format 1", properties)


def garbage_schema() -> Schema:
    """Of `zenctl state gc -json`."""
    sums = fields({"files": COUNT, "bytes": COUNT})
    group = fields({"address": TEXT, "workspaces": _NAMES, "versions": COUNT, "files": COUNT, "bytes": COUNT})
    garbage = fields(
        {
            "addresses": {"type": "array", "items": group},
            "staging": {"description": "What no record names", **sums},
            "held": {"description": "What an interrupted apply may have left; it is not freed", **sums},
            "files": COUNT,
            "bytes": COUNT,
        }
    )
    freed = fields({"files": COUNT, "bytes": COUNT, "finished": FLAG})
    properties = {
        "garbage": {"description": "null where it could not be told", **either(garbage)},
        "freed": {"description": "null of a dry run", **either(freed)},
    }
    return _with_diagnostics("garbage", "What garbage collection finds and frees, format 1", properties)


def addresses_schema() -> Schema:
    """Of `zenctl state list -json`: an array, without a version of its format."""
    states = {"enum": [state.value for state in ExecutionState]}
    row = fields({"address": ADDRESS, "state": states, "execution_id": ID, "serial": COUNT})
    head = document("addresses", "The addresses that have a result, format 1", {}, {})
    kept = {name: head[name] for name in ("$schema", "$id", "title", "description")}
    return {**kept, "type": "array", "items": row}


def history_schema() -> Schema:
    """Of `zenctl history -json`."""
    applies = {"description": "The newest first", "type": "array", "items": apply()}
    properties = {"format_version": FORMAT, "workspace": TEXT, "applies": applies}
    return document("history", "The applies of a workspace, format 1", properties, {})
