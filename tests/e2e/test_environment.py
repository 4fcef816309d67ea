"""What of a step's environment makes it stale: packages and what they need, a lock, variables, or nothing."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.conftest import ROOT, Project

USE = "step.python.use"


@pytest.fixture
def project(project: Project) -> Project:
    """A step that imports goldenlib 1.0, which lies in the project's own site folder."""
    shutil.copytree(ROOT / "tests/golden/environment-changed/before", project.root, dirs_exist_ok=True)
    project.environment["PYTHONPATH"] = str(project.root / "site")
    return project


def declare(project: Project, text: str) -> None:
    project.edit("main.zen.hcl", '"use.py:use"\n', f'"use.py:use"\n  environment {{\n    {text}\n  }}\n')


def upgrade(project: Project, name: str = "goldenlib") -> None:
    site = project.root / "site"
    (site / f"{name}-1.0.dist-info").rename(site / f"{name}-1.1.dist-info")


def reasons(project: Project) -> str:
    return project.ok("plan")


def test_what_a_package_needs_counts(project: Project) -> None:
    site = project.root / "site"
    deeper = site / "deeper-1.0.dist-info"
    deeper.mkdir()
    (deeper / "METADATA").write_text("Metadata-Version: 2.1\nName: deeper\nVersion: 1.0\n")
    metadata = site / "goldenlib-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: deeper\n")
    project.ok("apply", "-auto-approve")
    assert project.stale() == {}
    upgrade(project, "deeper")
    assert "environment: deeper 1.0 -> 1.1" in reasons(project)


def test_a_lock_counts_instead_of_what_is_installed(project: Project) -> None:
    project.write("lock.txt", "goldenlib==1.0\nother==2\n")
    declare(project, 'track = "lock"\n    requirements = "lock.txt"\n    build = false')
    project.ok("apply", "-auto-approve")
    upgrade(project)
    project.write("lock.txt", "# sorted\nother==2\ngoldenlib==1.0\n")
    assert project.stale() == {}
    project.write("lock.txt", "goldenlib==1.1\nother==2\n")
    assert "environment: requirement goldenlib ==1.0 -> ==1.1" in reasons(project)


def test_nothing_is_tracked_where_nothing_is_to_be(project: Project) -> None:
    declare(project, 'track = "none"')
    project.ok("apply", "-auto-approve")
    upgrade(project)
    assert project.stale() == {}


def test_declared_variables_count(project: Project) -> None:
    declare(project, 'variables = ["OMP_NUM_THREADS"]')
    project.ok("apply", "-auto-approve")
    project.environment["OMP_NUM_THREADS"] = "4"
    assert "environment: variable OMP_NUM_THREADS (not set) -> (value " in reasons(project)
    project.ok("apply", "-auto-approve")
    assert project.stale() == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('track = "lock"', "needs `requirements`"),
        ('track = "all"', "imports"),
        ('requirements = "none.txt"', "none.txt"),
    ],
)
def test_mistakes_are_told(project: Project, text: str, says: str) -> None:
    declare(project, text)
    assert says in project.fails("plan")


def test_a_plan_is_not_applied_with_other_packages(project: Project) -> None:
    project.ok("plan", "-out=p.zenplan")
    upgrade(project)
    said = project.fails("apply", "p.zenplan", code=5)
    assert f"{USE} was planned with other packages" in said
    assert "goldenlib 1.0 -> 1.1 (planned -> here)" in said
