"""The block `step "transform"`: its attributes, and the outputs that follow from its inputs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from zenctl.diagnostics import did_you_mean
from zenctl.schema import ArtifactRef, BlockModel, OutputDecl, StepType, attribute

Method = Literal[
    "z_score",
    "min_max",
    "robust",
    "log",
    "identity",
    "bucketise",
    "one_hot",
    "vocabulary",
    "hash",
    "n_grams",
    "tf_idf",
    "image",
    "drop",
]


class FeatureRule(BlockModel):
    """How one column is transformed; what is left out follows from the column's type."""

    method: Method | None = attribute(
        "Numbers: z_score: (x - mean) / standard deviation. min_max: to 0..1. robust: (x - median) / interquartile "
        "range. log: sign(x) ln(1 + |x|), then z_score. identity: the number as it is. bucketise: the index of the "
        "bucket, 0 without a value. Texts and integers: one_hot and vocabulary: the value's index, 0 for values not "
        "seen while fitting; a network one-hot encodes the first and learns an embedding for the second. hash: the "
        "index of one of `buckets`. Texts: n_grams: a column for each frequent term, how often it is in the text. "
        "tf_idf: the same as a share of the text's terms, times ln((1 + texts) / (1 + texts with the term)) + 1. Files "
        "of images: image: decoded and resized to height x width pixels. drop: leave the column out. Default: z_score "
        "for numbers; one_hot for texts with at most 64 different values, else vocabulary.",
        default=None,
    )
    fill: float | str | None = attribute(
        "What stands for a missing value. Numbers: mean (default), median, mode, min, max, zero, or a number. Texts: "
        "mode, or a text; by default a missing text is a value of its own.",
        default=None,
    )
    missing: Literal["fill", "drop_row"] | None = attribute(
        "drop_row: leave rows without a value out of the outputs. A model that is served cannot leave a row out: there "
        "`fill` stands for the value. Default: fill.",
        default=None,
    )
    max_size: int | None = attribute(
        "one_hot, vocabulary: keep this many of the most frequent values (default 10,000); n_grams, tf_idf: terms "
        "(default 100).",
        default=None,
        ge=1,
    )
    min_count: int | None = attribute(
        "one_hot, vocabulary: keep values seen at least this often; n_grams, tf_idf: terms in at least this many "
        "texts. Default: 1.",
        default=None,
        ge=1,
    )
    buckets: int | None = attribute(
        "hash: how many indices there are (default 64). bucketise: how many buckets of equally many rows (default 10). "
        "vocabulary: how many more indices there are for values that were not kept, by their hash (default 0).",
        default=None,
        ge=1,
        le=1_000_000,
    )
    boundaries: list[float] | None = attribute("bucketise: where the second and later buckets begin.", default=None)
    ngrams: int | None = attribute(
        "n_grams, tf_idf: terms of up to this many words. Default: 1.", default=None, ge=1, le=5
    )

    height: int | None = attribute("image: pixels from top to bottom.", default=None, ge=1, le=4096)
    width: int | None = attribute("image: pixels from left to right.", default=None, ge=1, le=4096)
    channels: Literal[1, 3] | None = attribute("image: 3 colours, or 1 for grey. Default: 3.", default=None)
    resize: Literal["bilinear", "nearest"] | None = attribute(
        "image: bilinear (default): each new pixel is the mean of those that fall onto it, or, where the image grows, "
        "lies between its neighbours. nearest: the pixel in the middle.",
        default=None,
    )

    @model_serializer(mode="wrap")
    def _what_is_said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plans and records show the rule, and not all that it might say."""
        return {name: value for name, value in whole(self).items() if value is not None}

    @model_validator(mode="after")
    def _belongs_together(self) -> FeatureRule:
        if self.boundaries is not None:
            if self.buckets is not None:
                raise ValueError("give boundaries or buckets, not both")
            if not self.boundaries or any(a >= b for a, b in itertools.pairwise(self.boundaries)):
                raise ValueError("boundaries must rise from each to the next")
        sizes = [name for name in ("height", "width", "channels", "resize") if getattr(self, name) is not None]
        if self.method == "image" and (self.height is None or self.width is None):
            raise ValueError("an image needs a height and a width, in pixels")
        if self.method == "image" and self.fill is not None:
            raise ValueError('nothing fills an image: one that is missing is black; missing = "drop_row" leaves it out')
        if self.method != "image" and sizes:
            raise ValueError(f'{sizes[0]} is of images: say method = "image"')
        return self

    def over(self, default: FeatureRule) -> FeatureRule:
        """This rule, with what it leaves open from a default for the column's type."""
        said = self.model_dump(exclude_none=True)
        base = default.model_dump(exclude_none=True)
        if said.keys() & {"boundaries", "buckets"}:
            base = {name: value for name, value in base.items() if name not in ("boundaries", "buckets")}
        return FeatureRule.model_validate({**base, **said})


class TransformSettings(BlockModel):
    """The attributes that a job is told."""

    fit_on: str = attribute(
        "Name of the input to learn from. Default: train if there is one, else the first by name.", default=""
    )
    label: str | None = attribute("Column to predict: passed through untouched.", default=None)
    features: dict[str, FeatureRule] = attribute("Rules by column, for columns the defaults do not suit.", default={})
    numbers: FeatureRule | None = attribute(
        "What holds for all columns of numbers unless `features` says otherwise.", default=None
    )
    texts: FeatureRule | None = attribute(
        "What holds for all columns of texts unless `features` says otherwise.", default=None
    )
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
    version=2,
    imports=("numpy", "pyarrow"),
    mlmd_type="Transform",
)
