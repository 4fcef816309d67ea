"""Steps on machines that have nothing but Python: their packages, and zenctl's own code, are brought there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Project
from tests.e2e.test_artifact_stores import digests
from tests.e2e.test_faults import words
from tests.e2e.test_gce import APPLY, BACKEND, Cloud
from tests.fakes import compute, gcs
from tests.fakes import index as fake_index
from tests.fakes.compute.guest import TOKEN
from tests.fakes.iam import Grant
from tests.wheels import repack, uv_wheel, wheel
from zenctl.engine.equipping import BUILT_IN
from zenctl.fingerprint.environment import installed
from zenctl.runner.fetching_uv import VERSION

UV = Path(sys.executable).parent / "uv"

STEPS = """
zenctl {
  project = "bare"
  defaults { orchestrator = backend.gce.vm }
}
step "python" "first" {
  code = "steps.py:first"
  environment { requirements = "lock.txt" }
}
step "python" "second" {
  code   = "steps.py:second"
  params = { told = step.python.first.result }
  environment { requirements = "lock.txt" }
}
output "told" { value = step.python.second.result }
"""

CODE = """
import sys

import greet
import local_part


def first() -> dict:
    return {"versions": [greet.VERSION, local_part.VERSION], "where": sys.prefix}


def second(*, told: dict) -> dict:
    return {"versions": told["versions"], "same": told["where"] == sys.prefix, "python": sys.version_info[1]}
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an interpreter that has no package, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "python")], check=True)
    return folder / "python" / "bin"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fake_index.FakeIndex]:
    """An index with uv and a small package."""
    folder = tmp_path_factory.mktemp("index")
    uv_wheel(folder, VERSION, UV)
    wheel(folder, "greet", "1.0")
    with fake_index.serving(folder) as fake:
        yield fake


@pytest.fixture(scope="module")
def served(bare: Path) -> Iterator[Cloud]:
    with compute.serving() as machines, gcs.serving() as buckets:
        machines.fake.path = str(bare)
        yield Cloud(machines, buckets)


@pytest.fixture
def cloud(served: Cloud, project: Project, index: fake_index.FakeIndex) -> Iterator[Cloud]:
    """The project runs on bare machines, which know this index and no other."""
    project.environment["STORAGE_EMULATOR_HOST"] = served.buckets.endpoint
    backend = BACKEND.replace("ENDPOINT", served.machines.endpoint)
    project.write("backend.zen.hcl", backend.replace('"image"', f'"install"\n  index_url = "{index.url}"'))
    bucket = served.buckets.fake.bucket()
    project.ok("config", "artifacts", "set", f"gs://{bucket}/p")
    served.buckets.fake.grants[TOKEN] = [Grant(bucket, "p/")]
    index.fetched.clear()
    served.fake.inserted.clear()
    yield served
    index.refuses = 0
    served.fake.close()
    assert (served.fake.problems, served.buckets.fake.problems, served.buckets.fake.denied) == ([], [], [])


@pytest.fixture
def steps(project: Project, cloud: Cloud) -> Project:
    """Two steps with one environment, one of whose packages is an archive of this machine."""
    wheel(project.root / "wheels", "local_part", "3.0")
    project.write("lock.txt", "greet==1.0\n./wheels/local_part-3.0-py3-none-any.whl\n")
    project.write("main.zen.hcl", STEPS)
    project.write("steps.py", CODE.replace("import numpy_is_not_here\n", ""))
    return project


def test_an_environment_is_made_there_once_and_what_is_on_this_machine_is_brought(
    steps: Project, cloud: Cloud, index: fake_index.FakeIndex
) -> None:
    said = steps.ok(*APPLY)
    assert "step.python.first: preparing its environment (2 requirements)" in words(said)
    assert words(said).count("preparing its environment") == 1
    log = steps.ok("logs", "step.python.first")
    assert "zenctl: preparing an environment with uv" in log
    assert "There is no log of step.python.second" in steps.fails("logs", "step.python.second")
    assert {name.partition("-")[0] for name in index.fetched} == {"uv", "greet"}
    assert steps.json("output", "-json")["told"]["value"] == {
        "versions": ["1.0", "3.0"],
        "same": True,
        "python": sys.version_info[1],
    }
    steps.ok("plan", "-detailed-exitcode")
    steps.edit("backend.zen.hcl", 'backend "gce"', 'backend "local" "here" {}\nbackend "gce"')
    steps.edit("main.zen.hcl", "backend.gce.vm", "backend.local.here")
    steps.ok("plan", "-detailed-exitcode")


def test_what_cannot_be_brought_is_refused_by_plan(steps: Project, cloud: Cloud) -> None:
    steps.write("lock.txt", "--find-links wheels\n--index-url https://i.example/simple\ngreet==1.0\n")
    steps.edit("main.zen.hcl", 'requirements = "lock.txt" }', 'python = "./venv/bin/python3.11" }')
    said = words(steps.fails("plan"))
    assert "The interpreter ./venv/bin/python3.11 is a path of this machine" in said
    steps.edit("main.zen.hcl", 'python = "./venv/bin/python3.11" }', 'requirements = "lock.txt" }')
    said = words(steps.fails("plan"))
    assert "lock.txt looks for packages in wheels, which is on this machine" in said
    assert "i.example, which is" not in said
    assert cloud.fake.inserted == []


@pytest.mark.benchmark
def test_an_index_that_is_not_reached_is_told(steps: Project, cloud: Cloud, index: fake_index.FakeIndex) -> None:
    index.refuses = 404
    said = words(steps.fails(*APPLY))
    assert "The environment of step.python.first cannot be made" in said
    assert "greet" in said


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_the_penguins_where_there_is_no_zenctl(
    project: Project, cloud: Cloud, index: fake_index.FakeIndex, tmp_path: Path
) -> None:
    """Packages come from the index, in the versions that are here; zenctl's code from the artifact store."""
    for name in installed((*BUILT_IN, "tensorflow", "keras"), tmp_path, transitive=True)["distributions"]:
        repack(index.folder, name)
    shutil.copytree(ROOT / "examples" / "penguins", project.root, dirs_exist_ok=True)
    local = Project(tmp_path / "local", dict(project.environment))
    shutil.copytree(project.root, local.root)
    (local.root / "backend.zen.hcl").unlink()
    local.ok("config", "artifacts", "set", ".zenctl/artifacts")
    local.ok(*APPLY)
    placed = "zenctl {\n  defaults { orchestrator = backend.gce.vm }"
    project.edit("penguins.zen.hcl", "zenctl {", placed)
    done = project.run(*APPLY, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    try:
        # One for the user's own step, one for those that prepare data, one for those with TensorFlow.
        assert said.count("preparing its environment") == 3
        assert digests(project) == digests(local)
        assert any(name.startswith("tensorflow-2") for name in index.fetched)
        project.ok("plan", "-detailed-exitcode")
        project.edit("penguins.zen.hcl", placed, "zenctl {")
        project.ok("plan", "-detailed-exitcode")
        assert project.json("reproduce", "-json", "step.split.penguins")["equal"]
    finally:
        local.ok("destroy", "-auto-approve")
