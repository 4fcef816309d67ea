"""Infers a schema to validate by from what is recorded of a dataset. Pure, and standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.sdk.snapshot import Schema
from zenctl.steps.validate.schema import SCHEMA_FORMAT

DOMAIN_LIMIT = 20
"""A text column with at most this many different values gets a domain."""

ROWS_A_VALUE = 5
"""... if a value occurs this often on average: a few names are no domain."""


def infer(schema: Schema, features: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The document of a schema file that this data passes.

    Types, presence, and domains of texts with few values; no ranges, which the next rows would leave: these are for
    people to add. `features` are the statistics by column.
    """
    found: dict[str, Any] = {}
    for feature in schema.features:
        data = features.get(feature.name, {})
        count = int(data.get("count", 0))
        expected: dict[str, Any] = {"type": feature.type} if count else {}
        present = feature.required and count and not data.get("nan")
        expected["presence"] = "required" if present else "optional"
        domain = _domain(data, count) if feature.type == "string" else None
        if domain:
            expected["domain"] = domain
        found[feature.name] = expected
    return {"format": SCHEMA_FORMAT, "features": found}


def _domain(data: Mapping[str, Any], count: int) -> list[str] | None:
    unique = data.get("unique")
    if not unique or unique > DOMAIN_LIMIT or count < ROWS_A_VALUE * unique:
        return None
    values = sorted(str(entry["value"]) for entry in data.get("top", ()))
    return values if len(values) == unique else None
