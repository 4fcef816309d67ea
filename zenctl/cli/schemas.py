"""Makes the JSON Schemas of what the command line prints; `python -m zenctl.cli.schemas DIR` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from zenctl.cli.backend_schema import backends_schema
from zenctl.cli.plan_schema import plan_schema
from zenctl.cli.schema_parts import (
    ADDRESS,
    ANY,
    COUNT,
    FLAG,
    NUMBER,
    TEXT,
    Schema,
    diagnostic,
    document,
    fields,
    machines,
    reason,
)
from zenctl.cli.state_schemas import comparison_schema, lineage_schema, runs_schema, state_diff_schema, state_schema
from zenctl.cli.upkeep_schemas import addresses_schema, garbage_schema, history_schema, verification_schema
from zenctl.config.settings import ROLES
from zenctl.plans.actions import Action
from zenctl.provider import MachineChange

_STREAM_ACTIONS = ["noop", "create", "read", "update", "replace", "delete", "move", "remove"]
_OUTPUT: dict[str, Any] = {
    "type": "object",
    "required": ["sensitive"],
    "properties": {
        "sensitive": {"type": "boolean"},
        "action": {"enum": ["noop", "create", "update", "delete"]},
        "type": {"description": 'as Terraform writes types: string, ["object", {...}]', "type": ["string", "array"]},
        "value": {},
    },
}


def events_schema() -> Schema:
    """Of one line of `plan -json` and `apply -json`."""
    payloads = _payloads()
    envelope = {
        "@level": {"enum": ["info", "warn", "error"]},
        "@message": TEXT,
        "@module": {"const": "zenctl.ui"},
        "@timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT.*Z$"},
        "type": {"enum": list(payloads)},
    }
    by_type = [{"if": {"properties": {"type": {"const": name}}}, "then": payload} for name, payload in payloads.items()]
    parts = {"allOf": by_type, "$defs": {"reason": reason(), "diagnostic": diagnostic()}}
    return document("events", "One line of zenctl's event stream, version 1", envelope, parts, "types and keys")


def _payloads() -> dict[str, Schema]:
    """What each type of event has besides the envelope."""
    hook = {"resource": {"type": "object", "required": ["addr"], "properties": {"addr": TEXT}}}
    action = {"action": {"enum": _STREAM_ACTIONS}, "zenctl_action": {"enum": [a.value for a in Action]}}
    return {
        "version": fields({"zenctl": TEXT, "terraform": TEXT, "ui": {"type": "string", "pattern": r"^1\.\d+$"}}),
        "log": fields({}),
        "diagnostic": fields({"diagnostic": {"$ref": "#/$defs/diagnostic"}}),
        "planned_change": fields(
            {
                "change": fields(
                    {**hook, **action, "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}}}
                )
            }
        ),
        "resource_drift": fields(
            {
                "change": fields(
                    {
                        **hook,
                        "action": {"enum": ["update", "delete"]},
                        "stale_because": {"type": "array", "items": {"$ref": "#/$defs/reason"}},
                    }
                )
            }
        ),
        "planned_machines": fields({"machines": machines()}),
        "machine": fields(
            {
                "machine": fields(
                    {
                        "address": ADDRESS,
                        "name": TEXT,
                        "change": {"enum": [change.value for change in MachineChange]},
                        "machine_type": TEXT,
                        "location": TEXT,
                        "reason": TEXT,
                        "elapsed_seconds": {"description": "Since it was asked for", **COUNT},
                    }
                )
            }
        ),
        "change_summary": fields(
            {
                "changes": fields(
                    {
                        "add": COUNT,
                        "change": COUNT,
                        "remove": COUNT,
                        "import": COUNT,
                        "operation": {"enum": ["plan", "apply", "destroy"]},
                        "zenctl": {"type": "object"},
                    }
                )
            }
        ),
        "outputs": fields({"outputs": {"type": "object", "additionalProperties": _OUTPUT}}),
        "refresh_start": fields({"hook": fields(hook)}),
        "refresh_complete": fields({"hook": fields({**hook, "note": TEXT})}),
        "apply_start": fields({"hook": fields({**hook, **action, "job_id": TEXT})}),
        "apply_progress": fields({"hook": fields({**hook, "done": NUMBER, "total": NUMBER, "unit": TEXT})}),
        "apply_log": fields({"hook": fields({**hook, "output": TEXT})}),
        "apply_complete": fields(
            {"hook": fields({**hook, **action, "outcome": TEXT, "note": TEXT, "elapsed_seconds": COUNT})}
        ),
        "apply_errored": fields({"hook": fields({**hook, **action, "canceled": FLAG, "elapsed_seconds": COUNT})}),
        "apply_skipped": fields({"hook": fields({**hook, **action, "because": TEXT})}),
    }


def provider_schemas_schema() -> Schema:
    """Of `zenctl providers schema -json`."""
    described = {"description": TEXT, "block": {"$ref": "#/$defs/block"}}
    version = {"version": {"type": "integer", "minimum": 1}}
    taken = fields({"types": {"type": "array", "items": TEXT}, "required": FLAG, "description": TEXT})
    provider = fields(
        {
            "version": TEXT,
            "provider": {"$ref": "#/$defs/block"},
            "backend_schemas": _by_name(
                fields({**described, "roles": {"type": "array", "items": {"enum": list(ROLES)}}})
            ),
            "endpoint_schemas": _by_name(fields(described)),
            "artifact_store_schemas": _by_name(fields({**described, "scheme": TEXT})),
        }
    )
    inputs = {"description": "null where the user names the inputs", **_by_name(taken), "type": ["object", "null"]}
    properties = {
        "format_version": {"type": "string", "pattern": r"^1\.\d+$"},
        "zenctl_version": TEXT,
        "provider_schemas": _by_name(provider),
        "step_schemas": _by_name(fields({**version, **described, "inputs": inputs})),
        "datasource_schemas": _by_name(fields({**version, **described})),
        "metadata_store_schemas": _by_name(fields({"block": {"$ref": "#/$defs/block"}})),
        "meta_arguments": _by_name({"type": "array", "items": TEXT}),
    }
    parts = {"$defs": {"block": _block(), "attribute": _attribute()}}
    return document("provider-schemas", "The block types that are installed, format 1", properties, parts)


def _block() -> Schema:
    nested = fields(
        {
            "nesting_mode": {"enum": ["single", "list", "map"]},
            "description": TEXT,
            "required": FLAG,
            "block": {"$ref": "#/$defs/block"},
        }
    )
    return fields({"attributes": _by_name({"$ref": "#/$defs/attribute"}), "block_types": _by_name(nested)})


def _attribute() -> Schema:
    schema = fields(
        {
            "type": {"description": "A type expression; artifact and backend are references", "type": "string"},
            "description": TEXT,
            "required": FLAG,
            "sensitive": FLAG,
            "fingerprint": {"description": "Whether a change makes results stale", "type": "boolean"},
        }
    )
    schema["properties"] |= {
        "default": ANY,
        "choices": {"type": "array"},
        "any_of": {"type": "array", "items": TEXT},
        "integer": {"description": "Whole numbers only", "const": True},
        **dict.fromkeys(("minimum", "exclusive_minimum", "maximum", "exclusive_maximum"), NUMBER),
        **dict.fromkeys(("min_length", "max_length"), COUNT),
    }
    return schema


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


SCHEMAS = {
    "plan.v1.schema.json": plan_schema,
    "events.v1.schema.json": events_schema,
    "provider-schemas.v1.schema.json": provider_schemas_schema,
    "state.v1.schema.json": state_schema,
    "lineage.v1.schema.json": lineage_schema,
    "state-diff.v1.schema.json": state_diff_schema,
    "comparison.v1.schema.json": comparison_schema,
    "addresses.v1.schema.json": addresses_schema,
    "history.v1.schema.json": history_schema,
    "runs.v1.schema.json": runs_schema,
    "verification.v1.schema.json": verification_schema,
    "garbage.v1.schema.json": garbage_schema,
    "backends.v1.schema.json": backends_schema,
}
"""File name and maker of each schema."""


def text(name: str) -> str:
    """The file's text."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file in SCHEMAS:
        (Path(sys.argv[1]) / file).write_text(text(file), encoding="utf-8")
