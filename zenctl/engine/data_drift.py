"""Looks up how far the data of two recorded results lie apart, in the statistics that their snapshots hold."""

from __future__ import annotations

import json
from typing import Any

from zenctl.jobs.artifacts import CorruptArtifact, blob_path, read_tree
from zenctl.jobs.storage import Storage, StorageError
from zenctl.metadata.records import Recorded
from zenctl.sdk.drift import FeatureDrift, drift
from zenctl.sdk.snapshot import STATISTICS_FILE


def data_drift(before: Recorded, after: Recorded, storage: Storage) -> dict[str, tuple[FeatureDrift, ...]]:
    """By output: the columns that moved, the farthest first. Left out is what has no statistics any more."""
    found = {}
    for name, new in after.outputs.items():
        old = before.outputs.get(name)
        if old is None or old.digest == new.digest or {old.type, new.type} != {"Dataset"}:
            continue
        sides = [_statistics(storage, artifact.digest) for artifact in (old, new)]
        if sides[0] is not None and sides[1] is not None:
            found[name] = tuple(drift(sides[0], sides[1]))
    return {name: moved for name, moved in found.items() if moved}


def _statistics(storage: Storage, digest: str) -> Any:
    """The statistics of a snapshot; None if it is gone, damaged or of an older form."""
    try:
        for file in read_tree(storage, digest).files:
            if file.path == STATISTICS_FILE:
                with storage.open(blob_path(file.sha256)) as stream:
                    return json.loads(stream.read())
    except (CorruptArtifact, StorageError, ValueError):
        return None
    return None
