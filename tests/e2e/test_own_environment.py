"""Steps in environments of their own, from the installed command: made at apply, kept, recorded, made again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Project
from tests.wheels import offline, wheel

USE = "step.python.use"
STEP = """\
import greet

def use() -> str:
    return greet.VERSION
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        wheel(folder, "greet", version)
    return folder


@pytest.fixture
def project(project: Project, wheels: Path) -> Project:
    """A step that says which greet it has; greet is installed nowhere but in its environment."""
    project.environment.update(offline(wheels))
    project.write("use.py", STEP)
    project.write("lock.txt", "greet==1.0\n")
    declare(project, 'requirements = "lock.txt"')
    return project


def declare(project: Project, text: str) -> None:
    block = f'step "python" "use" {{\n  code = "use.py:use"\n  environment {{\n    {text}\n  }}\n}}\n'
    project.write(
        "main.zen.hcl", f'zenctl {{\n  project = "own"\n}}\n{block}output "x" {{\n  value = {USE}.result\n}}\n'
    )


def environments(project: Project) -> list[Path]:
    cache = project.root / ".zenctl" / "cache" / "environments"
    return sorted(place for place in cache.glob("*") if place.is_dir())


def test_made_at_apply_kept_and_made_anew_for_another_lock(project: Project) -> None:
    project.ok("plan")
    assert environments(project) == []
    said = project.ok("apply", "-auto-approve")
    assert f"{USE}: preparing its environment (1 requirement)" in said
    assert project.json("output", "-json", "x") == "1.0"
    assert "+ greet==1.0" in project.ok("logs", USE)
    assert project.stale() == {}
    [first] = environments(project)

    said = project.ok("apply", "-auto-approve", f"-replace={USE}")
    assert "preparing" not in said
    assert environments(project) == [first]

    project.write("lock.txt", "greet==2.0\n")
    assert "environment: requirement greet ==1.0 -> ==2.0" in project.ok("plan")
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "x") == "2.0"
    assert len(environments(project)) == 2
    shown = project.ok("state", "show", USE)
    assert 'greet   "2.0"' in shown

    # What is installed for zenctl itself does not count.
    site = project.root / "site"
    (site / "greet-3.0.dist-info").mkdir(parents=True)
    (site / "greet-3.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: greet\nVersion: 3.0\n")
    project.environment["PYTHONPATH"] = str(site)
    assert project.stale() == {}

    document = project.json("reproduce", "-json", USE)
    assert document["equal"]


def test_one_that_cannot_be_made_stops_the_step_and_says_what_to_do(project: Project) -> None:
    project.write("lock.txt", "greet==9\n")
    said = project.fails("apply", "-auto-approve")
    assert f"The environment of {USE} cannot be made" in said
    assert "no set of packages fits the requirements" in said
    assert "greet==9" in said
    assert "uv pip compile" in said
    assert environments(project) == [] or not any((place / "complete").exists() for place in environments(project))


def test_a_local_wheel_counts_by_its_content(project: Project, tmp_path: Path) -> None:
    def build(body: str) -> None:
        wheel(project.root / "vendor", "greet", "1.0", f"VERSION = {body!r}\n")

    build("first")
    project.write("lock.txt", "./vendor/greet-1.0-py3-none-any.whl\n")
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "x") == "first"
    build("second")
    assert "requirement file ./vendor/greet-1.0-py3-none-any.whl" in project.ok("plan")
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "x") == "second"


def test_another_python(project: Project) -> None:
    others = [p for p in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")) if not is_here(p)]
    if not others:
        pytest.skip("there is no other Python in ~/.pyenv/versions")
    version = os.path.realpath(others[-1]).rpartition("python")[2]
    project.write("use.py", "import sys\n\ndef use() -> str:\n    return '.'.join(map(str, sys.version_info[:2]))\n")
    (project.root / "tools").mkdir()
    (project.root / "tools" / "py").symlink_to(os.path.realpath(others[-1]))
    declare(project, 'python = "tools/py"')
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "x") == version
    assert f'python  "{version}"' in project.ok("state", "show", USE)
    declare(project, f'python = "{version}"')
    assert project.stale() == {}


def is_here(python: Path) -> bool:
    name = os.path.realpath(python).rpartition("python3.")[2]
    return not name.isdigit() or int(name) < 9 or int(name) == sys.version_info[1]


def test_no_secret_of_an_index_is_written_anywhere(project: Project, wheels: Path) -> None:
    project.write("lock.txt", "--find-links ${WHERE}\ngreet==1.0\n")
    project.environment["WHERE"] = wheels.as_uri()
    project.environment["UV_INDEX_URL"] = "https://me:t0psecret@index.example.org/simple"
    project.ok("apply", "-auto-approve")
    hidden = [b"t0psecret", wheels.as_uri().encode()]
    for path in (p for p in (project.root / ".zenctl").rglob("*") if p.is_file()):
        data = path.read_bytes()
        assert not any(value in data for value in hidden), path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('track = "imports"\n    requirements = "lock.txt"', "set build = false"),
        ('python = "3"', 'give a version, "3.11", or the path of an interpreter'),
        ('python = "3.11"\n    build = false', "`python` is for an environment of the step's own"),
        ('python = "tools/none"', "does not tell which Python it is"),
    ],
)
def test_mistakes_are_told_by_plan(project: Project, text: str, says: str) -> None:
    declare(project, text)
    assert says in " ".join(project.fails("plan").split())


def test_a_file_only_counts_where_nothing_is_to_be_built(project: Project) -> None:
    declare(project, 'requirements = "lock.txt"\n    build = false')
    project.write(
        "use.py", "import sys\n\ndef use() -> bool:\n    return sys.prefix == " + json.dumps(sys.prefix) + "\n"
    )
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "x") is True
    assert environments(project) == []
    project.write("lock.txt", "greet==2.0\n")
    assert "environment: requirement greet ==1.0 -> ==2.0" in project.ok("plan")
