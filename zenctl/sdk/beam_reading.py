"""Reads a Dataset into an Apache Beam pipeline, shard by shard."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Sequence

import apache_beam as beam

from zenctl.sdk.dataset import Dataset


class ReadDataset(beam.PTransform):  # type: ignore[misc]
    """From a pipeline to a collection of pyarrow.RecordBatch, or of dicts with `rows`. Shards are read in any order."""

    def __init__(self, data: Dataset, columns: Optional[Sequence[str]], batch_rows: int, *, rows: bool) -> None:
        super().__init__()
        self._data = data
        self._options = (None if columns is None else list(columns), batch_rows, rows)

    def expand(self, pipeline: Any) -> Any:
        shards = pipeline | "Shards" >> beam.Create(range(len(self._data.shards)), reshuffle=True)
        where = (str(self._data.path), self._data.name)
        return shards | "Read" >> beam.FlatMap(_read, where, self._options)


def _read(shard: int, where: "tuple[str, str]", options: "tuple[Optional[Sequence[str]], int, bool]") -> Iterator[Any]:
    data = Dataset(*where)
    columns, batch_rows, rows = options
    for batch in data.shard_batches(data.shards[shard], columns, batch_rows):
        if rows:
            yield from batch.to_pylist()
        else:
            yield batch
