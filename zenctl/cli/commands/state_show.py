"""`zenctl state show`: one recorded result, and all it was made from down to data, code and commit."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import AddressArguments, address_arguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import Diagnostic

EPILOG = """
Examples:

  zenctl state show step.train.penguins
  zenctl state show endpoint.local.penguins
  zenctl state show 'step.train.fit["eu"]'
  zenctl state show -json step.train.penguins | jq '.lineage[].address'

Exit codes: 0 done, 1 error.
"""


def state_show(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="A step, datasource or endpoint.", show_default=False)
    ] = "",
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """Show a recorded result and where it comes from.

    What ran, when, for how long and where; its parameters, inputs, outputs and
    their digests; then the tree of everything it was made from, down to the data,
    the code and the commit.
    """
    found: list[Diagnostic] = []
    given = address_arguments("state show", [address] if address else [], json, found)
    started = invocation(ctx, no_color, workspace)
    return started.report(found) if found else run(started, given)


def run(run: Invocation, given: AddressArguments) -> int:
    """Show it; gives the exit code."""
    from zenctl.cli.views import lineage as lineage_view
    from zenctl.cli.views import state as state_view
    from zenctl.engine import workflow

    outcome = workflow.state_lineage(run.inputs(), given.address)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.node is None:
        return code or exits.ERROR
    if given.json:
        document = lineage_view.lineage_document(outcome.node)
        run.terminal.write(jsonlib.dumps(document, ensure_ascii=False, default=str))
        return code
    style = run.terminal.style
    lines = state_view.recorded_lines(outcome.node.recorded, style)
    if outcome.node.inputs:
        lines += ["", *lineage_view.lineage_lines(outcome.node, style)]
    run.terminal.write("\n".join(lines))
    return code
