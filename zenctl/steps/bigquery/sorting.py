"""Sorts rows that come in any order by all their columns, with a bounded part of them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenctl.lazy_dataclasses import dataclass

RUN = 64 << 20
"""Bytes that are sorted at a time; more go to files, and are merged from there."""
BLOCK = 8_192
"""Rows of a batch that is given, and that is read from a run at a time."""
_RUN, _LAST = "\x00run", "\x00last"
"""Names of the columns that tell whose row it is while runs are merged, and whether its run may go on after it."""


@dataclass
class Sorter:
    """Takes batches of int64, float64, string and binary columns, and gives their rows in an order of their own.

    The order is that of the columns from the first to the last, missing values last, and depends on nothing else:
    rows that compare as equal and are not (0.0 and -0.0) are told apart by their bits. `folder` takes the runs.
    """

    folder: Path
    run_bytes: int = RUN

    def __post_init__(self) -> None:
        self._held: list[Any] = []
        self._bytes = 0
        self._runs: list[Path] = []
        self._schema: Any = None

    def add(self, batch: Any) -> None:
        """Take rows."""
        self._schema = batch.schema
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self.run_bytes:
            self._spill()

    def batches(self) -> Iterator[Any]:
        """All rows, in order; can be called once."""
        if not self._runs:
            if self._held:
                yield from _sorted(pa.Table.from_batches(self._held)).to_batches(BLOCK)
            return
        if self._held:
            self._spill()
        yield from self._merged()

    def _spill(self) -> None:
        path = self.folder / f"run-{len(self._runs):05}.arrow"
        table = _sorted(pa.Table.from_batches(self._held))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, BLOCK)
        self._runs.append(path)
        self._held, self._bytes = [], 0

    def _merged(self) -> Iterator[Any]:
        """The next blocks of all runs are sorted together; done is what comes before the end of the first to end."""
        files = [pa.memory_map(str(path)) for path in self._runs]
        try:
            readers = [pa.ipc.open_file(file) for file in files]
            taken = [0] * len(readers)
            left = np.zeros(len(readers), dtype=np.int64)
            pending = None
            while True:
                blocks = [] if pending is None else [_without_marks(pending)]
                low = [
                    r for r in range(len(readers)) if left[r] < BLOCK // 2 and taken[r] < readers[r].num_record_batches
                ]
                for run in low:
                    blocks.append(_of_run(readers[run].get_batch(taken[run]), run))
                    left[run] += blocks[-1].num_rows
                    taken[run] += 1
                pending = _marked(pa.concat_tables(blocks), readers, taken)
                ends = pc.index(pending[_LAST], True).as_py()
                done = pending.num_rows if ends < 0 else ends + 1
                yield from pending.slice(0, done).select(self._schema.names).combine_chunks().to_batches(BLOCK)
                if ends < 0:
                    return
                pending = pending.slice(done)
                left = np.bincount(pending[_RUN].to_numpy(), minlength=len(readers))
        finally:
            for file in files:
                file.close()


def _sorted(table: Any) -> Any:
    """By all columns; the bits of floats decide between what compares as equal."""
    names = [name for name in table.schema.names if name not in (_RUN, _LAST)]
    keys = table.select(names)
    for name in names:
        if pa.types.is_floating(table.schema.field(name).type):
            bits = [chunk.view(pa.int64()) for chunk in table[name].chunks]
            keys = keys.append_column(f"\x00bits {name}", pa.chunked_array(bits, pa.int64()))
    keys = keys.rename_columns([str(at) for at in range(keys.num_columns)])
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.schema.names])
    return table.take(order).combine_chunks()


def _of_run(batch: Any, run: int) -> Any:
    table = pa.Table.from_batches([batch])
    return table.append_column(_RUN, pa.array(np.full(batch.num_rows, run, dtype=np.int64)))


def _without_marks(table: Any) -> Any:
    return table.drop_columns([_LAST])


def _marked(table: Any, readers: list[Any], taken: list[int]) -> Any:
    """Sorted, with the last row marked of every run that goes on after the blocks that were taken."""
    table = _sorted(table)
    runs = table[_RUN].to_numpy()
    marks = np.zeros(table.num_rows, dtype=bool)
    for run, reader in enumerate(readers):
        if taken[run] < reader.num_record_batches:
            marks[np.flatnonzero(runs == run)[-1]] = True
    return table.append_column(_LAST, pa.array(marks))
