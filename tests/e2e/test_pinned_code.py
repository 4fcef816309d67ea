"""Code pinned to commits of this and other repositories, and `require_clean_code`, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Project
from tests.unit.fingerprint.test_git_code import git, write

STEPS = """
step "python" "url" { code = "git::URL//make.py:make?ref=main" }
step "python" "bare" { code = "git::../lib.git//make.py:make?ref=v1" }
"""


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    """A repository, and a bare clone of it beside it."""
    root = tmp_path / "lib"
    write(root, {"lib/core.py": "def f():\n    return 1\n", "lib/__init__.py": ""})
    write(root, {"make.py": "from lib.core import f\ndef make() -> int:\n    return f()\n"})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "tag", "v1")
    git(tmp_path, "clone", "-q", "--bare", str(root), "lib.git")
    return root


def change(lib: Path, files: dict[str, str]) -> str:
    """Commit and push a change; gives the commit."""
    write(lib, files)
    git(lib, "commit", "-qam", "more")
    git(lib, "push", "-q", "../lib.git", "main")
    return git(lib, "rev-parse", "HEAD")


def test_code_of_other_repositories(project: Project, lib: Path) -> None:
    project.write("main.zen.hcl", STEPS.replace("URL", (lib.parent / "lib.git").as_uri()))
    first = git(lib, "rev-parse", "HEAD")
    assert "is not here yet" in project.fails("validate")
    project.ok("init")
    project.ok("validate")
    project.ok("apply", "-auto-approve")
    shown = project.ok("state", "show", "step.python.url")
    assert f"{first[:10]}, pinned as main" in shown
    assert project.stale() == {}

    # A commit that changes nothing of what the step reaches leaves it fresh.
    change(lib, {"make.py": "from lib.core import f\ndef make() -> int:\n    return f()  # one\ndef other(): ...\n"})
    assert project.stale() == {}
    third = change(lib, {"lib/core.py": "def f():\n    return 2\n"})
    assert project.stale("-refresh=false") == {}
    printed = project.ok("plan", "-diff-code")
    assert f"code: lib/core.py: f; main has moved: {first[:12]} -> {third[:12]}" in printed
    assert "+    return 2" in printed
    assert "step.python.bare" not in printed

    # What was planned is what runs, wherever the branch has gone since.
    project.ok("plan", "-out=p.plan")
    change(lib, {"lib/core.py": "def f():\n    return 3\n"})
    project.ok("apply", "p.plan")
    assert f"{third[:10]}, pinned as main" in project.ok("state", "show", "step.python.url")
    (lib.parent / "lib.git").rename(lib.parent / "gone")
    assert "cannot be fetched" in project.fails("plan", "-target=step.python.url")
    assert not list(project.root.rglob("make.py"))


def test_a_pin_to_the_own_repository_says_what_it_was(tiny: Project) -> None:
    tiny.write(".gitignore", ".zenctl\n")
    git(tiny.root, "init", "-q", "-b", "main")
    git(tiny.root, "add", ".")
    git(tiny.root, "commit", "-qm", "one")
    tiny.ok("apply", "-auto-approve")
    git(tiny.root, "tag", "v1")
    tiny.edit("main.zen.hcl", '"steps/size.py:count"', '"git::.//steps/size.py:count?ref=v1"')
    # The same code is the same code, pinned or not.
    assert tiny.stale() == {}
    tiny.edit("steps/size.py", "len(json", "1 + len(json")
    git(tiny.root, "commit", "-qam", "two")
    commit = git(tiny.root, "rev-parse", "HEAD")
    tiny.edit("main.zen.hcl", "ref=v1", "ref=main")
    assert f"code: steps/size.py: count; pinned to main ({commit[:12]})" in tiny.ok("plan")


def test_only_committed_code_runs_where_that_is_required(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", "zenctl {", "zenctl {\n  require_clean_code = true")
    tiny.write(".gitignore", ".zenctl\n*.plan\nhidden.py\n")
    assert "Apply refuses this" in tiny.ok("plan")
    assert "is not in a commit" in tiny.fails("apply", "-auto-approve")
    git(tiny.root, "init", "-q", "-b", "main")
    git(tiny.root, "add", ".")
    git(tiny.root, "commit", "-qm", "one")
    # What takes no part may be changed as one likes.
    tiny.write("README", "hello")
    tiny.ok("apply", "-auto-approve")

    tiny.edit("steps/order.py", ", reverse=True", "")
    tiny.ok("plan", "-out=dirty.plan")
    assert "steps/order.py would run as no commit has it" in tiny.fails("apply", "-auto-approve")
    git(tiny.root, "commit", "-qam", "two")
    assert "steps/order.py would run as no commit has it" in tiny.fails("apply", "dirty.plan")
    tiny.ok("plan", "-out=clean.plan")
    planned = git(tiny.root, "rev-parse", "HEAD")
    assert tiny.json("show", "-json", "clean.plan")["code_version"]["commit"] == planned
    git(tiny.root, "commit", "-q", "--allow-empty", "-m", "three")
    tiny.ok("apply", "clean.plan")
    assert f"{planned[:10]} on main" in tiny.ok("state", "show", "step.python.tallest")

    # A file that git ignores is code all the same.
    tiny.write("hidden.py", "x = 1\n")
    tiny.edit("steps/order.py", "def by", "import hidden\n\n\ndef by")
    git(tiny.root, "commit", "-qam", "four")
    assert "hidden.py would run as no commit has it" in tiny.fails("apply", "-auto-approve")
