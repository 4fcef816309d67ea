"""What jobs on other machines are brought: versions as planned, zenctl's own code, and archives of this machine."""

from __future__ import annotations

import ast
import importlib.util
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import zenctl
from zenctl.digests import sha256_bytes
from zenctl.engine import equipping
from zenctl.engine.equipping import PINS, equip, place_of
from zenctl.engine.execution import Order
from zenctl.engine.wheel import NAME, zenctl_wheel
from zenctl.fingerprint.environment import normalised
from zenctl.jobs.environments import ENVIRONMENT
from zenctl.jobs.spec import Entry, InputSpec, JobSpec, OutputSpec, VirtualEnvironment
from zenctl.plans.actions import Components
from zenctl.provider import Packages
from zenctl.provider.testing.fakes import FakeBackend, FakeCompute, FakeRun

ROOT = Path(__file__).parents[3]

BUILT_IN = JobSpec("j", "step.split.x", Entry(module="zenctl.steps.split.run", function="run", arguments="job"))
OWN_CODE = JobSpec("j", "step.python.x", Entry(file="steps.py", function="f"), imports=("absent-here", "pydantic"))


@dataclass
class Elsewhere:
    """A backend whose jobs run on other machines, as far as it is asked."""

    install: bool = True
    settings: dict[str, str] = field(default_factory=lambda: {"UV_DEFAULT_INDEX": "https://i/simple"})

    def packages(self) -> Packages:
        return Packages(self.install, self.settings)


def provided(spec: JobSpec, tmp_path: Path, compute: Any = None, **environment: Any) -> Order:
    components = Components(spec.address, environment={"python": "3.11", "distributions": {}, **environment})
    return equip(Order(spec, compute or Elsewhere(), None), components, tmp_path)


def own(order: Order) -> VirtualEnvironment:
    assert order.spec.virtual_environment is not None
    return order.spec.virtual_environment


def test_a_built_in_step_gets_what_it_imports_and_zenctl_itself(tmp_path: Path) -> None:
    order = provided(replace(BUILT_IN, imports=("numpy", "pyarrow")), tmp_path)
    environment = own(order)
    [(digest, data)] = order.archives.items()
    assert (digest, data) == (sha256_bytes(zenctl_wheel()), zenctl_wheel())
    place = place_of(digest, NAME)
    names = [line.partition("==")[0] for line in environment.requirements]
    assert names == ["google-crc32c", "numpy", "pyarrow", "pydantic", "zstandard", place]
    assert environment.files == {place: digest}
    assert environment.python == "3.11"
    assert environment.settings == {"UV_DEFAULT_INDEX": "https://i/simple"}
    assert (environment.is_own, environment.fetches) == (False, True)
    assert all("==" in line for line in environment.constraints)
    assert not any(line.startswith(("tensorflow==", "numpy==")) for line in environment.requirements[3:])


def test_only_steps_that_use_tensorflow_or_beam_get_it(tmp_path: Path) -> None:
    train = own(provided(replace(BUILT_IN, imports=("tensorflow", "pyarrow")), tmp_path))
    assert any(line.startswith("tensorflow==") for line in train.requirements)
    assert not any(line.startswith("apache-beam") for line in train.requirements)
    beam = own(provided(replace(BUILT_IN, processing={"runner": "DirectRunner"}), tmp_path))
    assert any(line.startswith("apache-beam==") for line in beam.requirements)


def test_the_planned_versions_count_before_those_that_are_here(tmp_path: Path) -> None:
    found = own(provided(OWN_CODE, tmp_path, distributions={"pydantic": "1.2.3", "annotated-types": "9.9"}))
    assert found.requirements == ("absent-here", "pydantic==1.2.3")
    assert "annotated-types==9.9" in found.constraints
    assert not any(line.startswith(("pydantic==", "annotated-types==0")) for line in found.constraints)


def test_where_all_is_installed_the_versions_here_count_else_those_that_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"pydantic": "2.0", "annotated-types": "0.1"}

    def installed(names: Any, cache: Path, *, transitive: bool = False) -> dict[str, Any]:
        asked = {normalised(name): here.get(normalised(name)) for name in names}
        return {"python": "3.11", "distributions": {**asked, **(here if transitive else {})}}

    monkeypatch.setattr(equipping, "installed", installed)
    whole = own(provided(replace(OWN_CODE, imports=("pydantic",)), tmp_path))
    assert whole.requirements == ("pydantic==2.0",)
    assert "annotated-types==0.1" in whole.constraints
    part = own(provided(replace(OWN_CODE, imports=("pydantic", "tensorflow")), tmp_path))
    assert part.requirements == ("pydantic", "tensorflow")
    pinned = {line.partition("==")[0] for line in part.constraints}
    assert {"pydantic", "tensorflow", "numpy", "annotated-types"} <= pinned
    assert "annotated-types==0.1" not in part.constraints


