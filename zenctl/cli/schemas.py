"""Makes the JSON Schemas of what the command line prints; `python -m zenctl.cli.schemas DIR` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from zenctl.config.settings import ROLES
from zenctl.plans.actions import Action, ReasonCode
from zenctl.plans.planjson import COUNTED

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_ANY: Schema = {}
_MARKS: Schema = {
    "description": "true, or a map or list of the value's own shape that holds true where a part is so marked",
    "type": ["boolean", "object", "array"],
}
_ADDRESS = {
    "type": "string",
    "pattern": r"^(module\.[^.]+\.)*(step|datasource|endpoint|backend)\.",
}
_TERRAFORM_ACTIONS = ["no-op", "create", "read", "update", "delete", "forget"]
_STREAM_ACTIONS = ["noop", "create", "read", "update", "replace", "delete", "remove"]


def plan_schema() -> Schema:
    """Of `zenctl show -json FILE`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://zenctl.dev/schemas/plan.v1.schema.json",
        "title": "A zenctl plan, format 1",
        "description": "Readers must skip keys that they do not know: minor versions add some.",
        **_object(
            {
                "format_version": {"type": "string", "pattern": r"^1\.\d+$"},
                "zenctl_version": _TEXT,
                "project": _TEXT,
                "workspace": _TEXT,
                "serial": _COUNT,
                "timestamp": _TEXT,
                "code_version": {"type": "object"},
                "destroy": _FLAG,
                "refresh_only": _FLAG,
                "applyable": _FLAG,
                "complete": _FLAG,
                "errored": _FLAG,
                "variables": {"type": "object", "additionalProperties": _object({"value": _ANY})},
                "resource_changes": {"type": "array", "items": {"$ref": "#/$defs/resource_change"}},
                "output_changes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/output_change"}},
                "zenctl_summary": _object(dict.fromkeys(COUNTED, _COUNT)),
                "diagnostics": {"type": "array", "items": {"$ref": "#/$defs/diagnostic"}},
            }
        ),
        "$defs": {
            "resource_change": _resource_change(),
            "output_change": _object(
                {
                    "actions": _actions(),
                    "before": _ANY,
                    "after": _ANY,
                    "after_unknown": _FLAG,
                    "before_sensitive": _FLAG,
                    "after_sensitive": _FLAG,
                }
            ),
            "reason": _reason(),
            "diagnostic": _diagnostic(),
        },
    }


def events_schema() -> Schema:
    """Of one line of `plan -json` and `apply -json`."""
    hook = {"resource": {"type": "object", "required": ["addr"], "properties": {"addr": _TEXT}}}
    action = {"action": {"enum": _STREAM_ACTIONS}, "zenctl_action": {"enum": [a.value for a in Action]}}
    payloads: dict[str, Schema] = {
        "version": _object({"zenctl": _TEXT, "ui": {"type": "string", "pattern": r"^1\.\d+$"}}),
        "log": _object({}),
        "diagnostic": _object({"diagnostic": {"$ref": "#/$defs/diagnostic"}}),
        "planned_change": _object(
            {
                "change": _object(
                    {**hook, **action, "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}}}
                )
            }
        ),
        "change_summary": _object(
            {
                "changes": _object(
                    {
                        "add": _COUNT,
                        "change": _COUNT,
                        "remove": _COUNT,
                        "operation": {"enum": ["plan", "apply", "destroy"]},
                        "zenctl": {"type": "object"},
                    }
                )
            }
        ),
        "outputs": _object({"outputs": {"type": "object", "additionalProperties": {"type": "object"}}}),
        "refresh_start": _object({"hook": _object(hook)}),
        "refresh_complete": _object({"hook": _object({**hook, "note": _TEXT})}),
        "apply_start": _object({"hook": _object({**hook, **action, "job_id": _TEXT})}),
        "apply_progress": _object({"hook": _object({**hook, "done": _NUMBER, "total": _NUMBER, "unit": _TEXT})}),
        "apply_log": _object({"hook": _object({**hook, "output": _TEXT})}),
        "apply_complete": _object(
            {"hook": _object({**hook, **action, "outcome": _TEXT, "note": _TEXT, "elapsed_seconds": _NUMBER})}
        ),
        "apply_errored": _object({"hook": _object({**hook, **action, "canceled": _FLAG, "elapsed_seconds": _NUMBER})}),
        "apply_skipped": _object({"hook": _object({**hook, **action, "because": _TEXT})}),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://zenctl.dev/schemas/events.v1.schema.json",
        "title": "One line of zenctl's event stream, version 1",
        "description": "Readers must skip types and keys that they do not know: minor versions add some.",
        **_object(
            {
                "@level": {"enum": ["info", "warn", "error"]},
                "@message": _TEXT,
                "@module": {"const": "zenctl.ui"},
                "@timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT.*Z$"},
                "type": {"enum": list(payloads)},
            }
        ),
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}}, "then": payload} for name, payload in payloads.items()
        ],
        "$defs": {"reason": _reason(), "diagnostic": _diagnostic()},
    }


