"""The provider of examples/custom-provider, installed as a user does: found, used, pinned, true to the contract."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Project, clean_environment

EXAMPLE = ROOT / "examples" / "custom-provider"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the provider's distribution is installed into."""
    source = tmp_path_factory.mktemp("source") / "custom-provider"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("site")
    uv = Path(sys.executable).parent / "uv"
    flags = ["--no-deps", "--no-index", "--no-build-isolation", "--python", sys.executable, "--target", str(target)]
    subprocess.run([uv, "pip", "install", "--quiet", *flags, str(source)], check=True, env=clean_environment())
    return target


@pytest.fixture
def project(project: Project, site: Path) -> Project:
    shutil.copytree(EXAMPLE / "example", project.root, dirs_exist_ok=True)
    project.environment["PYTHONPATH"] = str(site)
    return project


def test_it_is_found_by_its_entry_point_and_runs_steps(project: Project) -> None:
    assert "detached 1.0.0  from zenctl-detached\n  backend    detached" in project.ok("providers", "list")
    schema = project.json("providers", "schema", "-json")["provider_schemas"]["detached"]
    launcher = schema["backend_schemas"]["detached"]["block"]["attributes"]["launcher"]
    assert launcher["description"].startswith("A program")
    project.ok("apply", "-auto-approve")
    assert project.json("output", "-json", "square") == 144
    assert "backend      backend.detached.here" in project.ok("state", "show", "step.python.square")
    assert list((project.root / ".zenctl" / "providers" / "detached" / "jobs").iterdir()) == []
    assert project.stale() == {}


def test_its_attributes_are_checked_like_any_other(project: Project) -> None:
    project.edit("pipeline.zen.hcl", "grace = 5", "grace = 0")
    project.edit("pipeline.zen.hcl", "launcher =", "laucher =")
    said = project.fails("validate")
    assert "greater than 0" in said
    assert 'Did you mean "launcher"?' in said
    assert "pipeline.zen.hcl:12" in said


def test_a_plan_names_the_versions_and_is_refused_with_others(project: Project, site: Path, tmp_path: Path) -> None:
    project.ok("plan", "-out=p.zenplan")
    assert project.json("show", "-json", "p.zenplan")["provider_versions"]["detached"] == "1.0.0"
    other = newer(site, tmp_path)
    project.environment["PYTHONPATH"] = str(other)
    said = project.fails("apply", "p.zenplan", code=5)
    assert "provider detached 1.0.0 (here 1.1.0)" in said


def test_versions_are_pinned_by_the_lock_file(project: Project, site: Path, tmp_path: Path) -> None:
    project.write("zenctl.lock.json", json.dumps({"version": 1, "modules": {}}))
    assert "detached 1.0.0" in project.ok("providers", "lock")
    pinned = json.loads((project.root / "zenctl.lock.json").read_text())
    assert pinned["providers"]["detached"] == {"version": "1.0.0", "distribution": "zenctl-detached"}
    project.ok("validate")
    project.environment["PYTHONPATH"] = str(newer(site, tmp_path))
    for command in ("plan", "validate"):
        said = project.fails(command)
        assert "Provider detached is 1.1.0 here, and zenctl.lock.json pins 1.0.0" in said
        assert "pip install 'zenctl-detached==1.0.0'" in said
    assert "detached 1.1.0 (was 1.0.0)" in project.ok("providers", "lock")
    project.ok("plan")
    document = project.json("providers", "lock", "-json")
    assert [p["name"] for p in document["providers"]] == ["detached", "local"]


def test_a_lock_file_that_cannot_be_read(project: Project) -> None:
    project.write("zenctl.lock.json", '{"version": 1, "modules": {}, "providers": {"detached": {}}}')
    assert "the entry of provider detached is incomplete" in project.fails("plan")
    assert "the entry of provider detached is incomplete" in project.fails("providers", "lock")


def test_it_is_missed_where_it_is_not_installed(project: Project) -> None:
    del project.environment["PYTHONPATH"]
    said = project.fails("plan")
    assert 'The provider "detached" is not installed' in said
    assert 'There is no backend type "detached"' in said


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    """They inherit the conformance suites of the SDK."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    environment = {**clean_environment(), "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def newer(site: Path, tmp_path: Path) -> Path:
    """The installed provider in a later version."""
    target = tmp_path / "newer"
    shutil.copytree(site, target)
    provider = target / "zenctl_detached" / "provider.py"
    provider.write_text(provider.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    return target
