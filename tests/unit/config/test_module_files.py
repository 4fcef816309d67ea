"""The files of a module: what can be read, what is refused, and that everything read can be pinned and given again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zenctl.config.module_files as module_files
from zenctl.config.module_files import ModuleFiles
from zenctl.digests import sha256_bytes
from zenctl.lang import evaluate
from zenctl.lang.files import FileProblem
from zenctl.lang.functions.library import standard_library


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    for name, text in {
        "a.txt": "alpha",
        "b.csv": "x\n",
        ".hidden": "h",
        "sub/a.txt": "beta",
        "sub/deep/c.txt": "gamma",
        ".cache/d.txt": "d",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "outside.txt").write_text("secret")
    return folder


def problem(call: Callable[[], object]) -> str:
    with pytest.raises(FileProblem) as raised:
        call()
    return str(raised.value) + raised.value.hint


def test_paths_mean_the_same_however_they_are_written(root: Path) -> None:
    files = ModuleFiles(root)
    assert files.read("a.txt") == files.read("./a.txt") == files.read("sub/../a.txt") == files.read("sub//../a.txt")
    assert list(files.reads) == ["a.txt"]
    assert files.reads["a.txt"] == hashlib.sha256(b"alpha").hexdigest()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/etc/passwd", "absolute path"),
        ("../outside.txt", "leads out of the module's folder"),
        ("sub/../../outside.txt", "leads out of the module's folder"),
        ("..", "leads out of the module's folder"),
        ("~/x", "home folder"),
        ("a\0b", "NUL"),
        ("sub", "a folder, not a file"),
        ("", "a folder, not a file"),
        (".", "a folder, not a file"),
        ("nope.txt", "no such file"),
        ("a.txt/b", "no such file"),
        ("link-out", "leads out of the module's folder"),
        ("folder-out/outside.txt", "leads out of the module's folder"),
        ("folder-out/nope", "leads out of the module's folder"),
        ("loop", "lead nowhere"),
        ("pipe", "not a plain file"),
    ],
)
def test_what_is_not_a_file_of_the_folder_is_refused(root: Path, path: str, told: str) -> None:
    (root / "link-out").symlink_to("../outside.txt")
    (root / "folder-out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    files = ModuleFiles(root)
    assert told in problem(lambda: files.read(path))
    if told != "no such file":
        assert told in problem(lambda: files.exists(path))
    else:
        assert not files.exists(path)
    assert files.reads == {}


def test_links_within_the_folder_are_followed(root: Path) -> None:
    (root / "link").symlink_to("sub/a.txt")
    (root / "folder").symlink_to("sub")
    files = ModuleFiles(root)
    assert files.read("link") == files.read("folder/a.txt") == b"beta"
    assert files.glob(".", "*/c.txt") == ()
    assert files.glob("folder", "**/*.txt") == ("a.txt", "deep/c.txt")
    assert files.glob(".", "folder/*.txt") == ("folder/a.txt",)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert ModuleFiles(tmp_path / "link").read("a.txt") == b"alpha"


def test_a_misspelt_name_gets_a_hint(root: Path) -> None:
    files = ModuleFiles(root)
    assert problem(lambda: files.read("sub/b.txt")).endswith('Did you mean "sub/a.txt"?')
    assert problem(lambda: files.read("a.text")).endswith('Did you mean "a.txt"?')


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", ["a.txt", "b.csv"]),
        ("**", ["a.txt", "b.csv", "sub/a.txt", "sub/deep/c.txt"]),
        ("**/*.txt", ["a.txt", "sub/a.txt", "sub/deep/c.txt"]),
        ("**/deep/*", ["sub/deep/c.txt"]),
        ("*/*", ["sub/a.txt"]),
        ("?.csv", ["b.csv"]),
        ("[ab].*", ["a.txt", "b.csv"]),
        ("[!a].*", ["b.csv"]),
        ("[^a].*", ["b.csv"]),
        ("{a,b}.{txt,csv}", ["a.txt", "b.csv"]),
        ("{a,{b,c}}.*", ["a.txt", "b.csv"]),
        (".*", [".hidden"]),
        (".cache/*", [".cache/d.txt"]),
        ("sub/../*.csv", ["b.csv"]),
        ("a.txt", ["a.txt"]),
        ("nope/*", []),
        ("sub", []),
        ("[", []),
        ("", []),
    ],
)
def test_patterns(root: Path, pattern: str, found: list[str]) -> None:
    assert list(ModuleFiles(root).glob(".", pattern)) == found


def test_patterns_do_not_leave_the_folder(root: Path) -> None:
    (root / "out").symlink_to("..")
    files = ModuleFiles(root)
    assert "leads out" in problem(lambda: files.glob(".", "../*"))
    assert "leads out" in problem(lambda: files.glob("..", "*"))
    assert "absolute" in problem(lambda: files.glob("/", "*"))
    assert "leads out" in problem(lambda: files.glob(".", "out/*.txt"))
    assert "leads out" in problem(lambda: files.glob(".", "*/outside.txt"))
    assert list(files.glob(".", "**/*.csv")) == ["b.csv"], "** does not follow links"


def test_limits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "large").write_bytes(b"x" * 1001)
    for at in range(3):
        (root / f"part{at}").write_bytes(b"x" * 700)
    monkeypatch.setattr(module_files, "MAX_FILE", 1000)
    monkeypatch.setattr(module_files, "MAX_ALL_FILES", 1500)
    monkeypatch.setattr(module_files, "MAX_VISITED", 10)
    files = ModuleFiles(root)
    assert "is for a datasource" in problem(lambda: files.read("large"))
    assert len(files.read("part0")) + len(files.read("part1")) == 1400
    assert "read more than" in problem(lambda: files.read("part2"))
    assert sorted(files.reads) == ["part0", "part1"]
    assert "looks at more than 10" in problem(lambda: files.glob(".", "**"))
    assert "more than 1000 patterns" in problem(lambda: files.glob(".", "{a,b}" * 12))
    assert "more than 1000 patterns" in problem(lambda: files.glob(".", "{" + "," * 2000 + "}"))


def test_one_command_sees_one_state(root: Path) -> None:
    files = ModuleFiles(root)
    assert (files.read("a.txt"), files.exists("new"), files.glob(".", "n*")) == (b"alpha", False, ())
    told = problem(lambda: files.read("new"))
    for name in ("a.txt", "new"):
        (root / name).write_text("changed")
    assert (files.read("a.txt"), files.exists("new"), files.glob(".", "n*")) == (b"alpha", False, ())
    assert problem(lambda: files.read("new")) == told


def test_what_was_asked_is_kept(root: Path) -> None:
    source = """{
      text = file("a.txt"), digest = filesha256("sub/a.txt"), none = fileexists("none"), some = fileexists("b.csv"),
      all = fileset("sub", "**/*.txt"), copies = [for name in fileset("sub", "*"): file("sub/${name}")]
    }"""
    files = ModuleFiles(root, "modules/eu/")
    first = evaluate(source, functions=standard_library(files))
    assert first.ok, first.diagnostics
    assert set(files.reads) == {"a.txt", "sub/a.txt"}
    assert files.existing == {"b.csv": True, "none": False}
    assert files.matches == {"sub": {"*": ("a.txt",), "**/*.txt": ("a.txt", "deep/c.txt")}}


def test_a_path_may_begin_with_the_module_s_folder(root: Path) -> None:
    for prefix in ("modules/eu/", "../shared/eu/"):
        assert ModuleFiles(root, prefix).read(f"{prefix}a.txt") == b"alpha"


def test_names_and_texts_for_messages(root: Path) -> None:
    (root / "bin").write_bytes(b"\xff")
    files = ModuleFiles(root, "modules/eu/")
    files.read("sub/../a.txt")
    files.read("bin")
    assert files.shown("./sub/a.txt") == "modules/eu/sub/a.txt"
    assert files.texts == {"modules/eu/a.txt": "alpha", "modules/eu/bin": "\ufffd"}


@given(st.text(alphabet="./~a*\0?[]{},é\\", max_size=12), st.text(alphabet="./~a*\0?[]{},é", max_size=12))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_is_answered_or_refused(root: Path, path: str, pattern: str) -> None:
    files = ModuleFiles(root)
    for ask in (files.read, files.exists, lambda p: files.glob(p, pattern), files.shown):
        try:
            ask(path)
        except FileProblem as refused:
            assert str(refused).endswith(".")
    known = {sha256_bytes(content) for content in (b"alpha", b"x\n", b"h", b"beta")}
    assert set(files.reads.values()) <= known
