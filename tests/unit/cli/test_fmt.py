"""`zenctl fmt` from the typed line to the exit code, and the diff that it shows."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenctl.cli import main as entry
from zenctl.cli.terminal import Terminal
from zenctl.cli.views.patch import drawn, patch
from zenctl.cli.views.style import PLAIN, Style

UGLY, FAIR = "a=1\nbcd=2\n", "a   = 1\nbcd = 2\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m").mkdir()
    for name in ("a.zen.hcl", "v.zenvars", "m/b.zen.hcl"):
        (tmp_path / name).write_text(UGLY)
    (tmp_path / "fair.zen.hcl").write_text(FAIR)
    return tmp_path


def test_it_lists_what_it_changes(zenctl, folder):
    ran = zenctl("fmt")
    assert (ran.code, ran.out, ran.err) == (0, "a.zen.hcl\nv.zenvars\n", "")
    assert (folder / "a.zen.hcl").read_text() == FAIR
    assert (folder / "m/b.zen.hcl").read_text() == UGLY
    ran = zenctl("fmt", "-recursive", "-list=false")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (folder / "m/b.zen.hcl").read_text() == FAIR
    ran = zenctl("fmt", "-check", "-recursive")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_paths(zenctl, folder):
    ran = zenctl("fmt", "m", "v.zenvars")
    assert (ran.code, ran.out) == (0, "m/b.zen.hcl\nv.zenvars\n")
    assert (folder / "a.zen.hcl").read_text() == UGLY
    (folder / "m/b.zen.hcl").write_text(UGLY)
    assert zenctl("-chdir=m", "fmt").out == "b.zen.hcl\n"


def test_check_changes_nothing(zenctl, folder):
    ran = zenctl("fmt", "-check")
    assert (ran.code, ran.out) == (3, "a.zen.hcl\nv.zenvars\n")
    assert ran.err == "2 files not formatted. `zenctl fmt` does it.\n"
    assert (folder / "a.zen.hcl").read_text() == UGLY
    ran = zenctl("fmt", "-check", "-list=false", "-recursive", "m", env={"ZENCTL_IN_AUTOMATION": "1"})
    assert (ran.code, ran.out, ran.err) == (3, "", "")
    assert "`zenctl fmt -recursive m` does it" in zenctl("fmt", "-check", "-recursive", "m").err


def test_write_false_changes_nothing(zenctl, folder):
    ran = zenctl("fmt", "-write=false")
    assert (ran.code, ran.out) == (0, "a.zen.hcl\nv.zenvars\n")
    assert (folder / "a.zen.hcl").read_text() == UGLY


def test_diff(zenctl, folder):
    ran = zenctl("fmt", "-diff", "a.zen.hcl")
    assert ran.code == 0
    assert ran.out == (
        "a.zen.hcl\n--- old/a.zen.hcl\n+++ new/a.zen.hcl\n@@ -1,2 +1,2 @@\n-a=1\n-bcd=2\n+a   = 1\n+bcd = 2\n"
    )
    assert (folder / "a.zen.hcl").read_text() == FAIR
    ran = zenctl("fmt", "-diff", "-check", "-list=false", "v.zenvars", colour=True)
    assert ran.code == 3
    assert "\x1b[31m-a=1\x1b[0m\n" in ran.out
    assert "\x1b[32m+a   = 1\x1b[0m\n" in ran.out


def test_standard_input(zenctl, folder):
    ran = zenctl("fmt", "-", answers=UGLY)
    assert (ran.code, ran.out, ran.err) == (0, FAIR, "")
    assert zenctl("fmt", "-", answers=FAIR).out == FAIR
    assert (folder / "a.zen.hcl").read_text() == UGLY
    for text, code in ((UGLY, 3), (FAIR, 0)):
        ran = zenctl("fmt", "-check", "-", answers=text)
        assert (ran.code, ran.out) == (code, "")
    assert zenctl("fmt", "-diff", "-", answers=UGLY).out.startswith("--- old/<stdin>\n+++ new/<stdin>\n")
    document = json.loads(zenctl("fmt", "-check", "-json", "-", answers=UGLY).out)
    assert (document["changed"], document["written"]) == (["<stdin>"], False)


def test_standard_input_with_errors(zenctl):
    ran = zenctl("fmt", "-", answers="a=1\nb=\n")
    assert (ran.code, ran.out) == (1, "")
    assert "<stdin>:2:3" in ran.err
    assert "2 │ b=" in ran.err


class Bytes(io.StringIO):
    """A stream of text with the bytes below it, as standard input and output are."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize(
    ("data", "code", "out"),
    [
        (b"a=<<E\r\nx\r\nE\r\n", 0, b"a = <<E\nx\r\nE\n"),
        ('é="→"'.encode(), 0, 'é = "→"\n'.encode()),
        (b"\xff", 1, b""),
        (b"#" * (4 << 20) + b"\n", 1, b""),
        (b"", 0, b""),
    ],
)
def test_standard_input_is_bytes(data, code, out):
    screen = Terminal(Bytes(), io.StringIO(), Bytes(data))
    assert entry.run(["fmt", "-"], screen) == code
    assert screen.out.buffer.getvalue() == out
    assert (screen.err.getvalue() == "") == (code == 0)


