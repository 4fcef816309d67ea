"""Modules from git, used from the command line: mistakes in them are shown with where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import git
import pytest

from tests.e2e.conftest import Project

CHILD = """\
variable "epochs" {
  type = number
  validation {
    condition     = var.epochs > 0
    error_message = "Epochs must be positive."
  }
}
locals {
  shout = upper(var.epochs, 2)
}
output "shout" { value = local.shout }
output "epochs" { value = var.epoch }
"""
MAIN = """\
module "net" {
  source = "git::../modules//net?ref=v1"
  epochs = 1
}
output "epochs" { value = module.net.epochs }
"""


@pytest.fixture
def repository(project: Project) -> git.Repo:
    """A repository beside the project, with the module in `net`, tagged v1."""
    repo = git.Repo.init(project.root.parent / "modules", initial_branch="main")
    with repo.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.invalid")
    return repo


def release(repo: git.Repo, text: str, tag: str) -> None:
    folder = Path(repo.working_dir) / "net"
    folder.mkdir(exist_ok=True)
    (folder / "main.zen.hcl").write_text(text)
    repo.git.add("-A")
    repo.index.commit(tag)
    repo.create_tag(tag)


def test_mistakes_in_a_module_are_shown_with_where_it_comes_from(project: Project, repository: git.Repo) -> None:
    release(repository, CHILD, "v1")
    project.write("main.zen.hcl", MAIN)
    said = project.fails("plan")
    assert "main.zen.hcl:2:12" in said
    assert "Run `zenctl init`" in said

    project.fails("init")
    [entry] = json.loads((project.root / "zenctl.lock.json").read_text())["modules"].values()
    installed = f".zenctl/modules/{entry['digest']}/net/main.zen.hcl"
    said = project.fails("validate")
    for place, line in (("9:11", "  shout = upper(var.epochs, 2)"), ("12:27", 'output "epochs" { value = var.epoch }')):
        at = said.index(f"on {installed}:{place}\n  of git::../modules//net?ref=v1\n")
        assert line in said[at:].split("\n")[2]
    assert 'Did you mean "epochs"?' in said

    # What the caller gives is wrong where the caller stands, and the rule is shown where it is.
    release(repository, CHILD.replace("(var.epochs, 2)", "(var.epochs)").replace("var.epoch }", "var.epochs }"), "v2")
    project.write("main.zen.hcl", MAIN.replace("v1", "v2").replace("epochs = 1", "epochs = -1"))
    said = project.fails("init")
    assert "on main.zen.hcl:3:12" in said
    assert "Epochs must be positive." in said
    project.edit("main.zen.hcl", "epochs = -1", "epochs = 1")
    project.ok("apply", "-auto-approve")
    assert project.ok("output", "-raw", "epochs") == "1"

    # Installed files that were changed are noticed.
    entries = json.loads((project.root / "zenctl.lock.json").read_text())["modules"]
    place = project.root / ".zenctl/modules" / entries["git::../modules//net?ref=v2"]["digest"] / "net/main.zen.hcl"
    place.chmod(0o644)
    place.write_text(place.read_text() + "# mine\n")
    said = project.fails("plan")
    assert "The installed files of git::../modules//net?ref=v2 were changed" in said


def test_a_syntax_error_in_a_module_is_shown_with_where_it_comes_from(project: Project, repository: git.Repo) -> None:
    release(repository, 'variable "a" {\n  default =\n}\n', "v1")
    project.write("main.zen.hcl", 'module "net" { source = "git::../modules//net?ref=v1" }\n')
    said = project.fails("init")
    assert "/net/main.zen.hcl:2:12\n  of git::../modules//net?ref=v1\n    2 │   default =\n" in said
