"""Files that are packed: what is in them counts, and damage is told by plan."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.steps.data.remembering import Workspace
from zenctl.jobs.artifacts import scan_folder
from zenctl.schema import DatasourceType, SourceModel
from zenctl.schema.block import fingerprinted
from zenctl.sdk import StepError
from zenctl.steps.csv import ingest as from_csv
from zenctl.steps.csv.cutting import PartSize
from zenctl.steps.csv.schema import CSV, Csv
from zenctl.steps.data import unpacking
from zenctl.steps.data.problems import FileProblem
from zenctl.steps.data.testing import SourceCase, job_of, objections, observed, run, snapshot
from zenctl.steps.data.unpacking import clear_bytes, clear_file
from zenctl.steps.jsonl.schema import JSONL, Jsonl
from zenctl.steps.text.schema import TEXT, Text

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip of another level": lambda data: gzip.compress(data, 1, mtime=7),
    "two members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "filled with zeros": lambda data: gzip.compress(data) + bytes(70_000),
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd with a checksum": zstandard.ZstdCompressor(level=19, write_checksum=True).compress,
    "two frames": lambda data: b"".join(zstandard.ZstdCompressor().compress(part) for part in (data[:9], data[9:])),
    "a frame without data": lambda data: b"\x5a\x2a\x4d\x18\x03\0\0\0abc" + zstandard.ZstdCompressor().compress(data),
}
ROWS = b"".join(b"%d,w%d\n" % (at, at % 7) for at in range(500))
KINDS: dict[str, tuple[DatasourceType, Callable[[str], SourceModel], bytes]] = {
    "csv": (CSV, lambda path: Csv(path=path), b"n,word\n" + ROWS),
    "jsonl": (JSONL, lambda path: Jsonl(path=path), b"".join(b'{"n": %d}\n' % at for at in range(500))),
    "txt": (TEXT, lambda path: Text(path=path), ROWS),
}


def case(root: Path, kind: str, name: str) -> SourceCase:
    type, model, _ = KINDS[kind]
    return SourceCase(type, model(name), root, lambda: None, lambda: None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_packed_is_what_is_in_it(tmp_path: Path, kind: str) -> None:
    data = KINDS[kind][2]
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "f").write_bytes(data)
    state = observed(case(plain, kind, "f"))
    digest = scan_folder(snapshot(case(plain, kind, "f"), tmp_path / "out").path).digest
    for number, (name, packed) in enumerate(PACKED.items()):
        root = tmp_path / str(number)
        root.mkdir()
        # By its first bytes, whatever its name.
        (root / "f").write_bytes(packed(data))
        found = observed(case(root, kind, "f"))
        seen = (found.digest, found.rows, found.bytes, found.columns)
        assert seen == (state.digest, state.rows, state.bytes, state.columns), name
        assert scan_folder(snapshot(case(root, kind, "f"), root / "out").path).digest == digest, name


@pytest.mark.parametrize("kind", KINDS)
def test_folders_hold_packed_files(tmp_path: Path, kind: str) -> None:
    data = KINDS[kind][2]
    (tmp_path / f"a.{kind}").write_bytes(data)
    (tmp_path / f"b.{kind}.gz").write_bytes(gzip.compress(data))
    (tmp_path / f"c.{kind}.zst").write_bytes(zstandard.ZstdCompressor().compress(data))
    (tmp_path / f"d.{kind}.bak").write_bytes(data)
    assert list(observed(case(tmp_path, kind, ".")).locations) == [f"a.{kind}", f"b.{kind}.gz", f"c.{kind}.zst"]
    assert snapshot(case(tmp_path, kind, "."), tmp_path / "out").num_rows == 1500


NOISE = bytes(zlib.crc32(b"%d" % at) & 0xFF for at in range(5000)).hex().encode()
DAMAGE: dict[str, tuple[bytes, str]] = {
    "cut gzip": (gzip.compress(NOISE)[:-9], "its gzip data is cut off"),
    "gzip cut in its checksum": (gzip.compress(NOISE)[:-1], "its gzip data is cut off"),
    "gzip cut in its head": (gzip.compress(NOISE)[:5], "its gzip data is cut off"),
    "wrong checksum": (gzip.compress(NOISE)[:-8] + bytes(8), "its gzip data is damaged: "),
    "damaged gzip": (
        gzip.compress(NOISE)[:200] + b"\xff" * 20 + gzip.compress(NOISE)[220:],
        "its gzip data is damaged",
    ),
    "gzip and more": (gzip.compress(NOISE) + b"garbage", "something that is no gzip follows its gzip data"),
    "gzip, zeros and more": (gzip.compress(NOISE) + bytes(9) + b"x", "something that is no gzip follows"),
    "cut zstd": (zstandard.compress(NOISE)[:-9], "its Zstandard data is cut off"),
    "zstd cut in its head": (zstandard.compress(NOISE)[:5], "its Zstandard data is cut off"),
    "damaged zstd": (zstandard.compress(NOISE)[:9] + b"\xff" * 50, "its Zstandard data is damaged: "),
    "zstd and more": (zstandard.compress(NOISE) + b"garbage", "something that is no Zstandard follows"),
    "zstd and little more": (zstandard.compress(NOISE) + b"g", "something that is no Zstandard follows"),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_plan_tells_of_damage(tmp_path: Path, kind: str, name: str) -> None:
    data, said = DAMAGE[name]
    (tmp_path / "f").write_bytes(data)
    assert f"f: {said}" in objections(case(tmp_path, kind, "f"))


def test_damage_after_plan_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(KINDS["csv"][2]))
    found = case(tmp_path, "csv", "f.csv.gz")
    job = job_of(found, observed(found), tmp_path / "out")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(KINDS["csv"][2])[:-4])
    with pytest.raises(StepError) as caught:
        run(found, job)
    assert caught.value.kind == "source_changed"
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(KINDS["csv"][2] + b"1,2\n"))
    with pytest.raises(StepError) as caught:
        run(found, job)
    assert caught.value.kind == "source_changed"


def test_a_place_is_that_in_the_text_within(tmp_path: Path) -> None:
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(KINDS["csv"][2] + b"1,2,3\n"))
    found = case(tmp_path, "csv", "f.csv.gz")
    job = job_of(found, observed(found), tmp_path / "out")
    with pytest.raises(StepError) as caught:
        run(found, job)
    job.outputs["data"].discard()
    assert caught.value.message == "f.csv.gz:502 has 3 values instead of 2: '1,2,3'"
    assert (caught.value.file, caught.value.kind) == ("", "bad_data")


def test_a_file_that_grew_within_gives_new_shards_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_csv, "PART", PartSize(300, 200, 1500))
    space = Workspace(tmp_path)
    file = tmp_path / "f.csv.gz"

    def take(data: bytes, **options: Any) -> Any:
        file.write_bytes(gzip.compress(data, mtime=len(space.notes)))
        model = Csv(path=file.name)
        order = {"params": fingerprinted(model), "locations": {file.name: str(file)}}
        return space.run(from_csv.ingest, "data", **order, **options)["data"]

    first = take(KINDS["csv"][2])
    again = take(KINDS["csv"][2] + b"7,new\n")
    assert 0 < again.shards - again.reused <= 3 < first.shards
    assert again.digest == take(KINDS["csv"][2] + b"7,new\n", remembers=False).digest


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=5), st.booleans(), st.lists(st.integers(1, 3000)))
def test_any_members_read_in_any_steps(tmp_path: Path, parts: list[bytes], gz: bool, steps: list[int]) -> None:
    packed = b"".join(gzip.compress(part) if gz else zstandard.compress(part) for part in parts)
    (tmp_path / "f").write_bytes(packed)
    assert clear_bytes(tmp_path / "f") == b"".join(parts)
    with clear_file(tmp_path / "f") as stream:
        assert b"".join([*(stream.read(step) for step in steps), *stream.chunks()]) == b"".join(parts)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_memory_is_bounded_whatever_is_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "f").write_bytes(pack(bytes(300 << 20)))
    assert (tmp_path / "f").stat().st_size < 400_000
    tracemalloc.start()
    with clear_file(tmp_path / "f") as stream:
        assert sum(map(len, stream.chunks())) == 300 << 20
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 120 << 20


def test_what_there_is_no_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(KINDS["csv"][2]))
    monkeypatch.setattr(unpacking, "MARGIN", 1 << 62)
    found = case(tmp_path, "csv", "f.csv.gz")
    with pytest.raises(StepError, match="no room"):
        run(found, job_of(found, observed(found), tmp_path / "out"))


def test_a_library_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(zstandard.compress(b"a,b\n1,2\n"))
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(FileProblem, match="zstandard is not installed"):
        clear_bytes(tmp_path / "f")
    assert "f: the package zstandard is not installed" in objections(case(tmp_path, "csv", "f"))
