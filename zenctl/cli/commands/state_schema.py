"""`zenctl state schema`: a schema to validate by, inferred from what is recorded of a dataset."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import AddressArguments, address_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
The document is what `schema = file("...")` of a step validate takes: types,
whether values may be missing, the domain of texts with few different values.
Keep it beside the configuration, in version control, and add what you know:
min, max, max_missing, pattern. docs/steps.md tells all.

Examples:

  zenctl state schema datasource.csv.penguins > schemas/penguins.json
  zenctl state schema -output=train step.split.penguins > schemas/train.json
  zenctl state schema datasource.csv.penguins@3

Exit codes: 0 done, 1 error.
"""


def state_schema(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="A step or datasource, or ADDRESS@SERIAL.", show_default=False)
    ] = "",
    output: Annotated[
        str, typer.Option("-output", "--output", metavar="NAME", help="Which dataset, of a step with several.")
    ] = "",
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Print a schema that a recorded dataset passes, to validate by.

    It is inferred from the statistics recorded with the dataset; no row is read.
    """
    found: list[Diagnostic] = []
    plain, at, serial = address.partition("@")
    given = address_arguments("state schema", [plain] if plain else [], False, found)
    started = invocation(ctx, no_color, workspace)
    if found:
        return started.aside().report(found)
    return run(started, AddressArguments(given.address + at + serial), output)


def run(run: Invocation, given: AddressArguments, output: str) -> int:
    """Print it; gives the exit code."""
    from zenctl.engine.recorded_schema import recorded_schema

    outcome = recorded_schema(run.inputs(), given.address, output)
    code = run.aside().report(outcome.diagnostics, outcome.sources)
    if outcome.document is None:
        return code or exits.ERROR
    run.terminal.write(jsonlib.dumps(outcome.document, indent=2, ensure_ascii=False))
    return code
