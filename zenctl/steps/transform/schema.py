"""The block `step "transform"`: its attributes, and the outputs that follow from its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator, model_validator

from zenctl.diagnostics import did_you_mean
from zenctl.schema import ArtifactRef, BlockModel, OutputDecl, StepType, attribute

Method = Literal["z_score", "min_max", "identity", "one_hot", "vocabulary", "drop"]


class FeatureRule(BlockModel):
    """How one column is transformed; what is left out follows from the column's type."""

    method: Method | None = attribute(
        "z_score: (x - mean) / standard deviation. min_max: to 0..1. identity: the number as it is. one_hot and "
        "vocabulary: the value's index, 0 for values not seen while fitting; a network one-hot encodes the first and "
        "learns an embedding for the second. drop: leave the column out. Default: z_score for numbers; one_hot for "
        "texts with at most 64 different values, else vocabulary.",
        default=None,
    )
    fill: float | str | None = attribute(
        "What stands for a missing value. Numbers: mean (default), min, max, zero, or a number. Texts: a text; by "
        "default a missing text is a value of its own.",
        default=None,
    )
    max_size: int = attribute("one_hot, vocabulary: keep this many of the most frequent values.", default=10_000, ge=1)
    min_count: int = attribute("one_hot, vocabulary: keep values seen at least this often.", default=1, ge=1)


class TransformSettings(BlockModel):
    """The attributes that a job is told."""

    fit_on: str = attribute(
        "Name of the input to learn from. Default: train if there is one, else the first by name.", default=""
    )
    label: str | None = attribute("Column to predict: passed through untouched.", default=None)
    features: dict[str, FeatureRule] = attribute("Rules by column, for columns the defaults do not suit.", default={})
    exclude: list[str] = attribute("Columns to leave out, such as identifiers.", default=[])


class Transform(TransformSettings):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("Datasets by any name: { train = ..., eval = ... }.", min_length=1)

    @field_validator("inputs")
    @classmethod
    def _inputs_are_datasets(cls, inputs: dict[str, ArtifactRef]) -> dict[str, ArtifactRef]:
        if "transform" in inputs:
            raise ValueError('"transform" is the name of an output: give this input another name')
        for name, ref in inputs.items():
            if ref.type != "Dataset":
                raise ValueError(f'input "{name}" must be a Dataset, {ref} is a {ref.type}')
        return inputs

    @model_validator(mode="after")
    def _names_agree(self) -> Transform:
        if self.fit_on and self.fit_on not in self.inputs:
            known = ", ".join(sorted(self.inputs))
            raise ValueError(
                f'fit_on: there is no input "{self.fit_on}", only {known}.{did_you_mean(self.fit_on, self.inputs)}'
            )
        if self.label is not None and (self.label in self.features or self.label in self.exclude):
            raise ValueError(
                f'label: "{self.label}" is passed through untouched, so it cannot be in features or exclude'
            )
        return self


def _outputs(attributes: Mapping[str, Any]) -> dict[str, OutputDecl]:
    names = attributes.get("inputs") or {}
    outputs = {name: OutputDecl("Dataset", f"{name}, transformed") for name in names}
    outputs["transform"] = OutputDecl("Transform", "what was learned, as transform.json")
    return outputs


TRANSFORM = StepType(
    name="transform",
    description="Turn columns into numbers that a network can learn from, the same in training and in serving.",
    model=Transform,
    inputs=None,
    outputs=_outputs,
    implementation="zenctl.steps.transform.run:transform",
    imports=("numpy", "pyarrow"),
    mlmd_type="Transform",
)
