"""Reads a folder of a git repository as it is at a commit, from git's objects: the working tree is never touched."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.fingerprint.git import resolve_in

if TYPE_CHECKING:
    from git import Repo
    from git.objects import Blob

MAX_FILE = 16 << 20
"""Files with more bytes are laid out empty: no expression may read them."""

LINK = 0o120000


def lay_out(root: Path, ref: str, target: Path) -> str:
    """Write the files that `root`, a folder in a repository, has at a commit, tag or branch, into a folder.

    Gives the commit's hash. Raises DiagnosticError if there is no repository, no git or no such commit.
    """
    with _repository(root) as (repo, prefix):
        commit = resolve_in(repo, ref)
        for path, blob in _blobs(repo, commit, prefix):
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if blob.mode == LINK:
                place.symlink_to(blob.data_stream.read().decode("utf-8", "surrogateescape"))
            else:
                place.write_bytes(blob.data_stream.read() if blob.size <= MAX_FILE else b"")
        return commit


def reaching_out(root: Path) -> list[str]:
    """Symbolic links of the checked out commit that lead out of its repository, seen from the repository's folder."""
    with _repository(root) as (repo, _):
        found = []
        for path, blob in _blobs(repo, "HEAD", ""):
            if blob.mode == LINK:
                aim = blob.data_stream.read().decode("utf-8", "surrogateescape")
                inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), aim))
                if aim.startswith("/") or inside.split("/")[0] == "..":
                    found.append(path)
        return found


def tracked(root: Path, folder: str) -> list[str]:
    """The files below a folder of `root` that the checked out commit holds."""
    with _repository(root) as (repo, prefix):
        return [path for path, _ in _blobs(repo, "HEAD", prefix) if path.startswith(f"{folder}/")]


@contextmanager
def _repository(root: Path) -> Iterator[tuple[Repo, str]]:
    """The repository that a folder lies in, and where it lies there (`eu/`, or nothing)."""
    try:
        import git
    except ImportError as problem:
        raise DiagnosticError(_failed(f"git is needed for this. Install it. ({problem})")) from problem
    try:
        repo = git.Repo(root, search_parent_directories=True)
    except (git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError) as problem:
        raise DiagnosticError(_failed(f"{root.resolve()} is not in a git repository.")) from problem
    try:
        inside = os.path.relpath(os.path.realpath(root), os.path.realpath(str(repo.working_tree_dir)))
        yield repo, "" if inside == "." else f"{Path(inside).as_posix()}/"
    except (git.exc.GitCommandError, git.exc.GitCommandNotFound, ValueError) as problem:
        raise DiagnosticError(_failed(f"git failed: {problem}")) from problem
    finally:
        repo.close()


def _blobs(repo: Repo, commit: str, prefix: str) -> Iterator[tuple[str, Blob]]:
    """The files of a commit below a prefix, by their path behind it."""
    for item in repo.commit(commit).tree.traverse():
        path = str(getattr(item, "path", ""))
        if getattr(item, "type", "") == "blob" and path.startswith(prefix):
            yield path[len(prefix) :], item  # type: ignore[misc]


def _failed(detail: str) -> Diagnostic:
    return error("revision", "The commit cannot be read", detail)
