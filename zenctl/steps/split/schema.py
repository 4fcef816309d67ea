"""The block `step "split"`: its attributes, and the outputs that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from zenctl.schema import ArtifactRef, BlockModel, InputDecl, OutputDecl, StepType, attribute


class Split(BlockModel):
    """The block's attributes: `ratio` (with `stratify`, or `time` and `order`), or `column` and `values`, or `time` and
    `until`.
    """

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
    stratify: str = attribute(
        "ratio: a column of texts or whole numbers, within each value of which the ratio is kept exactly, but for less "
        "than one row. Which rows go where then depends a little on the others: as rows come, some change sides.",
        default="",
    )
    time: str = attribute(
        "Column that says when: numbers, or texts in ISO 8601. With ratio, the outputs are stretches of the range from "
        "the first time to the last, in the order that `order` names; with until, they end at fixed times.",
        default="",
    )
    order: list[str] = attribute("time with ratio: the outputs from the earliest to the latest.", default=[])
    until: dict[str, str | float] = attribute(
        "time: for each output the time before which its rows lie, and not before that of another: { train = "
        '"2026-01-01T00:00:00Z", eval = "" }. The output with an empty text takes the rest.',
        default={},
    )
    column: str = attribute("values: the column that decides.", default="")
    values: dict[str, list[str | int]] = attribute(
        "Values of `column` for each output, by name, instead of a ratio. An output without values takes all rows that "
        "no other names; without such an output, a value that is not named is an error.",
        default={},
    )

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if [bool(self.ratio), bool(self.values), bool(self.until)].count(True) != 1:
            raise ValueError("give one of ratio = { train = 0.8, eval = 0.2 }, column and values, or time and until")
        if self.values:
            self._check_values()
        elif self.until:
            self._check_until()
        else:
            self._check_ratio()
        for name in self.ratio or self.values or self.until:
            if not name.isidentifier():
                raise ValueError(f'"{name}" cannot name an output: use letters, digits and _')
        return self

    def _check_until(self) -> None:
        if not self.time:
            raise ValueError("until needs time, the name of the column that says when")
        if self.by or self.stratify or self.order or self.column:
            raise ValueError("until goes with time alone")
        if sum(end == "" for end in self.until.values()) != 1:
            raise ValueError('until: exactly one output has "" and takes the rows after all others')

    def _check_ratio(self) -> None:
        if self.column:
            raise ValueError("column goes with values, not with ratio (by = [...] keeps rows of a group together)")
        if self.time:
            if self.by or self.stratify:
                raise ValueError("time with ratio: by and stratify go with a ratio of rows, not of time")
            if sorted(self.order) != sorted(self.ratio):
                raise ValueError(f"order must name each of {', '.join(sorted(self.ratio))} once, the earliest first")
        elif self.order:
            raise ValueError("order goes with time")
        if self.stratify and self.by:
            raise ValueError("stratify and by exclude each other: a group can have rows of several categories")
        for name, share in self.ratio.items():
            if not (math.isfinite(share) and share > 0):
                raise ValueError(f'ratio: the share of "{name}" must be above 0, not {share:g}')
        total = math.fsum(self.ratio.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"ratio: the shares add up to {total:g} instead of 1")

    def _check_values(self) -> None:
        if not self.column:
            raise ValueError("values needs column, the name of the column that decides")
        if self.by or self.stratify or self.time or self.order:
            raise ValueError("by, stratify, time and order go with ratio, not with values")
        if sum(not values for values in self.values.values()) > 1:
            raise ValueError("values: only one output can take all the rows that no other names")
        seen: dict[str, str] = {}
        for name, values in self.values.items():
            for value in values:
                first = seen.setdefault(str(value), name)
                if first != name:
                    raise ValueError(f'values: {value!r} is named by both "{first}" and "{name}"')


def _outputs(attributes: Mapping[str, Any]) -> dict[str, OutputDecl]:
    parts = attributes.get("ratio") or attributes.get("values") or attributes.get("until")
    names = parts if isinstance(parts, Mapping) else {}
    return {name: OutputDecl("Dataset", f"the rows of {name}") for name in names}


SPLIT = StepType(
    name="split",
    description="Divide rows into parts, such as train and eval, by a hash of each row, by values, or by time.",
    model=Split,
    inputs={"data": InputDecl(("Dataset",), description="the rows to divide")},
    outputs=_outputs,
    implementation="zenctl.steps.split.run:split",
    version=2,
    imports=("numpy", "pyarrow"),
    mlmd_type="Transform",
)
