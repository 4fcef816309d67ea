"""`zenctl state list`: the recorded addresses, one a line."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.addrs import Address
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
  zenctl state list -type=train        # in all modules
  zenctl state list -type=endpoint -workspace=default
  zenctl state list -json

Exit codes: 0 done, 1 error (also if nothing recorded matches).
"""


def state_list(
    ctx: typer.Context,
    addresses: Annotated[
        list[str],
        typer.Argument(metavar="[ADDRESS...]", help="Only these, or those that begin so.", show_default=False),
    ] = [],  # noqa: B006 - typer reads the default and copies it
    type: Annotated[
        list[str],
        typer.Option(
            "-type", "--type", metavar="TYPE", help="Only of this type: train, csv, step.train, or step, endpoint."
        ),
    ] = [],  # noqa: B006
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """List the addresses that have a recorded result."""
    return run(invocation(ctx, no_color, workspace), ListArguments(tuple(addresses), json, tuple(type)))


def run(run: Invocation, given: ListArguments) -> int:
    """List them; gives the exit code."""
    from zenctl.engine import workflow

    outcome = workflow.read_state(run.inputs())
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.state is None:
        return code or exits.ERROR
    everything = outcome.state.results.values()
    known = sorted({name for result in everything for name in type_names(result.addr)})
    for wanted in given.types:
        if wanted not in known:
            detail = (
                f"Recorded are {', '.join(known)}.{did_you_mean(wanted, known)}" if known else "Nothing is recorded."
            )
            return run.report([error("unknown_type", f'Nothing recorded is of type "{wanted}"', detail)])
    of_type = [r for r in everything if not given.types or not type_names(r.addr).isdisjoint(given.types)]
    recorded = {str(result.addr): result for result in of_type}
    for wanted in given.filters:
        if not any(matches(address, wanted) for address in recorded):
            guesses = [*recorded, *(a.rpartition(".")[0] for a in recorded)]
            detail = f"`zenctl state list` without arguments lists what is recorded.{did_you_mean(wanted, guesses)}"
            return run.report([error("unknown_address", f'Nothing recorded matches "{wanted}"', detail)])
    shown = sorted(a for a in recorded if not given.filters or any(matches(a, w) for w in given.filters))
    if given.json:
        rows = [
            {
                "address": a,
                "state": recorded[a].state.value,
                "execution_id": recorded[a].execution_id,
                "serial": recorded[a].serial,
            }
            for a in shown
        ]
        run.terminal.write(jsonlib.dumps(rows, indent=2))
    elif shown:
        run.terminal.write("\n".join(shown))
    return code


def type_names(addr: Address) -> set[str]:
    """What -type may say of an address: `train`, `step.train` or `step`."""
    return {addr.type, f"{addr.kind}.{addr.type}", addr.kind}


def matches(address: str, wanted: str) -> bool:
    """Whether an address is the wanted one or begins with it at a border of its parts."""
    return address == wanted or address.startswith((f"{wanted}.", f"{wanted}["))
