"""The block `datasource "text"`: its attributes."""

from __future__ import annotations

from typing import Literal

from zenctl.schema import DatasourceType, RowsModel, attribute


class Text(RowsModel):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.txt below it) or a pattern such as books/*.md, relative to the configuration's "
        "folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Several files are read in the "
        "order of their names. They may be packed with gzip or Zstandard.",
        fingerprint=False,
        min_length=1,
    )
    row: Literal["line", "file"] = attribute(
        "What a row is: a line, without its end and unless it is blank, or a whole file.", default="line"
    )


TEXT = DatasourceType(
    name="text",
    description="Texts in UTF-8. Columns: text, and path, the file's name relative to the folder that was named.",
    model=Text,
    observe="zenctl.steps.text.observe:observe",
    implementation="zenctl.steps.text.ingest:ingest",
    observe_objects="zenctl.steps.text.objects:observe_objects",
    imports=("numpy", "pyarrow"),
)
