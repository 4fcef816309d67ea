"""A closure that is kept between commands is the one that would be found anew, whatever changed in between."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.staleness.corpus import Case, lay, read_cases
from zenctl.fingerprint import closures
from zenctl.fingerprint.closures import ClosureCache, Found
from zenctl.fingerprint.code import closure, read_facts
from zenctl.fingerprint.definitions.facts import FileFacts
from zenctl.fingerprint.source import WorkingTree
from zenctl.fingerprint.watching import WatchedTree

FILES = {
    "steps/fit.py": """
import json
import lib.numbers
import elsewhere
from lib import text

def fit():
    return lib.numbers.one(), json.load(open("config/a.json")), open("notes.txt"), text.NAME
""",
    "lib/__init__.py": "",
    "lib/numbers.py": "def one():\n    return 1\n",
    "lib/text.py": "NAME = 'x'\n",
    "config/a.json": "1",
    "README.md": "read me",
    "data/rows.csv": "a,b",
}
PATTERNS = ("config/*.json",)


def not_read(data: bytes) -> FileFacts | None:
    pytest.fail("it is read again")


class Reads:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, data: bytes) -> FileFacts | None:
        self.count += 1
        return read_facts(data)


def ask(
    root: Path,
    cache: Path,
    read: Callable[[bytes], FileFacts | None] = read_facts,
    entry: str = "steps/fit.py",
    patterns: tuple[str, ...] = PATTERNS,
) -> Found:
    kept = ClosureCache(cache)
    found = kept.closure("", WatchedTree(WorkingTree(root)), entry, "fit", patterns, read)
    kept.save()
    return found


def plain(root: Path, entry: str = "steps/fit.py", patterns: tuple[str, ...] = PATTERNS) -> Found:
    return closure(WorkingTree(root), entry, "fit", patterns)


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    lay(tmp_path / "p", FILES)
    expected = plain(tmp_path / "p")
    assert expected[0] is not None
    assert [d.code for d in expected[1]] == []
    (tmp_path / "p/notes.txt").write_text("")
    expected = plain(tmp_path / "p")
    assert [d.code for d in expected[1]] == ["code_file_undeclared"]
    assert ask(tmp_path / "p", tmp_path / "cache") == expected
    again = ask(tmp_path / "p", tmp_path / "cache", not_read)
    assert again == expected
    assert again[0] is not None
    assert list(again[0].sources) == list(expected[0].sources)


@pytest.mark.parametrize("case", list(read_cases().values()), ids=lambda case: case.name)
def test_every_change_of_the_corpus_is_seen(case: Case, tmp_path: Path) -> None:
    root = lay(tmp_path / "p", case.before)
    ask(root, tmp_path / "cache", entry=case.entry, patterns=case.files)
    lay(root, case.after)
    expected = plain(root, case.entry, case.files)
    assert ask(root, tmp_path / "cache", entry=case.entry, patterns=case.files) == expected
    lay(root, case.before)
    assert ask(root, tmp_path / "cache", entry=case.entry, patterns=case.files) == plain(root, case.entry, case.files)


Change = Callable[[Path], None]


def write(path: str, text: str = "") -> Change:
    def change(root: Path) -> None:
        lay(root, {path: text})

    return change


def remove(path: str, *, folder: bool = False) -> Change:
    def change(root: Path) -> None:
        (root / path).unlink()
        if folder:
            (root / path).mkdir()

    return change


CHANGES = {
    "a file of the code": write("lib/numbers.py", "def one():\n    return 2\n"),
    "a file of the code, as long as before": write("lib/text.py", "NAME = 'y'\n"),
    "a file of the code is gone": remove("lib/text.py"),
    "a module that was missing": write("elsewhere.py"),
    "a package that was missing": write("elsewhere/__init__.py"),
    "a folder that was missing": write("elsewhere/more.py"),
    "a package in the place of a module": write("lib/numbers/__init__.py", "def one():\n    return 2\n"),
    "an extension module in the place of a module": write("lib/numbers.cpython-311-x86_64-linux-gnu.so"),
    "a module of the standard library's name": write("json.py"),
    "a module that is found first": write("lib.py"),
    "a source folder": write("src/elsewhere.py"),
    "a declared file": write("config/a.json", "2"),
    "another declared file": write("config/b.json", "2"),
    "a declared file is gone": remove("config/a.json"),
    "a declared file is a folder": remove("config/a.json", folder=True),
    "a file that the code names": write("notes.txt"),
    "a package without its own file": remove("lib/__init__.py"),
    "no Python": write("lib/text.py", "("),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_kind_of_change_is_seen(name: str, tmp_path: Path) -> None:
    root = lay(tmp_path / "p", FILES)
    ask(root, tmp_path / "cache")
    CHANGES[name](root)
    assert ask(root, tmp_path / "cache") == plain(root)


def test_a_change_is_seen_whose_size_and_time_do_not_show_it(tmp_path: Path) -> None:
    root = lay(tmp_path / "p", FILES)
    place = root / "lib/text.py"
    times = place.stat().st_atime_ns, place.stat().st_mtime_ns
    ask(root, tmp_path / "cache")
    place.write_text("NAME = 'z'\n")
    os.utime(place, ns=times)
    assert ask(root, tmp_path / "cache") == plain(root)


OTHER = {
    "another file": write("README.md", "other"),
    "data": write("data/more.csv"),
    "the cache of zenctl": write(".zenctl/metadata.db"),
    "a hidden folder": write(".idea/x.py"),
    "a file beside the code": write("lib/notes.txt"),
    "a file is touched": lambda root: os.utime(root / "lib/text.py", (1, 1)),
    "a file is written anew": write("lib/text.py", FILES["lib/text.py"]),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_takes_no_part_changes_nothing(name: str, tmp_path: Path) -> None:
    root = lay(tmp_path / "p", FILES)
    ask(root, tmp_path / "cache")
    OTHER[name](root)
    assert ask(root, tmp_path / "cache", not_read) == plain(root)


def test_a_damaged_cache_is_not_taken(tmp_path: Path) -> None:
    root = lay(tmp_path / "p", FILES)
    expected = ask(root, tmp_path / "cache")
    [path] = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    damaged = [b"", b"\n", b"\n\n", whole[:-1], whole[: len(whole) // 2], whole + b" ", b"\xff" * 100]
    for at in range(0, len(whole), 41):
        damaged.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for data in damaged:
        path.write_bytes(data)
        reads = Reads()
        assert ask(root, tmp_path / "cache", reads) == expected
        assert reads.count == 4
        assert path.read_bytes() == whole


def test_another_version_or_python_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay(tmp_path / "p", FILES)
    ask(root, tmp_path / "cache")
    for owner, name in (("zenctl.__version__", "9.9"), ("sys.version", "3.11.99 (other)")):
        reads = Reads()
        with monkeypatch.context() as patch:
            patch.setattr(owner, name)
            closures._header.cache_clear()
            ask(root, tmp_path / "cache", reads)
        closures._header.cache_clear()
        assert reads.count == 4
        ask(root, tmp_path / "cache")


def test_code_that_does_not_parse_is_read_each_time(tmp_path: Path) -> None:
    root = lay(tmp_path / "p", {**FILES, "lib/text.py": "("})
    assert ask(root, tmp_path / "cache") == plain(root)
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    root = lay(tmp_path / "p", FILES)
    (tmp_path / "cache").write_text("")
    assert ask(root, tmp_path / "cache") == plain(root)


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closures, "MAX_KEPT", 2)
    root = lay(tmp_path / "p", {"a.py": "def fit(): ...", "b.py": "def fit(): ...", "c.py": "def fit(): ..."})
    cache = tmp_path / "cache"
    for number, name in enumerate(("a.py", "b.py", "c.py")):
        before = set(cache.iterdir()) if cache.exists() else set()
        ask(root, cache, entry=name, patterns=())
        for path in set(cache.iterdir()) - before:
            os.utime(path, (number + 1, number + 1))
    assert len(list(cache.iterdir())) == 2
    ask(root, cache, not_read, "c.py", ())
    ask(root, cache, not_read, "b.py", ())
