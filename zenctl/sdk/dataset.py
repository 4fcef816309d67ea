"""Dataset: reads a snapshot as Arrow, pandas, tf.data or plain rows; DatasetOutput: writes one from any of these.

The files are described in `zenctl.sdk.snapshot`. Importing this module loads the standard library only.
"""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from zenctl.sdk.artifacts import Artifact, Output
from zenctl.sdk.errors import StepError
from zenctl.sdk.snapshot import (
    COMPRESSIONS,
    MANIFEST_FILE,
    SCHEMA_FILE,
    STATISTICS_FILE,
    Cutter,
    Feature,
    Manifest,
    Schema,
    read_json,
    read_manifest,
    read_schema,
    shard_name,
)

if TYPE_CHECKING:
    from zenctl.sdk.examples_encode import Encoded
    from zenctl.sdk.snapshot_statistics import Statistics
    from zenctl.sdk.snapshot_writing import ShardWriter

BLOCK_ROWS = 16_384
"""Rows encoded at a time by DatasetOutput."""
BLOCK_BYTES = 32 << 20
"""Bytes of column data encoded at a time, so that long values do not multiply in memory."""
READ_BYTES = 8 << 20
SHUFFLE_ROWS = 100_000
"""Rows that `tf_dataset(shuffle=True)` draws from, at most."""


