"""Counting records without parsing gives what a parser gives."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.steps.csv.counting import RecordCounter, scan


def counted(data: bytes, cuts: list[int]) -> int:
    counter = RecordCounter()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in zip(places, places[1:], strict=False):  # noqa: RUF007 - may be empty
        counter.update(data[start:end])
    return counter.finish()


FIELD = st.text('ab,"\n\r é', max_size=6)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.lists(FIELD, min_size=1, max_size=3), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 80), max_size=4),
    st.booleans(),
    st.booleans(),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_counts_what_was_written(
    rows: list[list[str]], end: str, cuts: list[int], mark: bool, last: bool, quoting: int
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=end, quoting=quoting)
    for row in rows:
        # Python's writer quotes only the line end that it writes itself.
        writer.writerow(
            row if quoting == csv.QUOTE_ALL else [value.replace("\r", "").replace("\n", "") for value in row]
        )
    text = stream.getvalue() if last else stream.getvalue().removesuffix(end)
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    assert counted(data, cuts) == len(rows)


@settings(deadline=None, max_examples=300)
@given(st.text('a"\n\r,', max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_where_a_text_is_cut_does_not_matter(text: str, cuts: list[int]) -> None:
    assert counted(text.encode(), cuts) == counted(text.encode(), [])


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (b"a,b", 1),
        (b"\n\na,b\n\n\n1,2\n\n", 2),
        (b'a\n"x\n\ny"\n', 2),
        (b"\xef\xbb\xbf\n", 0),
        (b"\xef\xbb", 1),
        (b'""\n""', 2),
    ],
)
def test_by_hand(text: bytes, records: int) -> None:
    assert counted(text, []) == records
    assert counted(text, list(range(len(text)))) == records


def test_scan_is_one_pass_over_all(tmp_path: Path) -> None:
    data = b"a,b\n" + b"1,2\n" * 600_000
    (tmp_path / "f.csv").write_bytes(data)
    facts = scan(tmp_path / "f.csv")
    assert (facts.sha256, facts.bytes, facts.records) == (hashlib.sha256(data).hexdigest(), len(data), 600_001)
