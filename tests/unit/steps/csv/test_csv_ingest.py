"""The csv datasource: what plan sees, what the snapshot holds, and what is said of bad files."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenctl.diagnostics import DiagnosticError
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema.block import fingerprinted
from zenctl.sdk import Dataset, Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.csv import ingest as ingesting
from zenctl.steps.csv import reading
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.csv.ingest import ingest
from zenctl.steps.csv.observe import observe
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data.testing import SourceCase, SourceConformance, removal


class Cache(dict[Path, Mapping[str, Any]]):
    """A SourceCache that believes whatever it was told."""

    def put(self, path: Path, facts: Mapping[str, Any]) -> None:
        self[path] = facts

    def keep_rows(self, digest: str, form: str, rows: bytes) -> None:
        self[Path(digest, form)] = {"rows": rows}


class TestConformance(SourceConformance):
    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceCase:
        monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))

        def write(word: str) -> None:
            lines = [f"{at},{word if at == 150 else at % 7},{at / 8}" for at in range(300)]
            (tmp_path / "f.csv").write_text("\n".join(["n,word,x", *lines]))

        write("before")
        return SourceCase(CSV, Csv(path="f.csv"), tmp_path, lambda: write("behind"), removal(tmp_path / "f.csv"))


Snapshot = Callable[..., Dataset]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Observe and ingest a path of tmp_path, as plan and apply do."""

    def take(path: str = "f.csv", **attributes: Any) -> Dataset:
        return taken(tmp_path, path, **attributes)

    return take


def taken(root: Path, path: str, after: Callable[[], object] = lambda: None, **attributes: Any) -> Dataset:
    model = Csv(path=path, **attributes)
    state = observe(model, root, Cache())
    after()
    folder = Path(tempfile.mkdtemp(prefix="out", dir=root))
    output = DatasetOutput(folder, "data")
    seen: list[tuple[float, float, str]] = []
    job = Job(
        outputs={"data": output},
        params=fingerprinted(model),
        locations=state.locations,
        expect={"source": state.digest},
        report=lambda *report: seen.append(report),
    )
    ingest(job)
    output.close()
    dataset = Dataset(folder, "data")
    assert dataset.num_rows == state.rows == seen[-1][0]
    return dataset


def refused(root: Path, data: bytes, **attributes: Any) -> StepError:
    """What the job says of a file that plan has not looked into."""
    (root / "f.csv").write_bytes(data)
    (root / "out").mkdir(exist_ok=True)
    params = fingerprinted(Csv(path="f.csv", **attributes))
    with pytest.raises(StepError) as caught:
        ingest(
            Job(
                outputs={"data": DatasetOutput(root / "out", "data")},
                params=params,
                locations={"f.csv": str(root / "f.csv")},
            )
        )
    return caught.value


def test_types_follow_from_all_values(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "f.csv").write_text(
        "i,f,s,e,w,b,x,big\n1,1,a,,  7 ,true,0x1,1\n-2,2.5,NA,NA, 8,false,2,99999999999999999999\nN/A,,3,,9,true,3,2\n"
    )
    data = snapshot()
    assert data.schema.types == {
        "i": "int",
        "f": "float",
        "s": "string",
        "e": "string",
        "w": "int",
        "b": "string",
        "x": "string",
        "big": "float",
    }
    assert [row["i"] for row in data] == [1, -2, None]
    assert [row["f"] for row in data] == [1.0, 2.5, None]
    assert [row["s"] for row in data] == ["a", None, "3"]
    assert [row["e"] for row in data] == [None] * 3
    assert [row["w"] for row in data] == [7, 8, 9]


