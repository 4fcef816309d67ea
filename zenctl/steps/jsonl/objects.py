"""Looks at a jsonl source in a bucket for plan: at what the store says of its objects. Standard library only."""

from __future__ import annotations

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.objects import find_objects, state_of
from zenctl.steps.jsonl.observe import NAMES
from zenctl.steps.jsonl.observe_json import NAMES as OTHER_NAMES
from zenctl.steps.jsonl.schema import Json, Jsonl


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:  # noqa: ARG001 - none is read
    """The source as its bucket says it is; rows and columns are not known.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_unsupported.
    """
    if not isinstance(model, Jsonl):
        raise TypeError(f"observe_objects takes the block of a jsonl datasource, not {type(model).__name__}")
    kind, names = ("json", OTHER_NAMES) if isinstance(model, Json) else ("jsonl", NAMES)
    return state_of("jsonl", find_objects(model.path, buckets, kind, names))
