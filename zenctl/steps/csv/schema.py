"""The block `datasource "csv"`: its attributes."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from zenctl.schema import DatasourceType, RowsModel, attribute


class Csv(RowsModel):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.csv below it) or a pattern such as data/2024-*.csv, relative to the configuration's "
        "folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Several files are read in the "
        "order of their names and must have the same columns. They may be packed with gzip or Zstandard.",
        fingerprint=False,
        min_length=1,
    )
    delimiter: str = attribute("The character between values.", default=",", min_length=1, max_length=1)
    header: bool = attribute(
        "Whether the first line names the columns; without it, and where a name is empty, they are column_1, column_2 "
        "and so on.",
        default=True,
    )
    null_values: list[str] = attribute(
        "What stands for a missing value, quoted or not.", default=["", "NA", "N/A", "NaN", "null"]
    )
    types: dict[str, Literal["int", "float", "string"]] = attribute(
        "Types of columns. Default: int if every value is a whole number of 64 bits, else float (stored with 32 bits) "
        "if every value is a number, else string.",
        default={},
    )

    @field_validator("delimiter")
    @classmethod
    def _delimiter_is_no_other_sign(cls, delimiter: str) -> str:
        if delimiter in '"\r\n' or ord(delimiter) > 127 or ord(delimiter) == 0:
            raise ValueError("delimiter must be an ASCII character other than a quote or a line end")
        return delimiter


CSV = DatasourceType(
    name="csv",
    description='Tables in UTF-8 text files, values separated by commas or another character, quoted with ".',
    model=Csv,
    observe="zenctl.steps.csv.observe:observe",
    implementation="zenctl.steps.csv.ingest:ingest",
    observe_objects="zenctl.steps.csv.objects:observe_objects",
    imports=("numpy", "pyarrow"),
    version=2,
)
