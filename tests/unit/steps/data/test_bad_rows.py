"""Rows that are left out: the snapshot is that of the other rows, and each bad one is told with its place."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.steps.data.remembering import Made, Workspace
from zenctl.schema import RowsModel
from zenctl.schema.block import fingerprinted
from zenctl.sdk import StepError
from zenctl.steps.csv import ingest as from_csv
from zenctl.steps.csv import salvaging
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.csv.schema import Csv
from zenctl.steps.data import bad_rows, line_blocks
from zenctl.steps.jsonl import ingest as from_jsonl
from zenctl.steps.jsonl.schema import Jsonl
from zenctl.steps.parquet.ingest import ingest as from_parquet
from zenctl.steps.parquet.schema import Parquet
from zenctl.steps.text import ingest as from_text
from zenctl.steps.text.schema import Text
from zenctl_beam.direct import DirectProcessing


@dataclass(frozen=True)
class Kind:
    """A kind of source with lines: its block, its rows, and lines that are none with what is said of each."""

    model: type[RowsModel]
    function: Callable[..., None]
    head: bytes
    row: Callable[[int], bytes]
    bad: dict[bytes, str]
    attributes: dict[str, Any]


KINDS = {
    "csv": Kind(
        Csv,
        from_csv.ingest,
        b"n,word,x\n",
        lambda n: b"%d,w%d,%d.5" % (n, n % 7, n),
        {
            b"1,two": "has 2 values instead of 3",
            b"1,2,3,4": "has 4 values instead of 3",
            b"1,a\xff,3": "is not UTF-8: byte 0xff",
            b"1,a\0,3": "holds a NUL byte",
            b"one,a,3": """column "n" is declared as int, but holds 'one'""",
            b'2,"a\nb",3,4': "has 4 values instead of 3",
        },
        {"types": {"n": "int"}},
    ),
    "jsonl": Kind(
        Jsonl,
        from_jsonl.ingest,
        b"",
        lambda n: json.dumps({"n": n, "word": f"w{n % 7}", "x": n + 0.5}).encode(),
        {
            b"{oh": "Expecting property name enclosed in double quotes",
            b"[1]": "not an object",
            b'{"n": 1, "n": 2}': 'the key "n" is there twice',
            b'{"n": 1, "word": "a\xff"}': "not UTF-8: byte 0xff",
            b'{"n": 1, "word": "a\0"}': "Invalid control character at",
            b'{"n": "one", "other": 3}': """column "n" is declared as int, but holds 'one'""",
            b'{"n": 1.5, "word": 7}': """column "n" is declared as int, but holds '1.5'""",
        },
        {"types": {"n": "int"}},
    ),
    "text": Kind(
        Text,
        from_text.ingest,
        b"",
        lambda n: b"line %d" % n,
        {b"a\xffb": "not UTF-8: byte 0xff", b"a\0b": "it holds a NUL byte"},
        {},
    ),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts so small that a few hundred rows make several, and blocks smaller than the largest."""
    for module in (from_csv, from_jsonl, from_text):
        monkeypatch.setattr(module, "PART", PartSize(300, 200, 1500))
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 700)
    monkeypatch.setattr(salvaging, "BLOCK_BYTES", 700)


class Source(Workspace):
    """A file of lines, and its snapshots."""

    def __init__(self, root: Path, kind: str) -> None:
        super().__init__(root)
        self.kind = KINDS[kind]
        self.file = root / f"f.{kind}"

    def take(self, lines: list[bytes], policy: str = "fail", *, most: float | None = None, **order: Any) -> Made:
        self.file.write_bytes(self.kind.head + b"\n".join(lines) + b"\n")
        model = self.kind.model.model_validate(
            {"path": "f", "bad_rows": policy, "max_bad_rows": most, **self.kind.attributes}
        )
        order |= {"params": fingerprinted(model), "locations": {self.file.name: str(self.file)}}
        return self.run(self.kind.function, "data", quarantine=policy == "quarantine", **order)["data"]


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return Source(tmp_path, request.param)


def with_bad(source: Source) -> tuple[list[bytes], list[bytes], list[dict[str, Any]]]:
    """Good lines; the same with bad ones among them; and what is to be kept of these."""
    good = [source.kind.row(at) for at in range(400)]
    lines, kept, number = list(good), [], source.kind.head.count(b"\n")
    for at, bad in enumerate(source.kind.bad):
        lines.insert(at * 60 + 3, bad)
    for line in lines:
        if line in source.kind.bad:
            place = {"file": source.file.name, "line": number + 1, "reason": source.kind.bad[line]}
            kept.append({**place, **text_of(line)})
        number += line.count(b"\n") + 1
    return good, lines, kept


