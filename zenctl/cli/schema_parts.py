"""The parts that the JSON Schemas of zenctl's documents share: objects, reasons, diagnostics."""

from __future__ import annotations

from typing import Any

from zenctl.plans.actions import ReasonCode

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
MARKS: Schema = {
    "description": "true, or a map or list of the value's own shape that holds true where a part is so marked",
    "type": ["boolean", "object", "array"],
}
ADDRESS = {
    "type": "string",
    "pattern": r"^(module\.[^.]+\.)*(step|datasource|endpoint|backend)\.",
}
_TERRAFORM_ACTIONS = ["no-op", "create", "read", "update", "delete", "forget"]


def document(name: str, title: str, properties: dict[str, Schema], parts: Schema, unknown: str = "keys") -> Schema:
    """A whole document of the first version: what it has at its top, and `parts`, such as the definitions in it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://zenctl.dev/schemas/{name}.v1.schema.json",
        "title": title,
        "description": f"Readers must skip {unknown} that they do not know: minor versions add some.",
        **fields(properties),
        **parts,
    }


def actions() -> Schema:
    """Of `change.actions`."""
    return {"type": "array", "items": {"enum": _TERRAFORM_ACTIONS}, "minItems": 1, "maxItems": 2}


def reason() -> Schema:
    """Of an entry of `stale_because`; where data moved, with the columns that moved farthest."""
    moved = {"type": "array", "items": moved_column()}
    drift = fields({"columns": {"description": "How many moved at all", **COUNT}, "movers": moved})
    data = {"type": "object", "properties": {"drift": drift}}
    return fields({"reason": {"enum": [code.value for code in ReasonCode]}, "detail": TEXT, "data": data})


def moved_column() -> Schema:
    """How a column of data moved between two snapshots."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    number = {"type": ["number", "null"]}
    return fields(
        {
            "feature": TEXT,
            "distance": share,
            "measure": {"enum": ["KS", "JS", "missing", None]},
            "change": {"type": ["string", "null"]},
            "missing": fields({"before": share, "after": share}),
            "mean": fields({"before": number, "after": number}),
            "new_values": {"type": "array", "items": TEXT},
            "gone_values": {"type": "array", "items": TEXT},
        }
    )


def pool() -> dict[str, Schema]:
    """The properties of a kind of machines."""
    price: dict[str, Schema] = {
        "per_hour": {"description": "An estimate for one machine; null if it is not known", "type": ["number", "null"]},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "source": TEXT,
        "as_of": {"description": "A date, or empty", "type": "string"},
        "note": {"description": "What is not in the price, or why there is none", "type": "string"},
    }
    return {
        "machine_type": TEXT,
        "locations": {"description": "In order of trial", "type": "array", "items": TEXT},
        "accelerators": {"type": "array", "items": fields({"type": TEXT, "count": COUNT})},
        "spot": FLAG,
        "scope": {"description": "Whether one serves all steps of an apply, or one step", "enum": ["apply", "step"]},
        "price": fields(price),
    }


def machines() -> Schema:
    """Of an entry of a plan's `machines`."""
    addresses = {"type": "array", "items": ADDRESS}
    return fields(
        {
            "addresses": {"description": "The backends that name them", **addresses},
            "certain": {"description": "Whether at least one of the jobs does run", "type": "boolean"},
            "count": {"description": "How many at most", **COUNT},
            **pool(),
            "runs": {"description": "What runs there", **addresses},
            "may_run": {"description": "What may run there", **addresses},
        }
    )


def diagnostic() -> Schema:
    """Of a diagnostic, in Terraform's shape."""
    position = fields({"line": COUNT, "column": COUNT, "byte": COUNT})
    schema = fields({"severity": {"enum": ["error", "warning"]}, "code": TEXT, "summary": TEXT, "detail": TEXT})
    schema["properties"] |= {
        "address": TEXT,
        "range": fields({"filename": TEXT, "start": position, "end": position}),
        "snippet": fields(
            {
                "context": {"type": ["string", "null"]},
                "code": TEXT,
                "start_line": COUNT,
                "highlight_start_offset": COUNT,
                "highlight_end_offset": COUNT,
                "values": {"type": "array", "items": fields({"traversal": TEXT, "statement": TEXT})},
            }
        ),
    }
    return schema


def fields(properties: dict[str, Schema]) -> Schema:
    """An object that has all these properties, and may have others."""
    return {"type": "object", "required": sorted(properties), "properties": dict(properties)}
