"""Files of data: one pass for digest, size and rows, and the cache of what was seen."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.fingerprint.data import FileCache, RowCounter, scan_file
from zenctl.schema import SourceCache

ROWS = [
    (b"", 0),
    (b"a,b", 1),
    (b"a,b\n", 1),
    (b"a\n1\n2\n", 3),
    (b"a\n1\n2", 3),
    (b"a\r\n1\r\n2\r\n", 3),
    (b"a\r1\r2\r", 3),
    (b"a\r\n\r\n1\r\n", 2),
    (b"\n\n\na\n\n\n1\n\n", 2),
    (b"\r\n\r\na\r\n", 1),
    (b'a\n"x\ny"\n', 2),
    (b'a\n"x\n\ny"\n', 2),
    (b'a\n"x\r\n\r\ny"\r\n1\r\n', 3),
    (b'a\n"say ""hi""\n"\n1\n', 3),
    (b'""\n', 1),
    (b'"a"', 1),
    (b'"a\n', 1),
    (b'\n"a"\n', 1),
    (b'x\n\n"a"\n', 2),
    (b"\xef\xbb\xbfa\n", 1),
    (b"\xef\xbb\xbf\na\n", 1),
    (b"\xef\xbb\xbf", 0),
    (b"\xef\xbb", 1),
    (b" \n", 1),
    (b",\n", 1),
]


@pytest.mark.parametrize(("data", "rows"), ROWS)
def test_rows(data: bytes, rows: int) -> None:
    for size in range(1, len(data) + 2):
        counter = RowCounter()
        for at in range(0, len(data), size):
            counter.update(data[at : at + size])
        assert counter.finish() == rows, size


@given(
    st.lists(st.lists(st.text(alphabet='ab,"\r\n é', max_size=5), min_size=1, max_size=4), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 30),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_rows_are_those_of_the_csv_module(rows: list[list[str]], end: str, quoting: int, size: int, cut: bool) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    text = out.getvalue()
    text = text[: -len(end)] if cut and text else text
    data = text.encode()
    counter = RowCounter()
    for at in range(0, len(data), size):
        counter.update(data[at : at + size])
    expected = sum(1 for row in csv.reader(io.StringIO(text, newline="")) if row)
    assert counter.finish() == expected


def test_one_pass(tmp_path: Path) -> None:
    data = b"a,b\n" + b'1,"x\ny"\n' * 300_000
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    found = scan_file(path, csv=True)
    assert (found.digest, found.bytes, found.rows) == (hashlib.sha256(data).hexdigest(), len(data), 300_000)
    assert scan_file(path, csv=True, header=False).rows == 300_001
    assert scan_file(path).rows is None
    (tmp_path / "empty").write_bytes(b"")
    assert scan_file(tmp_path / "empty", csv=True).rows == 0
    with pytest.raises(FileNotFoundError):
        scan_file(tmp_path / "nothing")


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