def text_of(line: bytes) -> dict[str, str]:
    try:
        return {"text": line.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(line).decode()}


def test_bad_rows_are_left_out_as_if_they_were_not_there(source: Source) -> None:
    good, lines, kept = with_bad(source)
    clean = source.take(good, remembers=False)
    with pytest.raises(StepError) as caught:
        source.take(lines)
    assert caught.value.file == str(source.file)
    assert source.take(lines, "skip", remembers=False).digest == clean.digest
    first = f"The first: {kept[0]['file']}:{kept[0]['line']}: {kept[0]['reason']}: "
    [(summary, detail)] = source.warned
    assert summary == f"{len(kept)} of {400 + len(kept)} rows left out"
    assert detail.startswith(first)
    assert source.take(lines, "quarantine", remembers=False).digest == clean.digest
    assert source.kept == kept
    assert source.warned[0][1].endswith("All of them are in the output `quarantine`.")


def test_clean_data_is_not_warned_of(source: Source) -> None:
    good, _, _ = with_bad(source)
    clean = source.take(good, remembers=False)
    assert source.take(good, "quarantine", remembers=False).digest == clean.digest
    assert (source.kept, source.warned) == ([], [])


def test_beam_leaves_out_the_same(tmp_path: Path) -> None:
    source = Source(tmp_path, "csv")
    good, lines, kept = with_bad(source)
    made = source.take(lines, "quarantine", processing=DirectProcessing().options())
    assert made.digest == source.take(good, remembers=False).digest
    assert source.kept == kept == sorted(kept, key=lambda row: row["line"])


