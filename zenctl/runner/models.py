"""Takes out of a saved model what changes at every save, so that equal training gives an equal digest."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
DATE_SAVED = "1980-01-01@00:00:00"

NORMALISED = frozenset({"Model", "Transform"})
"""Artifact types whose folders hold saved models."""


def normalise(folder: Path) -> None:
    """Drop `fingerprint.pb` of SavedModels; set the zip times and `date_saved` of `.keras` archives to a constant.

    Loading does not look at any of them. A `.keras` file that is no zip archive stays as it is.
    """
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.name == "fingerprint.pb" and path.with_name("saved_model.pb").is_file():
            path.unlink()
        elif path.suffix == ".keras" and path.is_file() and zipfile.is_zipfile(path):
            _rewrite(path)


def _rewrite(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
            for entry in old.infolist():
                info = zipfile.ZipInfo(entry.filename, EPOCH)
                info.compress_type = entry.compress_type
                info.external_attr = 0o644 << 16
                data = old.read(entry)
                new.writestr(info, _dateless(data) if entry.filename == "metadata.json" else data)
        os.replace(temporary, path)
    except zipfile.BadZipFile:
        temporary.unlink()


def _dateless(data: bytes) -> bytes:
    try:
        metadata = json.loads(data)
    except ValueError:
        return data
    if not isinstance(metadata, dict) or "date_saved" not in metadata:
        return data
    return json.dumps({**metadata, "date_saved": DATE_SAVED}).encode()
