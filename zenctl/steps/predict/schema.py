"""The block `step "predict"`: its attributes, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute


class PredictSettings(BlockModel):
    """The attributes that a job is told."""

    format: Literal["csv", "parquet", "tfrecord"] = attribute(
        "Form of the file: predictions.csv, predictions.parquet, or predictions.tfrecord (tf.train.Example).",
        default="parquet",
    )
    keep: list[str] = attribute(
        "Columns of the data to write beside the predictions, such as an identifier.", default=[]
    )
    features: list[str] | None = attribute(
        "For a model without a model.json whose one input takes rows of numbers: the columns, in its order. Other "
        "models name the columns they take.",
        default=None,
        min_length=1,
    )
    batch_size: int = attribute(
        "Rows per call of the model. It bounds memory; another size can change the last bits of a number.",
        default=4096,
        ge=1,
        le=1_000_000,
    )


class Predict(PredictSettings):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("model and data; data holds raw features, as served.")


def _outputs(_: Mapping[str, Any]) -> dict[str, OutputDecl]:
    return {"predictions": OutputDecl("Predictions", "one file with a row for each row of data, and predictions.json")}


PREDICT = StepType(
    name="predict",
    description="Ask a model about every row of a dataset, and write what it says to a CSV, Parquet or TFRecord file.",
    model=Predict,
    inputs={
        "model": InputDecl(("Model",), description="a model of a step train, a SavedModel or a Keras file"),
        "data": InputDecl(("Dataset",), description="rows with the features that the model takes"),
    },
    outputs=_outputs,
    implementation="zenctl.steps.predict.run:predict",
    distributions=("keras", "tensorflow"),
    imports=("tensorflow", "pyarrow"),
    mlmd_type="Process",
)
