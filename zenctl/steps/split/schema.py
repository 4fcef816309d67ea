"""The block `step "split"`: its attributes, and the outputs that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute


class Split(BlockModel):
    """The block's attributes: either `ratio`, or `column` and `values`."""

    inputs: dict[str, ArtifactRef] = attribute("data: the rows to divide.")
    ratio: dict[str, float] = attribute(
        "Share of the rows for each output, by name; they add up to 1. A row's place follows from its content and the "
        "seed alone: it stays where it is when others come, go or change their order, and equal rows stay together.",
        default={},
    )
    seed: int = attribute("ratio: another seed gives another division.", default=0)
    by: list[str] = attribute(
        "ratio: columns whose values decide alone, so that rows which agree in them stay together (all measurements of "
        "one patient, for example). Default: all columns.",
        default=[],
    )
    column: str = attribute("values: the column that decides.", default="")
    values: dict[str, list[str | int]] = attribute(
        "Values of `column` for each output, by name, instead of a ratio. An output without values takes all rows that "
        "no other names; without such an output, a value that is not named is an error.",
        default={},
    )

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if bool(self.ratio) == bool(self.values):
            raise ValueError("give either ratio = { train = 0.8, eval = 0.2 }, or column and values")
        if self.values:
            self._check_values()
        else:
            self._check_ratio()
        for name in self.ratio or self.values:
            if not name.isidentifier():
                raise ValueError(f'"{name}" cannot name an output: use letters, digits and _')
        return self

    def _check_ratio(self) -> None:
        if self.column:
            raise ValueError("column goes with values, not with ratio (by = [...] keeps rows of a group together)")
        for name, share in self.ratio.items():
            if not (math.isfinite(share) and share > 0):
                raise ValueError(f'ratio: the share of "{name}" must be above 0, not {share:g}')
        total = math.fsum(self.ratio.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"ratio: the shares add up to {total:g} instead of 1")

    def _check_values(self) -> None:
        if not self.column:
            raise ValueError("values needs column, the name of the column that decides")
        if self.by:
            raise ValueError("by goes with ratio, not with values")
        if sum(not values for values in self.values.values()) > 1:
            raise ValueError("values: only one output can take all the rows that no other names")
        seen: dict[str, str] = {}
        for name, values in self.values.items():
            for value in values:
                first = seen.setdefault(str(value), name)
                if first != name:
                    raise ValueError(f'values: {value!r} is named by both "{first}" and "{name}"')


def _outputs(attributes: Mapping[str, Any]) -> dict[str, OutputDecl]:
    parts = attributes.get("ratio") or attributes.get("values")
    names = parts if isinstance(parts, Mapping) else {}
    return {name: OutputDecl("Dataset", f"the rows of {name}") for name in names}


SPLIT = StepType(
    name="split",
    description="Divide rows into parts, such as train and eval, by a hash of each row or by the values of a column.",
    model=Split,
    inputs={"data": InputDecl(("Dataset",), description="the rows to divide")},
    outputs=_outputs,
    implementation="zenctl.steps.split.run:split",
    version=2,
    imports=("numpy", "pyarrow"),
    mlmd_type="Transform",
)
