"""Asks git which commit the code comes from, and which commit a name means. Needs git only where it is used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from zenctl.diagnostics import Diagnostic, DiagnosticError, did_you_mean, error
from zenctl.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from git import Repo

_NOTHING = {"commit": "", "branch": "", "remote": "", "dirty": False}
_URL_USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^/@\s]*@", re.IGNORECASE)
FULL_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""A commit that no fetch can make another one."""


@dataclass(frozen=True)
class CodePieces:
    """The parts of a step's `code`: `path/file.py:function`, or `git::<repository>//path/file.py:function?ref=<rev>`.

    `repository` and `ref` are empty for the working tree.
    """

    file: str
    function: str
    repository: str = ""
    ref: str = ""


def parse_code_ref(text: str) -> tuple[CodePieces | None, Diagnostic | None]:
    """Take a step's `code` apart; or what is wrong with it. The caller knows the place."""
    if text.startswith("git::"):
        return _parse_pinned(text)
    file, colon, function = text.rpartition(":")
    problem = _problem(text, file, colon, function)
    return (None, problem) if problem else (CodePieces(_tidy(file), function), None)


def _parse_pinned(text: str) -> tuple[CodePieces | None, Diagnostic | None]:
    place, _, query = text[len("git::") :].partition("?")
    at = place.find("//", place.find("://") + 3 if "://" in place else 0)
    if at < 0:
        return None, _wrong(text, "`//` must stand between the repository and the file.")
    file, colon, function = place[at + 2 :].rpartition(":")
    problem = _problem(text, file, colon, function)
    if problem:
        return None, problem
    options = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
    unknown = sorted(set(options) - {"ref"})
    if unknown:
        return None, _wrong(text, f"`{unknown[0]}` is not known after `?`: only `ref` is.")
    if not options.get("ref"):
        return None, _wrong(text, "`?ref=` must name the commit, tag or branch.")
    return CodePieces(_tidy(file), function, place[:at], options["ref"]), None


def _problem(text: str, file: str, colon: str, function: str) -> Diagnostic | None:
    if not colon or not file.endswith(".py"):
        return _wrong(text, "A Python file stands before the colon, the function's name after it.")
    if not function.isidentifier():
        return _wrong(text, f"{function!r} is not the name of a function.")
    return None


def _wrong(text: str, detail: str) -> Diagnostic:
    wanted = ' Write "path/file.py:function", or "git::.//path/file.py:function?ref=<commit, tag or branch>".'
    return error("invalid_code", f'"{text}" does not name a function', detail + wanted)


def _tidy(file: str) -> str:
    return "/".join(part for part in file.split("/") if part != ".") if not file.startswith("/") else file


def without_user(text: str) -> str:
    """A text without the users and passwords of the URLs in it."""
    return _URL_USER.sub(r"\1", text)


def code_version(root: Path) -> dict[str, Any]:
    """{"commit", "branch", "remote", "dirty"} of the repository that a folder lies in; writes nothing.

    Empty and False where there is no repository, no commit, no git. `branch` is empty on a detached head, `remote` is
    the URL of `origin` (or the only remote) without user and password. Untracked files count as dirty, as they may be
    code; changes outside of the folder do not.
    """
    found = _with_repository(root, lambda repo: _version(repo, root))
    return dict(_NOTHING) if found is None else found


def resolve(root: Path, ref: str) -> str:
    """The full hash of the commit that a commit, tag or branch means; raises DiagnosticError if there is none.

    A branch that is only known from the remote is found as well (`origin/<ref>`).
    """
    try:
        import git
    except ImportError as problem:
        raise DiagnosticError(_no_git(problem)) from problem
    try:
        repo = git.Repo(root, search_parent_directories=True)
    except (git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError) as problem:
        detail = "Code can be pinned to a commit only in a git repository."
        raise DiagnosticError(error("code_no_repository", f"{root} is not in a git repository", detail)) from problem
    try:
        return resolve_in(repo, ref)
    except git.exc.GitCommandNotFound as problem:
        raise DiagnosticError(_no_git(problem)) from problem
    finally:
        repo.close()


def resolve_in(repo: Repo, ref: str) -> str:
    """The full hash of the commit that a commit, tag or branch of an open repository means; raises DiagnosticError."""
    import git

    if not ref.startswith("-"):
        for name in (ref, f"origin/{ref}"):
            try:
                return str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))
            except git.exc.GitCommandNotFound:
                raise
            except git.exc.GitCommandError:
                continue
    hint = did_you_mean(ref, [r.name for r in repo.references])
    detail = "It is no commit, tag or branch of this repository." + hint
    if FULL_HASH.fullmatch(ref):
        detail = "The commit is not in this repository. Fetch it: git fetch origin " + ref
    elif repo.git.rev_parse("--is-shallow-repository") == "true":
        detail += " The clone is shallow: `git fetch --unshallow --tags` brings the rest."
    raise DiagnosticError(error("code_ref_missing", f'git knows no "{ref}"', detail))


def _no_git(problem: BaseException) -> Diagnostic:
    return error("git_missing", "git is needed for code that is pinned to a commit", f"Install git. ({problem})")


def _with_repository(root: Path, ask: Callable[[Repo], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        import git
    except ImportError:
        # GitPython refuses to be imported where there is no git.
        return None
    try:
        repo = git.Repo(root, search_parent_directories=True)
    except (git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError):
        return None
    try:
        return ask(repo)
    except (git.exc.GitCommandError, git.exc.GitCommandNotFound, ValueError, OSError):
        # No commit yet, a repository of another user that git refuses, a damaged one: the run is recorded without.
        return None
    finally:
        repo.close()


def _version(repo: Repo, root: Path) -> dict[str, Any]:
    commit = repo.head.commit.hexsha
    branch = "" if repo.head.is_detached else repo.active_branch.name
    return {"commit": commit, "branch": branch, "remote": _remote(repo), "dirty": _dirty(repo, root)}


def _remote(repo: Repo) -> str:
    remotes = {remote.name: remote for remote in repo.remotes}
    chosen = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)
    url = next(iter(chosen.urls), "") if chosen is not None else ""
    return without_user(url)


def _dirty(repo: Repo, root: Path) -> bool:
    if repo.bare:
        return False
    # Without optional locks `git status` does not write its index; plan must work in a read-only checkout.
    with repo.git.custom_environment(GIT_OPTIONAL_LOCKS="0"):
        where = os.path.realpath(root)
        text = repo.git.status("--porcelain", "--untracked-files=normal", "--", where, ":(exclude,glob)**/.zenctl/**")
    return bool(text.strip())
