"""Steps in container images, by a real podman: what runs there, what is recorded, and what is made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import Podman, own_podman
from tests.e2e.conftest import Project

USE = "step.python.use"
STEP = """\
def use() -> str:
    with open("/etc/mark") as stream:
        return stream.read()
"""


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with own_podman(tmp_path_factory.mktemp("podman")) as made:
        yield made


@pytest.fixture
def project(project: Project, podman: Podman) -> Project:
    """A step whose result is what a file of its image says."""
    project.environment.update(podman.environment)
    project.write("use.py", STEP)
    project.write(
        "main.zen.hcl",
        'zenctl {\n  project = "images"\n}\nvariable "image" {}\nstep "python" "use" {\n  code = "use.py:use"\n'
        '  environment {\n    image = var.image\n  }\n}\noutput "mark" {\n  value = step.python.use.result\n}\n',
    )
    return project


def test_a_step_runs_in_its_image_and_another_one_makes_it_stale(
    project: Project, podman: Podman, tmp_path: Path
) -> None:
    one, other = (podman.image(name, tmp_path, {"etc/mark": name}) for name in ("one", "other"))
    project.ok("apply", "-auto-approve", f"-var=image={one}")
    assert project.json("output", "-json", "mark") == "one"
    assert project.stale(f"-var=image={one}") == {}
    assert project.stale(f"-var=image=mirror.example/{one}") == {}
    said = project.ok("plan", f"-var=image={other}")
    assert f"environment: image {one[:-52]} -> {other[:-52]}" in said
    project.ok("apply", "-auto-approve", f"-var=image={other}")
    assert project.json("output", "-json", "mark") == "other"
    # The first image's result is recorded: going back costs nothing.
    said = project.ok("apply", "-auto-approve", f"-var=image={one}")
    assert "1 reused" in said
    assert project.json("output", "-json", "mark") == "one"

    shown = project.ok("state", "show", USE)
    assert f'image   "{one}"' in shown
    document = project.json("reproduce", "-json", USE)
    assert document["equal"]
    assert document["environment"]["origin"] == "image"
    compared = project.ok("state", "diff", "1", "2")
    assert f"image {one[:-52]} -> {other[:-52]}" in compared
    assert podman.containers() == []


def test_an_image_that_is_nowhere_fails_the_step_and_says_so(project: Project) -> None:
    absent = f"localhost:1/absent@sha256:{'0' * 64}"
    said = " ".join(project.fails("apply", "-auto-approve", f"-var=image={absent}").split())
    assert "podman could not run its image" in said
    assert "localhost:1/absent" in said
