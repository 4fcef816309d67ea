"""The JSON Schema of what `zenctl backend list -json` and `zenctl backend show -json` print."""

from __future__ import annotations

from zenctl.cli.schema_parts import ADDRESS, COUNT, TEXT, Schema, document, fields, pool
from zenctl.config.settings import ROLES


def backends_schema() -> Schema:
    """Of both; `list` leaves out attributes, machines and template."""
    texts = {"type": "array", "items": TEXT}
    roles = {"type": "array", "items": {"enum": list(ROLES)}}
    known = {
        "description": "null where only an apply knows it",
        "type": "object",
        "additionalProperties": {"type": ["string", "null"]},
    }
    template: dict[str, Schema] = {
        "labels": known,
        "metadata": known,
        "identity": TEXT,
        "permissions": texts,
        "startup_script": TEXT,
    }
    backend = fields(
        {
            "address": ADDRESS,
            "type": TEXT,
            "name": TEXT,
            "provider": TEXT,
            "roles": roles,
            "default_for": roles,
            "range": {"type": ["object", "null"], "properties": {"filename": TEXT, "line": COUNT}},
        }
    )
    backend["properties"] |= {
        "attributes": {"type": "object"},
        "machines": {"description": "What it makes", "type": "array", "items": fields({"count": COUNT, **pool()})},
        "template": {
            "description": "What each machine is given; null where it makes none",
            **fields(template),
            "type": ["object", "null"],
        },
    }
    properties: dict[str, Schema] = {
        "format_version": {"type": "string", "pattern": r"^1\.\d+$"},
        "backends": {"type": "array", "items": backend},
    }
    return document("backends", "The backends of a configuration, format 1", properties, {})
