"""The block `datasource "images"`: its attributes."""

from __future__ import annotations

from zenctl.schema import DatasourceType, SourceModel, attribute


class Images(SourceModel):
    """The block's attributes."""

    path: str = attribute(
        "A folder, relative to the configuration's folder or in a bucket (gs://BUCKET/FOLDER, s3://BUCKET/FOLDER). Its "
        "images (*.png, *.jpg, *.jpeg, *.gif, *.bmp, *.webp, at any depth) are read in the order of their names; the "
        "first folder below it that an image lies in is its label.",
        fingerprint=False,
        min_length=1,
    )
    labels: str = attribute(
        "A CSV file with the columns file (relative to path) and label, instead of a folder for each label; in a "
        "bucket if path is in one. Images that it does not name are left out.",
        default="",
        fingerprint=False,
    )


IMAGES = DatasourceType(
    name="images",
    description="Images as files: PNG, JPEG, GIF, BMP and WebP, kept as they are. Columns: image (bytes), label, and "
    "path, the file's name relative to the folder.",
    model=Images,
    observe="zenctl.steps.images.observe:observe",
    implementation="zenctl.steps.images.ingest:ingest",
    observe_objects="zenctl.steps.images.objects:observe_objects",
    imports=("numpy", "pyarrow"),
)
