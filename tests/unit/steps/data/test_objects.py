"""Sources in buckets for plan: the same names as of local files, what the store's checksums tell, and few calls."""

from __future__ import annotations

import gzip
import importlib
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.buckets import MemoryBucket
from tests.unit.steps.images.test_images_source import png
from tests.unit.steps.tfrecord.test_tfrecord_source import example, framed
from zenctl.diagnostics import DiagnosticError
from zenctl.jobs.artifacts import scan_folder
from zenctl.jobs.objects import RemoteObject, remote_object
from zenctl.jobs.storage import StorageError
from zenctl.runner.objects import fetch_objects
from zenctl.schema import DatasourceType, SourceModel, SourceState
from zenctl.schema.block import fingerprinted
from zenctl.sdk import Job, StepError
from zenctl.sdk.dataset import DatasetOutput
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data import objects as finding
from zenctl.steps.data.files import find_files
from zenctl.steps.data.objects import content_digest, find_objects
from zenctl.steps.data.testing import MemoryCache, SourceCase, observed, run
from zenctl.steps.images.schema import IMAGES, Images
from zenctl.steps.jsonl.schema import JSON, JSONL, Json, Jsonl
from zenctl.steps.parquet.schema import PARQUET, Parquet
from zenctl.steps.text.schema import TEXT, Text
from zenctl.steps.tfrecord.schema import TFRECORD, TfRecord

PARTS = st.sampled_from(["a", "b", ".c", "a.csv", "b.csv", "c.tsv"])
KEYS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
PATTERNS = st.lists(st.sampled_from(["**", "*", "a", "*.csv", "?.csv", "[ab]*", ".*"]), min_size=1, max_size=3)


def found_objects(bucket: MemoryBucket, path: str) -> dict[str, RemoteObject]:
    return find_objects(f"{bucket.uri}/{path}", lambda _: bucket.storage, "csv", ["*.csv"])


def look(bucket: MemoryBucket, type: DatasourceType, model: SourceModel, cache: Any = None) -> SourceState:
    """What plan sees of a source in the bucket."""
    module, _, name = type.observe_objects.partition(":")
    state: SourceState = getattr(importlib.import_module(module), name)(
        model, lambda _: bucket.storage, MemoryCache() if cache is None else cache
    )
    return state


def objections(bucket: MemoryBucket, type: DatasourceType, model: SourceModel) -> str:
    with pytest.raises(DiagnosticError) as caught:
        look(bucket, type, model)
    return "; ".join(f"{d.code}: {d.summary} {d.detail}" for d in caught.value.diagnostics)


@given(st.sets(KEYS, min_size=1, max_size=8), PATTERNS.map("/".join))
def test_a_pattern_means_the_same_objects_as_files(keys: set[str], pattern: str) -> None:
    # On a disk, nothing lies below a file; pathlib of before Python 3.13 gives folders only for a last `**`.
    keys = {key for key in keys if not any(other.startswith(f"{key}/") for other in keys)}
    pattern = f"{pattern}/*" if pattern.endswith("**") else pattern
    _compare(keys, pattern)


@given(st.sets(KEYS, min_size=1, max_size=8), KEYS)
def test_a_name_and_a_folder_mean_the_same_objects_as_files(keys: set[str], path: str) -> None:
    _compare({key for key in keys if not any(other.startswith(f"{key}/") for other in keys)}, path)


def _compare(keys: set[str], path: str) -> None:
    bucket = MemoryBucket()
    with tempfile.TemporaryDirectory() as folder:
        for key in keys:
            bucket.put(key, b"x")
            place = Path(folder, key)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"x")
        try:
            wanted = list(find_files(path, Path(folder), "csv", ["*.csv"]))
        except DiagnosticError:
            with pytest.raises(DiagnosticError):
                found_objects(bucket, path)
            return
        assert list(found_objects(bucket, path)) == wanted


def test_keys_that_are_no_clean_paths_are_found() -> None:
    bucket = MemoryBucket()
    bucket.put("in//odd#name?.csv", b"x")
    bucket.put("in/", b"")
    bucket.put("in/[a].csv", b"x")
    assert list(found_objects(bucket, "in")) == ["/odd#name?.csv", "[a].csv"]
    assert list(found_objects(bucket, "in/[a].csv")) == ["[a].csv"]
    assert list(found_objects(bucket, "in//odd#name?.csv")) == ["odd#name?.csv"]


