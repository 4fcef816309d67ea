"""`zenctl history`: the applies of the workspace, or the runs of an address."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from zenctl.cli import exits
from zenctl.cli.arguments import values
from zenctl.cli.arguments.options import JsonFlag, NoColor, WorkspaceFlag
from zenctl.cli.invocation import Invocation, invocation
from zenctl.cli.views import history as view
from zenctl.diagnostics import Diagnostic

EPILOG = """
Results: complete; failed, where a step failed; refused, where the plan was stale;
interrupted, with Ctrl-C or SIGTERM; running; dead, where its process is gone and
it has not ended, which the next apply sees to; abandoned, where its lock was
taken away.

Of an address it lists every run, failed attempts too, with the backend that it was
on and what happened to its machines: a zone without capacity, one taken away.

Examples:

  zenctl history
  zenctl history step.train.penguins
  zenctl history -last=5
  zenctl history -json | jq '.applies[] | select(.result == "failed") | .serial'

Exit codes: 0 done, 1 error.
"""


def history(
    ctx: typer.Context,
    address: Annotated[
        str,
        typer.Argument(metavar="[ADDRESS]", help="A step, datasource or endpoint: list its runs.", show_default=False),
    ] = "",
    last: Annotated[str, typer.Option("-last", "--last", metavar="N", help="Only the newest N.")] = "",
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """List the applies of the workspace, or the runs of an address.

    An apply is told with when it was, how long, how it ended, and by whom.
    The newest comes first. The number is the serial that `state show ADDRESS` and
    `reproduce ADDRESS@SERIAL` speak of.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    newest = values.count("-last", last, found) if last else 0
    addr = values.address("", address, found) if address else ""
    if found:
        return started.report(found)
    return run_of(started, addr, newest, json) if addr else run(started, newest, json)


def run(run: Invocation, newest: int, json: bool) -> int:
    """List them; gives the exit code."""
    from zenctl.engine.applies import list_applies

    outcome = list_applies(run.inputs(), newest=newest)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.applies is None:
        return code or exits.ERROR
    if json:
        document = view.history_document(outcome.applies, run.workspace)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    elif outcome.applies:
        run.terminal.write("\n".join(view.history_rows(outcome.applies, run.terminal.style)))
    else:
        run.terminal.write("Nothing has been applied yet.")
    return code


def run_of(run: Invocation, address: str, newest: int, json: bool) -> int:
    """List the runs of an address; gives the exit code."""
    from zenctl.cli.views import runs as view_of_runs
    from zenctl.engine.applies import list_runs

    outcome = list_runs(run.inputs(), address, newest=newest)
    code = run.report(outcome.diagnostics, outcome.sources)
    if outcome.runs is None:
        return code or exits.ERROR
    if json:
        document = view_of_runs.runs_document(address, outcome.runs, run.workspace)
        run.terminal.write(jsonlib.dumps(document, indent=2, ensure_ascii=False))
    else:
        run.terminal.write("\n".join(view_of_runs.run_rows(outcome.runs, run.terminal.style)))
    return code
