"""Looks at a source of images for plan: every file's digest, format and end. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zenctl.diagnostics import DiagnosticError, error
from zenctl.digests import sha256_bytes
from zenctl.schema import BlockModel, SourceCache, SourceState
from zenctl.steps.data.files import RELATIVE, shown, source_digest, unreadable
from zenctl.steps.data.observing import empty, facts_of, placed
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.images.formats import problem_of
from zenctl.steps.images.listing import images_of
from zenctl.steps.images.schema import Images

FORM = "images-1"
"""Counts changes of what `_scan` gives."""


def observe(model: BlockModel, root: Path, cache: SourceCache) -> SourceState:
    """The source as it is now. Reads an image only if the cache does not know it as it is.

    Raises DiagnosticError: source_missing, source_unreadable, source_empty, source_format, source_labels,
    source_unsupported.
    """
    if not isinstance(model, Images):
        raise TypeError(f"observe takes the block of an images datasource, not {type(model).__name__}")
    for path in (model.path, model.labels):
        if "://" in path:
            detail = "An images datasource reads files of this machine: copy them here, or name a local path."
            raise DiagnosticError(error("source_unsupported", f"cannot read {path}", detail))
    folder = Path(os.path.normpath(root / model.path))
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise DiagnosticError(error("source_missing", f"the folder {model.path} {what}", RELATIVE))
    labels = Path(os.path.normpath(root / model.labels)) if model.labels else None
    if labels is not None and not labels.is_file():
        raise DiagnosticError(error("source_missing", f"there is no file {model.labels}", RELATIVE))
    try:
        images = images_of(folder, labels)
    except OSError as problem:
        raise unreadable(model.path, problem) from problem
    except FileProblem as problem:
        raise DiagnosticError(placed(problem, shown(labels or folder, root))) from problem
    if not images:
        raise empty(model.path, "images")
    facts = facts_of([folder / name for name in images], root, cache, FORM, _scan)
    digest = images_digest(images, [str(found["sha256"]) for found in facts])
    locations = {"images": str(folder.absolute())} | ({"labels": str(labels.absolute())} if labels is not None else {})
    types = {"image": "bytes", "label": "string", "path": "string"}
    return SourceState(digest, sum(found["bytes"] for found in facts), len(images), locations, types)


def images_digest(images: Mapping[str, str | None], digests: list[str]) -> str:
    """Digest of the source: names, labels and contents in order."""
    rows = [f"{name}\n{label or ''}\n{sha256}" for (name, label), sha256 in zip(images.items(), digests, strict=True)]
    return source_digest("images", ["labelled", *rows])


def _scan(path: Path) -> Mapping[str, Any]:
    data = path.read_bytes()
    problem = problem_of(data)
    if problem:
        raise FileProblem(problem, "Write the image anew, or take it out of the folder.")
    return {"sha256": sha256_bytes(data), "bytes": len(data)}
