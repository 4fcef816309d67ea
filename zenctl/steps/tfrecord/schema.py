"""The block `datasource "tfrecord"`: its attributes."""

from __future__ import annotations

from zenctl.schema import DatasourceType, SourceModel, attribute


class TfRecord(SourceModel):
    """The block's attributes."""

    path: str = attribute(
        "A file, a folder (every *.tfrecord* below it) or a pattern such as data/train-*-of-00010, relative to the "
        "configuration's folder; or objects of a bucket, named alike: gs://BUCKET/KEY, s3://BUCKET/KEY. Files may be "
        "compressed with gzip. Several are read in the order of their names.",
        fingerprint=False,
        min_length=1,
    )


TFRECORD = DatasourceType(
    name="tfrecord",
    description="Files of tf.train.Example records with one value for each feature; a feature that is not there, or "
    "empty, is a missing value. Columns come in the order of their names.",
    model=TfRecord,
    observe="zenctl.steps.tfrecord.observe:observe",
    implementation="zenctl.steps.tfrecord.ingest:ingest",
    observe_objects="zenctl.steps.tfrecord.objects:observe_objects",
    imports=("numpy", "pyarrow"),
)