def test_the_digest_is_that_of_the_content_wherever_it_lies() -> None:
    here, there = MemoryBucket(), MemoryBucket("s3://there")
    here.put("a.csv", b"a\n1\n")
    there.put("old/b.csv", b"other")
    there.put("b.csv", b"a\n1\n")
    first = look(here, CSV, Csv(path="gs://here/a.csv"))
    assert look(there, CSV, Csv(path="s3://there/b.csv")).digest == first.digest
    here.put("a.csv", b"a\n2\n")
    assert look(here, CSV, Csv(path="gs://here/a.csv")).digest != first.digest


def test_without_a_checksum_the_version_tells() -> None:
    one, again = (RemoteObject("gs://b/k", version, 3, "") for version in ("1", "2"))
    assert content_digest(one) != content_digest(again)
    assert content_digest(RemoteObject("gs://b/k", "1", 3, "crc32c:x")) == content_digest(
        RemoteObject("s3://c/l", "2", 3, "crc32c:x")
    )


def test_plan_reads_a_header_once_and_nothing_else() -> None:
    bucket, cache = MemoryBucket(), MemoryCache()
    bucket.put("rows.csv", b"a,b\n" + b"1,2\n" * 100_000)
    model = Csv(path="gs://here/rows.csv", types={"b": "string"})
    first = look(bucket, CSV, model, cache)
    assert (first.rows, dict(first.columns)) == (None, {"a": "", "b": "string"})
    assert bucket.calls == ["list", "read rows.csv 0 16384"]
    bucket.calls.clear()
    assert look(bucket, CSV, model, cache) == first
    assert bucket.calls == ["list"]
    bucket.put("rows.csv", b"a,c\n1,2\n")
    assert "source_column: types names the column" in objections(bucket, CSV, model)


def test_of_many_objects_the_first_is_looked_at() -> None:
    bucket = MemoryBucket()
    for number in range(2500):
        bucket.put(f"in/{number:04}.csv", b"a,b\n1,2\n")
    state = look(bucket, CSV, Csv(path="gs://here/in/"))
    assert list(state.columns) == ["a", "b"]
    assert len(state.locations) == 2500
    assert bucket.calls == ["list"] * 3 + ["read in/0000.csv 0 16384"]


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST", 10)
    bucket = MemoryBucket()
    for number in range(11):
        bucket.put(f"in/{number}.csv", b"a\n1\n")
    assert "more than 10 objects under gs://here/in/" in objections(bucket, CSV, Csv(path="gs://here/in"))


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (b"a,b\n1,2\n", ["a", "b"]),
        (b"only,a,header", ["only", "a", "header"]),
        (b'"' + b"x" * 20_000 + b'",b\n1,2\n', []),
        (b"x" * 20_000 + b"\n", []),
        (gzip.compress(b"a,b\n1,2\n"), []),
    ],
)
def test_a_header_that_is_cut_or_packed_tells_nothing(data: bytes, columns: list[str]) -> None:
    bucket = MemoryBucket()
    bucket.put("a.csv", data)
    assert list(look(bucket, CSV, Csv(path="gs://here/a.csv")).columns) == columns


def test_what_plan_says_of_bad_tables() -> None:
    bucket = MemoryBucket()
    bucket.put("twice.csv", b"a,a\n1,2\n")
    assert "source_header: gs://here/twice.csv:1: two columns" in objections(
        bucket, CSV, Csv(path="gs://here/twice.csv")
    )
    bucket.put("in/a.csv", b"a,b\n1,2\n")
    bucket.put("in/b.csv", b"a,c\n1,2\n")
    said = objections(bucket, CSV, Csv(path="gs://here/in"))
    assert "gs://here/in/b.csv has other columns than gs://here/in/a.csv" in said
    bucket.put("e.csv", b"")
    assert "source_empty" in objections(bucket, CSV, Csv(path="gs://here/e.csv"))
    bucket.put("in/e.csv", b"")
    assert "source_empty: gs://here/in/e.csv: the file is empty" in objections(bucket, CSV, Csv(path="gs://here/in"))
    bucket.put("a.parquet", b"no Parquet at all")
    assert "gs://here/a.parquet: not a Parquet file" in objections(bucket, PARQUET, Parquet(path="gs://here/a.parquet"))


