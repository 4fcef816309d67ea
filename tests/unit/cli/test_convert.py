"""`zenctl convert`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.test_startup import python

HCL = '# about x\nlocals {\n  x = var.y # why\n}\n\nvariable "y" {\n  type = number\n}\n'
YAML = '# about x\nlocals:\n  x: "${var.y}"  # why\n\nvariable:\n  "y":\n    type: number\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.zen.hcl").write_text(HCL)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_twin_is_printed_alone(zenctl, folder):
    ran = zenctl("convert")
    assert (ran.code, ran.out, ran.err) == (0, YAML, "")
    assert zenctl("convert", "-to=yaml", "a.zen.hcl").out == ran.out
    assert names(folder) == ["a.zen.hcl"]


def test_several_are_headed_by_their_names(zenctl, folder):
    (folder / "b.zen.hcl").write_text("locals {}\n")
    out = zenctl("convert").out
    assert out.startswith("# --- a.zen.yaml\n# about x\n")
    assert out.endswith("\n\n# --- b.zen.yaml\nlocals: {}\n")


def test_write_says_that_both_now_declare_the_same(zenctl, folder):
    ran = zenctl("convert", "-write")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "a.zen.hcl -> a.zen.yaml"
    assert "a.zen.hcl and a.zen.yaml declare the same" in ran.out
    assert names(folder) == ["a.zen.hcl", "a.zen.yaml"]
    assert "declare" not in zenctl("convert", "a.zen.hcl", "-write", "-force", env={"ZENCTL_IN_AUTOMATION": "1"}).out


def test_nothing_is_overwritten_without_force(zenctl, folder):
    (folder / "a.zen.yaml").write_text("locals: {other: 1}\n")
    (folder / "b.zen.hcl").write_text("locals {}\n")
    for flag in ("-write", "-replace"):
        ran = zenctl("convert", "-to=yaml", flag)
        assert ran.code == 1
        assert "Error: a.zen.yaml is there already" in ran.err
        assert names(folder) == ["a.zen.hcl", "a.zen.yaml", "b.zen.hcl"]
        assert (folder / "a.zen.yaml").read_text() == "locals: {other: 1}\n"
    assert zenctl("convert", "-to=yaml", "-replace", "-force").code == 0
    assert names(folder) == ["a.zen.yaml", "b.zen.yaml"]


def test_there_and_back(zenctl, folder):
    assert zenctl("convert", "-replace").out == "a.zen.hcl -> a.zen.yaml, replaced\n"
    assert names(folder) == ["a.zen.yaml"]
    assert zenctl("convert", "-replace").out == "a.zen.yaml -> a.zen.hcl, replaced\n"
    assert (folder / "a.zen.hcl").read_text() == HCL


def test_a_module_in_another_folder(zenctl, folder):
    (folder / "modules").mkdir()
    (folder / "modules" / "m.zen.yaml").write_text("output: {x: {value: 1}}\n")
    assert zenctl("convert", "modules/m.zen.yaml", "-write").code == 0
    assert (folder / "modules" / "m.zen.hcl").read_text() == 'output "x" {\n  value = 1\n}\n'
    assert zenctl("-chdir=modules", "convert", "-to=hcl").out == 'output "x" {\n  value = 1\n}\n'


def test_errors_point_at_the_line(zenctl, folder):
    (folder / "a.zen.hcl").write_text("locals {\n  x = 1 y = 2\n}\n")
    ran = zenctl("convert", "-replace")
    assert ran.code == 1
    assert "on a.zen.hcl:2:9" in ran.err
    assert "x = 1 y = 2" in ran.err
    assert names(folder) == ["a.zen.hcl"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-to=json"], '-to="json" is no syntax'),
        (["-force"], "-force does nothing here"),
        (["x.tf"], "x.tf is no configuration file"),
        (["no.zen.hcl"], "no.zen.hcl cannot be read: No such file or directory"),
        (["-to=hcl", "a.zen.hcl"], "a.zen.hcl is HCL already"),
    ],
)
def test_what_is_refused(zenctl, folder, words, said):
    ran = zenctl("convert", *words)
    assert ran.code == 1
    assert said in ran.err
    assert ran.out == ""


def test_nothing_to_do_is_no_error(zenctl, folder):
    ran = zenctl("convert", "-to=hcl", "-write")
    assert (ran.code, ran.out) == (0, "")
    assert "Nothing to convert" in ran.err


def test_json(zenctl, folder):
    document = json.loads(zenctl("convert", "-json").out)
    [file] = document["files"]
    assert {k: file[k] for k in ("source", "target", "written")} == {
        "source": "a.zen.hcl",
        "target": "a.zen.yaml",
        "written": False,
    }
    assert file["text"] == zenctl("convert").out
    assert document["diagnostics"] == []
    assert json.loads(zenctl("convert", "-json", "-replace").out)["files"][0]["written"] is True
    ran = zenctl("convert", "-json", "x.tf")
    assert ran.code == 1
    assert json.loads(ran.out)["diagnostics"][0]["summary"] == "x.tf is no configuration file"


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["--help"], False),
        (["convert", "-help"], False),
        (["validate"], False),
        (["plan"], False),
        (["convert"], False),
        (["convert", "b.zen.yaml"], True),
    ],
)
def test_python_hcl2_is_loaded_where_hcl_is_written_only(folder, words, loaded):
    (folder / "b.zen.yaml").write_text("locals: {z: 1}\n")
    code = (
        "import os, sys\nfrom zenctl.cli.main import main\n"
        f"os.chdir({str(folder)!r})\n"
        "try:\n    main()\nfinally:\n    print('HCL2', 'hcl2' in sys.modules)\n"
    )
    ran = python(code, *words, ZENCTL_VAR_y="1")
    assert ran.stdout.splitlines()[-1] == f"HCL2 {loaded}", ran
