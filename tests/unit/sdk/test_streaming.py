"""Every way of reading a Dataset streams: as Arrow, pandas, Beam, or rows, in bounded memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from zenctl.sdk.dataset import Dataset, DatasetOutput
from zenctl.sdk.snapshot import Cutter

ROWS = [{"n": at, "s": f"word {at % 7}" if at % 5 else None} for at in range(2_000)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    output = DatasetOutput(folder, "data", cutter=Cutter(minimum=8_000, mean=4_000, maximum=20_000))
    output.write(ROWS)
    output.close()
    made = Dataset(folder, "data")
    assert len(made.shards) > 5
    return made


def test_as_a_stream_of_arrow(data: Dataset) -> None:
    reader = data.reader(batch_rows=100)
    assert reader.schema == pa.schema([("n", pa.int64()), ("s", pa.string())])
    first = reader.read_next_batch()
    assert 0 < first.num_rows <= 100
    assert [*first.to_pylist(), *(row for batch in reader for row in batch.to_pylist())] == ROWS
    assert data.reader(["s"]).read_all().to_pylist() == [{"s": row["s"]} for row in ROWS]
    with pytest.raises(KeyError, match="no column 'x'"):
        data.reader(["x"])


def test_as_a_stream_of_frames(data: Dataset) -> None:
    frames = list(data.frames(batch_rows=300))
    assert all(0 < len(frame) <= 300 for frame in frames)
    pd.testing.assert_frame_equal(pd.concat(frames), data.pandas(), check_index_type=False)


def test_nothing_is_read_before_it_is_asked_for(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Dataset.shard_batches

    def noted(self: Dataset, shard: Path, *args: object, **options: object) -> object:
        read.append(shard.name)
        return original(self, shard, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Dataset, "shard_batches", noted)
    for way in (data.batches, data.frames, lambda: iter(data), data.reader):
        read.clear()
        next(iter(way()))
        assert len(read) == 1
    assert list(itertools.islice(data, 3)) == ROWS[:3]


def test_into_a_beam_pipeline(data: Dataset) -> None:
    import apache_beam as beam
    from apache_beam.testing.util import assert_that, equal_to

    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        rows = pipeline | "Rows" >> data.beam(rows=True)
        assert_that(rows, equal_to(ROWS))
        sizes = pipeline | "Batches" >> data.beam(["n"], 128) | beam.Map(lambda batch: batch.num_rows)
        total = sizes | beam.CombineGlobally(sum)
        assert_that(total, equal_to([len(ROWS)]), label="total")
    with pytest.raises(KeyError):
        data.beam(["x"])
