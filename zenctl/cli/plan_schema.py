"""The JSON Schema of a plan document, as `zenctl show -json FILE` prints it."""

from __future__ import annotations

from zenctl.cli.schema_parts import (
    ADDRESS,
    ANY,
    COUNT,
    FLAG,
    MARKS,
    TEXT,
    Schema,
    actions,
    diagnostic,
    document,
    fields,
    machines,
    reason,
)
from zenctl.plans.actions import Action
from zenctl.plans.planjson import COUNTED

_NAMED: Schema = {
    "address": ADDRESS,
    "mode": {"const": "managed"},
    "kind": {"enum": ["step", "datasource", "endpoint"]},
    "type": TEXT,
    "name": TEXT,
}
"""What names a block or an instance of one, wherever it stands."""

_INDEX: Schema = {"type": ["string", "integer"]}

_ACTION_REASONS = [
    "replace_by_request",
    "replace_by_triggers",
    "replace_because_cannot_update",
    "delete_because_no_resource_config",
    "delete_because_wrong_repetition",
    "delete_because_count_index",
    "delete_because_each_key",
]


def plan_schema() -> Schema:
    """Of `zenctl show -json FILE`."""
    properties = {
        "format_version": {"type": "string", "pattern": r"^1\.\d+$"},
        "terraform_version": {"description": "The Terraform whose plans have this form", "type": "string"},
        "zenctl_version": TEXT,
        "project": TEXT,
        "workspace": TEXT,
        "serial": COUNT,
        "timestamp": TEXT,
        "code_version": {"type": "object"},
        "provider_versions": {"type": "object", "additionalProperties": TEXT},
        "destroy": FLAG,
        "refresh_only": FLAG,
        "applyable": FLAG,
        "complete": FLAG,
        "errored": FLAG,
        "variables": {"type": "object", "additionalProperties": fields({"value": ANY})},
        "planned_values": {"$ref": "#/$defs/values"},
        "resource_drift": {"type": "array", "items": {"$ref": "#/$defs/resource_change"}},
        "resource_changes": {"type": "array", "items": {"$ref": "#/$defs/resource_change"}},
        "output_changes": {"type": "object", "additionalProperties": {"$ref": "#/$defs/output_change"}},
        "prior_state": fields(
            {"format_version": TEXT, "terraform_version": TEXT, "values": {"$ref": "#/$defs/values"}}
        ),
        "configuration": {
            "type": "object",
            "properties": {
                "provider_config": {"type": "object", "additionalProperties": {"type": "object"}},
                "root_module": {"$ref": "#/$defs/module"},
            },
        },
        "checks": {"type": "array", "items": {"$ref": "#/$defs/check"}},
        "machines": {
            "description": "Machines that apply makes for steps, and removes again",
            "type": "array",
            "items": machines(),
        },
        "zenctl_summary": fields(dict.fromkeys(COUNTED, COUNT)),
        "diagnostics": {"type": "array", "items": {"$ref": "#/$defs/diagnostic"}},
    }
    definitions = {
        "resource_change": _resource_change(),
        "output_change": fields(
            {
                "actions": actions(),
                "before": ANY,
                "after": ANY,
                "after_unknown": FLAG,
                "before_sensitive": FLAG,
                "after_sensitive": FLAG,
            }
        ),
        "reason": reason(),
        "diagnostic": diagnostic(),
        **_values(),
        "check": _check(),
        "module": _configured_module(),
    }
    return document("plan", "A zenctl plan, format 1", properties, {"$defs": definitions})


def _values() -> dict[str, Schema]:
    """The tree of `planned_values` and `prior_state`."""
    resource = fields(
        {
            **_NAMED,
            "provider_name": TEXT,
            "schema_version": COUNT,
            "values": {"type": "object"},
            "sensitive_values": MARKS,
        }
    )
    resource["properties"]["index"] = _INDEX
    output = {"type": "object", "required": ["sensitive"], "properties": {"sensitive": FLAG, "value": ANY}}
    module: Schema = {
        "type": "object",
        "properties": {
            "address": TEXT,
            "resources": {"type": "array", "items": resource},
            "child_modules": {"type": "array", "items": {"$ref": "#/$defs/values_module"}},
        },
    }
    outputs = {"type": "object", "additionalProperties": output}
    root = {"$ref": "#/$defs/values_module"}
    return {"values_module": module, "values": fields({"outputs": outputs, "root_module": root})}


def _check() -> Schema:
    status = {"status": {"enum": ["pass", "fail", "unknown"]}}
    address = {"kind": {"enum": ["check", "resource", "output"]}, "to_display": TEXT}
    instance = fields({"address": fields({"to_display": TEXT}), **status})
    instance["properties"]["problems"] = {"type": "array", "items": fields({"message": TEXT})}
    return fields({"address": fields(address), **status, "instances": {"type": "array", "items": instance}})


def _configured_module() -> Schema:
    block = fields(
        {
            **_NAMED,
            "provider_config_key": TEXT,
            "expressions": {"type": "object"},
            "schema_version": COUNT,
        }
    )
    call = fields({"source": TEXT, "expressions": {"type": "object"}, "module": {"$ref": "#/$defs/module"}})
    return {
        "type": "object",
        "properties": {
            "resources": {"type": "array", "items": block},
            "outputs": {"type": "object", "additionalProperties": {"type": "object"}},
            "variables": {"type": "object", "additionalProperties": {"type": "object"}},
            "module_calls": {"type": "object", "additionalProperties": call},
        },
    }


def _resource_change() -> Schema:
    schema = fields(
        {
            **_NAMED,
            "provider_name": TEXT,
            "change": fields(
                {
                    "actions": actions(),
                    "before": {"type": ["object", "null"]},
                    "after": {"type": ["object", "null"]},
                    "after_unknown": MARKS,
                    "before_sensitive": MARKS,
                    "after_sensitive": MARKS,
                }
            ),
            "zenctl_action": {"enum": [action.value for action in Action]},
            "cache_hit": {"description": "Whether a recorded result stands, so that nothing runs", "type": "boolean"},
            "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}},
            "depends_on": {"type": "array", "items": ADDRESS},
        }
    )
    schema["properties"] |= {
        "module_address": TEXT,
        "previous_address": ADDRESS,
        "action_reason": {"enum": _ACTION_REASONS},
        "index": _INDEX,
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "code_diff": fields({"files": {"type": "object", "additionalProperties": TEXT}, "note": TEXT}),
        "execution_id": {"type": "integer"},
    }
    return schema
