"""The files of a Dataset artifact: names, forms, and how they are read. Standard library only.

    manifest.json     {"format": 1, "rows": 344, "shards": [{"rows": 344, "bytes": 90312, "sha256": "..."}]}
    schema.json       {"format": 1, "features": [{"name": "island", "type": "string", "presence": "required"}]}
    statistics.json   {"format": 1, "rows": 344, "features": {"island": {...}}}
    shards/00000.tfrecord ...   tf.train.Example records, as tf.data.TFRecordDataset reads them

With `"compression": "gzip"` (or "zstd") in the manifest, shards are compressed files `.tfrecord.gz` (`.zst`), and each
also has the digest of its `records` in the clear: where files differ because compressors do, these tell what is equal.

Equal rows in equal order give equal bytes in every file, whatever batch sizes, number of workers, runner or machine:
nothing here tells time, place or how the work was divided.

- A feature is of type `int` (int64), `float`, `string` (UTF-8) or `bytes`, with one value per row. tf.train.Example
  knows 32-bit floats only, so **a 64-bit float is rounded to the nearest float32**: 39.1 is read back as
  39.099998474..., whole numbers beyond 2**24 lose digits, and what exceeds 3.4e38 becomes infinite. Keep what must be
  exact as `int` or `string`.
- A missing value is an absent feature. NaN is a value. `presence` is `required` if every row has one, else `optional`.
- Shards are cut after a record whose checksum says so (see `Cutter`): where rows are inserted, deleted or appended,
  only the shards around the change have new bytes, so that a store which keeps equal blobs once stores no others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from zenctl.digests import canonical_json
from zenctl.lazy_dataclasses import dataclass

FORMAT = 1
"""Version of the three JSON files. A reader refuses a newer one."""

MANIFEST_FILE = "manifest.json"
SCHEMA_FILE = "schema.json"
STATISTICS_FILE = "statistics.json"
OTHER_FILES = 3
"""How many files a Dataset has besides its shards."""

COMPRESSIONS = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""How shards may be compressed, and what ends their names then."""

TYPES = ("int", "float", "string", "bytes")

MIN_SHARD_BYTES = 8 << 20
MEAN_CUT_BYTES = 2 << 20
MAX_SHARD_BYTES = 64 << 20


class CorruptDataset(Exception):
    """The folder is not a Dataset, or a damaged one; the message names the file."""


@dataclass(frozen=True)
class Feature:
    """A column: name, type (one of TYPES), presence (`required` or `optional`)."""

    name: str
    type: str
    presence: str = "required"

    @property
    def required(self) -> bool:
        return self.presence == "required"


@dataclass(frozen=True)
class Schema:
    """The columns, in the order of the source."""

    features: Tuple[Feature, ...]

    @property
    def names(self) -> Tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def types(self) -> Dict[str, str]:
        """Type by name, in order."""
        return {feature.name: feature.type for feature in self.features}

    def feature(self, name: str) -> Feature:
        """The feature of this name; raises KeyError."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def to_json(self) -> bytes:
        features = [{"name": f.name, "type": f.type, "presence": f.presence} for f in self.features]
        return canonical_json({"format": FORMAT, "features": features}) + b"\n"


@dataclass(frozen=True)
class Shard:
    """One file of records: its rows, bytes and digest; if it is compressed, also that of its records in the clear."""

    rows: int
    bytes: int
    sha256: str
    records: str = ""

    @property
    def content(self) -> str:
        """What names the records, however they are compressed."""
        return self.records or self.sha256


@dataclass(frozen=True)
class Manifest:
    """The shards in order."""

    shards: Tuple[Shard, ...]
    compression: str = "none"

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    @property
    def total_bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    def to_json(self) -> bytes:
        shards: List[Dict[str, Any]] = [{"rows": s.rows, "bytes": s.bytes, "sha256": s.sha256} for s in self.shards]
        data = {"format": FORMAT, "rows": self.rows, "shards": shards}
        if self.compression != "none":
            data["compression"] = self.compression
            for entry, shard in zip(shards, self.shards):  # noqa: B905 - Python 3.9
                entry["records"] = shard.records
        return canonical_json(data) + b"\n"


def shard_name(index: int, compression: str = "none") -> str:
    """Path of a shard in the artifact; names sort in order up to 99,999 shards."""
    return f"shards/{index:05}.tfrecord{COMPRESSIONS[compression]}"


def read_manifest(folder: Path) -> Manifest:
    """Read manifest.json; raises CorruptDataset."""
    data = read_json(folder / MANIFEST_FILE)
    try:
        compression = data.get("compression", "none")
        if compression not in COMPRESSIONS:
            raise ValueError(f"unknown compression {compression!r}")
        shards = data["shards"]
        return Manifest(
            tuple(Shard(int(s["rows"]), int(s["bytes"]), str(s["sha256"]), str(s.get("records", ""))) for s in shards),
            compression,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptDataset(f"{folder / MANIFEST_FILE} is damaged: {error!r}") from error


def read_schema(file: Path) -> Schema:
    """Read a schema.json; raises CorruptDataset."""
    data = read_json(file)
    try:
        features: List[Feature] = [Feature(f["name"], f["type"], f["presence"]) for f in data["features"]]
    except (KeyError, TypeError) as error:
        raise CorruptDataset(f"{file} is damaged: {error!r}") from error
    for feature in features:
        if feature.type not in TYPES:
            raise CorruptDataset(f'{file}: feature "{feature.name}" has the unknown type {feature.type!r}')
    return Schema(tuple(features))


def read_json(file: Path) -> Mapping[str, Any]:
    """Read one of the JSON files and check its format; raises CorruptDataset."""
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise CorruptDataset(f"{file} is missing: the folder does not hold a Dataset") from None
    except ValueError as error:
        raise CorruptDataset(f"{file} is damaged: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise CorruptDataset(f"{file} is damaged: it states no format")
    if data["format"] > FORMAT:
        raise CorruptDataset(f"{file} was written by a newer zenctl (format {data['format']}): update zenctl")
    return data


@dataclass(frozen=True)
class Cutter:
    """Decides where a shard ends, from the records alone.

    A shard ends after a record if it has at least `minimum` bytes and the record's masked checksum, taken as a number
    in [0, 1), is below its length / `mean`; or if the next record would take it beyond `maximum` bytes.
    """

    minimum: int = MIN_SHARD_BYTES
    mean: int = MEAN_CUT_BYTES
    maximum: int = MAX_SHARD_BYTES
