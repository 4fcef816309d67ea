"""The block `step "train"`: its attributes, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute

Activation = Literal["elu", "gelu", "leaky_relu", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"]
Optimizer = Literal["adam", "adamw", "rmsprop", "sgd"]


class TrainSettings(BlockModel):
    """The attributes that a job is told."""

    label: str = attribute("Column to predict.", min_length=1)
    features: list[str] | None = attribute("Columns to learn from. Default: every column but the label.", default=None)
    task: Literal["auto", "classification", "regression"] = attribute(
        "auto: classification for texts, booleans and integers with at most 20 different values; else regression.",
        default="auto",
    )
    hidden_layers: list[Annotated[int, Field(ge=1)]] = attribute("Units of each hidden layer.", default=[32, 16])
    activation: Activation = attribute("Activation of the hidden layers.", default="relu")
    dropout: float = attribute(
        "Share of units left out at each step, after each hidden layer.", default=0.0, ge=0, lt=1
    )
    epochs: int = attribute("How often to go through the training rows.", default=10, ge=1)
    batch_size: int = attribute("Rows per gradient step.", default=32, ge=1)
    learning_rate: float = attribute("Step size of the optimizer.", default=0.001, gt=0)
    optimizer: Optimizer = attribute("Keras optimizer.", default="adam")
    early_stopping_patience: int | None = attribute(
        "Stop after this many epochs without a better loss (on eval if given, else on train); keep the best weights.",
        default=None,
        ge=1,
    )
    seed: int = attribute("Start of every random choice: equal seeds give equal bytes.", default=0, ge=0, lt=2**32)
    threads: int = attribute(
        "Threads per operation. More than 1 pays for wide layers only, and makes the bytes depend on the machine.",
        default=1,
        ge=1,
    )


class Train(TrainSettings):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("train, and optionally eval and transform.")


def _outputs(_: Mapping[str, Any]) -> dict[str, OutputDecl]:
    return {
        "model": OutputDecl("Model", "a SavedModel that takes raw features, and model.json"),
        "metrics": OutputDecl("Metrics", "loss and accuracy, or loss, rmse and mae, of the weights that were kept"),
        "history": OutputDecl("History", "history.json: the same for every epoch"),
    }


TRAIN = StepType(
    name="train",
    description="Train a feed-forward network on a table, for classification or regression.",
    model=Train,
    inputs={
        "train": InputDecl(("Dataset",), description="rows to learn from"),
        "eval": InputDecl(("Dataset",), required=False, description="rows to measure every epoch on"),
        "transform": InputDecl(
            ("Transform",), required=False, description="the transform that made train; without it, train is raw"
        ),
    },
    outputs=_outputs,
    implementation="zenctl.steps.train.run:train",
    distributions=("keras", "tensorflow"),
    imports=("tensorflow", "pyarrow"),
    mlmd_type="Train",
)
