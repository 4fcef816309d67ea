"""Fetches modules from git: a commit's files once, under the digest of what they hold, written into the lock file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.config.loader import load
from zenctl.config.modules import INSTALLED, LOCK_FILE, git_location, lock_entries
from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.fingerprint.git import resolve_in
from zenctl.jobs.artifacts import scan_folder
from zenctl.jobs.storage import StorageError
from zenctl.provider.registry import discover

if TYPE_CHECKING:
    from git import Repo
    from git.objects import Tree

MAX_BYTES = 256 << 20
"""The most that a module's repository may hold at its commit."""

REGULAR = (0o100644, 0o100755)


class Installer:
    """Installs modules of one project; `installed` are the sources that were fetched."""

    def __init__(self, root: Path) -> None:
        self._root = root
        text = root / LOCK_FILE
        found = text.read_text(encoding="utf-8") if text.exists() else None
        self._entries = lock_entries(found)
        # The lock file pins providers, too.
        self._others = {key: value for key, value in json.loads(found or "{}").items() if key != "modules"}
        self.installed: list[str] = []

    def install(self, sources: Iterable[str], *, upgrade: bool = False) -> None:
        """Fetch these sources, and write the lock file: at the commits it names, or with `upgrade` at those that their
        branches and tags mean now. Raises DiagnosticError.
        """
        problems: list[Diagnostic] = []
        for source in dict.fromkeys(sources):
            try:
                self._install(source, None if upgrade else self._entries.get(source))
            except DiagnosticError as problem:
                problems += problem.diagnostics
        self._write()
        if problems:
            raise DiagnosticError(*problems)

    def _install(self, source: str, locked: Mapping[str, str] | None) -> None:
        import git

        repository, ref = git_location(source)
        place = self._root / INSTALLED
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix="fetch-") as work:
            try:
                # Relative places are relative to the root module, as everything that it names.
                local = repository.startswith(("./", "../", "/"))
                url = str((self._root / repository).resolve()) if local else repository
                quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GIT_LFS_SKIP_SMUDGE": "1"}
                repo = git.Repo.clone_from(url, Path(work) / "repo", env={**os.environ, **quiet}, bare=True)
            except (git.exc.GitError, OSError) as problem:
                raise DiagnosticError(_unreachable(source, problem)) from problem
            try:
                commit = locked["commit"] if locked else resolve_in(repo, ref or "HEAD")
                folder = Path(work) / "files"
                _export(repo, commit, folder, source)
            finally:
                repo.close()
            digest = _digest(folder, source)
            if locked is not None and digest != locked["digest"]:
                detail = (
                    "Somebody changed the repository or the lock file. `zenctl init -upgrade` accepts what is there."
                )
                summary = f"{source} is not what {LOCK_FILE} says"
                raise DiagnosticError(error("module_changed", summary, detail))
            if not (place / digest).exists():
                folder.rename(place / digest)
        self._entries[source] = {"commit": commit, "digest": digest}
        self.installed.append(source)

    def _write(self) -> None:
        document = {"version": 1, "modules": dict(sorted(self._entries.items())), **self._others}
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        place = self._root / LOCK_FILE
        if not self.installed or (place.exists() and place.read_text(encoding="utf-8") == text):
            return
        written = place.with_name(f"{LOCK_FILE}.{os.getpid()}")
        written.write_text(text, encoding="utf-8")
        os.replace(written, place)


def install_modules(root: Path, *, upgrade: bool = False) -> tuple[str, ...]:
    """Install what the configuration of a folder calls, and what that calls; gives the sources that were fetched.

    Raises DiagnosticError.
    """
    registry = discover()
    try:
        installer = Installer(root)
    except ValueError as problem:
        detail = "Restore it from version control, or remove it and run `zenctl init` again."
        raise DiagnosticError(error("invalid_lock", f"{LOCK_FILE} cannot be read: {problem}", detail)) from problem
    loaded = load(root, registry)
    wanted = list(loaded.missing)
    if upgrade and loaded.configuration is not None:
        calls = [call for module in loaded.configuration.modules() for call in module.calls.values()]
        wanted += [call.source for call in calls if call.source.startswith("git::")]
    done: set[str] = set()
    while wanted:
        installer.install(wanted, upgrade=upgrade)
        done |= set(wanted)
        wanted = [source for source in load(root, registry).missing if source not in done]
    return tuple(installer.installed)


def _export(repo: Repo, commit: str, folder: Path, source: str) -> None:
    """Write a commit's regular files; links and submodules are left out, as they may lead anywhere."""
    folder.mkdir()
    total = 0
    trees: list[Tree] = [repo.commit(commit).tree]
    while trees:
        tree = trees.pop()
        trees += tree.trees
        for blob in tree.blobs:
            path = folder / str(blob.path)
            if blob.mode not in REGULAR or ".git" in Path(str(blob.path)).parts:
                continue
            total += blob.size
            if total > MAX_BYTES:
                shutil.rmtree(folder)
                summary = f"{source} holds more than {MAX_BYTES >> 20} MiB"
                raise DiagnosticError(
                    error("module_too_large", summary, "Keep data out of the repository of a module.")
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                blob.stream_data(stream)


def _digest(folder: Path, source: str) -> str:
    try:
        return scan_folder(folder).digest
    except StorageError as problem:
        raise DiagnosticError(error("module_unreadable", f"{source} cannot be installed: {problem}")) from problem


def _unreachable(source: str, problem: BaseException) -> Diagnostic:
    said = str(getattr(problem, "stderr", "") or problem).strip()
    lines = [line.strip().strip("'").removeprefix("stderr: ") for line in said.splitlines() if line.strip()]
    detail = f"git says: {lines[-1] if lines else type(problem).__name__} Check the address, and that you may read it."
    return error("module_unreachable", f"{source} cannot be fetched", detail)
