"""The artifact store of type `local`: a folder below the configuration's, or any other of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from zenctl.jobs.storage import FolderStorage
from zenctl.provider import ErrorKind, ProviderContext, ProviderError
from zenctl_local.schema import DEFAULT_STORE


def store_folder(uri: str) -> Path | None:
    """The folder of a store on this machine, None for one that is reached over the network."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def open_store(config: Mapping[str, Any], context: ProviderContext) -> FolderStorage:
    """The store that the decoded block names; nothing is created before the first object is put."""
    path = str(config.get("path", DEFAULT_STORE))
    # The default follows the data folder, should that be elsewhere.
    folder = context.data_dir / "artifacts" if path == DEFAULT_STORE else context.root / Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ProviderError(
            ErrorKind.INVALID, f"the artifact store {folder} is not a folder", 'Set `path` in `artifacts "local" {}`.'
        )
    return FolderStorage(folder)
