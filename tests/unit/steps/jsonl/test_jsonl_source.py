"""The jsonl datasource: types over all lines, nested and mixed values, and bad lines told by their place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.steps.data.remembering import Workspace
from zenctl.sdk import StepError
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.data.observing import FileProblem
from zenctl.steps.data.testing import (
    SourceCase,
    SourceConformance,
    objections,
    observed,
    refusal,
    removal,
    snapshot,
)
from zenctl.steps.jsonl import ingest as ingesting
from zenctl.steps.jsonl import reading
from zenctl.steps.jsonl.kinds import merged
from zenctl.steps.jsonl.lines import kind_of, rows_of
from zenctl.steps.jsonl.observe import LineCounter
from zenctl.steps.jsonl.reading import Columns, column_types, kinds_of, parse
from zenctl.steps.jsonl.schema import JSONL, Jsonl


def case_of(root: Path, path: str = "f.jsonl", **attributes: Any) -> SourceCase:
    return SourceCase(JSONL, Jsonl(path=path, **attributes), root, lambda: None, removal(root / path))


def taken(root: Path, text: str | bytes, **attributes: Any) -> list[dict[str, Any]]:
    (root / "f.jsonl").write_bytes(text.encode() if isinstance(text, str) else text)
    return list(snapshot(case_of(root, **attributes), root / f"out{len(list(root.iterdir()))}"))


def refused(root: Path, text: str | bytes, **attributes: Any) -> StepError:
    (root / "f.jsonl").write_bytes(text.encode() if isinstance(text, str) else text)
    return refusal(case_of(root, **attributes), root / f"out{len(list(root.iterdir()))}")


class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))

        def write(word: str) -> None:
            rows = [{"n": at, "word": f"w{at % 7}", "x": at / 8} for at in range(200)]
            rows[100]["word"] = word
            (tmp_path / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

        write("before")
        return SourceCase(
            JSONL, Jsonl(path="f.jsonl"), tmp_path, lambda: write("behind"), removal(tmp_path / "f.jsonl")
        )


BIG = float(np.float32(1e20))


def test_types_follow_from_all_lines(tmp_path: Path) -> None:
    rows = taken(
        tmp_path,
        '{"i": 1, "f": 1, "s": "1", "yes": true, "day": "2024-02-29"}\n\n'
        '{"f": 0.5, "big": 99999999999999999999, "none": null, "day": "2024-03-01T10:00:00Z"}\r\n'
        '  {"i": -9223372036854775808, "s": "\\u00e4", "yes": false}',
    )
    assert rows == [
        {"i": 1, "f": 1.0, "s": "1", "yes": 1, "day": "2024-02-29", "big": None, "none": None},
        {"i": None, "f": 0.5, "s": None, "yes": None, "day": "2024-03-01T10:00:00Z", "big": BIG, "none": None},
        {"i": -(2**63), "f": None, "s": "ä", "yes": 0, "day": None, "big": None, "none": None},
    ]  # fmt: skip
    seen = observed(case_of(tmp_path))
    assert seen.rows == 3
    assert seen.columns == {
        "i": "int",
        "f": "float",
        "s": "string",
        "yes": "int",
        "day": "string",
        "big": "float",
        "none": "",
    }


def test_declared_types_and_nested_values(tmp_path: Path) -> None:
    text = '{"zip": 123, "n": "7", "m": 1.50, "deep": {"b": [1.0, "x"], "a": null}}\n{"zip": "0123", "m": true}\n'
    wanted: dict[str, Any] = {"zip": "string", "n": "int", "m": "string"}
    assert taken(tmp_path, text, types=wanted, nested="text") == [
        {"zip": "123", "n": 7, "m": "1.50", "deep": '{"b":[1.0,"x"],"a":null}'},
        {"zip": "0123", "n": None, "m": "true", "deep": None},
    ]
    problem = refused(tmp_path, text, types=wanted)
    assert problem.message == 'f.jsonl:1: "deep" holds a list or an object'
    assert 'nested = "text"' in problem.hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1,}', ":{line}:9: "),
        ("{'a': 1}", ":{line}:2: Expecting property name enclosed in double quotes: '{{'a': 1}}'"),
        ('{"a": 1', ":{line}:8: Expecting ',' delimiter"),
        ('{"a": 1} {"a": 2}', ":{line}:10: Extra data"),
        ("[1, 2]", ":{line}:1: not an object: '[1, 2]'"),
        ('{"a": 1, "a": 2}', ':{line}: the key "a" is there twice'),
        ('{"a": 1e999}', ':{line}: "a" is a number beyond the range of floats'),
        ('{"s": "\\ud800"}', ":{line}: half of a surrogate pair stands alone"),
        (b'{"s": "\xe4"}', ":{line}:8: not UTF-8: byte 0xe4"),
        ('{"a": "text"}', ':{line}: "a" holds text here, but a number in lines before'),
        ('{"a": [1]}', ':{line}: "a" holds a list or an object'),
        ('{"a": ' + "[" * 100_000, ":{line}"),
    ],
)
@pytest.mark.parametrize("before", [1, 300])
def test_a_bad_line_is_told_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str | bytes, said: str, before: int
) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
    bad = line.encode() if isinstance(line, str) else line
    good = b"".join(b'{"a": %d, "s": "x"}\n' % at for at in range(before))
    problem = refused(tmp_path, good + b"\n" + bad + b'\n{"a": 1}\n')
    assert problem.message.startswith(f"f.jsonl{said.format(line=before + 2)}")
    assert problem.line == before + 2
    assert problem.hint


def test_a_value_of_another_type_than_declared(tmp_path: Path) -> None:
    text = '{"s": "1", "f": 1.0}\n\n{"s": "x", "f": 1.5}\n'
    assert (
        refused(tmp_path, text, types={"s": "int"}).message
        == """f.jsonl:3: column "s" is declared as int, but holds 'x'"""
    )
    assert (
        refused(tmp_path, text, types={"f": "int"}).message == 'f.jsonl:3: column "f" is declared as int, but holds 1.5'
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "source_empty: there are no rows in f.jsonl"),
        (b" \n\n", "source_empty: there are no rows in f.jsonl"),
        (b'\n[{"a": 1}]', "source_format: f.jsonl:2:1: not an object"),
        (b"a,b\n1,2\n", "source_format: f.jsonl:1:1: Expecting value: 'a,b'"),
        (b"\x1f\x8b123", "source_format: f.jsonl: not JSON lines in UTF-8 but gzip"),
        (b"PAR1", "source_format: f.jsonl: not JSON lines in UTF-8 but Parquet"),
    ],
)
def test_plan_refuses_what_is_no_jsonl(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "f.jsonl").write_bytes(content)
    assert said in objections(case_of(tmp_path))


def test_an_unknown_column_is_told_by_plan_and_by_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.jsonl").write_text('{"name": 1}\n')
    assert 'types names the column "nam", which is not there' in objections(case_of(tmp_path, types={"nam": "int"}))
    monkeypatch.setattr("zenctl.steps.jsonl.observe.PROFILE_BYTES", 0)
    problem = refused(tmp_path, '{"name": 1}\n', types={"nam": "int"})
    assert 'types names the column "nam", which is not there' in problem.message


def test_only_new_parts_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
    lines = [json.dumps({"n": at, "word": f"w{at % 30}"}) for at in range(900)]
    parsed: list[bytes] = []
    monkeypatch.setattr(ingesting, "kinds_of", lambda data: (parsed.append(data), kinds_of(data))[1])
    space = Workspace(tmp_path)

    def take(lines: list[str], **order: Any) -> Any:
        path = tmp_path / "f.jsonl"
        path.write_text("\n".join(lines))
        order |= {"params": {"types": {}, "nested": "refuse"}, "locations": {"f.jsonl": str(path)}}
        return space.run(ingesting.ingest, "data", **order)["data"]

    first = take(lines)
    whole = len(parsed)
    assert whole > 20
    again = take([*lines[:450], json.dumps({"n": -1, "word": "new"}), *lines[450:]])
    assert len(parsed) - whole <= 3
    assert 0 < again.shards - again.reused <= 4 < first.shards
    fresh = take([*lines[:450], json.dumps({"n": -1, "word": "new"}), *lines[450:]], remembers=False)
    assert fresh.digest == again.digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "ä", ""]), JSON, max_size=3), min_size=1, max_size=6)


@settings(deadline=None, max_examples=150)
@given(ROWS, st.sampled_from(["\n", "\r\n", "\n\n", " \n"]), st.booleans())
def test_arrow_reads_what_the_slow_reader_reads(rows: list[dict[str, Any]], end: str, ascii_only: bool) -> None:
    data = end.join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode("utf-8")
    slow = [row for _, row in rows_of(data, 1)]
    assert len(slow) == len(rows)
    kinds = kinds_of(data)
    assert kinds == merged({name: kind_of(value) for name, value in row.items()} for row in slow)
    columns = Columns(
        kinds, column_types(kinds, {n: "string" for n, k in kinds.items() if k == "mixed"}, list(kinds)), True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_quick", lambda *_: None)
        expected = parse(data, columns).to_pylist()
    found = parse(data, columns).to_pylist()
    same: Callable[[Any, Any], bool] = lambda one, other: one == other or (math.isnan(one) and math.isnan(other))  # noqa: E731
    for one, other in zip(found, expected, strict=True):
        assert all(same(one[name], other[name]) for name in kinds)


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from(list('{}[]":,1ax\n -e.\\')), max_size=20).map(lambda t: "".join(t).encode())
)
def test_any_bytes_are_read_alike_or_refused_alike(data: bytes) -> None:
    try:
        slow = merged({name: kind_of(value) for name, value in row.items()} for _, row in rows_of(data, 1))
    except FileProblem:
        with pytest.raises(FileProblem):
            kinds_of(data)
        return
    assert kinds_of(data) == slow


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from([b"\n", b"\r\n", b" ", b"{}", b"\t", b"x"]), max_size=12), st.integers(1, 4))
def test_lines_are_counted_however_they_are_cut(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    counter = LineCounter()
    for at in range(0, len(data), size):
        counter.update(data[at : at + size])
    assert counter.finish() == sum(bool(line.strip()) for line in data.split(b"\n"))
