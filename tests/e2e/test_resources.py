"""What steps ask for of a machine, from the installed command."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Project


@pytest.fixture
def project(project: Project) -> Project:
    project.write("use.py", "def use() -> int:\n    return 1\n")
    return project


def declare(project: Project, resources: str) -> None:
    step = f'step "python" "use" {{\n  code = "use.py:use"\n  resources = {resources}\n}}\n'
    project.write("main.zen.hcl", f'zenctl {{\n  project = "resources"\n}}\n{step}')


def test_more_than_this_machine_has_is_a_warning_of_plan_and_an_error_of_apply(project: Project) -> None:
    declare(project, "{ cpu = 5000 }")
    said = project.run("plan")
    assert said.returncode == 0
    printed = said.stdout + said.stderr
    assert "Warning: step.python.use does not fit on backend.local.embedded: it asks for 5000 CPUs" in printed
    said_by_apply = project.fails("apply", "-auto-approve")
    assert "step.python.use could not be started" in said_by_apply
    assert "it asks for 5000 CPUs, and this machine has" in said_by_apply


def test_what_is_asked_for_is_no_part_of_the_fingerprint(project: Project) -> None:
    declare(project, '{ cpu = 0.5, memory = "1GiB" }')
    project.ok("apply", "-auto-approve")
    declare(project, '{ cpu = 0.25, memory = "2GiB" }')
    assert project.stale() == {}


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ("{ cpus = 2 }", '"resources" has no "cpus"'),
        ("{ cpu = 0 }", "a number of cores above 0"),
        ('{ memory = "much" }', 'a text such as "512MiB"'),
        ("{ gpu = 0.5 }", "a whole number of devices"),
        ("2", '"resources" must be an object'),
    ],
)
def test_mistakes_are_told(project: Project, resources: str, says: str) -> None:
    declare(project, resources)
    assert says in project.fails("validate")
