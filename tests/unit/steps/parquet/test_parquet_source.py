"""The parquet datasource: what plan sees without pyarrow, what the snapshot holds, and what is said of bad files."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.sdk import StepError
from zenctl.steps.data.observing import FileProblem
from zenctl.steps.data.testing import (
    SourceCase,
    SourceConformance,
    job_of,
    objections,
    observed,
    refusal,
    removal,
    snapshot,
    source_of,
)
from zenctl.steps.parquet.conversion import kind_of
from zenctl.steps.parquet.footer import Footer, _decode, read_footer
from zenctl.steps.parquet.schema import PARQUET, Parquet


def case_of(root: Path, path: str = "f.parquet", **attributes: Any) -> SourceCase:
    return SourceCase(PARQUET, Parquet(path=path, **attributes), root, lambda: None, removal(root / path))


def taken(root: Path, path: str = "f.parquet", **attributes: Any) -> Any:
    return snapshot(case_of(root, path, **attributes), root / f"out{len(list(root.iterdir()))}")


def refused(root: Path, **attributes: Any) -> StepError:
    return refusal(case_of(root, **attributes), root / "out")


def told(root: Path, path: str = "f.parquet", **attributes: Any) -> str:
    return objections(case_of(root, path, **attributes))


class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SourceCase:
        def write(word: str) -> None:
            table = pa.table({"n": range(100), "word": [f"w{at}" for at in range(99)] + [word], "x": [0.5, None] * 50})
            pq.write_table(table, tmp_path / "f.parquet", row_group_size=30)

        write("before")
        model = Parquet(path="f.parquet")
        return SourceCase(PARQUET, model, tmp_path, lambda: write("behind"), removal(tmp_path / "f.parquet"))


NOW = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
TYPED = {
    "i8": pa.array([-1, None], pa.int8()),
    "u32": pa.array([2**32 - 1, 0], pa.uint32()),
    "u64": pa.array([2**63 - 1, None], pa.uint64()),
    "yes": pa.array([True, False]),
    "half": pa.array([0.5, None], pa.float16()),
    "double": pa.array([0.25, float("nan")]),
    "text": pa.array(["ä", None], pa.large_string()),
    "digits": pa.array(["01", "2"]),
    "kind": pa.array(["a", "b"]).dictionary_encode(),
    "raw": pa.array([b"\xff", b""], pa.large_binary()),
    "fixed": pa.array([b"ab", b"cd"], pa.binary(2)),
    "day": pa.array([NOW.date(), None]),
    "at": pa.array([NOW, None], pa.timestamp("us")),
    "utc": pa.array([NOW, None], pa.timestamp("ms", "Europe/Berlin")),
    "nano": pa.array([-1, None], pa.timestamp("ns")),
    "time": pa.array([NOW.time(), None], pa.time64("us")),
    "lasts": pa.array([datetime.timedelta(seconds=2), None], pa.duration("ms")),
    "price": pa.array([decimal.Decimal("1234567890123.45"), None], pa.decimal128(20, 2)),
    "none": pa.nulls(2),
}


def test_types_are_those_that_a_data_set_has(tmp_path: Path) -> None:
    pq.write_table(pa.table(TYPED), tmp_path / "f.parquet")
    data = taken(tmp_path)
    first, second = list(data)
    assert first == {
        "i8": -1,
        "u32": 2**32 - 1,
        "u64": 2**63 - 1,
        "yes": 1,
        "half": 0.5,
        "double": 0.25,
        "text": "ä",
        "digits": "01",
        "kind": "a",
        "raw": b"\xff",
        "fixed": b"ab",
        "day": "2024-02-29",
        "at": "2024-02-29T12:30:15.123456",
        "utc": "2024-02-29T12:30:15.123Z",
        "nano": "1969-12-31T23:59:59.999999999",
        "time": "12:30:15.123456",
        "lasts": 2_000_000,
        "price": "1234567890123.45",
        "none": None,
    }
    assert (second["digits"], second["raw"], second["yes"], second["day"]) == ("2", b"", 0, None)
    seen = observed(case_of(tmp_path)).columns
    assert {**seen, "none": "string"} == data.schema.types


def test_declared_types(tmp_path: Path) -> None:
    pq.write_table(pa.table(TYPED), tmp_path / "f.parquet")
    wanted = {
        "digits": "int",
        "day": "int",
        "at": "int",
        "nano": "int",
        "time": "int",
        "price": "float",
        "u32": "string",
    }
    data = taken(tmp_path, columns=["price", "digits", "day", "at", "nano", "time", "u32"], types=wanted)
    first = next(iter(data))
    at = int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()) * 1_000_000 + 123456
    assert list(first) == ["price", "digits", "day", "at", "nano", "time", "u32"]
    assert first["price"] == pytest.approx(1234567890123.45)
    assert (first["digits"], first["day"], first["at"], first["nano"]) == (1, 19782, at, -1)
    assert (first["time"], first["u32"]) == (45_015_123_456, "4294967295")


@pytest.mark.parametrize(
    ("array", "declared", "said"),
    [
        (pa.array([1, 2**63], pa.uint64()), {}, "holds 9223372036854775808, which is larger than 64 bits with a sign"),
        (pa.array([1.0, 1.5]), {"c": "int"}, "holds 1.5, which is no whole number of 64 bits"),
        (pa.array([1.0, 1e30]), {"c": "int"}, "holds 1e+30, which is no whole number of 64 bits"),
        (pa.array(["1", "x"]), {"c": "int"}, "is declared as int, but holds 'x'"),
        (pa.array([b"a", b"\xff"]), {"c": "string"}, "is declared as string, but holds bytes that are no UTF-8"),
        (pa.array([decimal.Decimal("1.0"), decimal.Decimal("1.5")]), {"c": "int"}, "holds 1.5, which is no whole"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_row(
    tmp_path: Path, array: Any, declared: dict[str, Any], said: str
) -> None:
    pq.write_table(pa.table({"c": pa.chunked_array([array])}), tmp_path / "f.parquet", row_group_size=1)
    problem = refused(tmp_path, types=declared)
    assert f'f.parquet: row 2: column "c" {said}' in problem.message
    assert problem.file == str(tmp_path / "f.parquet")


def test_columns_that_hold_more_than_one_value_are_refused_by_name(tmp_path: Path) -> None:
    table = pa.table(
        {"n": [1], "tags": [["a"]], "place": [{"x": 1}], "m": pa.array([[("k", 1)]], pa.map_("string", "int8"))}
    )
    pq.write_table(table, tmp_path / "f.parquet")
    said = told(tmp_path)
    for name in ("tags", "place", "m"):
        assert f'source_column: f.parquet: column "{name}" holds lists, structs or maps' in said
    assert list(taken(tmp_path, columns=["n"])) == [{"n": 1}]
    assert 'columns names the column "N", which is not there' in told(tmp_path, columns=["N"])


def test_several_files(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    pq.write_table(pa.table({"n": [1], "s": ["x"]}), tmp_path / "many/b.parquet")
    pq.write_table(pa.table({"s": ["w"], "n": [0.5]}), tmp_path / "many/a.parquet")
    assert list(taken(tmp_path, "many")) == [{"s": "w", "n": 0.5}, {"s": "x", "n": 1.0}]
    assert observed(case_of(tmp_path, "many")).columns == {"s": "string", "n": "float"}
    pq.write_table(pa.table({"n": ["a"], "s": ["x"]}), tmp_path / "many/c.parquet")
    assert 'many/c.parquet: column "n" is string, but float in many/a.parquet' in told(tmp_path, "many/*.parquet")
    assert [row["n"] for row in taken(tmp_path, "many", types={"n": "string"})] == ["0.5", "1", "a"]
    pq.write_table(pa.table({"n": [1]}), tmp_path / "many/c.parquet")
    assert "many/c.parquet has other columns than many/a.parquet" in told(tmp_path, "many")


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (lambda data: b"", "source_empty: f.parquet: the file is empty"),
        (lambda data: b"a,b\n1,2\n", "source_format: f.parquet: not a Parquet file: it begins with b'a,b\\n'"),
        (lambda data: data[:-20], "source_format: f.parquet: it is cut off: a Parquet file ends with its footer"),
        (lambda data: b"PARE" + data[4:-4] + b"PARE", "source_format: f.parquet: the file is encrypted"),
    ],
)
def test_files_that_are_no_parquet(tmp_path: Path, cut: Any, said: str) -> None:
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "f.parquet")
    data = (tmp_path / "f.parquet").read_bytes()
    (tmp_path / "f.parquet").write_bytes(cut(data))
    assert said in told(tmp_path)


def test_a_damaged_footer_is_refused_by_plan_or_by_the_job(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "f.parquet", store_schema=False)
    data = (tmp_path / "f.parquet").read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - size
    (tmp_path / "f.parquet").write_bytes(data[:start] + bytes(size) + data[-8:])
    assert "source_format: f.parquet: its footer is damaged" in told(tmp_path)
    (tmp_path / "f.parquet").write_bytes(data[: start + 30] + b"\xff" * (size - 30) + data[-8:])
    assert "cannot be read as Parquet" in refused(tmp_path).message


def test_damaged_pages_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": range(1000)}), tmp_path / "f.parquet", compression="zstd", use_dictionary=False)
    data = bytearray((tmp_path / "f.parquet").read_bytes())
    data[40:400] = bytes(360)
    (tmp_path / "f.parquet").write_bytes(data)
    problem = refused(tmp_path)
    assert problem.message.startswith("f.parquet cannot be read as Parquet: ")
    assert problem.kind == "bad_data"


def test_only_the_row_group_that_changed_has_another_digest(tmp_path: Path) -> None:
    def digests(rows: list[int]) -> list[str]:
        pq.write_table(pa.table({"n": rows}), tmp_path / "f.parquet", row_group_size=100)
        case = case_of(tmp_path)
        source = source_of(case, job_of(case, observed(case), tmp_path / f"out{len(list(tmp_path.iterdir()))}"))
        return [source.digest(part) for part in range(source.parts)]

    rows = list(range(1000))
    before, after = digests(rows), digests([*rows[:550], -1, *rows[551:], 1000])
    assert len(before) == 10
    assert [at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other] == [5]
    assert len(after) == 11


FLAT = [pa.int16(), pa.uint64(), pa.bool_(), pa.float16(), pa.float32(), pa.string(), pa.binary(), pa.date32()]
TIMES = [pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.time32("ms"), pa.duration("us")]
TYPES = st.sampled_from([*FLAT, *TIMES, pa.decimal128(9, 3), pa.list_(pa.int8())])


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(st.text(min_size=1, max_size=6), TYPES, min_size=1, max_size=20), st.integers(0, 9), st.booleans()
)
def test_a_footer_tells_what_arrow_tells(
    tmp_path_factory: pytest.TempPathFactory, types: dict[str, Any], rows: int, old: bool
) -> None:
    path = tmp_path_factory.mktemp("footer") / "f.parquet"
    table = pa.table({name: pa.nulls(rows, type) for name, type in types.items()})
    pq.write_table(table, path, version="1.0" if old else "2.6", use_deprecated_int96_timestamps=old)
    wanted = tuple(
        (name, "nested" if pa.types.is_list(type) else kind_of(name, type, "")) for name, type in types.items()
    )
    assert read_footer(path) == Footer(rows, wanted)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_any_footer_is_read_or_refused(data: bytes) -> None:
    try:
        found = _decode(data)
    except (IndexError, ValueError, KeyError, TypeError, FileProblem):
        return
    assert found.rows >= 0
