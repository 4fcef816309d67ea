"""Which keys are blocks, and how many labels they take: what tells blocks from attributes in YAML."""

from __future__ import annotations

from zenctl.lang.syntax import BlockShape

_CONTENT: dict[str, BlockShape] = {}
_DYNAMIC = BlockShape(1, {"content": BlockShape(0, _CONTENT)})
_CONTENT["dynamic"] = _DYNAMIC  # they nest

_TYPED = {"dynamic": _DYNAMIC}
_CONDITION = BlockShape(0, {})
_NODE = {"lifecycle": BlockShape(0, {"precondition": _CONDITION, "postcondition": _CONDITION}), **_TYPED}

ROOT = BlockShape(
    0,
    {
        "zenctl": BlockShape(
            0,
            {
                "metadata": BlockShape(1, {}),
                "artifacts": BlockShape(1, {}),
                "required_providers": BlockShape(0, {}),
                "defaults": BlockShape(0, {}),
            },
        ),
        "provider": BlockShape(1, _TYPED),
        "variable": BlockShape(1, {"validation": BlockShape(0, {})}, frozenset({"type"})),
        "locals": BlockShape(0, {}),
        "output": BlockShape(1, {"precondition": _CONDITION}),
        "backend": BlockShape(2, _TYPED),
        "datasource": BlockShape(2, _NODE),
        "step": BlockShape(2, {**_NODE, "on_change": BlockShape(0, {})}),
        "endpoint": BlockShape(2, _NODE),
        "module": BlockShape(1, {}),
        "moved": BlockShape(0, {}),
        "removed": BlockShape(0, {"lifecycle": BlockShape(0, {})}),
        "check": BlockShape(1, {"assert": _CONDITION}),
    },
)
"""A file of the configuration. Blocks of a type's own inside step, datasource, endpoint and backend may be written as
attributes, so YAML needs no shape for them."""
