"""Files of a closure that are odd: in other encodings, no Python, links."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fingerprint.test_closure import find, lay
from zenctl.fingerprint.code import closure
from zenctl.fingerprint.source import WorkingTree


@pytest.mark.parametrize(
    ("data", "code", "place", "part"),
    [
        (b"def f(:\n  pass", "code_syntax", "a.py:1:7", "does not parse"),
        (b"x = 1\n  y = 2\n", "code_syntax", "a.py:2:3", "indent"),
        (b"x = '\xff'\n", "code_encoding", "a.py:1:6", "0xff"),
        (b"# coding: klingon\n", "code_encoding", "a.py:1:1", "klingon"),
        (b"x = 1\0\n", "code_syntax", "a.py:1:1", "null"),
        (b"x = " + b"-" * 100_000 + b"1", "code_syntax", "a.py:1:1", ""),
    ],
)
def test_files_that_cannot_be_read_as_python(data: bytes, code: str, place: str, part: str, tmp_path: Path) -> None:
    tree = lay(tmp_path, {"steps/fit.py": "import a"})
    (tmp_path / "a.py").write_bytes(data)
    found, [problem] = closure(tree, "steps/fit.py", "fit")
    assert found is None
    assert problem.code == code
    assert part in str(problem)
    assert str(problem.range).startswith("a.py:1:" if data.startswith(b"x = --") else place)


@pytest.mark.parametrize(
    "data", ["x = 'é'".encode("latin-1"), "x = 'é'".encode(), b"\xef\xbb\xbf" + "x = 'é'".encode()]
)
def test_encodings_say_the_same(data: bytes, tmp_path: Path) -> None:
    tree = lay(tmp_path, {"steps/fit.py": "import a"})
    cookie = b"# coding: latin-1\n" if data.startswith(b"x = '\xe9") else b""
    (tmp_path / "a.py").write_bytes(cookie + data)
    plain, _ = find(tmp_path / "plain", {"steps/fit.py": "import a", "a.py": "x = '\\u00e9'"})
    found, _ = closure(tree, "steps/fit.py", "fit")
    assert found is not None
    assert found.digest == plain.digest


def test_links_inside_the_project_are_followed_and_others_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    tree = lay(project, {"steps/fit.py": "import a", "real.py": "x = 1"})
    (tmp_path / "outside.py").write_text("secret = 1")
    (project / "a.py").symlink_to("real.py")
    found, _ = closure(tree, "steps/fit.py", "fit")
    assert found is not None
    assert found.sources["a.py"] == b"x = 1"
    (project / "a.py").unlink()
    (project / "a.py").symlink_to(tmp_path / "outside.py")
    refused, [problem] = closure(WorkingTree(project), "steps/fit.py", "fit")
    assert refused is None
    assert problem.code == "code_unreadable"
    assert "outside of the project" in problem.detail


def test_links_to_folders(tmp_path: Path) -> None:
    project = tmp_path / "project"
    lay(project, {"steps/fit.py": "exec(x)", "lib/a.py": "x = 1"})
    lay(tmp_path / "elsewhere", {"b.py": "secret = 1"})
    (project / "loop").symlink_to(project)
    (project / "linked").symlink_to(project / "lib")
    (project / "out").symlink_to(tmp_path / "elsewhere")
    found, _ = closure(WorkingTree(project), "steps/fit.py", "fit")
    assert found is not None
    assert set(found.files) == {"steps/fit.py", "lib/a.py", "linked/a.py"}
