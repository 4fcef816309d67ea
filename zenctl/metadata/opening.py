"""Opens the metadata store that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.diagnostics import did_you_mean
from zenctl.metadata.memory import MemoryStore
from zenctl.metadata.store import MetadataStore, StoreError

DATABASE = "metadata.db"
"""The default database, in the project's data folder."""

TYPES = ("sqlite",)


def open_store(type: str, config: Mapping[str, Any], data_dir: Path, *, create: bool) -> MetadataStore:
    """The store of a type. For `sqlite`, `config` may give `path`, relative to the configuration's folder.

    `data_dir` is `.zenctl` in that folder. With `create` the store is made where it is missing, and can be written;
    without, nothing is made or written, and a store that is missing reads as empty. Raises StoreError, with a hint, for
    a type that is not known and for a database that cannot be read or was written by a newer zenctl.
    """
    if type not in TYPES:
        raise StoreError(
            f'there is no metadata store of type "{type}".{did_you_mean(type, TYPES)}',
            f"Known types: {', '.join(TYPES)}.",
        )
    path = data_dir.absolute().parent / config["path"] if config.get("path") else data_dir / DATABASE
    if path.is_dir():
        raise StoreError(f"{path} is a folder, where the metadata database should be", "Move it away, then try again.")
    if not create and _is_missing(path):
        return MemoryStore(read_only=True)
    from zenctl.metadata.mlmd import MlmdStore  # only a store that exists costs the import of ml_metadata

    return MlmdStore(path, create=create)


def _is_missing(path: Path) -> bool:
    """An empty file is a database whose making was interrupted before anything was in it."""
    try:
        return (path.is_file() and path.stat().st_size == 0) or not path.exists()
    except OSError as problem:
        raise StoreError(f"{path} cannot be read: {problem.strerror}", "Check its permissions.") from problem
