"""Bad input: one clear diagnostic with its place, exit 1, and nothing recorded as done that was not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ZENCTL, Project

CONFIGURATION = [
    # (what is replaced, by what, what must be said, where)
    ('step "python" "count"', 'stepp "python" "count"', 'Did you mean "step"?', "main.zen.hcl:20:1"),
    ("  inputs = { data = ", "  inputz = { data = ", 'Did you mean "inputs"?', "main.zen.hcl:16:3"),
    ('step "python" "count"', 'step "pythn" "count"', 'Did you mean "python"?', "main.zen.hcl:20:6"),
    ('datasource "csv"', 'datasource "cvs"', 'Did you mean "csv"?', "main.zen.hcl:10:12"),
    (
        "step.python.tallest.names",
        "step.python.tallst.names",
        'Did you mean "step.python.tallest"?',
        "main.zen.hcl:22:22",
    ),
    ("step.python.tallest.names", "step.python.tallest.nams", 'Did you mean "names"?', "main.zen.hcl:22"),
    ("var.top", "var.tpo", 'Did you mean "top"?', "main.zen.hcl:17:20"),
    ('path = "heights.csv"', "path = [1]", "must be a text", "main.zen.hcl:11:10"),
    ("steps/size.py:count", "steps/siez.py:count", "steps/siez.py", "main.zen.hcl:21:12"),
    ("steps/size.py:count", "steps/size.py:cuont", 'Did you mean "count"?', "main.zen.hcl:21:12"),
    ("{ data = datasource.csv.heights }", "{ data = step.python.count.result }", "in a circle", "main.zen.hcl"),
]


@pytest.mark.parametrize(("old", "new", "says", "where"), CONFIGURATION)
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_configuration(tiny: Project, command: str, old: str, new: str, says: str, where: str) -> None:
    tiny.edit("main.zen.hcl", old, new)
    said = tiny.fails(command)
    assert says in said
    assert where in said
    assert said.count("Error:") == 1, said
    assert not (tiny.root / ".zenctl" / "metadata.db").exists()


def test_all_errors_are_told_at_once(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", "var.top", "var.tpo")
    tiny.edit("main.zen.hcl", 'datasource "csv"', 'datasource "cvs"')
    said = tiny.fails("validate")
    assert 'Did you mean "top"?' in said
    assert 'Did you mean "csv"?' in said


DATA = [
    (b"", "empty"),
    (b"name,height\nAda,170\nBlaise\n", "heights.csv:3"),
    (b"name,height\nAda,170\nBl\xffise,181\n", "UTF-8"),
    (b"name,name\nAda,170\n", "name"),
]


@pytest.mark.parametrize(("data", "says"), DATA)
def test_csv(tiny: Project, data: bytes, says: str) -> None:
    (tiny.root / "heights.csv").write_bytes(data)
    said = tiny.fails("apply", "-auto-approve")
    assert says in said
    assert re.search(r"on (heights\.csv:\d:1|main\.zen\.hcl:11:10), in datasource\.csv\.heights\n +\d+ │ ", said)
    assert "step.python.tallest: ran" not in said
    assert tiny.run("state", "list").stdout.strip() == ""


def test_missing_csv(tiny: Project) -> None:
    (tiny.root / "heights.csv").unlink()
    said = tiny.fails("plan")
    assert "heights.csv" in said
    assert "main.zen.hcl" in said


def test_a_step_that_raises_shows_the_user_s_traceback_without_ours(tiny: Project) -> None:
    tiny.edit("steps/size.py", "    return len", '    raise ValueError("no names today")\n    return len')
    said = tiny.fails("apply", "-auto-approve")
    assert said.count("ValueError: no names today") == 1
    assert "steps/size.py" in said
    assert "zenctl/runner" not in said
    assert "zenctl logs step.python.count" in said
    assert "step.python.count" not in tiny.ok("state", "list")
    tiny.edit("steps/size.py", '    raise ValueError("no names today")\n', "")
    printed = tiny.ok("apply", "-auto-approve")
    assert "step.python.tallest: ran" not in printed


def test_a_step_that_something_else_ends(tiny: Project) -> None:
    tiny.edit("steps/size.py", "    return len", "    import os\n    os.kill(os.getpid(), 15)\n    return len")
    said = tiny.fails("apply", "-auto-approve")
    assert "step.python.count was interrupted" in said
    assert "Something other than zenctl ended it" in said
    assert "1 failed" in said
    assert "canceled" not in said


def test_an_output_that_is_not_written(tiny: Project) -> None:
    tiny.edit("steps/rank.py", '    (names.path / "names.json").write_text(json.dumps(chosen))\n', "")
    said = tiny.fails("apply", "-auto-approve")
    assert "names" in said
    assert "did not write an output" in said
    assert tiny.ok("state", "list").split() == ["datasource.csv.heights"]


def test_independent_steps_go_on_and_dependents_are_named(tiny: Project) -> None:
    tiny.edit("steps/rank.py", "    chosen = [", "    1 / 0\n    chosen = [")
    tiny.write(
        "more.zen.hcl",
        'step "python" "other" {\n  code = "steps/other.py:other"\n  inputs = { data = datasource.csv.heights }\n}\n',
    )
    tiny.write(
        "steps/other.py",
        "from zenctl.sdk import Dataset\n\n\ndef other(data: Dataset) -> int:\n    return data.num_rows\n",
    )
    said = tiny.fails("apply", "-auto-approve")
    assert "ZeroDivisionError" in said
    assert "step.python.count" in said
    assert "skipped" in said
    assert set(tiny.ok("state", "list").split()) == {"datasource.csv.heights", "step.python.other"}


def test_missing_label_column(tiny: Project) -> None:
    tiny.write(
        "train.zen.hcl",
        'step "train" "m" {\n  inputs = { train = datasource.csv.heights }\n  label  = "hieght"\n  epochs = 1\n}\n',
    )
    said = tiny.fails("apply", "-auto-approve")
    assert "hieght" in said
    assert 'Did you mean "height"?' in said


def test_a_corrupt_artifact_is_named_and_made_anew(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    [blob] = [
        p
        for p in (tiny.root / ".zenctl" / "artifacts" / "blobs").glob("*/*")
        if p.read_bytes() == b'["Blaise", "Carl"]'
    ]
    blob.chmod(0o644)
    blob.write_bytes(b'["Blaise", "Eve!"]')
    said = tiny.fails("apply", "-auto-approve", "-replace=step.python.count")
    assert "damaged" in said
    tiny.ok("apply", "-auto-approve")
    assert blob.read_bytes() == b'["Blaise", "Carl"]'


def test_an_unreadable_metadata_database(tiny: Project) -> None:
    tiny.write(".zenctl/metadata.db", "this is no database, it is a text")
    said = tiny.fails("plan")
    assert "The metadata database" in said
    assert said.count("metadata.db") == 1
    assert (tiny.root / ".zenctl" / "metadata.db").read_text() == "this is no database, it is a text"


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    return place


def test_a_full_artifact_directory(tiny: Project, small_disk: Path, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: subprocess.run(["umount", str(small_disk)], check=False))
    tiny.edit(
        "main.zen.hcl", 'project = "tiny"', f'project = "tiny"\n  artifacts "local" {{\n    path = "{small_disk}"\n  }}'
    )
    tiny.edit(
        "steps/rank.py",
        '    (names.path / "names.json")',
        "    (names.path / 'big').write_bytes(__import__('os').urandom(4_000_000))\n    (names.path / \"names.json\")",
    )
    said = tiny.fails("apply", "-auto-approve")
    assert "No space left" in said or "space" in said
    assert tiny.ok("state", "list").split() == ["datasource.csv.heights"]
    tiny.edit("steps/rank.py", "4_000_000", "4_000")
    tiny.ok("apply", "-auto-approve")


def test_a_full_disk_under_the_database(tiny: Project) -> None:
    tiny.ok("apply", "-auto-approve")
    database = tiny.root / ".zenctl" / "metadata.db"
    before = tiny.json("state", "list", "-json")
    words = [str(database.stat().st_size), str(ZENCTL), "apply", "-auto-approve", "-replace=step.python.count"]
    program = (
        "import os, resource, sys\nmost = int(sys.argv[1])\nresource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
    )
    # So full that the database cannot grow; how much of it is free by chance decides how far the apply comes.
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-c", program + "os.execv(sys.argv[2], sys.argv[2:])", *words],
            cwd=tiny.root, env=tiny.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            break
    assert done.returncode == 1
    assert "metadata.db cannot be written" in " ".join(done.stderr.split())
    assert "met a bug" not in done.stderr
    assert "WARNING" not in done.stderr
    assert "Transaction" not in done.stderr
    assert [each["address"] for each in tiny.json("state", "list", "-json")] == [each["address"] for each in before]
    tiny.ok("apply", "-auto-approve")
    tiny.ok("plan", "-detailed-exitcode")


def test_a_cache_that_cannot_be_written(tiny: Project) -> None:
    tiny.write(".zenctl/cache", "a file where a folder should be")
    tiny.ok("plan")
    said = " ".join(tiny.fails("apply", "-auto-approve").split())
    assert ".zenctl/cache cannot be written: " in said
    (tiny.root / ".zenctl" / "cache").unlink()
    tiny.ok("apply", "-auto-approve")


def test_no_configuration_says_where_it_looked(project: Project) -> None:
    said = project.fails("plan")
    assert "zenctl init" in said
    assert str(project.root) in " ".join(said.split())


def test_an_unwritable_project_folder_is_told(tiny: Project) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    shutil.rmtree(tiny.root / ".zenctl", ignore_errors=True)
    tiny.root.chmod(0o555)
    try:
        said = tiny.fails("apply", "-auto-approve")
    finally:
        tiny.root.chmod(0o755)
    assert "ermission" in said


def test_a_path_that_is_no_file_says_what_it_is(tiny: Project) -> None:
    (tiny.root / "heights.csv").unlink()
    (tiny.root / "heights.csv").symlink_to("nowhere.csv")
    said = tiny.fails("plan")
    assert "heights.csv is a link to nowhere.csv, which is not there" in said
    assert "Did you mean" not in said
    (tiny.root / "heights.csv").unlink()
    os.mkfifo(tiny.root / "heights.csv")
    assert "heights.csv is no regular file" in tiny.fails("plan")


def test_a_folder_in_place_of_the_metadata_database(tiny: Project) -> None:
    (tiny.root / ".zenctl" / "metadata.db").mkdir(parents=True)
    for words in (("plan",), ("apply", "-auto-approve"), ("state", "list")):
        assert "is a folder, where the metadata database should be" in " ".join(tiny.fails(*words).split())


def test_a_secret_is_in_no_file(tiny: Project) -> None:
    tiny.edit(
        "main.zen.hcl", 'code   = "steps/size.py:count"', 'code = "steps/size.py:count"\n  secrets = { T = "env:T" }'
    )
    tiny.edit("steps/size.py", "    return", '    import os\n    print(os.environ["T"])\n    return')
    tiny.environment["T"] = "tok-123456"
    tiny.ok("apply", "-auto-approve")
    assert tiny.ok("logs", "step.python.count") == "(sensitive value)\n"
    assert not [p for p in (tiny.root / ".zenctl").rglob("*") if p.is_file() and b"tok-123456" in p.read_bytes()]


def test_a_sensitive_output_is_not_given_out_as_a_digest(tiny: Project) -> None:
    tiny.edit("main.zen.hcl", 'output "count" {', 'output "count" {\n  sensitive = true')
    tiny.ok("apply", "-auto-approve")
    assert tiny.json("output", "-json") == {"count": {"sensitive": True, "value": None}}
    assert 'Output "count" is sensitive' in tiny.fails("output", "-raw", "count")
