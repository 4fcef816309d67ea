"""Says how far the data of two snapshots lie apart, from the statistics that they hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from zenctl.jobs.artifacts import CorruptArtifact, blob_path, read_tree
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.records import Recorded
from zenctl.sdk.drift import FeatureDrift, drift
from zenctl.sdk.snapshot import STATISTICS_FILE

MAX_BYTES = 32 << 20
"""Larger statistics, of some ten thousand columns, are not compared."""


def data_drift(before: Recorded, after: Recorded, storage: Storage) -> dict[str, tuple[FeatureDrift, ...]]:
    """By output: the columns that moved, the farthest first. Left out is what has no statistics any more."""
    found = {}
    for name, new in after.outputs.items():
        old = before.outputs.get(name)
        if old is None or old.digest == new.digest or {old.type, new.type} != {"Dataset"}:
            continue
        found[name] = compared(*(statistics_of(storage, artifact.digest) for artifact in (old, new)))
    return {name: moved for name, moved in found.items() if moved}


def compared(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[FeatureDrift, ...]:
    """The columns that differ between two statistics, the farthest first; none where one side is not known."""
    if before is None or after is None:
        return ()
    try:
        return tuple(drift(before, after))
    except (KeyError, TypeError, ValueError, AttributeError):
        # Statistics of another form than this zenctl writes.
        return ()


def statistics_of(storage: Storage, digest: str) -> Any:
    """The statistics of a snapshot; None if it has none, or is gone, damaged or of an older form."""
    try:
        for file in read_tree(storage, digest).files:
            if file.path == STATISTICS_FILE and file.size <= MAX_BYTES:
                with storage.open(blob_path(file.sha256)) as stream:
                    return json.loads(stream.read())
    except (CorruptArtifact, StorageError, ValueError):
        return None
    return None


def drift_json(item: FeatureDrift) -> dict[str, Any]:
    """One column, as documents have it; null is what is not known."""
    means = [value if math.isfinite(value) else None for value in item.mean]
    return {
        "feature": item.name,
        "distance": item.distance,
        "measure": item.measure or None,
        "change": item.change or None,
        "missing": {"before": item.missing[0], "after": item.missing[1]},
        "mean": {"before": means[0], "after": means[1]},
        "new_values": list(item.come),
        "gone_values": list(item.went),
    }
