"""Makes the JSON Schemas of the documents that tell what is recorded: the state, a lineage, comparisons of both."""

from __future__ import annotations

from zenctl.cli.schema_parts import ADDRESS, ANY, COUNT, FLAG, TEXT, Schema, document, fields, moved_column, reason
from zenctl.metadata.applies import OUTCOMES
from zenctl.metadata.store import ExecutionState

DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME: Schema = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)$"}
ID: Schema = {"description": "of an execution in ML Metadata", "type": "integer", "minimum": 1}
FORMAT: Schema = {"type": "string", "pattern": r"^1\.\d+$"}
_OBJECT: Schema = {"type": "object"}
_RECORD: Schema = {"$ref": "#/$defs/record"}
_RECORDS: Schema = {"type": "array", "items": _RECORD}


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def either(schema: Schema) -> Schema:
    """Something of this schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def _definitions(*names: str) -> Schema:
    known = {"record": record(), "artifact": _artifact(), "apply": apply(), "components": _components()}
    return {"$defs": {name: known[name] for name in names}}


_PARTS = ("record", "artifact", "components")


def state_schema() -> Schema:
    """Of `zenctl state pull`."""
    output = fields({"sensitive": FLAG})
    output["properties"]["value"] = {"description": "null of a sensitive one, which is recorded nowhere"}
    properties = {
        "format_version": FORMAT,
        "zenctl_version": TEXT,
        "project": TEXT,
        "workspace": TEXT,
        "serial": COUNT,
        "apply": either({"$ref": "#/$defs/apply"}),
        "outputs": _by_name(output),
        "results": {"description": "The current result of each address", **_RECORDS},
        "attempts": {"description": "The newest attempt where it gave no result", **_RECORDS},
    }
    title = "The state of a workspace, format 1"
    return document("state", title, properties, _definitions(*_PARTS, "apply"))


def lineage_schema() -> Schema:
    """Of `zenctl state show -json`."""
    use = fields(
        {
            "address": ADDRESS,
            "project": TEXT,
            "workspace": TEXT,
            "execution_id": ID,
            "serial": COUNT,
            "of": {**ID, "description": "the execution above, whose output it reads"},
            "output": {"type": "string", "description": "name of that output"},
            "digest": TEXT,
            "url": {"type": ["string", "null"]},
        }
    )
    made_from = {"description": "Executions that made its inputs, by input name", **_by_name(ID)}
    ancestor = {"allOf": [_RECORD, fields({"made_from": made_from})]}
    own = record()["properties"]
    properties = {
        "format_version": FORMAT,
        **{name: own[name] for name in record()["required"]},
        "made_from": made_from,
        "found_by": {"type": ["string", "null"]},
        "apply": either({"$ref": "#/$defs/apply"}),
        "lineage": {"type": "array", "items": ancestor},
        "used_by": {"type": "array", "items": use},
    }
    title = "A recorded result, what it was made from, and what stands on it, format 1"
    return document("lineage", title, properties, _definitions(*_PARTS, "apply"))


def state_diff_schema() -> Schema:
    """Of `zenctl state diff -json`."""
    side = fields({"workspace": TEXT, "serial": COUNT})
    execution = either(fields({"execution_id": ID, "serial": COUNT}))
    metric = fields({"before": ANY, "after": ANY, "better": {"type": ["boolean", "null"]}})
    digest = {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"}
    change = fields(
        {
            "address": ADDRESS,
            "change": {"enum": ["added", "removed", "changed"]},
            "before": execution,
            "after": execution,
            "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}},
            "metrics": _by_name(metric),
            "outputs": _by_name(fields({"before": digest, "after": digest})),
        }
    )
    change["properties"]["drift"] = _by_name({"type": "array", "items": moved_column()})
    change["properties"]["code_diff"] = fields({"files": _by_name(TEXT), "note": TEXT})
    properties = {
        "format_version": FORMAT,
        "project": TEXT,
        "before": side,
        "after": side,
        "equal": FLAG,
        "changes": {"type": "array", "items": change},
        "outputs": {"type": "array", "items": fields({"path": TEXT, "before": ANY, "after": ANY})},
        "same": {"description": "Results that are in both and the same", **COUNT},
    }
    return document("state-diff", "How two states differ, format 1", properties, {"$defs": {"reason": reason()}})


def comparison_schema() -> Schema:
    """Of `zenctl compare -json`."""
    column = fields({"name": TEXT, "kind": {"enum": ["parameter", "code", "data", "package"]}, "address": ADDRESS})
    best = {"description": "Indices into `runs`", "type": "array", "items": COUNT}
    metric = fields({"name": TEXT, "better": {"enum": ["min", "max", None]}, "best": best})
    run = fields(
        {
            "project": TEXT,
            "workspace": TEXT,
            "serial": COUNT,
            "execution_id": ID,
            "reused_execution_id": {"type": ["integer", "null"]},
            "values": {"description": "One for each column, null where there is none", "type": "array"},
            "metrics": _OBJECT,
        }
    )
    table = fields(
        {
            "address": ADDRESS,
            "columns": {"type": "array", "items": column},
            "metrics": {"type": "array", "items": metric},
            "runs": {"type": "array", "items": run},
        }
    )
    properties = {"format_version": FORMAT, "project": TEXT, "tables": {"type": "array", "items": table}}
    return document("comparison", "Runs side by side, format 1", properties, {})


def runs_schema() -> Schema:
    """Of `zenctl history ADDRESS -json`."""
    runs = {"description": "The newest first", **_RECORDS}
    properties = {"format_version": FORMAT, "workspace": TEXT, "address": ADDRESS, "runs": runs}
    return document("runs", "The runs of an address, format 1", properties, _definitions(*_PARTS))


def record() -> Schema:
    """One execution, as `recorded_document` writes it."""
    artifacts = _by_name({"$ref": "#/$defs/artifact"})
    values = fields(
        {
            "execution_id": ID,
            "job_id": TEXT,
            "state": {"enum": [state.value for state in ExecutionState]},
            "serial": COUNT,
            "fingerprint": {"type": "string", "pattern": "^([0-9a-f]{64})?$"},
            "started": _TIME,
            "ended": _TIME,
            "backend": TEXT,
            "code_version": _OBJECT,
            "components": {"$ref": "#/$defs/components"},
            "inputs": artifacts,
            "outputs": artifacts,
            "attributes": _OBJECT,
            "environment": _OBJECT,
            "operation": {"enum": ["run", "reuse", "move", "import", "publish", "delete"]},
            "producers": _by_name(ID),
            "error": TEXT,
            "warnings": {"type": "array", "items": fields({"summary": TEXT, "detail": TEXT})},
            "reused_execution_id": {"type": ["integer", "null"]},
        }
    )
    values["properties"]["imported_from"] = _by_name(TEXT)
    values["properties"]["resumed_from_job_id"] = TEXT
    schema = fields(
        {
            "address": ADDRESS,
            "mode": {"const": "managed"},
            "kind": {"enum": ["datasource", "step", "endpoint"]},
            "type": TEXT,
            "name": TEXT,
            "project": TEXT,
            "workspace": TEXT,
            "values": values,
        }
    )
    schema["properties"]["index"] = {"type": ["string", "integer"]}
    return schema


def _artifact() -> Schema:
    schema = fields({"type": TEXT, "digest": DIGEST, "uri": TEXT, "bytes": COUNT, "properties": _OBJECT})
    schema["properties"]["deleted"] = {"description": "Its files were freed by state gc", "const": True}
    return schema


def _components() -> Schema:
    """What a fingerprint is made of; `zenctl.plans.actions.Components` says what each part holds."""
    names = ("code", "params", "inputs", "source", "environment")
    return {
        "type": "object",
        "properties": {"type": TEXT, **dict.fromkeys(names, _OBJECT), "triggers_replace": {}},
    }


def apply() -> Schema:
    """One apply, as `apply_document` writes it."""
    return fields(
        {
            "serial": COUNT,
            "result": {"enum": list(OUTCOMES)},
            "began": _TIME,
            "ended": _TIME,
            "user": TEXT,
            "host": TEXT,
            "pid": COUNT,
            "command": TEXT,
        }
    )
