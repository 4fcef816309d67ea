"""Finds the repositories that code is pinned in; those of other hosts are kept as bare copies below `.zenctl/`."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from zenctl.diagnostics import Diagnostic, DiagnosticError, error
from zenctl.digests import sha256_text
from zenctl.fingerprint.git import FULL_HASH, resolve, resolve_in, without_user

if TYPE_CHECKING:
    from git import Repo

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/\\]+:(?!\\)")
"""`https://host/a.git`, `git@host:a.git`: anything else is a folder."""

_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GIT_LFS_SKIP_SMUDGE": "1"}
"""So that git asks nobody for a password, and downloads no large files."""


class Fetch(Enum):
    """When another host is asked: never, where a commit is not known here, or always for what a branch or tag means."""

    NEVER = "never"
    MISSING = "missing"
    ALWAYS = "always"


class Repositories:
    """Answers which commit of a repository is meant, and where on this machine its objects are read."""

    def __init__(self, cache: Path | None, fetch: Fetch) -> None:
        """`cache` is the folder for copies; without one, repositories of other hosts cannot be read."""
        self._cache = cache
        self._fetch = fetch
        self._fetched: set[Path] = set()

    def find(self, repository: str, folder: Path, ref: str) -> tuple[Path, str]:
        """The repository's place and the full hash that `ref` means. `folder` is what relative paths are relative to.

        Raises DiagnosticError.
        """
        if not _ELSEWHERE.match(repository):
            place = folder / repository
            if not place.is_dir():
                detail = f'"{repository}" is relative to the configuration\'s folder. A repository elsewhere has a URL.'
                raise DiagnosticError(error("code_no_repository", f"there is no folder {repository}", detail))
            return place, resolve(place, ref)
        return self._copy(repository, ref)

    def _copy(self, url: str, ref: str) -> tuple[Path, str]:
        if self._cache is None:
            raise DiagnosticError(_not_fetched(url))
        place = self._cache / sha256_text(url)[:32]
        known = _known(place, ref) if (place / "HEAD").exists() else None
        is_settled = FULL_HASH.fullmatch(ref) or self._fetch is not Fetch.ALWAYS or place in self._fetched
        if known is not None and is_settled:
            return place, known
        if self._fetch is Fetch.NEVER:
            raise DiagnosticError(_not_fetched(url))
        if place not in self._fetched:
            _get(url, place, ref)
            self._fetched.add(place)
        with _opened(place) as repo:
            return place, resolve_in(repo, ref)


def _known(place: Path, ref: str) -> str | None:
    try:
        with _opened(place) as repo:
            return resolve_in(repo, ref)
    except DiagnosticError:
        return None


def _get(url: str, place: Path, ref: str) -> None:
    """Make the copy, or bring it up to date. A copy is there as a whole or not at all."""
    import git

    environment = {**os.environ, **_QUIET}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if (place / "HEAD").exists():
            with _opened(place) as repo, repo.git.custom_environment(**_QUIET):
                repo.git.fetch("--quiet", "--prune", "--", url, *_EVERYTHING)
        else:
            with tempfile.TemporaryDirectory(dir=place.parent, prefix="clone-") as work:
                git.Repo.clone_from(url, Path(work) / "repo", env=environment, bare=True).close()
                shutil.rmtree(place, ignore_errors=True)
                (Path(work) / "repo").rename(place)
        if FULL_HASH.fullmatch(ref) and _known(place, ref) is None:
            # No branch holds it; most hosts give out a commit that is asked for by its hash.
            with _opened(place) as repo, repo.git.custom_environment(**_QUIET):
                repo.git.fetch("--quiet", "--", url, ref)
    except (git.exc.GitError, OSError) as problem:
        raise DiagnosticError(_unreachable(url, problem)) from problem


def _opened(place: Path) -> Repo:
    import git

    return git.Repo(place)


def _not_fetched(url: str) -> Diagnostic:
    detail = "Nothing is fetched by this command. `zenctl init` or `zenctl plan` fetches it."
    return error("code_not_fetched", f"{without_user(url)} is not here yet", detail)


def _unreachable(url: str, problem: BaseException) -> Diagnostic:
    said = without_user(str(getattr(problem, "stderr", "") or problem)).strip()
    lines = [line.strip().strip("'").removeprefix("stderr: ").strip("'") for line in said.splitlines() if line.strip()]
    telling = next((line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), "")
    telling = telling or (lines[-1] if lines else type(problem).__name__)
    detail = (
        f"git says: {telling}\nCheck the address, and that you may read it. "
        "With -refresh=false plan uses the copy that was fetched last."
    )
    return error("code_repository_unreachable", f"{without_user(url)} cannot be fetched", detail)