@pytest.mark.parametrize("late", ["0.5", "x", "0x10"])
def test_a_type_that_changes_late_does_not_depend_on_blocks(
    tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    lines = [f"{i},{i % 7}.5,word{i % 3}" for i in range(3000)]
    (tmp_path / "f.csv").write_text("a,b,c\n" + "\n".join(lines) + f"\n{late},2.25,z\n")
    first = snapshot()
    assert first.schema.types["a"] == ("float" if late == "0.5" else "string")
    monkeypatch.setattr(ingesting, "PART", PartSize(500, 500, 2000))
    again = snapshot()
    assert scan_folder(again.path).digest == scan_folder(first.path).digest
    (tmp_path / "f.csv").write_text("a,b,c\n" + f"{late},2.25,z\n" + "\n".join(lines))
    assert snapshot().schema == first.schema


VALUE = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(width=32).map(repr),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(VALUE, min_size=n, max_size=n), min_size=1, max_size=8)),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(3, 40),
)
def test_whatever_python_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str | None]], end: str, block: int
) -> None:
    root = tmp_path_factory.mktemp("csv")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL)
    names = [f"c{at}" for at in range(len(rows[0]))]
    writer.writerows([names, *([value or "" for value in row] for row in rows)])
    (root / "f.csv").write_bytes(stream.getvalue().encode())
    whole = taken(root, "f.csv", types=dict.fromkeys(names, "string"), null_values=["<none>"])
    assert [list(row.values()) for row in whole] == [[value or "" for value in row] for row in rows]
    inferred = taken(root, "f.csv")
    before = ingesting.PART
    ingesting.PART = PartSize(block, block, 4 * block)
    try:
        small = taken(root, "f.csv")
    finally:
        ingesting.PART = before
    assert scan_folder(small.path).digest == scan_folder(inferred.path).digest


def test_dialects(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "f.csv").write_bytes(b'\xef\xbb\xbf\r\n\r\nx;"y;z";\r\n1;"a ""b""\nc";\r\n\r\n-;d;5')
    data = snapshot(delimiter=";", null_values=["-"])
    assert list(data) == [
        {"x": 1, "y;z": 'a "b"\nc', "column_3": ""},
        {"x": None, "y;z": "d", "column_3": "5"},
    ]
    (tmp_path / "f.csv").write_text("1\t2.5\n3\t4")
    assert list(snapshot(delimiter="\t", header=False)) == [
        {"column_1": 1, "column_2": 2.5},
        {"column_1": 3, "column_2": 4},
    ]


def test_declared_types(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "f.csv").write_text("zip,n\n01234,1\n99999,2\n")
    assert list(snapshot(types={"zip": "string", "n": "float"})) == [
        {"zip": "01234", "n": 1.0},
        {"zip": "99999", "n": 2.0},
    ]
    rows = "".join(f'"a\n{i}",{i}\n' for i in range(5000))
    problem = refused(tmp_path, f"s,n\n\n{rows}x,y\n".encode(), types={"n": "int"})
    assert problem.message == """f.csv:10003: column "n" is declared as int, but holds 'y'"""
    assert problem.line == 10_003


def test_several_files_are_read_in_the_order_of_their_names(tmp_path: Path, snapshot: Snapshot) -> None:
    folder = tmp_path / "many"
    (folder / "sub").mkdir(parents=True)
    (folder / "b.csv").write_text("n,s\n2,x\n")
    (folder / "a.csv").write_text("s,n\nw,1.5\n")
    (folder / "sub" / "c.csv").write_text("n,s\n3,\n")
    (folder / ".hidden.csv").write_text("bad")
    data = snapshot("many")
    assert list(data) == [{"s": "w", "n": 1.5}, {"s": "x", "n": 2.0}, {"s": None, "n": 3.0}]
    assert [row["n"] for row in snapshot("many/*.csv", types={"n": "float"})] == [1.5, 2.0]
    whole = observe(Csv(path="many"), tmp_path, Cache())
    folder.rename(tmp_path / "moved")
    assert observe(Csv(path="moved"), tmp_path, Cache()).digest == whole.digest
    (tmp_path / "moved" / "b.csv").write_text("n,t\n2,x\n")
    with pytest.raises(DiagnosticError, match=r"moved/b\.csv has other columns than moved/a\.csv"):
        observe(Csv(path="moved"), tmp_path, Cache())