def test_what_is_not_there_is_told_with_what_is() -> None:
    bucket = MemoryBucket()
    for name in ("penguins", "pandas", "bears", "tigers"):
        bucket.put(f"in/{name}.csv", b"a\n1\n")
    said = objections(bucket, CSV, Csv(path="gs://here/in/penguin.csv"))
    assert "there is no object gs://here/in/penguin.csv" in said
    assert 'Did you mean "gs://here/in/penguins.csv"?' in said
    assert "There are gs://here/in/bears.csv, gs://here/in/pandas.csv, gs://here/in/penguins.csv and others." in said
    assert "no object matches gs://here/in/*.tsv There are gs://here/in/bears.csv" in objections(
        bucket, CSV, Csv(path="gs://here/in/*.tsv")
    )
    assert "object below gs://here/in/ Objects there are bears.csv" in objections(
        bucket, JSONL, Jsonl(path="gs://here/in")
    )
    assert "Nothing in gs://here begins with out/." in objections(bucket, CSV, Csv(path="gs://here/out/x.csv"))
    assert "gs://here is empty." in objections(MemoryBucket(), CSV, Csv(path="gs://here/x.csv"))
    assert "source_unsupported: cannot read ftp://here/x" in objections(bucket, CSV, Csv(path="ftp://here/x"))
    assert "gs:///x names no bucket" in objections(bucket, CSV, Csv(path="gs:///x"))


def test_a_bucket_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = MemoryBucket()

    def refuse(*_: Any) -> None:
        raise StorageError("UNAUTHORIZED", "the credentials for s3://here have expired", "Sign in.")

    bucket.put("a.csv", b"a\n1\n")
    monkeypatch.setattr(bucket, "read", refuse)
    said = "source_unreadable: cannot read s3://here/a.csv: the credentials for s3://here have expired Sign in."
    assert said in objections(bucket, CSV, Csv(path="s3://here/a.csv"))
    monkeypatch.setattr(bucket, "pages", refuse)
    assert said in objections(bucket, CSV, Csv(path="s3://here/a.csv"))


def test_footers_tell_rows_and_columns_of_parquet() -> None:
    bucket, cache = MemoryBucket(), MemoryCache()
    for name, rows in (("a", 3), ("b", 4)):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"x": list(range(rows)), "t": ["y" * 50_000] * rows}), sink, compression="none")
        bucket.put(f"in/{name}.parquet", sink.getvalue().to_pybytes())
    model = Parquet(path="gs://here/in", types={"x": "float"})
    state = look(bucket, PARQUET, model, cache)
    assert (state.rows, dict(state.columns)) == (7, {"x": "float", "t": "string"})
    assert bucket.bytes_read < state.bytes / 10
    bucket.calls.clear()
    assert look(bucket, PARQUET, model, cache) == state
    assert bucket.bytes_read == 0
    assert "names the column" in objections(bucket, PARQUET, Parquet(path="gs://here/in", columns=["z"]))


TABLE = pa.table({"a": [1, 2, None], "t": ["x", "y", "z"]})


def write(kind: str, folder: Path) -> None:
    """Two files of a kind in folders of their own, and one that is not meant."""
    (folder / "in" / "one").mkdir(parents=True)
    (folder / "in" / "two").mkdir()
    (folder / "in" / ".hidden").mkdir()
    one, two = folder / "in" / "one", folder / "in" / "two"
    if kind == "csv":
        for at, path in enumerate((one / "b.csv", two / "a.csv", folder / "in" / ".hidden" / "c.csv")):
            path.write_text(f"x,t\n{at},a\n,b\n")
    elif kind == "jsonl":
        for at, path in enumerate((one / "b.jsonl", two / "a.ndjson")):
            path.write_text(f'{{"x": {at}, "t": "a"}}\n{{"t": null, "x": 2.5}}\n')
    elif kind == "json":
        (one / "b.json").write_text('[{"x": 1, "t": "a"}, {"x": 2.5}]')
        (two / "a.json").write_text('{"x": 3, "t": "b"}')
    elif kind == "text":
        (one / "b.txt").write_text("one\n\ntwo\n")
        (two / "a.txt").write_text("three")
    elif kind == "tfrecord":
        (one / "b.tfrecord").write_bytes(framed(example(x=1, t="a"), example(x=2)))
        (two / "a.tfrecord-00001").write_bytes(framed(example(x=3, t="b")))
    elif kind == "parquet":
        pq.write_table(TABLE, one / "b.parquet", row_group_size=2)
        pq.write_table(TABLE, two / "a.pq")
    else:
        (one / "b.PNG").write_bytes(png(1))
        (two / "a.png").write_bytes(png(2))
        (folder / "labels.csv").write_text("file,label\ntwo/a.png,small\n")


CASES: list[tuple[DatasourceType, dict[str, Any]]] = [
    (CSV, {}),
    (JSONL, {}),
    (JSON, {}),
    (TEXT, {}),
    (TEXT, {"row": "file"}),
    (TFRECORD, {}),
    (PARQUET, {}),
    (IMAGES, {}),
    (IMAGES, {"labels": "labels.csv"}),
]
MODELS = {
    "csv": Csv,
    "jsonl": Jsonl,
    "json": Json,
    "text": Text,
    "tfrecord": TfRecord,
    "parquet": Parquet,
    "images": Images,
}


