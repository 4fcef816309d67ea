"""What git says of the code, and code read from git's objects. Real repositories, made by git itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from zenctl.diagnostics import DiagnosticError
from zenctl.fingerprint.code import closure
from zenctl.fingerprint.git import CodePieces, code_version, parse_code_ref, resolve
from zenctl.fingerprint.source import GitTree, SourceError, WorkingTree, exists, glob, walk

NOTHING = {"commit": "", "branch": "", "remote": "", "dirty": False}


def git(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    write(root, {"steps/fit.py": "import common\ndef fit(): ...\n", "common.py": "x = 1\n", "data/a.json": "{}"})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


@pytest.fixture
def tree(repository: Path) -> Iterator[GitTree]:
    opened = GitTree(repository, git(repository, "rev-parse", "HEAD"))
    yield opened
    opened.close()


def test_code_version(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert code_version(repository) == {"commit": commit, "branch": "main", "remote": "", "dirty": False}
    assert code_version(repository / "steps")["commit"] == commit


@pytest.mark.parametrize(
    ("path", "dirty"),
    [("common.py", True), ("new.py", True), (".zenctl/metadata.db", False), ("sub/.zenctl/cache/x", False)],
)
def test_dirty(path: str, dirty: bool, repository: Path) -> None:
    write(repository, {path: "changed"})
    assert code_version(repository)["dirty"] is dirty


def test_changes_outside_of_the_folder_are_not_the_projects(repository: Path) -> None:
    write(repository, {"other/x.py": "changed"})
    assert code_version(repository / "steps")["dirty"] is False


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert code_version(repository)["branch"] == ""
    assert code_version(repository)["commit"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:token@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org/a.git", "https://example.org/a.git"),
        ("https://example.org/a@b.git", "https://example.org/a@b.git"),
        ("git@example.org:a.git", "git@example.org:a.git"),
    ],
)
def test_a_remotes_password_is_never_recorded(url: str, shown: str, repository: Path) -> None:
    git(repository, "remote", "add", "origin", url)
    assert code_version(repository)["remote"] == shown


def test_where_there_is_no_git(tmp_path: Path) -> None:
    assert code_version(tmp_path) == NOTHING
    assert code_version(tmp_path / "nowhere") == NOTHING
    git(tmp_path, "init", "-q")
    assert code_version(tmp_path) == NOTHING


def test_without_the_program(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import git as gitpython

    monkeypatch.setattr(gitpython.Git, "GIT_PYTHON_GIT_EXECUTABLE", str(repository / "no-git"))
    assert code_version(repository) == NOTHING
    with pytest.raises(DiagnosticError) as caught:
        resolve(repository, "main")
    assert caught.value.diagnostics[0].code == "git_missing"


def test_code_version_writes_nothing(repository: Path) -> None:
    # A touched file makes `git status` refresh its index, where it may.
    os.utime(repository / "common.py", (1, 1))
    before = (repository / ".git/index").read_bytes()
    assert code_version(repository)["dirty"] is False
    assert (repository / ".git/index").read_bytes() == before


def test_resolve(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "-a", "v1", "-m", "v1")
    write(repository, {"common.py": "x = 2\n"})
    git(repository, "commit", "-qam", "two")
    second = git(repository, "rev-parse", "HEAD")
    assert resolve(repository, "v1") == first
    assert resolve(repository, first[:10]) == first
    assert resolve(repository / "steps", "main") == second
    assert resolve(repository, "HEAD~1") == first
    git(tmp_path, "clone", "-q", str(repository), "clone")
    git(repository, "branch", "topic", "v1")
    git(tmp_path / "clone", "fetch", "-q")
    assert resolve(tmp_path / "clone", "topic") == first


@pytest.mark.parametrize(
    ("ref", "part"),
    [
        ("mian", 'Did you mean "main"?'),
        ("--upload-pack=evil", "no commit"),
        ("0" * 40, "git fetch origin"),
        ("HEAD:common.py", "no commit"),
    ],
)
def test_refs_that_are_not_there(ref: str, part: str, repository: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        resolve(repository, ref)
    [problem] = caught.value.diagnostics
    assert problem.code == "code_ref_missing"
    assert part in problem.detail


def test_resolve_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        resolve(tmp_path, "main")
    assert caught.value.diagnostics[0].code == "code_no_repository"


def test_a_commit_reads_like_the_working_tree_was(repository: Path, tree: GitTree) -> None:
    before, _ = closure(WorkingTree(repository), "steps/fit.py", "fit", ("data/*",))
    write(repository, {"common.py": "x = 2\n", "data/b.json": "{}"})
    pinned, _ = closure(tree, "steps/fit.py", "fit", ("data/*",))
    now, _ = closure(WorkingTree(repository), "steps/fit.py", "fit", ("data/*",))
    assert before == pinned
    assert now is not None
    assert pinned is not None
    assert now.digest != pinned.digest
    assert list(walk(tree)) == ["common.py", "data/a.json", "steps/fit.py"]
    assert tree.read("nothing.py") is None
    assert tree.read("steps") is None
    assert tree.folder("common.py") is None
    assert tree.read("common.py/x") is None


def test_a_folder_of_a_repository_is_a_project_of_its_own(repository: Path) -> None:
    opened = GitTree(repository / "steps", git(repository, "rev-parse", "HEAD"))
    try:
        assert list(walk(opened)) == ["fit.py"]
        with pytest.raises(SourceError):
            opened.read("../common.py")
    finally:
        opened.close()


def test_a_bare_repository(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    opened = GitTree(tmp_path / "bare.git", resolve(tmp_path / "bare.git", "main"))
    try:
        assert opened.read("common.py") == b"x = 1\n"
    finally:
        opened.close()


def test_links_in_a_commit(repository: Path) -> None:
    (repository / "same.py").symlink_to("common.py")
    (repository / "lib").symlink_to("steps")
    (repository / "out.py").symlink_to("../secret.py")
    (repository / "loop").symlink_to("loop")
    write(repository.parent, {"secret.py": "x"})
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "links")
    opened = GitTree(repository, resolve(repository, "main"))
    try:
        assert opened.read("same.py") == b"x = 1\n"
        assert opened.read("lib/fit.py") is not None
        assert exists(opened, "lib/fit.py")
        for path in ("out.py", "loop"):
            with pytest.raises(SourceError):
                opened.read(path)
    finally:
        opened.close()


def test_a_pointer_of_git_lfs_is_not_taken_for_the_file(repository: Path) -> None:
    write(repository, {"data/big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"})
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "lfs")
    opened = GitTree(repository, resolve(repository, "main"))
    try:
        found, [problem] = closure(opened, "steps/fit.py", "fit", ("data/*",))
    finally:
        opened.close()
    assert found is None
    assert "Git LFS" in problem.detail


GLOBS = {
    "data/a.json": ["data/a.json"],
    "data/*": ["data/a.json", "data/b.txt"],
    "data/?.json": ["data/a.json"],
    "data/[ab].*": ["data/a.json", "data/b.txt"],
    "data/[!a].*": ["data/b.txt"],
    "data/[x": [],
    "data": ["data/.hidden", "data/a.json", "data/b.txt", "data/deep/c.json"],
    "data/.*": ["data/.hidden"],
    "**/*.json": ["d.json", "data/a.json", "data/deep/c.json"],
    "data/**": ["data/a.json", "data/b.txt", "data/deep/c.json"],
    "**/deep/*": ["data/deep/c.json"],
    "*": ["d.json"],
    "./data//a.json": ["data/a.json"],
    "nothing/*": [],
}


@pytest.mark.parametrize("pattern", GLOBS)
def test_glob(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["data/a.json", "data/b.txt", "data/.hidden", "data/deep/c.json", "d.json"], "x"))
    write(tmp_path, {"data/__pycache__/x.pyc": "", ".git/config": ""})
    assert glob(WorkingTree(tmp_path), pattern) == GLOBS[pattern]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a\\b", "a\0b", "C:/x"])
def test_paths_that_leave_the_project(path: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        WorkingTree(tmp_path).read(path)


REFERENCES = {
    "fit.py:fit": CodePieces("fit.py", "fit"),
    "./steps/fit.py:fit": CodePieces("steps/fit.py", "fit"),
    "a b/f:x.py:fit": CodePieces("a b/f:x.py", "fit"),
    "git::.//steps/fit.py:fit?ref=v1.0": CodePieces("steps/fit.py", "fit", ".", "v1.0"),
    "git::https://example.org/a.git//steps/fit.py:fit?ref=main": CodePieces(
        "steps/fit.py", "fit", "https://example.org/a.git", "main"
    ),
    "git::../other//fit.py:fit?ref=feature%2Fx": CodePieces("fit.py", "fit", "../other", "feature/x"),
}


@pytest.mark.parametrize("text", REFERENCES)
def test_code_references(text: str) -> None:
    assert parse_code_ref(text) == (REFERENCES[text], None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("fit.py", "before the colon"),
        ("", "before the colon"),
        (":fit", "before the colon"),
        ("fit.py:", "not the name of a function"),
        ("fit.py:not-a-name", "not the name"),
        ("git::fit.py:fit?ref=v1", "`//`"),
        ("git::.//fit.py:fit", "`?ref=`"),
        ("git::.//fit.py:fit?ref=", "`?ref=`"),
        ("git::.//fit.py:fit?rev=1", "`rev`"),
        ("git::https://example.org/a.git?ref=1", "`//`"),
    ],
)
def test_texts_that_are_no_code_reference(text: str, part: str) -> None:
    found, problem = parse_code_ref(text)
    assert found is None
    assert problem is not None
    assert part in problem.detail
