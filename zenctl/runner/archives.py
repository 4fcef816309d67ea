"""Brings the archives that an environment is made with, such as wheels, from the artifact store to this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Mapping

from zenctl.digests import CHUNK, sha256_file
from zenctl.jobs.artifacts import archive_path
from zenctl.jobs.storage import Storage, StorageError, check_path


def fetch_archives(storage: Storage, files: Mapping[str, str], folder: Path) -> None:
    """Have these files below `folder`; what is there already and is the same is left alone.

    `files` are digests by path (`./archives/.../name.whl`). What is half there after a kill never has the name. Raises
    StorageError: of one that is gone, or is not what its digest says, too.
    """
    for path, digest in files.items():
        target = folder / check_path(path[2:] if path.startswith("./") else path)
        if not target.is_file() or sha256_file(target) != digest:
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(storage, archive_path(digest), target, digest)


def _fetch(storage: Storage, source: str, target: Path, digest: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as writer, storage.open(source) as reader:
            shutil.copyfileobj(reader, writer, CHUNK)
        if sha256_file(temporary) != digest:
            hint = "Something has changed it in the artifact store: delete it there, and apply again."
            raise StorageError("INVALID", f"the archive {target.name} is damaged: {source}", hint)
        os.replace(temporary, target)
    except OSError as problem:
        raise StorageError("INVALID", f"{target.name} cannot be kept: {problem.strerror or problem}") from problem
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
