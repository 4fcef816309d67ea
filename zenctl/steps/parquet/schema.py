"""The block `datasource "parquet"`: its attributes."""

from __future__ import annotations

from typing import Literal

from zenctl.schema import DatasourceType, RowsModel, attribute


class Parquet(RowsModel):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.parquet and *.pq below it) or a pattern such as data/2024-*.parquet, relative to "
        "the configuration's folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Several "
        "files are read in the order of their names and must have the same columns. Names of folders are no columns.",
        fingerprint=False,
        min_length=1,
    )
    columns: list[str] = attribute("The columns to read, in this order. Default: all.", default=[])
    types: dict[str, Literal["int", "float", "string"]] = attribute(
        "Types of columns. Default: what the files say. Whole numbers and booleans are int; decimals (exact), dates, "
        "times and timestamps (ISO 8601) are string. As int, a date is days since 1970, a timestamp microseconds since "
        "1970 in UTC, a time microseconds since midnight; durations are microseconds.",
        default={},
    )


PARQUET = DatasourceType(
    name="parquet",
    description="Tables in Parquet files. Lists, structs and maps are refused.",
    model=Parquet,
    observe="zenctl.steps.parquet.observe:observe",
    implementation="zenctl.steps.parquet.ingest:ingest",
    observe_objects="zenctl.steps.parquet.objects:observe_objects",
    imports=("numpy", "pyarrow", "pyarrow.parquet"),
)
