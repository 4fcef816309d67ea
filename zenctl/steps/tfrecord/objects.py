"""Looks at a tfrecord source in a bucket for plan: at what the store says of its objects. Standard library only."""

from __future__ import annotations

from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.schema.types import Buckets
from zenctl.steps.data.objects import find_objects, state_of
from zenctl.steps.tfrecord.observe import NAMES
from zenctl.steps.tfrecord.schema import TfRecord


def observe_objects(model: BlockModel, buckets: Buckets, cache: SourceCache) -> SourceState:  # noqa: ARG001 - none is read
    """The source as its bucket says it is; rows and columns are not known.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_unsupported.
    """
    if not isinstance(model, TfRecord):
        raise TypeError(f"observe_objects takes the block of a tfrecord datasource, not {type(model).__name__}")
    return state_of("tfrecord", find_objects(model.path, buckets, "tfrecord", NAMES))
