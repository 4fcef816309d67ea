"""Shows root outputs: as a list with sensitive values hidden, one by name, as JSON, or raw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zenctl.cli.views.attributes import Side, text
from zenctl.cli.views.style import Style, pad

Outputs = Mapping[str, Mapping[str, Any]]
"""`{name: {"value":, "sensitive":}}`"""


def output_block(outputs: Outputs, style: Style) -> str:
    """One line each, names aligned."""
    width = max((len(name) for name in outputs), default=0)
    return "\n".join(f"{pad(name, width)} = {_shown(output, style)}" for name, output in sorted(outputs.items()))


def output_text(value: Any) -> str:
    """One output's value as configuration would write it; digests and lists in full."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def output_document(outputs: Outputs) -> str:
    """All outputs as JSON. The value of a sensitive one is null: only its digest is recorded."""
    document = {
        name: {"sensitive": bool(output.get("sensitive")), "value": _clear(output)}
        for name, output in sorted(outputs.items())
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def raw_text(value: Any) -> str | None:
    """A string, number or boolean as bare text for shell scripts; None for anything else."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None


def _shown(output: Mapping[str, Any], style: Style) -> str:
    if output.get("sensitive"):
        return style.dim("(sensitive value)")
    return text(Side(output.get("value")))


def _clear(output: Mapping[str, Any]) -> Any:
    return None if output.get("sensitive") else output.get("value")
