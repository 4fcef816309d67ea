"""The block `datasource "jsonl"`: its attributes."""

from __future__ import annotations

from typing import Literal

from zenctl.schema import DatasourceType, RowsModel, attribute


class Jsonl(RowsModel):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.jsonl and *.ndjson below it) or a pattern such as data/2024-*.jsonl, relative to "
        "the configuration's folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Several "
        "files are read in the order of their names. They may be packed with gzip or Zstandard.",
        fingerprint=False,
        min_length=1,
    )
    types: dict[str, Literal["int", "float", "string"]] = attribute(
        "Types of columns. Default: int if every value is a whole number of 64 bits, or true or false (1, 0); float if "
        "every value is a number; string if every value is a string. A column that mixes them must be declared: as "
        "string, numbers keep the digits that are written.",
        default={},
    )
    nested: Literal["refuse", "text"] = attribute(
        "What becomes of lists and objects as values: refused, or kept as JSON text.", default="refuse"
    )


class Json(Jsonl):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.json below it) or a pattern such as data/2024-*.json, relative to the "
        "configuration's folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Several files "
        "are read in the order of their names. They may be packed with gzip or Zstandard.",
        fingerprint=False,
        min_length=1,
    )


JSON = DatasourceType(
    name="json",
    description="JSON in UTF-8: one array of objects a file, or objects one after the other; otherwise as jsonl.",
    model=Json,
    observe="zenctl.steps.jsonl.observe_json:observe",
    implementation="zenctl.steps.jsonl.ingest:ingest_json",
    observe_objects="zenctl.steps.jsonl.objects:observe_objects",
    imports=("numpy", "pyarrow"),
)

JSONL = DatasourceType(
    name="jsonl",
    description="JSON Lines in UTF-8: one object a line, whose keys are the columns; a missing key is a missing value.",
    model=Jsonl,
    observe="zenctl.steps.jsonl.observe:observe",
    implementation="zenctl.steps.jsonl.ingest:ingest",
    observe_objects="zenctl.steps.jsonl.objects:observe_objects",
    imports=("numpy", "pyarrow"),
)
