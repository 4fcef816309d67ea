"""The block `step "statistics"`: its attributes and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute


class StatisticsBlock(BlockModel):
    """The block's attributes."""

    inputs: dict[str, ArtifactRef] = attribute("data, and optionally baseline: rows to compare with.")
    bins: int = attribute("Bars of a histogram.", default=20, ge=1, le=1000)


def _outputs(_: Mapping[str, Any]) -> dict[str, OutputDecl]:
    return {
        "statistics": OutputDecl("Statistics", "statistics.json, and statistics.html to look at"),
        "schema": OutputDecl("Schema", "schema.json: name, type and presence of every column"),
    }


STATISTICS = StepType(
    name="statistics",
    description="Describe the columns of a dataset: counts, ranges, means, quantiles, values, histograms, drift.",
    model=StatisticsBlock,
    inputs={
        "data": InputDecl(("Dataset",), description="the rows to describe"),
        "baseline": InputDecl(("Dataset",), required=False, description="other rows, to see what has changed"),
    },
    outputs=_outputs,
    implementation="zenctl.steps.statistics.run:statistics",
    version=2,
    imports=("numpy", "pyarrow"),
    mlmd_type="Process",
)