def test_the_digest_is_the_content_and_not_its_place(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n")
    (tmp_path / "g.csv").write_text("a\n1\n")
    one, other = (observe(Csv(path=name), tmp_path, Cache()) for name in ("f.csv", "g.csv"))
    assert (one.digest, one.rows, one.bytes) == (other.digest, 1, 4)
    assert one.locations != other.locations


def test_observe_reads_a_known_file_only_once(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n")
    cache = Cache()
    before = observe(Csv(path="f.csv"), tmp_path, cache)
    (tmp_path / "f.csv").write_text("a\n2\n3\n")
    assert observe(Csv(path="f.csv"), tmp_path, cache) == before
    assert observe(Csv(path="f.csv"), tmp_path, Cache()).rows == 2


@pytest.mark.parametrize(
    ("data", "attributes", "code", "message"),
    [
        (None, {}, "source_missing", "there is no file f.csv"),
        (b"", {}, "source_empty", "the file is empty"),
        (b"\xef\xbb\xbf\n\n", {}, "source_empty", "the file is empty"),
        (b"a,b\n", {}, "source_empty", "f.csv has a header, but no rows"),
        (b"a,b", {}, "source_empty", "f.csv has a header, but no rows"),
        (b"a,b,a\n1,2,3\n", {}, "source_header", 'f.csv:1: two columns are named "a": number 1 and number 3'),
        (b"\n\na,\xe9t\xe9\n1,2\n", {}, "source_header", "f.csv:3: not UTF-8: byte 0xe9 in 'a,\\xe9t\\xe9'"),
        (b"a,\0\n1,2\n", {}, "source_header", "f.csv:1: the first line holds NUL bytes"),
        (b"\x1f\x8b\x08\0data", {}, "source_header", "f.csv: its gzip data is cut off"),
        (b"BZh91AY", {}, "source_header", "f.csv: not a CSV file in UTF-8 but bzip2"),
        ("a,b\n1,2".encode("utf-16"), {}, "source_header", "not a CSV file in UTF-8 but UTF-16"),
        (b"a,bill\n1,2\n", {"types": {"bil": "int"}}, "source_column", 'types names the column "bil"'),
    ],
)
def test_plan_finds_what_is_cheap_to_find(
    tmp_path: Path, data: bytes | None, attributes: dict[str, Any], code: str, message: str
) -> None:
    if data is not None:
        (tmp_path / "f.csv").write_bytes(data)
    with pytest.raises(DiagnosticError) as caught:
        observe(Csv(path="f.csv", **attributes), tmp_path, Cache())
    (found,) = caught.value.diagnostics
    assert (found.code, found.is_error) == (code, True)
    assert message in found.summary
    assert found.detail


def test_plan_suggests_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "penguins.csv").write_text("a\n1\n")
    for path, advice in [
        ("penguin.csv", 'Did you mean "penguins.csv"?'),
        ("dta/penguins.csv", "does not exist"),
        ("*.tsv", "Paths are relative to the configuration's folder."),
        ("gs://bucket/x.csv", "copy them here"),
    ]:
        with pytest.raises(DiagnosticError) as caught:
            observe(Csv(path=path), tmp_path, Cache())
        assert advice in caught.value.diagnostics[0].detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a\n1\n")
    (tmp_path / "f.csv").chmod(0)
    with pytest.raises(DiagnosticError, match="permission denied"):
        observe(Csv(path="f.csv"), tmp_path, Cache())


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"a,b\n1,2\n3\n", 3, "f.csv:3 has 1 value instead of 2: '3'"),
        (b'a,b\n"x\ny",2\n\n3,4,5\n', 5, "f.csv:5 has 3 values instead of 2: '3,4,5'"),
        (b"a,b\n1,2\n3,\xff" + b"x" * 100 + b"\n", 3, "f.csv:3 is not UTF-8: byte 0xff: '3,\\xff" + "x" * 54 + "...'"),
        (b"a,b\n1,2\n3,\0\n", 3, "f.csv:3 holds a NUL byte: '3,\\x00'"),
        (b'a,b\n1,"2\n3,4\n', 2, 'f.csv:2 opens a quote (") that is never closed'),
        (b'a,b\n1,2\n"3,4\n5,"6\n7,8\n', 3, "f.csv:3 has 1 value instead of 2"),
        (b"", 0, "f.csv: the file is empty"),
        (b"a,b\n", 0, "f.csv: there are no rows"),
        (b"a,a\n1,2\n", 1, 'f.csv: two columns are named "a"'),
    ],
)
def test_bad_files_are_refused_with_their_line(tmp_path: Path, data: bytes, line: int, message: str) -> None:
    problem = refused(tmp_path, data)
    assert message in problem.message
    assert (problem.line, problem.kind) == (line, "bad_data")
    assert problem.hint
    assert problem.file == str(tmp_path / "f.csv") or not line


