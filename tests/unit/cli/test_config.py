"""`zenctl config`: what it tells, sets and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.zen.hcl").write_text('# mine\nzenctl {\n  project = "p" # its name\n}\n')
    return tmp_path


def test_get_tells_the_default(zenctl, folder):
    assert zenctl("config", "metadata", "get").out == "sqlite .zenctl/metadata.db (the default)\n"
    assert zenctl("config", "artifacts", "get").out == "local .zenctl/artifacts (the default)\n"


def test_set_then_get(zenctl, folder):
    ran = zenctl("config", "metadata", "set", "sqlite", "-path=records/m.db")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "Changed a.zen.hcl:4: sqlite records/m.db\n"
        "What sqlite .zenctl/metadata.db holds stays there; zenctl moves nothing.\n"
        "To take its records along set it again, then: zenctl state migrate sqlite ...\n"
    )
    assert (folder / "a.zen.hcl").read_text() == (
        '# mine\nzenctl {\n  project = "p" # its name\n  metadata "sqlite" {\n    path = "records/m.db"\n  }\n}\n'
    )
    assert zenctl("config", "metadata", "get").out == "sqlite records/m.db (a.zen.hcl:4)\n"
    again = zenctl("config", "metadata", "set", "sqlite", "--path", "records/m.db")
    assert (again.code, again.out) == (0, "a.zen.hcl:4 sets sqlite records/m.db already.\n")
    assert zenctl("config", "artifacts", "set", "/mnt/x").out.startswith("Changed a.zen.hcl:7: local /mnt/x\n")
    assert zenctl("validate").code == 0


def test_list_tells_the_types_and_the_one_in_use(zenctl, folder):
    zenctl("config", "metadata", "set", "mysql", "-host=db", "-username=zen", "-database=mlmd", "-passwd=env:PW")
    lines = zenctl("config", "metadata", "list").out.splitlines()
    assert [line.split()[0] for line in lines if line[2] != " "] == ["sqlite", "*", "postgresql", "grpc"]
    assert lines[lines.index("* mysql       MySQL or MariaDB") + 1].strip() == "mysql://zen@db:3306/mlmd (a.zen.hcl:4)"
    assert "host, database (required), user (required), password" in " ".join(lines)
    document = json.loads(zenctl("config", "metadata", "list", "-json").out)
    assert [found["type"] for found in document["types"] if found["current"]] == ["mysql"]
    assert document["current"]["location"] == "mysql://zen@db:3306/mlmd"
    stores = zenctl("config", "artifacts", "list").out
    assert stores.startswith("* local")
    assert ".zenctl/artifacts (the default)" in stores
    [local] = json.loads(zenctl("config", "artifacts", "list", "-json").out)["types"]
    assert (local["scheme"], local["attributes"]) == ("file", ["path"])


def test_both_at_once(zenctl, folder):
    zenctl("config", "artifacts", "set", "results")
    assert zenctl("config", "list").out == (
        "metadata   sqlite .zenctl/metadata.db (the default)\nartifacts  local results (a.zen.hcl:4)\n"
    )
    document = json.loads(zenctl("config", "list", "-json").out)
    assert (document["metadata"]["default"], document["artifacts"]["location"]) == (True, "results")
    (folder / "a.zen.hcl").write_text('zenctl {\n  metadata "oracle" {}\n}\n')
    for words in (["config", "list"], ["config", "metadata", "list"]):
        assert zenctl(*words).code == 1


def test_an_empty_folder_gets_a_settings_file(zenctl, tmp_path):
    assert zenctl("config", "artifacts", "get").code == 1
    ran = zenctl("config", "artifacts", "set", "results")
    assert ran.out.splitlines()[0] == "Created settings.zen.hcl:2: local results"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.zen.hcl"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["metadata", "set"], "The type of the store is missing"),
        (["metadata", "set", "oracle"], 'There is no metadata store type "oracle"'),
        (["metadata", "set", "sqlite", "-path="], '"path" must have at least 1 character'),
        (["artifacts", "set"], "The place is missing"),
        (["artifacts", "set", ""], "The place is missing"),
        (["artifacts", "set", "gs://bucket"], "No artifact store serves gs://"),
        (["artifacts", "set", "a", "b"], 'Too many arguments: "b"'),
        (["store", "get"], 'zenctl config has no command "store"'),
        (["metadata", "put"], 'zenctl config metadata has no command "put"'),
    ],
)
def test_what_is_refused(zenctl, folder, words, said):
    before = (folder / "a.zen.hcl").read_text()
    ran = zenctl("config", *words)
    assert ran.code == 1
    assert said in ran.err
    assert (folder / "a.zen.hcl").read_text() == before
    assert [path.name for path in folder.iterdir()] == ["a.zen.hcl"]


def test_what_would_be_wrong_is_shown_as_it_would_be(zenctl, folder):
    ran = zenctl("config", "metadata", "set", "sqlite", "-path=")
    assert '    path = ""' in ran.err
    assert "on a.zen.hcl:5:12" in ran.err


def test_json(zenctl, folder):
    assert json.loads(zenctl("config", "metadata", "get", "-json").out) == {
        "format_version": "1.0",
        "type": "sqlite",
        "location": ".zenctl/metadata.db",
        "default": True,
        "declared": None,
    }
    done = json.loads(zenctl("config", "metadata", "set", "sqlite", "-json").out)
    assert done == {
        "format_version": "1.0",
        "type": "sqlite",
        "location": ".zenctl/metadata.db",
        "default": False,
        "declared": "a.zen.hcl:4:3",
        "file": "a.zen.hcl",
        "changed": True,
    }
    ran = zenctl("config", "metadata", "set", "oracle", "-json")
    assert ran.code == 1
    assert json.loads(ran.out)["diagnostics"][0]["code"] == "unknown_metadata_store_type"
    (folder / "a.zen.hcl").write_text("zenctl {\n")
    ran = zenctl("config", "artifacts", "get", "-json")
    assert json.loads(ran.out)["diagnostics"][0]["range"]["filename"] == "a.zen.hcl"


@pytest.mark.parametrize("words", [["config"], ["config", "metadata"], ["config", "metadata", "set", "-help"]])
def test_help(zenctl, words):
    ran = zenctl(*words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: zenctl {' '.join(w for w in words if w != '-help')}")