def taken(type: DatasourceType, model: SourceModel, state: SourceState, folder: Path, bucket: MemoryBucket) -> str:
    """The digest of the snapshot that a job takes of what plan saw."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    (folder / "data").mkdir()
    fetched = fetch_objects(state.locations, lambda _: bucket.storage, scratch / "objects", lambda *_: None)
    output = DatasetOutput(folder / "data", "data")
    expect = {} if fetched.files else {"source": state.digest}
    params, outputs = fingerprinted(model), {"data": output}
    job = Job(outputs=outputs, params=params, locations=fetched.locations, expect=expect, scratch=scratch)
    run(SourceCase(type, model, folder, lambda: None, lambda: None), job)
    output.close()
    return scan_folder(folder / "data").digest


@pytest.mark.parametrize(("type", "attributes"), CASES, ids=[f"{t.name}{''.join(a)}" for t, a in CASES])
def test_a_snapshot_is_the_same_from_a_bucket(type: DatasourceType, attributes: dict[str, Any], tmp_path: Path) -> None:
    write(type.name, tmp_path / "files")
    bucket = MemoryBucket()
    bucket.put_files(tmp_path / "files", "data/")
    local = MODELS[type.name](path="in", **attributes)
    inside = {**attributes, **({"labels": "gs://here/data/labels.csv"} if "labels" in attributes else {})}
    distant = MODELS[type.name](path="gs://here/data/in", **inside)
    here = observed(SourceCase(type, local, tmp_path / "files", lambda: None, lambda: None))
    there = look(bucket, type, distant)
    assert there.rows in (None, here.rows)
    assert set(there.columns) <= set(here.columns)
    wanted = taken(type, local, here, tmp_path / "local", bucket)
    assert taken(type, distant, there, tmp_path / "distant", bucket) == wanted
    changed = next(key for key in bucket.objects if "two" in key)
    bucket.put(changed, bucket.objects[changed][0])
    assert look(bucket, type, distant).digest == there.digest
    with pytest.raises(StepError) as caught:
        taken(type, distant, there, tmp_path / "late", bucket)
    assert caught.value.kind == "source_changed"
    assert f"gs://here/{changed}" in caught.value.message
    bucket.put(changed, next(data for key, (data, _) in bucket.objects.items() if "one" in key))
    assert look(bucket, type, distant).digest != there.digest


@pytest.mark.parametrize("type", [CSV, JSONL, TEXT], ids=["csv", "jsonl", "text"])
def test_packed_objects_are_read_as_packed_files_are(type: DatasourceType, tmp_path: Path) -> None:
    write(type.name, tmp_path / "files")
    for path in [path for path in (tmp_path / "files").rglob("*.*") if "two" in path.parts]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    bucket = MemoryBucket()
    bucket.put_files(tmp_path / "files", "data/")
    local, distant = MODELS[type.name](path="in"), MODELS[type.name](path="gs://here/data/in")
    here = observed(SourceCase(type, local, tmp_path / "files", lambda: None, lambda: None))
    wanted = taken(type, local, here, tmp_path / "local", bucket)
    assert taken(type, distant, look(bucket, type, distant), tmp_path / "distant", bucket) == wanted


def test_labels_that_name_no_image_are_told_by_the_job(tmp_path: Path) -> None:
    write("images", tmp_path / "files")
    bucket = MemoryBucket()
    bucket.put_files(tmp_path / "files")
    bucket.put("labels.csv", b"file,label\nno.png,x\n")
    model = Images(path="gs://here/in", labels="gs://here/labels.csv")
    with pytest.raises(StepError, match=r"labels.csv:2: there is no image no.png"):
        taken(IMAGES, model, look(bucket, IMAGES, model), tmp_path / "job", bucket)
    assert "path and labels lie in different places" in objections(
        bucket, IMAGES, Images(path="gs://here/in", labels="labels.csv")
    )
    bucket.put("in/loose.png", png(3))
    assert "loose.png lies beside folders of images" in objections(bucket, IMAGES, Images(path="gs://here/in"))


def test_a_location_goes_through_the_order_unchanged() -> None:
    found = RemoteObject('s3://b/a "b"/ü#?.csv', '"tag"', 7, "md5:0")
    assert remote_object(found.location()) == found
    assert (found.bucket, found.key) == ("s3://b", 'a "b"/ü#?.csv')
    assert remote_object("/data/x.csv") is None
    assert remote_object('{"dialect": "sqlite"}') is None
