"""Cutting CSV files: parts end where records do, follow from the content, and move around a change only."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.steps.csv import cutting
from zenctl.steps.csv.cutting import PartSize, cut_file

SMALL = PartSize(60, 60, 400)


def parts(path: Path, data: bytes, size: PartSize = SMALL, delimiter: str = ",") -> list[bytes]:
    path.write_bytes(data)
    cut = cut_file(path, delimiter, size)
    assert cut.sha256 == hashlib.sha256(data).hexdigest()
    found = [data[span.offset : span.offset + span.length] for span in cut.spans]
    assert [hashlib.sha256(part).hexdigest() for part in found] == [span.sha256 for span in cut.spans]
    assert b"".join(found) == data
    return found


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


CELL = st.text(st.sampled_from('ab1 ,\n\r"é'), max_size=12)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=60), st.sampled_from(["\n", "\r\n"]), st.integers(3, 50)
)
def test_every_part_holds_whole_records(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], end: str, read: int
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    path, before = tmp_path_factory.getbasetemp() / "cut.csv", cutting.READ_BYTES
    cutting.READ_BYTES = read
    try:
        found = parts(path, stream.getvalue().encode())
    finally:
        cutting.READ_BYTES = before
    assert [row for part in found for row in rows(part)] == table


def test_the_division_into_reads_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(b'%d,"word ""%d""\n",%d\n' % (at, at % 7, at * 31) for at in range(500))
    found = parts(tmp_path / "f.csv", data)
    assert len(found) > 50
    assert all(60 <= len(part) <= 400 for part in found[:-1])
    for read in (41, 100, 1000):
        monkeypatch.setattr(cutting, "READ_BYTES", read)
        assert parts(tmp_path / "f.csv", data) == found
    monkeypatch.setattr(cutting, "_WINDOW", 10)
    assert parts(tmp_path / "f.csv", data) == found


@pytest.mark.parametrize("place", [0, 250, 500])
@pytest.mark.parametrize("by", [-20, 1, 20])
def test_a_change_moves_the_cuts_around_it_only(tmp_path: Path, place: int, by: int) -> None:
    lines = [b"%d,%d,same ending\n" % (at, at * at) for at in range(500)]
    new = [b"new %d,x,same ending\n" % at for at in range(max(by, 0))]
    changed = [*lines[:place], *new, *lines[place - min(by, 0) :]]
    before, after = (parts(tmp_path / "f.csv", b"".join(some)) for some in (lines, changed))
    assert len(before) > 50
    assert len(set(after) - set(before)) <= 6 + max(by, 0) // 3


def test_rows_that_are_all_equal_are_cut_too(tmp_path: Path) -> None:
    found = parts(tmp_path / "f.csv", b"1,2,3\n" * 1000)
    assert all(60 <= len(part) <= 400 for part in found[:-1])


def test_records_longer_than_their_hash_differ(tmp_path: Path) -> None:
    head, tail = b"h" * 600, b"t" * 40
    data = b"".join(head + b"%05d" % at + tail + b"%d\n" % at for at in range(300))
    assert len(parts(tmp_path / "f.csv", data, PartSize(2000, 2000, 20000))) > 20


@pytest.mark.parametrize(
    "line", [b'5" pipe,1\n', b'"a" ,1\n', b'"a"b,1\n', b'x, "y\n"\n'], ids=["unquoted", "space", "text", "before"]
)
def test_after_a_quote_out_of_place_there_is_no_cut(tmp_path: Path, line: bytes) -> None:
    lines = [b"%d,%d\n" % (at, at) for at in range(300)]
    found = parts(tmp_path / "f.csv", b"".join([*lines, line, *lines]))
    assert len(found) > 10
    assert found[-1].endswith(line + b"".join(lines))


def test_what_cannot_be_cut_is_one_part(tmp_path: Path) -> None:
    for data in (b"", b"\n" * 5000, b"a\r" * 5000, b"x" * 5000, b'"' + b"a\n" * 5000):
        assert parts(tmp_path / "f.csv", data) == [data]


def test_the_header_is_in_the_first_part(tmp_path: Path) -> None:
    blank = b"\xef\xbb\xbf" + b"\r\n" * 300
    data = blank + b'"a",b\n' + b"".join(b"%d,2\n" % at for at in range(200))
    found = parts(tmp_path / "f.csv", data)
    assert found[0].startswith(blank + b'"a",b\n')
    assert len(found) > 5
