"""`zenctl state list`: the recorded addresses, one a line."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.arguments.state import ListArguments
from zenctl.cli.invocation import Invocation, invocation
from zenctl.diagnostics import did_you_mean, error

EPILOG = """
Examples:

  zenctl state list
  zenctl state list step               # only steps
  zenctl state list step.train endpoint
  zenctl state list -json

Exit codes: 0 done, 1 error (also if nothing recorded matches).
"""


def state_list(
    ctx: typer.Context,
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="[ADDRESS...]", help="Only these, or those that begin so.", show_default=False),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """List the addresses that have a recorded result."""
    return run(invocation(ctx, no_color, workspace), ListArguments(tuple(addresses), json))


def run(run: Invocation, given: ListArguments) -> int:
    """List them; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.read_state(run.inputs())
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.state is None:
        return code or exits.ERROR
    recorded = {str(addr): result for addr, result in outcome.state.results.items()}
    for wanted in given.filters:
        if not any(matches(address, wanted) for address in recorded):
            known = [*recorded, *(a.rpartition(".")[0] for a in recorded)]
            detail = f"`zenctl state list` without arguments lists what is recorded.{did_you_mean(wanted, known)}"
            return run.report([error("unknown_address", f'Nothing recorded matches "{wanted}"', detail)])
    shown = sorted(a for a in recorded if not given.filters or any(matches(a, w) for w in given.filters))
    if given.json:
        rows = [
            {"address": a, "state": recorded[a].state.value, "execution_id": recorded[a].execution_id} for a in shown
        ]
        run.terminal.write(jsonlib.dumps(rows, indent=2))
    elif shown:
        run.terminal.write("\n".join(shown))
    return code


def matches(address: str, wanted: str) -> bool:
    """Whether an address is the wanted one or begins with it at a border of its parts."""
    return address == wanted or address.startswith((f"{wanted}.", f"{wanted}["))