def provider_schemas_schema() -> Schema:
    """Of `zenctl providers schema -json`."""
    described = {"description": _TEXT, "block": {"$ref": "#/$defs/block"}}
    version = {"version": {"type": "integer", "minimum": 1}}
    taken = _object({"types": {"type": "array", "items": _TEXT}, "required": _FLAG, "description": _TEXT})
    provider = _object(
        {
            "version": _TEXT,
            "provider": {"$ref": "#/$defs/block"},
            "backend_schemas": _by_name(
                _object({**described, "roles": {"type": "array", "items": {"enum": list(ROLES)}}})
            ),
            "endpoint_schemas": _by_name(_object(described)),
            "artifact_store_schemas": _by_name(_object({**described, "scheme": _TEXT})),
        }
    )
    inputs = {"description": "null where the user names the inputs", **_by_name(taken), "type": ["object", "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://zenctl.dev/schemas/provider-schemas.v1.schema.json",
        "title": "The block types that are installed, format 1",
        "description": "Readers must skip keys that they do not know: minor versions add some.",
        **_object(
            {
                "format_version": {"type": "string", "pattern": r"^1\.\d+$"},
                "zenctl_version": _TEXT,
                "provider_schemas": _by_name(provider),
                "step_schemas": _by_name(_object({**version, **described, "inputs": inputs})),
                "datasource_schemas": _by_name(_object({**version, **described})),
                "metadata_store_schemas": _by_name(_object({"block": {"$ref": "#/$defs/block"}})),
                "meta_arguments": _by_name({"type": "array", "items": _TEXT}),
            }
        ),
        "$defs": {"block": _block(), "attribute": _attribute()},
    }


def _block() -> Schema:
    nested = _object(
        {
            "nesting_mode": {"enum": ["single", "list", "map"]},
            "description": _TEXT,
            "required": _FLAG,
            "block": {"$ref": "#/$defs/block"},
        }
    )
    return _object({"attributes": _by_name({"$ref": "#/$defs/attribute"}), "block_types": _by_name(nested)})


def _attribute() -> Schema:
    schema = _object(
        {
            "type": {"description": "A type expression; artifact and backend are references", "type": "string"},
            "description": _TEXT,
            "required": _FLAG,
            "sensitive": _FLAG,
            "fingerprint": {"description": "Whether a change makes results stale", "type": "boolean"},
        }
    )
    schema["properties"] |= {
        "default": _ANY,
        "choices": {"type": "array"},
        "any_of": {"type": "array", "items": _TEXT},
        "integer": {"description": "Whole numbers only", "const": True},
        **dict.fromkeys(("minimum", "exclusive_minimum", "maximum", "exclusive_maximum"), _NUMBER),
        **dict.fromkeys(("min_length", "max_length"), _COUNT),
    }
    return schema


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _resource_change() -> Schema:
    schema = _object(
        {
            "address": _ADDRESS,
            "mode": {"const": "managed"},
            "kind": {"enum": ["step", "datasource", "endpoint"]},
            "type": _TEXT,
            "name": _TEXT,
            "change": _object(
                {
                    "actions": _actions(),
                    "before": {"type": ["object", "null"]},
                    "after": {"type": ["object", "null"]},
                    "after_unknown": _MARKS,
                    "before_sensitive": _MARKS,
                    "after_sensitive": _MARKS,
                }
            ),
            "zenctl_action": {"enum": [action.value for action in Action]},
            "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}},
            "depends_on": {"type": "array", "items": _ADDRESS},
        }
    )
    schema["properties"] |= {
        "module_address": _TEXT,
        "index": {"type": ["string", "integer"]},
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "code_diff": _object({"files": {"type": "object", "additionalProperties": _TEXT}, "note": _TEXT}),
        "execution_id": {"type": "integer"},
    }
    return schema


def _actions() -> Schema:
    return {"type": "array", "items": {"enum": _TERRAFORM_ACTIONS}, "minItems": 1, "maxItems": 2}


def _reason() -> Schema:
    return _object(
        {"reason": {"enum": [code.value for code in ReasonCode]}, "detail": _TEXT, "data": {"type": "object"}}
    )


def _diagnostic() -> Schema:
    position = _object({"line": _COUNT, "column": _COUNT, "byte": _COUNT})
    schema = _object({"severity": {"enum": ["error", "warning"]}, "code": _TEXT, "summary": _TEXT, "detail": _TEXT})
    schema["properties"] |= {
        "address": _TEXT,
        "range": _object({"filename": _TEXT, "start": position, "end": position}),
        "snippet": _object(
            {
                "context": {"type": ["string", "null"]},
                "code": _TEXT,
                "start_line": _COUNT,
                "highlight_start_offset": _COUNT,
                "highlight_end_offset": _COUNT,
                "values": {"type": "array", "items": _object({"traversal": _TEXT, "statement": _TEXT})},
            }
        ),
    }
    return schema


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": sorted(properties), "properties": dict(properties)}


SCHEMAS = {
    "plan.v1.schema.json": plan_schema,
    "events.v1.schema.json": events_schema,
    "provider-schemas.v1.schema.json": provider_schemas_schema,
}
"""File name and maker of each schema."""


def text(name: str) -> str:
    """The file's text."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file in SCHEMAS:
        (Path(sys.argv[1]) / file).write_text(text(file), encoding="utf-8")