def test_a_step_that_reads_or_writes_data_gets_what_the_sdk_imports(tmp_path: Path) -> None:
    bare = replace(OWN_CODE, imports=())
    assert own(provided(bare, tmp_path)).requirements == ()
    for more in ({"inputs": {"data": InputSpec("Dataset", "d")}}, {"outputs": {"out": OutputSpec("Dataset")}}):
        order = provided(replace(bare, **more), tmp_path)
        names = [line.partition("==")[0] for line in own(order).requirements]
        assert (names, order.archives) == (["google-crc32c", "numpy", "pyarrow"], {})


def test_zenctl_itself_is_asked_of_no_index(tmp_path: Path) -> None:
    found = own(provided(replace(OWN_CODE, imports=("pydantic", "zenctl")), tmp_path, distributions={"zenctl": "0.1"}))
    assert not any(line.startswith("zenctl") for line in (*found.requirements, *found.constraints))


@pytest.mark.parametrize(
    "compute", [FakeCompute(FakeBackend(lambda _: FakeRun())), Elsewhere(install=False)], ids=["here", "image"]
)
def test_nothing_is_brought_where_all_is_there(tmp_path: Path, compute: Any) -> None:
    order = provided(BUILT_IN, tmp_path, compute)
    assert (order.spec, order.archives) == (BUILT_IN, {})


def test_a_job_in_an_image_is_brought_nothing(tmp_path: Path) -> None:
    spec = replace(OWN_CODE, image="python@sha256:" + "0" * 64)
    assert provided(spec, tmp_path).spec == spec


@pytest.mark.parametrize("install", [True, False])
def test_archives_of_a_step_s_own_environment_are_brought_and_named_as_they_lie_there(
    tmp_path: Path, install: bool
) -> None:
    lines = ("greet==1.0", "./wheels/part-3.0-py3-none-any.whl ; sys_platform == 'linux'", "x[a] @ file:///abs/x.whl")
    files = {"./wheels/part-3.0-py3-none-any.whl": "a" * 64, "/abs/x.whl": "b" * 64}
    wanted = VirtualEnvironment("3.11", lines, ("deep==1",), files)
    locations = {ENVIRONMENT: str(tmp_path), "path": "gs://b/k"}
    spec = replace(OWN_CODE, virtual_environment=wanted, locations=locations)
    order = provided(spec, tmp_path, Elsewhere(install))
    part, other = (
        f"./archives/{digit * 16}/{name}" for digit, name in (("a", "part-3.0-py3-none-any.whl"), ("b", "x.whl"))
    )
    found = own(order)
    assert found.requirements == ("greet==1.0", f"{part} ; sys_platform == 'linux'", f"{other}[a]")
    assert found.constraints == ("deep==1",)
    assert found.files == {part: "a" * 64, other: "b" * 64}
    assert order.archives == {"a" * 64: tmp_path / "wheels/part-3.0-py3-none-any.whl", "b" * 64: Path("/abs/x.whl")}
    assert order.spec.locations == {"path": "gs://b/k"}
    assert (found.is_own, found.fetches) == (True, install)


class TestWheel:
    def names(self) -> list[str]:
        return zipfile.ZipFile(io.BytesIO(zenctl_wheel())).namelist()

    def test_equal_sources_give_equal_bytes(self) -> None:
        once = zenctl_wheel()
        zenctl_wheel.cache_clear()
        assert zenctl_wheel() == once
        assert len(once) < 4 << 20

    def test_all_that_its_code_imports_of_zenctl_is_in_it(self) -> None:
        """Read from the code, also where it is imported only when needed."""
        archive = zipfile.ZipFile(io.BytesIO(zenctl_wheel()))
        inside = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in archive.namelist()}
        wanted = set()
        for name in self.names():
            for node in ast.walk(ast.parse(archive.read(name))) if name.endswith(".py") else ():
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zenctl"):
                    wanted.add(node.module)
                if isinstance(node, ast.Import):
                    wanted |= {alias.name for alias in node.names if alias.name.startswith("zenctl.")}
        assert wanted > {"zenctl.diagnostics"}
        assert wanted <= inside

    def test_pip_takes_it_for_a_wheel(self, tmp_path: Path) -> None:
        path = tmp_path / NAME
        path.write_bytes(zenctl_wheel())
        uv = Path(sys.executable).parent / "uv"
        target = ["--target", str(tmp_path / "there"), "--offline", "--no-index", str(path)]
        subprocess.run([uv, "pip", "install", "--quiet", *target], check=True)
        assert (tmp_path / "there" / "zenctl" / "steps" / "split" / "run.py").is_file()
        assert list((tmp_path / "there").glob(f"zenctl-{zenctl.__version__}.dist-info/METADATA"))
        assert not (tmp_path / "there" / "zenctl" / "cli").exists()


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pins", ROOT / "scripts" / "pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pins_are_those_of_the_constraints_and_whole() -> None:
    """`make constraints` writes them; another Python than this one needs some more."""
    constraints = (ROOT / "constraints.txt").read_text()
    written = PINS.read_text().splitlines()
    assert set(script().pins(constraints).splitlines()) <= set(written) <= set(constraints.splitlines())
    names = {line.partition("==")[0] for line in written}
    assert {"tensorflow", "numpy", "pyarrow", "pydantic", "apache-beam", "sqlalchemy", "zstandard"} <= names
    assert "ml-metadata" not in names
