"""What plan tells apart in a small csv source, and that it agrees with what a snapshot makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.fingerprint.data import FileCache, RowsDifference, rows_difference
from zenctl.steps.csv import observe as observing
from zenctl.steps.csv.observe import observe
from zenctl.steps.csv.profiling import Profile, profile
from zenctl.steps.csv.schema import Csv


def profiled(path: Path, text: str, **attributes: Any) -> Profile | None:
    path.write_text(text, newline="")
    names = text.lstrip("\ufeff").splitlines()[0].split(",")
    return profile([path], names, Csv(path=path.name, **attributes))


@pytest.mark.parametrize(
    ("values", "type"),
    [
        (["1", "-2", ""], "int"),
        (["1", "2.5"], "float"),
        (["1e3", " 2 "], "float"),
        (["9223372036854775807"], "int"),
        (["9223372036854775808"], "float"),
        (["inf", "1"], "float"),
        (["1", "x"], "string"),
        (["0x10"], "string"),
        (["1_000"], "string"),
        (["", "NA"], ""),
    ],
)
def test_types_are_those_of_a_snapshot(tmp_path: Path, values: list[str], type: str) -> None:
    found = profiled(tmp_path / "f.csv", "a,b\n" + "".join(f"{value},1\n" for value in values))
    assert found is not None
    assert found.columns == {"a": type, "b": "int"}


def test_types_agree_with_the_ingest(tmp_path: Path) -> None:
    import pyarrow as pa

    from zenctl.steps.data.narrowing import wider

    values = ["1", "-1", "+1", " 1", "1.", ".5", "1e5", "nan", "NaN", "inf", "-inf", "0x1", "1_0", "١", "1.5.2", "--1"]
    for value in values:
        batch = pa.RecordBatch.from_arrays([pa.array([value])], names=["a"])
        [expected] = wider(batch, {}, {}).values()
        found = profiled(tmp_path / "f.csv", f"a\n{value}\n", null_values=[])
        assert found is not None
        assert (value, found.columns["a"]) == (value, expected)


def test_order_of_columns_and_quotes_do_not_count(tmp_path: Path) -> None:
    one = profiled(tmp_path / "a.csv", "a,b\n1,x\n2,y\n")
    other = profiled(tmp_path / "b.csv", '\ufeffb,a\r\n"x","1"\r\ny,2\r\n')
    assert one is not None
    assert other is not None
    assert one.rows == other.rows


def test_what_is_no_table_has_no_profile(tmp_path: Path) -> None:
    assert profiled(tmp_path / "f.csv", "a,b\n1\n") is None


def row(value: int, length: int) -> bytes:
    return value.to_bytes(8, "big") + length.to_bytes(4, "big")


def test_rows_that_come_go_and_change() -> None:
    before = row(1, 10) + row(2, 10) + row(2, 10) + row(3, 7)
    after = row(1, 10) + row(2, 10) + row(4, 5)
    assert rows_difference(before, after) == RowsDifference(0, 1, 1, 5, 17)
    assert rows_difference(after, before) == RowsDifference(1, 0, 1, 17, 5)
    assert rows_difference(before, before) == RowsDifference(0, 0, 0, 0, 0)


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_the_difference_adds_up(before: list[int], after: list[int]) -> None:
    found = rows_difference(b"".join(row(v, 1) for v in before), b"".join(row(v, 1) for v in after))
    assert len(before) + found.added - found.removed == len(after)
    assert found.added == 0 or found.removed == 0
    assert len(before) + found.bytes_added - found.bytes_removed == len(after)


def test_the_cache_tells_two_states_of_a_source_apart(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache" / "files.json")
    path = tmp_path / "f.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    old = observe(Csv(path="f.csv"), tmp_path, cache)
    path.write_text("a,b\n1,2\n3,5\n6,7\n")
    new = observe(Csv(path="f.csv"), tmp_path, cache)
    assert cache.difference(old.digest, new.digest, new.form) == RowsDifference(1, 0, 1, 8, 4)
    assert cache.difference("0" * 64, new.digest, new.form) is None
    other = observe(Csv(path="f.csv", null_values=["x"]), tmp_path, cache)
    assert other.form != new.form


def test_a_large_source_is_not_looked_at_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "PROFILE_BYTES", 10)
    monkeypatch.setattr(observing, "profile", lambda *_: pytest.fail("it was"))
    (tmp_path / "f.csv").write_text("a,b\n1,2\n3,4\n")
    state = observe(Csv(path="f.csv", types={"b": "float"}), tmp_path, FileCache(tmp_path / "c.json"))
    assert dict(state.columns) == {"a": "", "b": "float"}
