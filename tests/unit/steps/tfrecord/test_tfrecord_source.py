"""The tfrecord datasource: records of any writer, checksums, damage told by file and record, and counting at plan."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.steps.data.remembering import Workspace
from zenctl.sdk import StepError
from zenctl.sdk.records import write_record
from zenctl.steps.csv.cutting import PartSize
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
from zenctl.steps.tfrecord import ingest as ingesting
from zenctl.steps.tfrecord.messages import _EXAMPLE
from zenctl.steps.tfrecord.schema import TFRECORD, TfRecord
from zenctl.steps.tfrecord.walking import RecordWalker


def example(**values: Any) -> bytes:
    """An Example with a list for each value."""
    made = _EXAMPLE()
    for name, value in values.items():
        values_ = value if isinstance(value, list) else [value]
        feature = made.features.feature[name]
        for one in values_:
            if isinstance(one, int):
                feature.int64_list.value.append(one)
            elif isinstance(one, float):
                feature.float_list.value.append(one)
            else:
                feature.bytes_list.value.append(one.encode() if isinstance(one, str) else one)
    return bytes(made.SerializeToString(deterministic=True))


def framed(*records: bytes) -> bytes:
    stream = io.BytesIO()
    for record in records:
        write_record(stream, record)
    return stream.getvalue()


def case_of(root: Path, path: str = "f.tfrecord") -> SourceCase:
    return SourceCase(TFRECORD, TfRecord(path=path), root, lambda: None, removal(root / path))


def taken(root: Path, data: bytes) -> Any:
    (root / "f.tfrecord").write_bytes(data)
    return snapshot(case_of(root), root / f"out{len(list(root.iterdir()))}")


def refused(root: Path, data: bytes) -> StepError:
    (root / "f.tfrecord").write_bytes(data)
    return refusal(case_of(root), root / "out")


@pytest.mark.parametrize("packed", [False, True])
class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))

        def write(word: str) -> None:
            records = [example(n=at, x=at / 8, word=word if at == 50 else f"w{at % 7}") for at in range(100)]
            data = framed(*records)
            (tmp_path / "f.tfrecord").write_bytes(gzip.compress(data, mtime=0) if packed else data)

        write("before")
        return SourceCase(
            TFRECORD, TfRecord(path="f.tfrecord"), tmp_path, lambda: write("behind"), removal(tmp_path / "f.tfrecord")
        )


def test_types_follow_from_all_records(tmp_path: Path) -> None:
    records = [
        example(n=1, x=1, s="01", raw=b"text", never=[]),
        example(n=-(2**63), x=0.5, raw=b"\xff"),
        b"",
        example(s="ä", n=[]),
    ]
    expected = [
        {"n": 1, "never": None, "raw": b"text", "s": "01", "x": 1.0},
        {"n": -(2**63), "never": None, "raw": b"\xff", "s": None, "x": 0.5},
        {"n": None, "never": None, "raw": None, "s": None, "x": None},
        {"n": None, "never": None, "raw": None, "s": "ä", "x": None},
    ]
    data = taken(tmp_path, framed(*records))
    assert list(data) == expected
    assert data.schema.types == {"n": "int", "never": "string", "raw": "bytes", "s": "string", "x": "float"}
    assert list(taken(tmp_path, gzip.compress(framed(*records[:2])) + gzip.compress(framed(*records[2:])))) == expected


def test_a_snapshot_can_be_read_again(tmp_path: Path) -> None:
    first = taken(tmp_path, framed(*(example(a=at, b=f"w{at}", c=at / 2) for at in range(500))))
    case = case_of(tmp_path, f"{first.path.name}/shards")
    again = snapshot(case, tmp_path / "again")
    assert list(again) == list(first)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (example(tags=["a", "b"]), 'record 3: feature "tags" holds 2 values'),
        (b"\xff\xff", "record 3: it is no tf.train.Example"),
        (b"\x12\x01x", "record 3: it is no tf.train.Example: it has no features"),
        (example(n="text"), 'record 3: feature "n" is string here, but int in records before'),
    ],
)
def test_a_record_without_a_row_is_told_by_its_number(tmp_path: Path, bad: bytes, said: str) -> None:
    problem = refused(tmp_path, framed(example(n=1), example(n=2), bad))
    assert problem.message.startswith(f"f.tfrecord: {said}")
    assert problem.hint


def test_checksums_are_compared(tmp_path: Path) -> None:
    data = bytearray(framed(example(n=1), example(word="some text"), example(n=2)))
    data[data.index(b"some")] ^= 1
    problem = refused(tmp_path, bytes(data))
    assert problem.message.startswith("f.tfrecord: record 2: ")
    assert "checksum" in problem.message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "source_empty: there are no records in f.tfrecord"),
        (framed(example(n=1), example(n=2))[:-1], "source_format: f.tfrecord: it is cut off in record 2"),
        (framed(example(n=1)) + b"abc", "source_format: f.tfrecord: it is cut off in record 2"),
        (b"a,b\n1,2\n3,4\n5,6", "source_format: f.tfrecord: record 1 cannot have"),
        (gzip.compress(b"x" * 100)[:12] + b"junk", "source_format: f.tfrecord: "),
    ],
)
def test_plan_refuses_what_is_no_tfrecord(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "f.tfrecord").write_bytes(data)
    assert said in objections(case_of(tmp_path))


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    records = framed(*(example(n=at, word=f"{at * 7919}") for at in range(300)))
    (tmp_path / "f.tfrecord").write_bytes(gzip.compress(records)[:-30])
    assert "source_format: f.tfrecord: its gzip data is cut off after record 2" in objections(case_of(tmp_path))


def test_only_parts_around_a_change_are_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
    records = [example(n=at, word=f"w{at % 30}") for at in range(900)]
    space = Workspace(tmp_path)

    def take(records: list[bytes], **order: Any) -> Any:
        path = tmp_path / "f.tfrecord"
        path.write_bytes(framed(*records))
        return space.run(ingesting.ingest, "data", locations={path.name: str(path)}, **order)["data"]

    first = take(records)
    again = take([*records[:450], example(n=-1, word="new"), *records[450:]])
    assert 0 < again.shards - again.reused <= 4 < first.shards
    assert take([*records[:450], example(n=-1, word="new"), *records[450:]], remembers=False).digest == again.digest


VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(width=32, allow_nan=False), st.text(max_size=5), st.binary(max_size=5)
)


@settings(deadline=None, max_examples=60)
@given(
    st.fixed_dictionaries(
        {}, optional={"a": st.integers(-9, 9), "b": st.floats(width=16, allow_nan=False), "ä": st.text(max_size=3)}
    ).flatmap(lambda row: st.lists(st.permutations(list(row.items())), min_size=1, max_size=5)),
    st.integers(60, 300),
)
def test_records_of_any_order_of_features_are_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, Any]]], size: int
) -> None:
    if not rows[0]:
        return
    root = tmp_path_factory.mktemp("records")
    # Concatenated messages are merged: so features stand in the order that is wanted.
    (root / "f.tfrecord").write_bytes(framed(*(b"".join(example(**{k: v}) for k, v in row) for row in rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingesting, "PART", PartSize(size, size, 4 * size))
        case = case_of(root)
        source = source_of(case, job_of(case, observed(case), root / "job"))
        found = [row for part in range(source.parts) for batch in source.read(part) for row in batch.to_pylist()]
    assert found == [dict(row) for row in rows]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(3, 40), st.integers(0, 20))
def test_records_are_counted_however_they_are_cut(records: list[bytes], size: int, cut: int) -> None:
    data = framed(*records)
    for given_, packed in ((data[: len(data) - cut], False), (gzip.compress(data), True)):
        walker = RecordWalker()
        whole = packed or not cut
        try:
            for at in range(0, len(given_), size):
                walker.update(given_[at : at + size])
            count = walker.finish()
        except FileProblem:
            assert not whole
        else:
            assert count == len(records) or not whole
