"""Looks at a text source in a bucket for plan: at what the store says of its objects. Standard library only."""

from __future__ import annotations

from dataclasses import replace

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.objects import content_digest, find_objects, state_of
from zenctl.steps.text.observe import NAMES, named_digest
from zenctl.steps.text.schema import Text


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:  # noqa: ARG001 - none is read
    """The source as its bucket says it is; rows are known if each object is one.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_unsupported.
    """
    if not isinstance(model, Text):
        raise TypeError(f"observe_objects takes the block of a text datasource, not {type(model).__name__}")
    objects = find_objects(model.path, buckets, "text", NAMES)
    rows = len(objects) if model.row == "file" else None
    state = state_of("text", objects, rows, {"text": "string", "path": "string"})
    named = [f"{name}\n{content_digest(found)}" for name, found in objects.items()]
    return replace(state, digest=named_digest("text", named))