def test_without_standard_input():
    screen = replace(Terminal(io.StringIO(), io.StringIO(), io.StringIO()), answers=None)
    assert entry.run(["fmt", "-"], screen) == 0
    assert screen.out.getvalue() == ""


def test_errors_are_told_and_the_rest_is_formatted(zenctl, folder):
    (folder / "a.zen.hcl").write_text("a=1\nb=\n")
    ran = zenctl("fmt", "-check")
    assert (ran.code, ran.out) == (1, "v.zenvars\n")
    assert "on a.zen.hcl:2:3" in ran.err
    ran = zenctl("fmt")
    assert (ran.code, ran.out) == (1, "v.zenvars\n")
    assert (folder / "v.zenvars").read_text() == FAIR
    assert (folder / "a.zen.hcl").read_text() == "a=1\nb=\n"


def test_yaml_is_left_alone(zenctl, folder):
    (folder / "c.zen.yaml").write_text("a:   1\n")
    assert "c.zen.yaml" not in zenctl("fmt").out
    ran = zenctl("fmt", "c.zen.yaml")
    assert ran.code == 0
    assert "c.zen.yaml is YAML and left as it is" in ran.out
    assert (folder / "c.zen.yaml").read_text() == "a:   1\n"


def test_json(zenctl, folder):
    (folder / "v.zenvars").write_text("a =\n")
    ran = zenctl("fmt", "-check", "-json")
    assert (ran.code, ran.err) == (1, "")
    document = json.loads(ran.out)
    assert (document["changed"], document["written"]) == (["a.zen.hcl"], False)
    [problem] = document["diagnostics"]
    assert problem["code"] == "missing_expression"
    assert problem["snippet"]["code"] == "a ="
    ran = zenctl("fmt", "-json", "a.zen.hcl")
    assert ran.code == 0
    assert json.loads(ran.out) == {
        "format_version": "1.0", "changed": ["a.zen.hcl"], "written": True, "diagnostics": []
    }  # fmt: skip
    assert zenctl("fmt", "-json", "-check", "m").code == 3


def test_a_folder_with_nothing_to_format(zenctl):
    ran = zenctl("fmt")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_equal_texts_have_no_patch():
    assert patch("a", FAIR, FAIR) == []


def test_hunks():
    old = [f"{n}\n" for n in range(1, 31)]
    new = [*old]
    new[4], new[11], new[20] = "five\n", "twelve\n", "twenty-one\n"
    shown = patch("a", "".join(old), "".join(new))
    assert [line for line in shown if line.startswith("@@")] == ["@@ -2,14 +2,14 @@\n", "@@ -18,7 +18,7 @@\n"]
    assert shown[2:8] == ["@@ -2,14 +2,14 @@\n", " 2\n", " 3\n", " 4\n", "-5\n", "+five\n"]


def test_the_end_of_a_file():
    assert patch("a", "x=1", "x = 1\n")[2:] == [
        "@@ -1,1 +1,1 @@\n", "-x=1\n", "\\ No newline at end of file\n", "+x = 1\n"
    ]  # fmt: skip
    assert patch("a", "x\n\n\n", "x\n")[2:] == ["@@ -1,3 +1,1 @@\n", " x\n", "-\n", "-\n"]
    assert patch("a", "\n\n", "")[2:] == ["@@ -1,2 +0,0 @@\n", "-\n", "-\n"]


def test_what_people_see_of_a_patch():
    shown = drawn(patch("a", "x=\x1b[1m\r\n-- y\n", "x = 1\n-- y\n"), PLAIN)
    assert shown == "--- old/a\n+++ new/a\n@@ -1,2 +1,2 @@\n-x=[1m^M\n+x = 1\n -- y\n"
    assert "\x1b[2m\\ No newline at end of file\x1b[0m\n" in drawn(patch("a", "x", "y\n"), Style(True))


lines = st.lists(st.sampled_from(["a\n", "b\n", "\n", " a\n", "-- c\n", "\\ d\n", "é\r\n"]), max_size=30)


@given(lines, st.integers(0, 2**30), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_patch_can_be_applied(tmp_path, old, choice, ended):
    before = "".join(old) if ended else "".join(old).rstrip("\n")
    after = "".join(f"x{line}" if choice >> (at % 30) & 1 else line for at, line in enumerate(old)).rstrip("\n")
    after += "\n" if after else ""
    (tmp_path / "f").write_bytes(before.encode())
    shown = patch("f", before, after)
    if shown:
        text = "".join(shown).encode()
        subprocess.run(["git", "apply", "-p1", "--whitespace=nowarn"], cwd=tmp_path, input=text, check=True)
    assert (tmp_path / "f").read_bytes() == after.encode()
