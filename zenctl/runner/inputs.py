"""Lays a job's inputs out as local folders, hands them to the code, and sees whether the code changed them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from zenctl.digests import sha256_file
from zenctl.jobs.artifacts import TreeFile, blob_path, fetch_tree
from zenctl.jobs.spec import InputSpec
from zenctl.jobs.storage import FolderStorage, Storage
from zenctl.lazy_dataclasses import dataclass
from zenctl.sdk.artifacts import input_type
from zenctl.sdk.errors import StepError

Stamp = Tuple[int, int, int]


@dataclass(frozen=True)
class Input:
    """One input as it was laid out: its folder, and of every file what the system says of it unread."""

    name: str
    spec: InputSpec
    folder: Path
    files: Tuple[TreeFile, ...]
    stamps: Tuple[Stamp, ...]

    def value(self, by_type: bool) -> Any:
        """What the code gets. `by_type`: the class is the artifact type's own where the order names none."""
        wanted = self.spec.as_type
        if wanted == "Path":
            return self.folder
        if by_type and wanted == "Artifact":
            wanted = self.spec.type
        return input_type(wanted)(self.folder, self.name, self.spec.digest)


def fetch_inputs(storage: Storage, specs: Mapping[str, InputSpec], target: Path) -> Dict[str, Input]:
    """Fetch and verify every input; raises CorruptArtifact."""
    found: Dict[str, Input] = {}
    for number, (name, spec) in enumerate(sorted(specs.items())):
        folder = target / folder_name(name, number)
        tree = fetch_tree(storage, spec.digest, folder)
        stamps = tuple(_stamp(folder / file.path) for file in tree.files)
        found[name] = Input(name, spec, folder, tree.files, stamps)
    return found


def folder_name(name: str, number: int) -> str:
    """A folder name for an input or output: its own, if that is a plain one."""
    return name if re.fullmatch(r"\w[\w.-]{0,100}", name, re.ASCII) else f"{number}"


def check_unchanged(storage: Storage, inputs: Mapping[str, Input]) -> None:
    """Raise StepError if the code changed an input file. Files that it added beside are nobody's and do no harm.

    Inputs may be hard links to the store, and a privileged user can write even to read-only files: what was damaged
    so is taken out of the store, where otherwise a later step would trip over it.
    """
    changed: List[str] = []
    for name, item in sorted(inputs.items()):
        for file, stamp in zip(item.files, item.stamps):  # noqa: B905 - `strict` needs Python 3.10
            if _stamp(item.folder / file.path) != stamp:
                changed.append(f"{name}: {file.path}")
                _remove_damaged(storage, item.folder / file.path, file, stamp)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise StepError(
            f"the step changed an input ({changed[0]}{more})",
            "Inputs are shared by every step that reads them. Write to an output, or copy the file first.",
            kind="user_error",
        )


def _stamp(path: Path) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return (0, -1, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _remove_damaged(storage: Storage, place: Path, file: TreeFile, before: Stamp) -> None:
    if not isinstance(storage, FolderStorage) or _stamp(place)[0] != before[0]:
        return
    stored = storage.local_path(blob_path(file.sha256))
    if stored.exists() and place.samefile(stored) and sha256_file(stored) != file.sha256:
        storage.delete(blob_path(file.sha256))