def test_parts_with_bad_rows_are_known(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    good, lines, kept = with_bad(source)
    source.take(lines, "skip")
    read = recorded(source, monkeypatch)
    again = source.take(lines, "skip")
    assert (again.reused, set(read)) == (again.shards, set())
    assert source.warned[0][0] == f"{len(kept)} of {400 + len(kept)} rows left out"
    more = [*lines, source.kind.row(1000), next(iter(source.kind.bad))]
    last = source.take(more, "skip")
    assert last.digest == source.take([*good, source.kind.row(1000)], remembers=False).digest
    assert last.shards - last.reused <= 4


def test_rows_that_are_kept_are_found_again_in_known_parts(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    _, lines, kept = with_bad(source)
    source.take(lines, "skip")
    read = recorded(source, monkeypatch)
    front = [source.kind.row(2000), *lines]
    made = source.take(front, "quarantine")
    assert source.kept == [{**row, "line": row["line"] + 1} for row in kept]
    assert 0 < len(set(read)) <= len(kept) + 8
    assert made.shards - made.reused <= 4


def recorded(source: Source, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The parts that are read from now on."""
    read: list[int] = []
    made = {"csv": from_csv.CsvSource, "jsonl": from_jsonl.JsonlSource, "text": from_text.TextSource}
    type = made[source.file.suffix[1:]]
    original = type.salvage  # type: ignore[attr-defined]
    monkeypatch.setattr(type, "salvage", lambda self, part: (read.append(part), original(self, part))[1])
    return read


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
def test_any_mix(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str) -> None:
    source = Source(tmp_path_factory.mktemp("mix"), kind)
    row = st.integers(0, 300).map(source.kind.row)
    lines = data.draw(st.lists(row | st.sampled_from(sorted(source.kind.bad)), max_size=150))
    good = [*(line for line in lines if line not in source.kind.bad), source.kind.row(1)]
    bad = [text_of(line) for line in lines if line in source.kind.bad]
    assert source.take([*lines, source.kind.row(1)], "quarantine").digest == source.take(good, remembers=False).digest
    # Where the csv module sees the same fault in another way is no matter here.
    assert [{k: row[k] for k in row.keys() & {"text", "base64"}} for row in source.kept] == bad


@pytest.mark.parametrize(("most", "passes"), [(3, True), (2, False), (0, False), (0.5, True), (0.01, False)])
def test_no_more_than_max_bad_rows(tmp_path: Path, most: float, passes: bool) -> None:
    source = Source(tmp_path, "csv")
    lines = [source.kind.row(at) for at in range(100)]
    lines[10:10] = lines[60:60] = lines[90:90] = [b"x"]
    if passes:
        assert source.take(lines, "skip", most=most).data.num_rows == 100
        return
    with pytest.raises(StepError) as caught:
        source.take(lines, "skip", most=most)
    assert "max_bad_rows" in caught.value.message
    assert "f.csv:12: has 1 value instead of 3: 'x'" in caught.value.message


def test_a_limit_without_a_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="bad_rows"):
        Csv(path="f", max_bad_rows=3)
    with pytest.raises(ValueError, match="whole number"):
        Csv(path="f", bad_rows="skip", max_bad_rows=3.5)


def test_what_was_recorded_before_there_were_bad_rows_stands() -> None:
    assert not {"bad_rows", "max_bad_rows"} & fingerprinted(Csv(path="f")).keys()
    assert fingerprinted(Csv(path="f", bad_rows="skip"))["bad_rows"] == "skip"


def test_rows_that_are_all_bad_are_no_snapshot(source: Source) -> None:
    line, reason = next(iter(source.kind.bad.items()))
    with pytest.raises(StepError) as caught:
        source.take([line] * 30, "skip")
    assert caught.value.message.startswith("all 30 rows are bad, the first: ")
    assert reason in caught.value.message


def test_a_quote_that_is_never_closed_stops_whatever_is_left_out(tmp_path: Path) -> None:
    source = Source(tmp_path, "csv")
    lines = [source.kind.row(at) for at in range(100)]
    lines[50] = b'7,"open,1'
    with pytest.raises(StepError) as caught:
        source.take(lines, "skip")
    assert "never closed" in caught.value.message or "not closed" in caught.value.message


def test_a_line_that_is_too_long_is_left_out(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (salvaging, line_blocks):
        monkeypatch.setattr(module, "MAX_ROW", 2000)
        monkeypatch.setattr(module, "MAX_TEXT", 100)
    monkeypatch.setattr(bad_rows, "MAX_TEXT", 100)
    good = [source.kind.row(at) for at in range(100)]
    long = b"\xff" + b"y" * 5000
    lines = [*good[:50], long, *good[50:]]
    made = source.take(lines, "quarantine")
    assert made.digest == source.take(good, remembers=False).digest
    [kept] = source.kept
    assert kept["line"] == 51 + source.kind.head.count(b"\n")
    assert "larger than" in kept["reason"]
    assert len(base64.b64decode(kept["base64"])) <= 100


def test_values_of_parquet_files_that_do_not_fit(tmp_path: Path) -> None:
    columns = {
        "n": pa.array([2**64 - 1 if at in (7, 250) else at for at in range(300)], pa.uint64()),
        "code": pa.array(["x" if at == 100 else str(at) for at in range(300)]),
    }
    pq.write_table(pa.table(columns), tmp_path / "f.parquet", row_group_size=90)
    space = Workspace(tmp_path)
    model = Parquet(path="f.parquet", bad_rows="quarantine", types={"code": "int"})
    order = {"params": fingerprinted(model), "locations": {"f.parquet": str(tmp_path / "f.parquet")}}
    made = space.run(from_parquet, "data", quarantine=True, **order)["data"]
    assert [row["n"] for row in made.data] == [at for at in range(300) if at not in (7, 100, 250)]
    assert [(row["row"], json.loads(row["text"])["code"]) for row in space.kept] == [(8, "7"), (101, "x"), (251, "250")]
    assert space.kept[1]["reason"] == """column "code" is declared as int, but holds 'x'"""
    assert space.warned[0][1].startswith('The first: f.parquet: row 8: column "n" holds 18446744073709551615')


def test_files_that_are_no_text(tmp_path: Path) -> None:
    for name, data in {"a.txt": b"one", "b.txt": b"tw\xffo", "c.txt": b"three"}.items():
        (tmp_path / name).write_bytes(data)
    space = Workspace(tmp_path)
    order = {
        "params": fingerprinted(Text(path=".", row="file", bad_rows="quarantine")),
        "locations": {path.name: str(path) for path in tmp_path.glob("*.txt")},
    }
    made = space.run(from_text.ingest, "data", quarantine=True, **order)["data"]
    assert [row["path"] for row in made.data] == ["a.txt", "c.txt"]
    assert space.kept == [{"file": "b.txt", "reason": "not UTF-8: byte 0xff", **text_of(b"tw\xffo")}]
    assert "b.txt: not UTF-8" in space.warned[0][1]
