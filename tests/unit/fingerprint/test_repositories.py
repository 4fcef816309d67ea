"""Repositories that code is pinned in: folders as they lie, those elsewhere as bare copies, fetched when told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fingerprint.test_git_code import git, write
from zenctl.diagnostics import Diagnostic, DiagnosticError
from zenctl.fingerprint.repositories import Fetch, Repositories
from zenctl.fingerprint.source import GitTree


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    root = tmp_path / "origin"
    write(root, {"make.py": "def make(): ...\n"})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "tag", "v1")
    return root


def move(origin: Path) -> str:
    (origin / "make.py").write_text((origin / "make.py").read_text() + "x = 1\n")
    git(origin, "commit", "-qam", "more")
    return git(origin, "rev-parse", "HEAD")


def refused(repositories: Repositories, url: str, ref: str, root: Path) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        repositories.find(url, root, ref)
    [problem] = caught.value.diagnostics
    return problem


def test_a_folder_is_read_where_it_lies(origin: Path, tmp_path: Path) -> None:
    first = git(origin, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", str(origin), "bare.git")
    never = Repositories(None, Fetch.NEVER)
    (tmp_path / "project").mkdir()
    for text in ("../origin", "../bare.git", str(origin)):
        place, commit = never.find(text, tmp_path / "project", "v1")
        assert commit == first
        tree = GitTree(place, commit)
        assert tree.read("make.py") == b"def make(): ...\n"
        tree.close()
    assert refused(never, "../nowhere", "v1", tmp_path).code == "code_no_repository"
    assert refused(never, "../project", "v1", tmp_path / "project").code == "code_no_repository"


def test_another_host_is_asked_when_it_is_to_be(origin: Path, tmp_path: Path) -> None:
    cache, url = tmp_path / "cache", origin.as_uri()
    assert refused(Repositories(cache, Fetch.NEVER), url, "main", tmp_path).code == "code_not_fetched"
    assert refused(Repositories(None, Fetch.ALWAYS), url, "main", tmp_path).code == "code_not_fetched"
    place, first = Repositories(cache, Fetch.MISSING).find(url, tmp_path, "main")
    assert place.parent == cache
    assert not (place / "make.py").exists()
    second = move(origin)
    assert Repositories(cache, Fetch.NEVER).find(url, tmp_path, "main") == (place, first)
    assert Repositories(cache, Fetch.MISSING).find(url, tmp_path, "main") == (place, first)
    looking = Repositories(cache, Fetch.ALWAYS)
    assert looking.find(url, tmp_path, "main") == (place, second)
    assert looking.find(url, tmp_path, "v1") == (place, first)
    third = move(origin)
    # One command sees one moment.
    assert looking.find(url, tmp_path, "main") == (place, second)
    assert Repositories(cache, Fetch.MISSING).find(url, tmp_path, third) == (place, third)
    assert list(cache.iterdir()) == [place]


def test_what_is_there_for_good_needs_no_host(origin: Path, tmp_path: Path) -> None:
    cache, url = tmp_path / "cache", origin.as_uri()
    place, first = Repositories(cache, Fetch.ALWAYS).find(url, tmp_path, "main")
    origin.rename(tmp_path / "gone")
    assert Repositories(cache, Fetch.ALWAYS).find(url, tmp_path, first) == (place, first)
    problem = refused(Repositories(cache, Fetch.ALWAYS), url, "main", tmp_path)
    assert problem.code == "code_repository_unreachable"
    assert "git says: fatal:" in problem.detail
    assert "-refresh=false" in problem.detail
    assert Repositories(cache, Fetch.MISSING).find(url, tmp_path, "main") == (place, first)


def test_a_commit_that_no_branch_holds(origin: Path, tmp_path: Path) -> None:
    cache, url = tmp_path / "cache", origin.as_uri()
    git(origin, "checkout", "-q", "--detach")
    lonely = move(origin)
    git(origin, "update-ref", "refs/pull/1/head", lonely)
    git(origin, "checkout", "-q", "main")
    assert Repositories(cache, Fetch.ALWAYS).find(url, tmp_path, lonely)[1] == lonely


def test_a_branch_that_was_rewritten_or_is_gone(origin: Path, tmp_path: Path) -> None:
    cache, url = tmp_path / "cache", origin.as_uri()
    git(origin, "branch", "topic")
    Repositories(cache, Fetch.ALWAYS).find(url, tmp_path, "topic")
    git(origin, "commit", "-q", "--amend", "-m", "another")
    git(origin, "branch", "-D", "topic")
    looking = Repositories(cache, Fetch.ALWAYS)
    assert looking.find(url, tmp_path, "main")[1] == git(origin, "rev-parse", "HEAD")
    assert refused(looking, url, "topic", tmp_path).code == "code_ref_missing"


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    problem = refused(Repositories(tmp_path, Fetch.NEVER), "https://me:secret@localhost/a.git", "v1", tmp_path)
    assert "secret" not in str(problem)
    problem = refused(Repositories(tmp_path, Fetch.ALWAYS), "http://me:secret@localhost:1/a.git", "v1", tmp_path)
    assert "secret" not in str(problem)
    assert problem.code == "code_repository_unreachable"
