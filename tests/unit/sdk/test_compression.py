"""Shards that are compressed: read by every way, the same bytes again, and known again by what is in them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.unit.steps.data.remembering import Workspace, csv_job
from zenctl.sdk.dataset import Dataset, DatasetOutput
from zenctl.sdk.errors import StepError
from zenctl.sdk.snapshot import CorruptDataset, Cutter
from zenctl.steps.csv import ingest as csv
from zenctl.steps.split.run import split

ROWS = [{"n": at, "s": f"word {at % 7}"} for at in range(2_000)]


def written(folder: Path, compression: str) -> Dataset:
    folder.mkdir()
    output = DatasetOutput(folder, "data", cutter=Cutter(minimum=8_000, mean=4_000, maximum=20_000))
    output.compress(compression)
    output.write(ROWS)
    with pytest.raises(ValueError, match="has been written to"):
        output.writer() and output.compress("none")
    output.close()
    return Dataset(folder, "data")


@pytest.mark.parametrize(("compression", "ending"), [("none", ".tfrecord"), ("gzip", ".gz"), ("zstd", ".zst")])
def test_every_way_of_reading(tmp_path: Path, compression: str, ending: str) -> None:
    data = written(tmp_path / "1", compression)
    assert len(data.shards) > 3
    assert all(shard.name.endswith(ending) for shard in data.shards)
    assert sorted(path.name for path in (tmp_path / "1/shards").iterdir()) == [shard.name for shard in data.shards]
    assert list(data) == ROWS
    assert next(iter(data.batches(verify=True))).num_rows > 0
    found = [int(n) for batch in data.tf_dataset(128) for n in batch["n"]]
    assert found == [row["n"] for row in ROWS]
    again = written(tmp_path / "2", compression)
    assert again.manifest == data.manifest
    plain = written(tmp_path / "3", "none")
    assert [shard.content for shard in data.manifest.shards] == [shard.sha256 for shard in plain.manifest.shards]


def test_gzip_is_read_by_tensorflow_and_tells_no_time(tmp_path: Path) -> None:
    import tensorflow as tf

    data = written(tmp_path / "1", "gzip")
    records = tf.data.TFRecordDataset([str(path) for path in data.shards], compression_type="GZIP")
    assert sum(1 for _ in records) == len(ROWS)
    raw = data.shards[0].read_bytes()
    assert raw[4:8] == bytes(4)
    assert gzip.decompress(raw) == written(tmp_path / "2", "none").shards[0].read_bytes()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_damage_is_named(tmp_path: Path, compression: str) -> None:
    data = written(tmp_path / "1", compression)
    raw = data.shards[1].read_bytes()
    data.shards[1].write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StepError, match=data.shards[1].name):
        list(data)
    (tmp_path / "1/manifest.json").write_text('{"format":1,"compression":"lzma","shards":[]}')
    with pytest.raises(CorruptDataset, match="unknown compression 'lzma'"):
        _ = Dataset(tmp_path / "1").manifest


def test_snapshots_and_their_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "PART", csv.PartSize(300, 200, 1500))
    place, file = Workspace(tmp_path), tmp_path / "f.csv"
    ratio: dict[str, Any] = {"ratio": {"a": 0.5, "b": 0.5}, "seed": 0, "by": [], "column": "", "values": {}}
    lines = [f"{at},word {at % 5}\n" for at in range(800)]
    made = {}
    for compression in ("none", "gzip", "gzip"):
        file.write_text("n,s\n" + "".join(lines))
        made[compression] = place.run(csv.ingest, "data", **csv_job(file, compression=compression))["data"]
        parts = place.run(split, "a", "b", inputs={"data": made[compression].data}, params=ratio)
        assert {part.data.manifest.compression for part in parts.values()} == {compression}
        assert sum(part.data.num_rows for part in parts.values()) == 800
    assert made["gzip"].reused == made["gzip"].shards > 5
    assert list(made["gzip"].data) == list(made["none"].data)
    file.write_text("n,s\n" + "".join([*lines, "801,new\n"]))
    again = place.run(csv.ingest, "data", **csv_job(file, compression="gzip"))["data"]
    assert again.shards - again.reused <= 2
    fresh = place.run(csv.ingest, "data", remembers=False, **csv_job(file, compression="gzip"))["data"]
    assert fresh.digest == again.digest