def test_a_quote_inside_an_unquoted_value_stands_for_itself(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "f.csv").write_text('a,b\n5" pipe,1\nx,2\n')
    folder = tmp_path / "out"
    folder.mkdir()
    output = DatasetOutput(folder, "data")
    params = fingerprinted(Csv(path="f.csv"))
    ingest(Job(outputs={"data": output}, params=params, locations={"f.csv": str(tmp_path / "f.csv")}))
    output.close()
    assert [row["a"] for row in Dataset(folder)] == ['5" pipe', "x"]


def test_a_value_larger_than_a_block(tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(1 << 10, 1 << 10, 1 << 12))
    monkeypatch.setattr(reading, "WHOLE_BYTES", 1 << 12)
    big = "x" * 300_000
    (tmp_path / "f.csv").write_text("a,b\n1,y\n" * 1 + "2,z\n" * 5000 + f"3,{big}\n")
    data = snapshot()
    assert data.num_rows == 5002
    assert list(data)[-1] == {"a": 3, "b": big}


def test_a_file_that_is_refused_late_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "PART", PartSize(300, 200, 1500))
    problem = refused(tmp_path, b"a,b\n" + b"1,2\n" * 4000 + b"3,x\n", types={"b": "int"})
    assert "4002" in str(problem).replace(",", "")
    assert (tmp_path / "out/shards").is_dir(), "a shard was begun"
    assert [f.path for f in psutil.Process().open_files() if "/shards/" in f.path] == []


def test_a_source_that_changed_since_plan_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    for change in (b"a,b\n1,2\n3,4\n5,6\n", b"a,b\n1,2\n3", b"a,b\nx,2\n3,4\n"):
        file.write_text("a,b\n1,2\n3,4\n")
        with pytest.raises(StepError) as caught:
            taken(tmp_path, "f.csv", after=lambda data=change: file.write_bytes(data))
        assert caught.value.kind == "source_changed"
        assert "Plan again" in caught.value.hint
    file.write_text("a,b\n1,2\n")
    with pytest.raises(StepError) as caught:
        taken(tmp_path, "f.csv", after=file.unlink)
    assert caught.value.kind == "source_changed"


def test_attributes() -> None:
    assert "path" not in fingerprinted(Csv(path="x"))
    assert set(fingerprinted(Csv(path="x"))) == {"compression", "delimiter", "header", "null_values", "types"}
    for bad in ({"delimiter": '"'}, {"delimiter": ",,"}, {"types": {"a": "date"}}, {"path": ""}, {"sep": ","}):
        with pytest.raises(ValueError):
            Csv(**{"path": "x", **bad})


def test_plan_needs_the_standard_library_only() -> None:
    code = (
        "import sys, zenctl.steps.csv.schema, zenctl.steps.csv.observe; "
        "print({'numpy', 'pyarrow', 'apache_beam', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout.strip() == "set()"
    assert CSV.observe == f"{observe.__module__}:{observe.__name__}"
    assert CSV.implementation == f"{ingest.__module__}:{ingest.__name__}"
