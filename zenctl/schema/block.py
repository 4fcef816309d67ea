"""BlockModel: the typed form of a configuration block, a pydantic model whose fields are the block's attributes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class BlockModel(BaseModel):
    """Base of every block's model: unknown attributes are refused, values are not coerced silently, and it is frozen.

    Field descriptions are the reference documentation and the texts of the JSON Schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)


def attribute(description: str, *, default: Any = ..., fingerprint: bool = True, **constraints: Any) -> Any:
    """Declare an attribute: what it means, its default (none = required), and pydantic constraints (`gt=0` ...).

    `fingerprint=False` marks what cannot change the result (a path, a port, a name): editing it makes nothing stale.
    """
    return Field(default, description=description, json_schema_extra={"x-fingerprint": fingerprint}, **constraints)


def fingerprinted(model: BlockModel) -> dict[str, Any]:
    """The attributes that are part of the fingerprint, as plain data; defaults included, so that they are pinned."""
    data = model.model_dump(mode="python")
    for name, info in type(model).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("x-fingerprint") is False:
            del data[name]
    return data
