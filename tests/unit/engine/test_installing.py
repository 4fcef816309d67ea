"""Modules from git: fetched at a commit, under a digest, written down, and noticed when they change."""

from __future__ import annotations

import json
from pathlib import Path

import git
import pytest

from zenctl.config.loader import load
from zenctl.config.modules import INSTALLED, LOCK_FILE
from zenctl.diagnostics import DiagnosticError
from zenctl.engine.installing import install_modules
from zenctl.provider.registry import discover

CHILD = 'variable "n" {}\noutput "n" { value = var.n }\n'


@pytest.fixture
def repository(tmp_path: Path) -> git.Repo:
    """A repository with the module in `nested/child`, tagged v1."""
    folder = tmp_path / "repo"
    repo = git.Repo.init(folder, initial_branch="main")
    with repo.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
    write(folder / "nested/child/main.zen.hcl", 'module "deep" {\n  source = "../deep"\n  n = 1\n}\n' + CHILD)
    write(folder / "nested/deep/main.zen.hcl", CHILD)
    (folder / "out").symlink_to("/etc")
    commit(repo, "v1")
    return repo


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(repo: git.Repo, tag: str) -> str:
    repo.git.add("-A")
    made = repo.index.commit(tag)
    repo.create_tag(tag)
    return str(made.hexsha)


@pytest.fixture
def project(tmp_path: Path, repository: git.Repo) -> Path:
    root = tmp_path / "project"
    write(root / "main.zen.hcl", call("v1"))
    return root


def call(ref: str) -> str:
    return f'module "m" {{\n  source = "git::../repo//nested/child?ref={ref}"\n  n = 2\n}}\n'


def codes(root: Path) -> list[str]:
    return [d.code for d in load(root, discover()).diagnostics]


def test_a_module_is_fetched_once_and_written_down(project: Path, repository: git.Repo) -> None:
    assert codes(project) == ["module_not_installed"]
    [source] = install_modules(project)
    assert codes(project) == []
    loaded = load(project, discover()).configuration
    assert loaded is not None
    assert [m.path for m in loaded.modules()] == [(), ("m",), ("m", "deep")]
    [entry] = json.loads((project / LOCK_FILE).read_text())["modules"].values()
    assert entry["commit"] == repository.head.commit.hexsha
    installed = project / INSTALLED / entry["digest"]
    assert not (installed / "out").exists(), "links may lead anywhere"
    assert install_modules(project) == (), source


def test_what_is_locked_stays_until_upgraded(project: Path, repository: git.Repo) -> None:
    write(project / "main.zen.hcl", call("main"))
    install_modules(project)
    before = (project / LOCK_FILE).read_text()
    write(Path(repository.working_dir) / "nested/deep/main.zen.hcl", CHILD + "# newer\n")
    newer = commit(repository, "v2")
    assert install_modules(project) == ()
    assert (project / LOCK_FILE).read_text() == before
    assert len(install_modules(project, upgrade=True)) == 1
    [entry] = json.loads((project / LOCK_FILE).read_text())["modules"].values()
    assert entry["commit"] == newer


def test_another_machine_gets_the_same(project: Path, repository: git.Repo, tmp_path: Path) -> None:
    write(project / "main.zen.hcl", call("main"))
    install_modules(project)
    write(Path(repository.working_dir) / "new.txt", "newer")
    commit(repository, "v2")
    other = tmp_path / "other"
    for name in ("main.zen.hcl", LOCK_FILE):
        write(other / name, (project / name).read_text())
    install_modules(other)
    assert sorted(p.name for p in (other / INSTALLED).iterdir()) == sorted(
        p.name for p in (project / INSTALLED).iterdir()
    )


def test_changed_files_are_noticed(project: Path) -> None:
    install_modules(project)
    [installed] = (project / INSTALLED).iterdir()
    write(installed / "nested/deep/main.zen.hcl", CHILD + "# mine\n")
    assert codes(project) == ["module_changed"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("git::../nothing?ref=v1", "module_unreachable"),
        ("git::../repo//nested/child?ref=v9", "code_ref_missing"),
        ("git::ext::sh -c touch% x", "module_unreachable"),
    ],
)
def test_what_cannot_be_fetched_leaves_all_as_it_is(project: Path, source: str, code: str) -> None:
    install_modules(project)
    before = (project / LOCK_FILE).read_text()
    write(project / "more.zen.hcl", f'module "x" {{ source = "{source}" }}\n')
    with pytest.raises(DiagnosticError) as caught:
        install_modules(project, upgrade=True)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert json.loads(before)["modules"].items() <= json.loads((project / LOCK_FILE).read_text())["modules"].items()
    assert not [p for p in (project / INSTALLED).iterdir() if p.name.startswith("fetch-")]


def test_a_source_cannot_leave_its_repository(project: Path) -> None:
    write(project / "main.zen.hcl", 'module "m" { source = "git::../repo//../../etc?ref=v1" }\n')
    assert codes(project) == ["invalid_source"]
    write(project / "main.zen.hcl", call("v1"))
    install_modules(project)
    [installed] = (project / INSTALLED).iterdir()
    (installed / "nested/child/main.zen.hcl").write_text('module "x" { source = "../../../../.." }\n')
    assert "module_changed" in codes(project)
