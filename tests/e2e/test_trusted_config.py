"""`plan -trusted-config=REV`: a fork's configuration is planned, but cannot aim credentials elsewhere."""

from __future__ import annotations

from pathlib import Path

import git
import pytest

from tests.e2e.conftest import Project

PLAN = ("plan", "-trusted-config=trusted")
SECRET = 'step "python" "secretive" {\n  code    = "steps/size.py:nothing"\n  secrets = { TOKEN = "env:TOKEN" }\n}\n'
NOTHING = "\n\ndef nothing() -> int:\n    return 0\n"


@pytest.fixture
def fork(tiny: Project) -> Project:
    """The tiny project, applied, in a repository whose branch `trusted` holds it as it is."""
    tiny.write("providers.zen.hcl", 'provider "local" {}\nbackend "local" "here" {}\n')
    tiny.write("secret.zen.hcl", SECRET)
    size = tiny.root / "steps" / "size.py"
    size.write_text(size.read_text() + NOTHING)
    tiny.write(".gitignore", ".zenctl/\n")
    tiny.environment["TOKEN"] = "not-to-be-seen"
    tiny.ok("apply", "-auto-approve")
    repo = git.Repo.init(tiny.root, initial_branch="trusted")
    commit(tiny)
    repo.git.checkout("-b", "fork")
    repo.close()
    return tiny


def commit(project: Project) -> None:
    """Commit everything."""
    with git.Repo(project.root) as repo:
        repo.git.add("-A")
        author = git.Actor("A Fork", "fork@example.com")
        repo.index.commit("change", author=author, committer=author)


def refused(project: Project) -> str:
    """What a plan of the committed fork is refused with."""
    commit(project)
    said = project.fails(*PLAN)
    assert "not-to-be-seen" not in said
    return said


def test_steps_parameters_and_code_may_change(fork: Project) -> None:
    assert "No changes." in fork.ok(*PLAN)
    fork.edit("main.zen.hcl", "default = 2", "default = 1")
    fork.edit("steps/size.py", "return 0", "return 1")
    commit(fork)
    planned = fork.ok(*PLAN, "-out=p.plan")
    assert "params.top: 2 -> 1" in planned
    assert "step.python.secretive will be run again" in planned


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('project = "tiny"', 'project = "other"', '"project" of the zenctl block is another one than in trusted'),
        ('project = "tiny"', 'project = "tiny"\n  metadata "sqlite" {\n    path = "mine.db"\n  }', '"metadata"'),
        ('project = "tiny"', 'project = "tiny"\n  artifacts "local" {\n    path = "mine"\n  }', '"artifacts"'),
        ('project = "tiny"', 'project = "tiny"\n  reuse_from = ["pr-*"]', '"reuse_from"'),
        (
            'code   = "steps/size.py:count"',
            'code   = "git::https://elsewhere.example/x.git//size.py:count?ref=main"',
            "takes its code from https://elsewhere.example/x.git, which nothing does in trusted",
        ),
        ('path = "heights.csv"', 'path = "/etc/passwd"', "would read from /etc/passwd, which nothing does in trusted"),
        ('path = "heights.csv"', 'path = "../other.csv"', "would read from ../other.csv"),
        (
            'path = "heights.csv"',
            'path = "s3://mine/x.csv"',
            "would read from s3://mine/x.csv, which nothing does in trusted",
        ),
    ],
)
def test_settings_and_sources_may_not(fork: Project, old: str, new: str, said: str) -> None:
    fork.edit("main.zen.hcl", old, new)
    told = " ".join(refused(fork).split())
    assert said in told
    assert "Have the change merged there first" in told


def test_a_variable_cannot_change_a_source_unseen(fork: Project) -> None:
    fork.edit("main.zen.hcl", 'path = "heights.csv"', "path = var.where")
    fork.write("where.zen.hcl", 'variable "where" {\n  default = "heights.csv"\n}\n')
    fork.write("mine.auto.zenvars", 'where = "/etc/passwd"\n')
    assert "would read from /etc/passwd" in refused(fork)


SQL = """\
datasource "sql" "people" {
  dialect  = "postgresql"
  host     = "db.example"
  database = "people"
  user     = "reader"
  password = "env:TOKEN"
  query    = "select * from people"
}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("env:TOKEN", "env:AWS_SECRET_ACCESS_KEY"),
        ("db.example", "mine.example"),
        ("select * from people", "select pg_terminate_backend(1)"),
    ],
)
def test_a_fork_sends_no_password_and_no_query_of_its_own_to_a_database(fork: Project, old: str, new: str) -> None:
    with git.Repo(fork.root) as repo:
        repo.git.checkout("trusted")
        fork.write("people.zen.hcl", SQL)
        commit(fork)
        repo.git.checkout("-B", "fork")
    fork.edit("people.zen.hcl", old, new)
    told = " ".join(refused(fork).split())
    assert "datasource.sql.people would read from postgresql://reader@" in told
    assert "which nothing does in trusted" in told


def test_secrets_providers_and_modules_may_not_be_added(fork: Project) -> None:
    fork.edit("secret.zen.hcl", '"env:TOKEN"', '"env:AWS_SECRET_ACCESS_KEY"')
    assert 'refers to a secret, secrets.TOKEN = "env:AWS_SECRET_ACCESS_KEY"' in " ".join(refused(fork).split())
    fork.edit("secret.zen.hcl", '"env:AWS_SECRET_ACCESS_KEY"', '"env:TOKEN"')
    fork.write("providers.zen.hcl", 'provider "local" {}\nprovider "local" {\n  alias = "mine"\n}\n')
    assert "provider.local.mine is not configured as in trusted" in refused(fork)


@pytest.mark.parametrize("aim", ["/etc/hostname", "../../outside.csv"])
def test_links_out_of_the_repository_are_refused(fork: Project, aim: str) -> None:
    fork.root.joinpath("heights.csv").unlink()
    fork.root.joinpath("heights.csv").symlink_to(Path(aim))
    assert "heights.csv is a symbolic link out of the repository" in refused(fork)


def test_files_in_zenctl_s_own_folder_are_refused(fork: Project) -> None:
    with git.Repo(fork.root) as repo:
        fork.write(".zenctl/environment", "default")
        repo.git.add("-f", ".zenctl/environment")
    assert "The commit holds files in .zenctl" in refused(fork)


def test_what_is_no_revision(fork: Project, tmp_path: Path) -> None:
    assert 'git knows no "nowhere"' in fork.fails("plan", "-trusted-config=nowhere")
    alone = Project(tmp_path / "alone")
    alone.root.mkdir()
    alone.write("main.zen.hcl", "zenctl {}\n")
    assert "is not in a git repository" in " ".join(alone.fails(*PLAN).split())
