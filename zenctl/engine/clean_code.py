"""Holds what a plan would run against the commit it was made at: `require_clean_code` lets nothing else run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from zenctl.config.files import join
from zenctl.diagnostics import Diagnostic, error
from zenctl.fingerprint.source import GitTree, SourceError
from zenctl.plans.plan import Plan

MOST = 8
"""Most files that are named."""

_OURS = ".zenctl/"


def uncommitted(root: Path, plan: Plan, folders: Mapping[tuple[str, ...], str]) -> list[Diagnostic]:
    """What is wrong with running the plan from its commit: no commit, or files that are not in it as they are planned.

    The configuration and the code of every step that runs or may run are compared, byte by byte; other files of the
    working tree may have changed. Code that is pinned is in a commit already. `folders` are the modules' by path.
    """
    commit = str(plan.code_version.get("commit", ""))
    if not commit:
        summary = "require_clean_code: the configuration is not in a commit"
        return [error("code_not_clean", summary, "Commit it with its code, then plan again.")]
    trees: dict[str, GitTree] = {}
    try:
        wrong = sorted({name for name, data in _run(plan, folders) if _committed(root, name, commit, trees) != data})
    finally:
        for tree in trees.values():
            tree.close()
    if not wrong:
        return []
    more = f" and {len(wrong) - MOST} more" if len(wrong) > MOST else ""
    summary = f"require_clean_code: {', '.join(wrong[:MOST])}{more} would run as no commit has it"
    detail = f"It differs from commit {commit[:12]}, or is not in it. Commit it, then plan again."
    return [error("code_not_clean", summary, detail)]


def _run(plan: Plan, folders: Mapping[tuple[str, ...], str]) -> Iterator[tuple[str, bytes]]:
    """Every file that takes part, relative to the root module's folder, with its content."""
    for name, text in plan.files.items():
        if not name.startswith(_OURS):
            yield name, text.encode()
    for change in plan.changes:
        archive = plan.code.get(change.address)
        folder = folders.get(change.addr.module_path, "")
        pinned = change.components is not None and change.components.code.get("pin")
        if archive is None or pinned or folder.startswith(_OURS):
            continue
        with zipfile.ZipFile(io.BytesIO(archive.data)) as files:
            for name in files.namelist():
                yield join(folder, name) if folder else name, files.read(name)


def _committed(root: Path, name: str, commit: str, trees: dict[str, GitTree]) -> bytes | None:
    """A file as the commit has it, None if it is not there or cannot be read."""
    folder, _, last = name.rpartition("/")
    where = folder if name.startswith("..") else ""
    try:
        if where not in trees:
            trees[where] = GitTree(root / where, commit)
        return trees[where].read(last if where else name)
    except (SourceError, ValueError):
        # Not in the project, or a commit that this repository does not have.
        return None
