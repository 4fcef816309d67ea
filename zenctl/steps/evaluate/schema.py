"""The block `step "evaluate"`: its attributes, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute


class Gate(BlockModel):
    """Bounds of one metric; both are allowed values."""

    min: float | None = attribute("Least value that passes.", default=None)
    max: float | None = attribute("Greatest value that passes.", default=None)

    @model_validator(mode="after")
    def _bounded(self) -> Gate:
        if self.min is None and self.max is None:
            raise ValueError("a gate needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"no value passes this gate: min {self.min:g} is above max {self.max:g}")
        return self


class EvaluateSettings(BlockModel):
    """The attributes that a job is told."""

    label: str | None = attribute("Column with the truth. Default: the label the model was trained for.", default=None)
    slices: list[str] = attribute("Columns by whose values to measure as well, such as a region.", default=[])
    gates: dict[str, Gate] = attribute(
        "Conditions for passing the model on, by metric: { accuracy = { min = 0.9 } }. Metrics inside others are named "
        'with dots: "classes.Adelie.recall", "slices.island.Biscoe.accuracy".',
        default={},
    )


class Evaluate(EvaluateSettings):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("model and data; data holds raw features, as served.")


def _outputs(_: Mapping[str, Any]) -> dict[str, OutputDecl]:
    return {
        "metrics": OutputDecl("Metrics", "what was measured, over all rows and by slice"),
        "model": OutputDecl("Model", "the same model, given on only if every gate is met"),
    }


EVALUATE = StepType(
    name="evaluate",
    description="Measure a model on rows it has not seen, and pass it on only if it is good enough.",
    model=Evaluate,
    inputs={
        "model": InputDecl(("Model",), description="a model of step train"),
        "data": InputDecl(("Dataset",), description="rows with raw features and the label"),
    },
    outputs=_outputs,
    implementation="zenctl.steps.evaluate.run:evaluate",
    distributions=("tensorflow",),
    imports=("tensorflow", "pyarrow"),
    mlmd_type="Evaluate",
    version=2,
)
