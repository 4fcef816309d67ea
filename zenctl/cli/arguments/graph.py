"""What `graph` was given."""

from __future__ import annotations

from pathlib import Path

from zenctl.cli.arguments import values
from zenctl.config.given import VariableArgument
from zenctl.diagnostics import Diagnostic, error
from zenctl.lazy_dataclasses import dataclass

FORMATS = ("dot", "mermaid", "svg", "html")

TYPES = ("configuration", "plan", "plan-destroy")
"""What the graph shows: blocks, or their instances and what a plan made now would do with them."""


@dataclass(frozen=True, slots=True)
class GraphArguments:
    """Of `zenctl graph`."""

    format: str = "dot"
    type: str = "configuration"
    plan_file: Path | None = None
    variables: tuple[VariableArgument, ...] = ()


def check_choices(format: str, type: str, plan_given: bool, found: list[Diagnostic]) -> None:
    """Check the values of -format and -type, and that -type is not given with a plan file."""
    values.one_of("-format", format, FORMATS, found)
    if type and plan_given:
        detail = "The graph of a plan file shows what is in it. Leave -type out."
        found.append(error("bad_argument", "-type and -plan together", detail))
    elif type:
        values.one_of("-type", type, TYPES, found)
