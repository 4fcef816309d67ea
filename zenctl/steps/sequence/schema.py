"""The block `step "sequence"`: its attributes, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute
from zenctl.steps.data.durations import seconds

Aggregate = Literal["mean", "sum", "min", "max", "first", "last", "count"]


class SequenceSettings(BlockModel):
    """The attributes that a job is told."""

    time: str = attribute(
        "Column that says when: whole numbers, fractions, or texts in ISO 8601 (2026-03-01T12:00:00, with or without a "
        "zone). Every row must have one.",
        min_length=1,
    )
    by: list[str] = attribute("Columns that tell one series from another, such as a station.", default=[])
    columns: list[str] | None = attribute(
        "Columns to take windows of. Default: all but time and by.", default=None, min_length=1
    )
    every: float | str | None = attribute(
        'Resample to steps of this length: a number in the unit of time, or a duration ("15m", "1h", "7d") where time '
        "is a text. Steps begin at multiples of it since 0, or 1970-01-01. Default: the rows as they are.",
        default=None,
    )
    aggregate: Aggregate = attribute(
        "every: what stands for the values of a step. Texts take the last in any case.", default="mean"
    )
    aggregates: dict[str, Aggregate] = attribute('every: the same by column: { rain = "sum" }.', default={})
    gaps: Literal["split", "forward", "interpolate"] = attribute(
        "every: what becomes of steps without a row. split: no window reaches across. forward: the step before is "
        "repeated. interpolate: a straight line between the steps around, for numbers; texts are repeated.",
        default="split",
    )
    max_gap: float | str | None = attribute(
        "forward, interpolate: more missing steps than this in a row split the series. Without every: no window "
        "reaches across a longer time without rows, in the unit of time or as a duration.",
        default=None,
    )
    window: int = attribute("Rows, or steps, in a window.", ge=1, le=10_000)
    stride: int = attribute("Rows from the beginning of a window to that of the next.", default=1, ge=1)
    label: str | None = attribute("Column whose later value is to be predicted.", default=None)
    horizon: int = attribute("label: how many rows after the end of the window its value is taken.", default=1, ge=1)

    @field_validator("every", "max_gap")
    @classmethod
    def _positive(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, str):
            seconds(value)
        elif value is not None and not value > 0:
            raise ValueError("every and max_gap must be above 0")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> SequenceSettings:
        if self.time in self.by:
            raise ValueError(f'by: "{self.time}" is the time, so it cannot tell series apart')
        if self.every is None and (self.gaps != "split" or self.aggregates):
            raise ValueError("gaps and aggregates need every, the length of a step")
        if self.every is not None and isinstance(self.max_gap, str):
            raise ValueError("max_gap: with every it is a number of steps")
        if self.every is not None and self.gaps == "split" and self.max_gap is not None:
            raise ValueError('max_gap: gaps = "split" splits at every gap; use forward or interpolate')
        for name in (self.time, *self.by):
            if self.columns is not None and name in self.columns:
                raise ValueError(f'columns: "{name}" is passed through for each window as it is')
        return self


class Sequence(SequenceSettings):
    """The block's attributes."""

    inputs: Annotated[dict[str, ArtifactRef], Field()] = attribute("data: rows of one or more series, in any order.")


def _outputs(_: Mapping[str, Any]) -> dict[str, OutputDecl]:
    return {"data": OutputDecl("Dataset", "a row for each window: by, the time of its end, x_lag1, x_lag0, x_lead1")}


SEQUENCE = StepType(
    name="sequence",
    description="Resample time series, fill or split at gaps, and cut them into windows with a label ahead.",
    model=Sequence,
    inputs={"data": InputDecl(("Dataset",), description="rows with a time")},
    outputs=_outputs,
    implementation="zenctl.steps.sequence.run:sequence",
    imports=("numpy", "pyarrow"),
    mlmd_type="Transform",
)
