"""`zenctl history`: the applies of the workspace."""

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

Examples:

  zenctl history
  zenctl history -last=5
  zenctl history -json | jq '.applies[] | select(.result == "failed") | .serial'

Exit codes: 0 done, 1 error.
"""


def history(
    ctx: typer.Context,
    last: Annotated[str, typer.Option("-last", "--last", metavar="N", help="Only the newest N.")] = "",
    json: JsonFlag = False,
    workspace: WorkspaceFlag = "",
    no_color: NoColor = False,
) -> int:
    """List the applies of the workspace: when, how long, how it ended, by whom.

    The newest comes first. The number is the serial that `state show ADDRESS` and
    `reproduce ADDRESS@SERIAL` speak of.
    """
    found: list[Diagnostic] = []
    started = invocation(ctx, no_color, workspace)
    newest = values.count("-last", last, found) if last else 0
    return started.report(found) if found else run(started, newest, json)


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
