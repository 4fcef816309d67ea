"""Files of data: one pass for digest, size and rows, and the cache of what was seen."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from zenctl.fingerprint.data import FileCache
from zenctl.schema import SourceCache


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was written long ago, as far as a cache can tell: its clock runs an hour ahead."""
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n")
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3600 * 10**9)
    return path


def test_facts_are_remembered(old: Path, tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache/files.json")
    protocol: SourceCache = cache
    assert protocol.get(old) is None
    cache.put(old, {"rows": 1})
    assert cache.get(old) == {"rows": 1}
    assert not (tmp_path / "cache").exists()
    cache.save()
    assert FileCache(tmp_path / "cache/files.json").get(old) == {"rows": 1}
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["files.json"]


def rewrite(path: Path) -> None:
    path.write_text("a\n1\n2\n")


def same_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_text("a\n2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_text("a\n2\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)


@pytest.mark.parametrize("change", [rewrite, same_size_and_time, replaced, Path.unlink])
def test_a_changed_file_is_forgotten(change: object, old: Path, tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "files.json")
    cache.put(old, {"rows": 1})
    cache.save()
    assert callable(change)
    # The kernel's clock has a coarse grain: a change within the same tick cannot be seen by its time.
    first = old.stat().st_ctime_ns
    deadline = time.monotonic() + 5
    probe = tmp_path / "probe"
    while time.monotonic() < deadline:
        probe.write_text("")
        if probe.stat().st_ctime_ns > first:
            break
    change(old)
    assert FileCache(tmp_path / "files.json").get(old) is None


def test_a_file_that_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n")
    # Also not if its modification time says otherwise: a copy can keep that.
    os.utime(path, (1, 1))
    cache = FileCache(tmp_path / "files.json")
    cache.put(path, {"rows": 0})
    assert cache.get(path) is None
    cache.save()
    assert not (tmp_path / "files.json").exists()


def test_a_file_that_is_not_there(old: Path, tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "files.json")
    cache.put(tmp_path / "nothing", {"rows": 0})
    assert cache.get(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 99, "files": {}}', '{"format": 1, "files": {"x": 5}}', "\xff"]
)
def test_a_damaged_cache_costs_only_time(text: str, old: Path, tmp_path: Path) -> None:
    place = tmp_path / "files.json"
    place.write_text(text, encoding="latin-1")
    cache = FileCache(place)
    assert cache.get(old) is None
    cache.put(old, {"rows": 1})
    cache.save()
    assert FileCache(place).get(old) == {"rows": 1}
    assert json.loads(place.read_text())["format"] == 1


def test_a_cache_that_cannot_be_written(old: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FileCache(tmp_path / "file" / "files.json")
    cache.put(old, {"rows": 1})
    cache.save()
    assert cache.get(old) == {"rows": 1}


def test_paths_are_known_by_their_place(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FileCache(tmp_path / "files.json")
    cache.put(old, {"rows": 1})
    monkeypatch.chdir(tmp_path)
    assert cache.get(Path("data.csv")) == {"rows": 1}
