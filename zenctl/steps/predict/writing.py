"""Writes predictions into one file, streaming. Equal rows give equal bytes, however they come in batches."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from zenctl.digests import canonical_json
from zenctl.sdk import StepError
from zenctl.sdk.examples_encode import encode
from zenctl.sdk.tables import feature_type

FORMAT = 1
"""Version of predictions.json's form."""

PREDICTIONS_FILE = "predictions.json"
"""What the file holds: {"format": 1, "rows": 9, "file": "predictions.csv", "columns": [{"name": ..., "type": ...}]}."""

GROUP_ROWS = 65_536
"""Rows written at a time, a row group of Parquet: always as many, so that batches do not show."""


class PredictionsWriter:
    """Takes batches of one schema; a context manager, which removes what was written if it is left by an error."""

    def __init__(self, folder: Path, form: str) -> None:
        self._folder = folder
        self._form = form
        self.file = folder / f"predictions.{form}"
        self.rows = 0
        self._held: list[Any] = []
        self._held_rows = 0
        self._writer: Any = None
        self.columns: dict[str, str] = {}

    def __enter__(self) -> PredictionsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        if kind is not None:
            self.file.unlink(missing_ok=True)

    def write(self, batch: Any) -> None:
        """Add rows."""
        self._held.append(batch)
        self._held_rows += batch.num_rows
        self.rows += batch.num_rows
        while self._held_rows >= GROUP_ROWS:
            whole = pa.Table.from_batches(self._held)
            self._put(whole.slice(0, GROUP_ROWS))
            self._held = whole.slice(GROUP_ROWS).to_batches()
            self._held_rows -= GROUP_ROWS

    def finish(self) -> None:
        """Write predictions.json; after the last row, outside of the context."""
        columns = [{"name": name, "type": type_} for name, type_ in self.columns.items()]
        data = {"format": FORMAT, "rows": self.rows, "file": self.file.name, "columns": columns}
        (self._folder / PREDICTIONS_FILE).write_bytes(canonical_json(data) + b"\n")

    def _flush(self) -> None:
        if self._held:
            self._put(pa.Table.from_batches(self._held))
            self._held, self._held_rows = [], 0

    def _put(self, table: Any) -> None:
        if self._writer is None:
            self._writer = self._opened(table.schema)
        if table.num_rows or self._form != "tfrecord":
            self._writer.write(table.combine_chunks())

    def _opened(self, schema: Any) -> Any:
        self.columns = {field.name: feature_type(field.name, field.type, "predictions") for field in schema}
        if self._form == "parquet":
            return _Parquet(self.file, schema)
        if self._form == "csv":
            binary = [name for name, type_ in self.columns.items() if type_ == "bytes"]
            if binary:
                raise StepError(f'column "{binary[0]}" holds bytes, which CSV cannot', 'Use format = "parquet".')
            return pa.csv.CSVWriter(str(self.file), schema)
        return _Records(self.file)


class _Parquet:
    def __init__(self, file: Path, schema: Any) -> None:
        self._writer = pa.parquet.ParquetWriter(str(file), schema, compression="zstd")

    def write(self, table: Any) -> None:
        self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def close(self) -> None:
        self._writer.close()


class _Records:
    def __init__(self, file: Path) -> None:
        self._stream = open(file, "wb")  # noqa: SIM115 - closed by close

    def write(self, table: Any) -> None:
        for batch in table.to_batches():
            self._stream.write(encode(batch).data)

    def close(self) -> None:
        self._stream.close()
