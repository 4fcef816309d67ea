"""Which files are formatted, and how they are replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zenctl.config import formatting
from zenctl.config.formatting import find, format_files
from zenctl.config.texts import write_text
from zenctl.diagnostics import Severity

UGLY, FAIR = "a=1\n", "a = 1\n"


def write(root: Path, *names: str, text: str = UGLY) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "b.zen.hcl", "a.zen.hcl", "zenctl.zenvars", "x.auto.zenvars", "m/c.zen.hcl", "m/n/d.zen.hcl")
    write(tmp_path, "a.zen.yaml", "c.hcl", "notes.txt", ".e.zen.hcl", "k/f.txt")
    write(tmp_path, *(f"{hidden}/g.zen.hcl" for hidden in (".zenctl", ".git", ".venv", "m/.h")))
    return tmp_path


HERE = ["a.zen.hcl", "b.zen.hcl", "x.auto.zenvars", "zenctl.zenvars"]


@pytest.mark.parametrize(
    ("targets", "recursive", "names"),
    [
        ([], False, HERE),
        (["."], False, HERE),
        ([], True, [*HERE, "m/c.zen.hcl", "m/n/d.zen.hcl"]),
        (["m"], False, ["m/c.zen.hcl"]),
        (["m/"], True, ["m/c.zen.hcl", "m/n/d.zen.hcl"]),
        (["./m/../m"], False, ["m/../m/c.zen.hcl"]),
        (["m/c.zen.hcl", "./b.zen.hcl", "m"], False, ["m/c.zen.hcl", "b.zen.hcl"]),
        (["k"], True, []),
        ([".zenctl", ".e.zen.hcl"], False, [".zenctl/g.zen.hcl", ".e.zen.hcl"]),
    ],
)
def test_what_is_found(folder: Path, targets: list[str], recursive: bool, names: list[str]) -> None:
    assert find(folder, targets, recursive=recursive) == (names, [])


def test_an_absolute_path_stays_one(folder: Path) -> None:
    assert find(Path("."), [str(folder / "m")], recursive=False) == ([str(folder / "m" / "c.zen.hcl")], [])


@pytest.mark.parametrize(
    ("target", "code", "severity", "said"),
    [
        ("a.zen.yaml", "not_hcl", Severity.WARNING, "YAML"),
        ("notes.txt", "not_hcl", Severity.ERROR, "*.zenvars"),
        ("c.hcl", "not_hcl", Severity.ERROR, "zenctl fmt -"),
        ("b.zen.hc", "unreadable_file", Severity.ERROR, 'Did you mean "b.zen.hcl"?'),
        ("none/b.zen.hcl", "unreadable_file", Severity.ERROR, "No such file"),
        ("\0", "unreadable_file", Severity.ERROR, "no path"),
        ("pipe.zen.hcl", "not_hcl", Severity.ERROR, "no file"),
        ("n" * 300, "unreadable_file", Severity.ERROR, "too long"),
    ],
)
def test_what_cannot_be_formatted(folder: Path, target: str, code: str, severity: Severity, said: str) -> None:
    os.mkfifo(folder / "pipe.zen.hcl")
    names, [problem] = find(folder, [target, "m"], recursive=False)
    assert names == ["m/c.zen.hcl"]
    assert (problem.code, problem.severity) == (code, severity)
    assert said in f"{problem.summary} {problem.detail}"


def test_what_is_no_file_is_passed_over_in_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zen.hcl")
    (tmp_path / "b.zen.hcl").mkdir()
    assert find(tmp_path, [], recursive=True) == ([], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_may_not_be_read(folder: Path) -> None:
    (folder / "m").chmod(0)
    names, [problem] = find(folder, [], recursive=True)
    (folder / "m").chmod(0o700)
    assert names == HERE
    assert problem.code == "unreadable_folder"


def test_files_are_formatted(folder: Path) -> None:
    write(folder, "b.zen.hcl", text=FAIR)
    outcome = format_files(folder, [], recursive=True, write=True)
    assert outcome.diagnostics == ()
    assert [file.name for file in outcome.changed] == [
        "a.zen.hcl", "x.auto.zenvars", "zenctl.zenvars", "m/c.zen.hcl", "m/n/d.zen.hcl"
    ]  # fmt: skip
    assert {(file.before, file.after) for file in outcome.changed} == {(UGLY, FAIR)}
    assert (folder / "m/n/d.zen.hcl").read_text() == FAIR
    assert (folder / "m/.h/g.zen.hcl").read_text() == UGLY
    assert (folder / "a.zen.yaml").read_text() == UGLY
    assert format_files(folder, [], recursive=True, write=True).changed == ()


def test_nothing_is_written_unless_asked(folder: Path) -> None:
    outcome = format_files(folder, [], recursive=False, write=False)
    assert [file.name for file in outcome.changed] == HERE
    assert (folder / "a.zen.hcl").read_text() == UGLY


def test_a_file_with_errors_does_not_stop_the_others(folder: Path) -> None:
    (folder / "a.zen.hcl").write_text("a=1\nb=\n")
    (folder / "b.zen.hcl").write_bytes(b"a=1\nb=\xff\n")
    outcome = format_files(folder, [], recursive=False, write=True)
    assert [(problem.code, problem.filename, problem.line) for problem in outcome.diagnostics] == [
        ("missing_expression", "a.zen.hcl", 2),
        ("not_utf8", "b.zen.hcl", 2),
    ]
    assert [file.name for file in outcome.changed] == ["x.auto.zenvars", "zenctl.zenvars"]
    assert (folder / "a.zen.hcl").read_text() == "a=1\nb=\n"


def test_line_ends_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.zen.hcl").write_bytes(b"a=1\r\nb=<<E\r\nx\r\nE\r\n")
    format_files(tmp_path, [], recursive=False, write=True)
    assert (tmp_path / "a.zen.hcl").read_bytes() == b"a = 1\nb = <<E\nx\r\nE\n"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.zen.hcl"
    path.write_text(UGLY)
    path.chmod(mode)
    inode = path.stat().st_ino
    write_text(path, FAIR)
    assert path.read_text() == FAIR
    assert path.stat().st_mode & 0o7777 == mode
    assert path.stat().st_ino != inode
    assert os.listdir(tmp_path) == ["a.zen.hcl"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    write(tmp_path, "a.zen.hcl")
    os.chown(tmp_path / "a.zen.hcl", 1234, 2345)
    write_text(tmp_path / "a.zen.hcl", FAIR)
    found = (tmp_path / "a.zen.hcl").stat()
    assert (found.st_uid, found.st_gid) == (1234, 2345)


def test_a_link_stays_one(tmp_path: Path) -> None:
    write(tmp_path, "real/a.zen.hcl")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/b.zen.hcl").symlink_to("../real/a.zen.hcl")
    outcome = format_files(tmp_path / "here", [], recursive=False, write=True)
    assert [file.name for file in outcome.changed] == ["b.zen.hcl"]
    assert (tmp_path / "here/b.zen.hcl").is_symlink()
    assert (tmp_path / "real/a.zen.hcl").read_text() == FAIR
    assert not (tmp_path / "real/a.zen.hcl").is_symlink()


@pytest.mark.parametrize("to", ["nowhere", "a.zen.hcl"])
def test_a_link_that_leads_nowhere(tmp_path: Path, to: str) -> None:
    (tmp_path / "a.zen.hcl").symlink_to(to)
    outcome = format_files(tmp_path, [], recursive=False, write=True)
    assert [problem.code for problem in outcome.diagnostics] == ["unreadable_file"]


def test_a_write_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.zen.hcl", "b.zen.hcl")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formatting.os, "fsync", full)
    outcome = format_files(tmp_path, [], recursive=False, write=True)
    assert outcome.changed == ()
    assert [problem.code for problem in outcome.diagnostics] == ["unwritable_file"] * 2
    assert "No space left" in outcome.diagnostics[0].summary
    assert sorted(os.listdir(tmp_path)) == ["a.zen.hcl", "b.zen.hcl"]
    assert (tmp_path / "a.zen.hcl").read_text() == UGLY


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.zen.hcl")
    monkeypatch.setattr(formatting.os, "access", lambda path, mode: mode != os.W_OK)
    outcome = format_files(tmp_path, [], recursive=False, write=True)
    assert [problem.code for problem in outcome.diagnostics] == ["unwritable_file"]
    assert "Permission denied" in outcome.diagnostics[0].summary
    assert (tmp_path / "a.zen.hcl").read_text() == UGLY