class Dataset(Artifact):
    """Rows with named columns, read from local files. Everything streams, in bounded memory, in the stored order."""

    type = "Dataset"

    @cached_property
    def manifest(self) -> Manifest:
        """The list of shards. Raises CorruptDataset."""
        return read_manifest(self.path)

    @cached_property
    def schema(self) -> Schema:
        """The columns: `schema.names`, `schema.types` ({name: "int" | "float" | "string" | "bytes"}), `features`."""
        return read_schema(self.path / SCHEMA_FILE)

    @cached_property
    def statistics(self) -> Mapping[str, Any]:
        """By column: `type`, `count`, `missing` and more, see `snapshot_statistics.Statistics.to_data`."""
        features: Mapping[str, Any] = read_json(self.path / STATISTICS_FILE)["features"]
        return features

    @property
    def num_rows(self) -> int:
        return self.manifest.rows

    def __len__(self) -> int:
        return self.num_rows

    @property
    def shards(self) -> Tuple[Path, ...]:
        """The TFRecord files of tf.train.Example, in order; tf.data.TFRecordDataset reads them as they are.

        Of gzip ones it must be told (`compression_type="GZIP"`); Zstandard it cannot read: `tf_dataset` can.
        """
        manifest = self.manifest
        return tuple(self.path / shard_name(index, manifest.compression) for index in range(len(manifest.shards)))

    def batches(
        self, columns: Optional[Sequence[str]] = None, batch_rows: int = 8192, *, verify: bool = False
    ) -> Iterator[Any]:
        """Yield pyarrow.RecordBatch of 1 to `batch_rows` rows; columns int64, float32, string, binary, null = missing.

        Columns come in the order of `columns`, else of the schema. `verify` compares each record's checksums (the
        runner has already compared the artifact's digest). Raises KeyError for an unknown column.
        """
        for shard in self.shards:
            yield from self.shard_batches(shard, columns, batch_rows, verify=verify)

    def shard_batches(
        self, shard: Path, columns: Optional[Sequence[str]] = None, batch_rows: int = 8192, *, verify: bool = False
    ) -> Iterator[Any]:
        """The same for one of `shards`."""
        from zenctl.sdk.examples_decode import ForeignLayout, decode
        from zenctl.sdk.records import CorruptRecords, read_blocks
        from zenctl.sdk.shard_compression import open_shard

        self._check_columns(columns)
        types, row = self.schema.types, 0
        try:
            with open_shard(shard, self.manifest.compression) as stream:
                blocks = read_blocks(stream, max_records=batch_rows, block_bytes=READ_BYTES, verify=verify)
                for data, starts, ends in blocks:
                    batch = decode(data, starts, ends, types, columns)
                    yield batch if columns is None else batch.select(list(columns))
                    row += len(starts)
        except (CorruptRecords, ForeignLayout, OSError) as error:
            where = f"{shard.name} of input {self.name!r}" if self.name else str(shard)
            hint = "The files were changed or not written by zenctl: make the snapshot anew."
            raise StepError(f"{where}: {error}", hint, file=str(shard), kind="input_corrupt") from error

    def arrow(self, columns: Optional[Sequence[str]] = None) -> Any:
        """Everything as one pyarrow.Table in memory; `reader` streams the same."""
        return self.reader(columns).read_all()

    def reader(self, columns: Optional[Sequence[str]] = None, batch_rows: int = 8192) -> Any:
        """The rows as a pyarrow.RecordBatchReader: a stream that DuckDB, Polars, Parquet writers and others take."""
        import pyarrow as pa

        from zenctl.sdk.examples_decode import arrow_type

        self._check_columns(columns)
        types = self.schema.types
        names = list(types) if columns is None else list(columns)
        schema = pa.schema([pa.field(name, arrow_type(types[name])) for name in names])
        return pa.RecordBatchReader.from_batches(
            schema, (batch.cast(schema) for batch in self.batches(columns, batch_rows))
        )

    def pandas(self, columns: Optional[Sequence[str]] = None) -> Any:
        """Everything as one pandas.DataFrame in memory; missing numbers are NaN, missing strings None."""
        return self.arrow(columns).to_pandas()

    def frames(self, columns: Optional[Sequence[str]] = None, batch_rows: int = 65_536) -> Iterator[Any]:
        """Yield pandas.DataFrames of 1 to `batch_rows` rows, indexed on from one to the next; `pandas` in pieces."""
        at = 0
        for batch in self.reader(columns, batch_rows):
            frame = batch.to_pandas()
            frame.index = range(at, at + len(frame))
            at += len(frame)
            yield frame

    def beam(self, columns: Optional[Sequence[str]] = None, batch_rows: int = 8192, *, rows: bool = False) -> Any:
        """An Apache Beam transform that reads the rows: `pipeline | data.beam()`.

        Elements are pyarrow.RecordBatch as of `batches`, or with `rows` dicts as of iteration; Beam keeps no order.
        Workers must reach the folder `path`. Raises KeyError for an unknown column.
        """
        from zenctl.sdk.beam_reading import ReadDataset

        self._check_columns(columns)
        return ReadDataset(self, columns, batch_rows, rows=rows)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """Each row as a dict of Python values, None = missing."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def tf_dataset(
        self,
        batch_size: int,
        label: Optional[str] = None,
        shuffle: bool = False,
        seed: Optional[int] = None,
        *,
        columns: Optional[Sequence[str]] = None,
        repeat: bool = False,
        drop_remainder: bool = False,
        defaults: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """A tf.data.Dataset of batches: (features, labels) if `label` names a column, else features.

        Features are a dict of tensors of shape [batch]: int64, float32 or string. A missing value is `defaults[name]`
        if given, else NaN, 0 or "". `columns` are the features (default: all but the label). `shuffle` draws from a
        buffer of 100,000 rows, anew in every epoch, and always in the same way for one `seed` (None: 0). Raises
        KeyError for an unknown column.
        """
        import tensorflow as tf

        self._check_columns([label] if label is not None else [])
        self._check_columns(columns)
        names = [name for name in self.schema.names if name != label] if columns is None else list(columns)
        wanted = names if label is None or label in names else [*names, label]
        kinds = {"int": (tf.int64, 0), "float": (tf.float32, float("nan")), "string": (tf.string, b"")}
        kinds["bytes"] = kinds["string"]
        spec = {}
        for name in wanted:
            feature = self.schema.feature(name)
            kind, default = kinds[feature.type]
            # A required feature has no default, so that a record without it is an error and not a made-up value.
            given = (defaults or {}).get(name, None if feature.required else default)
            spec[name] = tf.io.FixedLenFeature([], kind, given)

        def parse(records: Any) -> Any:
            parsed = tf.io.parse_example(records, spec)
            if label is None:
                return parsed
            return {name: parsed[name] for name in names}, parsed[label]

        records = self._tf_records(tf)
        if shuffle:
            records = records.shuffle(
                max(1, min(self.num_rows, SHUFFLE_ROWS)), seed=seed or 0, reshuffle_each_iteration=True
            )
        if repeat:
            records = records.repeat()
        parsed = records.batch(batch_size, drop_remainder=drop_remainder).map(parse, tf.data.AUTOTUNE)
        return parsed.prefetch(tf.data.AUTOTUNE)

    def _tf_records(self, tf: Any) -> Any:
        """The serialised records; tf.data reads them itself unless they are compressed in a way it does not know."""
        from zenctl.sdk.shard_compression import records_of

        shards, compression = self.shards, self.manifest.compression
        if compression == "zstd":

            def blocks() -> Iterator[Any]:
                for shard in shards:
                    yield from records_of(shard, compression, READ_BYTES)

            return tf.data.Dataset.from_generator(blocks, output_signature=tf.TensorSpec([None], tf.string)).unbatch()
        files = tf.constant([str(path) for path in shards], tf.string, [len(shards)])
        known = "GZIP" if compression == "gzip" else None
        return tf.data.TFRecordDataset(files, compression_type=known, buffer_size=READ_BYTES)

    def _check_columns(self, columns: Optional[Sequence[str]]) -> None:
        for name in columns or ():
            if name not in self.schema.names:
                raise KeyError(f"{self!r} has no column {name!r}, only {', '.join(self.schema.names)}")


class DatasetOutput(Output[Dataset]):
    """Writes a Dataset. Rows keep the order in which they are written."""

    type = "Dataset"

    def __init__(self, path: Any, name: str = "", type: str = "", *, cutter: Optional[Cutter] = None) -> None:
        super().__init__(path, name, type)
        self._cutter = cutter or Cutter()
        self._compression = "none"
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._types: Dict[str, str] = {}
        self._declared = False
        self._pending: List[Any] = []
        self._pending_rows = 0
        self._shards: Optional[ShardWriter] = None
        self._statistics: Optional[Statistics] = None

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self._pending_rows + (self._shards.total_rows if self._shards is not None else 0)

    def declare(self, types: Mapping[str, str]) -> None:
        """Settle columns ahead of the first write: feature types by name. A declared output may stay without rows.

        A type that was "", which holds nulls only, may be settled later.
        """
        settled = {name: type for name, type in self._types.items() if type}
        if self._declared and {**types, **settled} != dict(types):
            raise ValueError(f"output {self.name!r} already has columns")
        self._types = dict(types)
        self._declared = True

    def write(self, rows: Any) -> None:
        """Add rows: a pyarrow Table or RecordBatch, a pandas DataFrame, a dict, or an iterable of any of these.

        May be called repeatedly. The first write settles names and types of the columns (a column without any value
        is settled by its first value); an integer goes where floats are expected. Raises StepError naming the column
        that is missing, unknown or of another type.
        """
        from zenctl.sdk import tables

        what = f"output {self.name!r}"
        self._check_open()
        for batch in tables.batches(rows, what, self._types):
            settled = tables.fill_types(self._types if self._declared else None, batch, what)
            if not self._declared:
                self.declare(settled)
            self._take(tables.unify(batch, self._types, what))

    def append(self, encoded: Encoded, statistics: Statistics) -> None:
        """Add rows that were encoded elsewhere; the columns must be declared."""
        self.writer().append(encoded)
        self.count(statistics)

    def compress(self, compression: str) -> None:
        """Compress shards with "gzip" or "zstd"; to be told before the first write. "none" is the default."""
        if compression not in COMPRESSIONS:
            raise ValueError(f"unknown compression {compression!r}: {', '.join(COMPRESSIONS)}")
        if self._shards is not None:
            raise ValueError(f"output {self.name!r} has been written to")
        self._compression = compression

    @property
    def form(self) -> Dict[str, Any]:
        """What the files follow from besides the rows, as JSON: how they are cut and compressed."""
        cutter = self._cutter
        return {"cutter": [cutter.minimum, cutter.mean, cutter.maximum], "compression": self._compression}

    def writer(self) -> ShardWriter:
        """What records may be given to directly once the columns are declared; `count` must then be told of them."""
        self._check_open()
        if not self._declared:
            raise ValueError(f"output {self.name!r} has no columns yet: call declare first")
        self._flush()
        return self._opened()[0]

    def count(self, statistics: Statistics) -> None:
        """Take in the statistics of rows that `writer` was given."""
        self._opened()[1].merge(statistics)

    def discard(self) -> None:
        """Forget everything written so far, as if the output were new."""
        self._check_open()
        self.abandon()
        shutil.rmtree(self.path / "shards", ignore_errors=True)
        self.references.clear()
        self.notes.clear()
        self._start()

    def abandon(self) -> None:
        """Leave off: close what is open, and finish nothing. For a step that failed in a process that goes on."""
        if self._shards is not None:
            self._shards.abandon()

    def close(self) -> None:
        """Finish the files. Nothing is made if nothing was written or declared; a second call does nothing."""
        if self._closed or not self._declared:
            return
        self._flush()
        writer, statistics = self._opened()
        manifest = writer.close()
        features = []
        for name, type in self._types.items():
            presence = "required" if statistics.present(name) == statistics.rows else "optional"
            features.append(Feature(name, type or "string", presence))
        schema = Schema(tuple(features))
        (self.path / SCHEMA_FILE).write_bytes(schema.to_json())
        (self.path / STATISTICS_FILE).write_bytes(statistics.to_json(schema))
        (self.path / MANIFEST_FILE).write_bytes(manifest.to_json())
        self._closed = True

    def properties(self) -> Dict[str, Any]:
        """The number of rows."""
        return {"rows": self.rows, **super().properties()}

    def _take(self, batch: Any) -> None:
        """Gather small batches and cut large ones, so that encoding works on blocks of a good size."""
        at = 0
        each = max(1, batch.nbytes // max(1, batch.num_rows))
        while at < batch.num_rows:
            room = max(1, min(BLOCK_ROWS, BLOCK_BYTES // each) - self._pending_rows)
            part = batch.slice(at, room)
            self._pending.append(part)
            self._pending_rows += part.num_rows
            at += part.num_rows
            if part.num_rows == room:
                self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        import pyarrow as pa

        from zenctl.sdk import tables
        from zenctl.sdk.examples_encode import encode
        from zenctl.sdk.snapshot_statistics import summarise

        # A column may have been settled after the first pending batches, which then still have it as nulls.
        pending = [tables.unify(batch, self._types, f"output {self.name!r}") for batch in self._pending]
        table = pa.Table.from_batches(pending).combine_chunks()
        self._pending, self._pending_rows = [], 0
        for block in table.to_batches():
            uncounted = self._opened()[1].uncounted
            self._append(encode(block), summarise(block, uncounted))

    def _append(self, encoded: Encoded, statistics: Statistics) -> None:
        writer, total = self._opened()
        writer.append(encoded)
        total.merge(statistics)

    def _opened(self) -> Tuple[ShardWriter, Statistics]:
        from zenctl.sdk.snapshot_statistics import Statistics
        from zenctl.sdk.snapshot_writing import ShardWriter

        if self._shards is None or self._statistics is None:
            self._shards = ShardWriter(self.path, self._cutter, self._compression)
            self._statistics = Statistics()
        return self._shards, self._statistics

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"output {self.name!r} is closed")
